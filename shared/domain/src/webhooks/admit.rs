//! Which of an endpoint's deliveries may be sent now: nothing waits for another endpoint, and waiting uses up no try.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ATTEMPT_MARGIN, EndpointPolicy, EndpointState, Slot, Timestamp};

/// What a delivery waits for, though its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// Its place in the rate limit, which is taken for it.
    #[serde(rename = "rate")]
    RateLimit,
    /// A slot: the endpoint has as many tries under way as it takes.
    #[serde(rename = "line")]
    Concurrency,
    /// The endpoint failed too often in a row, and is probed now and then.
    Circuit,
    /// The endpoint asked to be left alone.
    Pause,
    /// Its endpoint, which these settings do not know.
    #[serde(rename = "settings")]
    UnknownEndpoint,
}

/// How a delivery asks to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdmissionRequest {
    /// Its place in the rate limit is taken, and has come.
    pub has_reservation: bool,
    /// It stood in the line already.
    pub was_queued: bool,
}

/// Whether a delivery may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendDecision {
    /// Now.
    Send,
    /// Not before then.
    Wait(Timestamp, WaitReason),
    /// Never: the endpoint is disabled.
    Stop,
}

/// What was decided about a batch of one endpoint's deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// For each, in order.
    pub decisions: Vec<SendDecision>,
    /// What has to be saved, on condition that nobody changed it, before any is sent; none where nothing changes.
    pub next: Option<EndpointState>,
    /// Whether the one that goes is sent to see how the endpoint is.
    pub probe: bool,
}

/// The shortest step of the line.
const MIN_STEP: Duration = Duration::from_millis(5);
/// The line is no longer than this, however many stand in it: an endpoint may become faster meanwhile.
const MAX_QUEUE_WAIT: Duration = Duration::from_secs(300);
/// What a slot is held for beside the try itself, in milliseconds.
const CALLS_MS: u64 = 40;
/// The longest wait for a circuit or for a place: as long as a message can wait in a queue.
const MAX_WAIT: Duration = Duration::from_secs(900);

impl EndpointState {
    /// Decides about these deliveries; `holder` names the batch's slot.
    pub fn admit(
        &self,
        policy: &EndpointPolicy,
        requests: &[AdmissionRequest],
        holder: u64,
        now: Timestamp,
    ) -> Admitted {
        let all = |decision| Admitted { decisions: vec![decision; requests.len()], next: None, probe: false };
        if self.disabled_at.is_some() {
            return all(SendDecision::Stop);
        }
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return all(SendDecision::Wait(until, WaitReason::Pause));
        }
        if requests.is_empty() {
            return all(SendDecision::Send);
        }
        if self.is_open(policy) {
            self.probe(policy, requests.len(), holder, now)
        } else {
            self.admit_closed(policy, requests, holder, now)
        }
    }

    /// An open circuit: one is sent when its time has come, to see how the endpoint is.
    fn probe(&self, policy: &EndpointPolicy, count: usize, holder: u64, now: Timestamp) -> Admitted {
        let interval = policy.circuit.wait(self.probes);
        let mut next = self.clone();
        next.revision += 1;
        let opened = self.circuit_until.unwrap_or_else(|| now.after(interval));
        next.circuit_until = Some(opened);
        if let Some(until) = Some(opened).filter(|until| *until > now) {
            if self.slots.iter().any(|slot| slot.until == until) {
                // The probe is under way: what comes of it is known by then.
                return Admitted {
                    decisions: vec![SendDecision::Wait(until, WaitReason::Circuit); count],
                    next: None,
                    probe: false,
                };
            }
            // One comes back as the probe, the others when it is over.
            let behind = until.after(policy.timeout + ATTEMPT_MARGIN).min(now.after(MAX_WAIT)).max(until);
            let mut decisions = vec![SendDecision::Wait(behind, WaitReason::Circuit); count];
            let chosen = self.candidate == Some(until);
            if !chosen {
                decisions[0] = SendDecision::Wait(until, WaitReason::Circuit);
                next.candidate = Some(until);
            }
            let changed = !chosen || self.circuit_until.is_none();
            return Admitted { decisions, next: changed.then_some(next), probe: false };
        }
        let over = now.after(policy.timeout + ATTEMPT_MARGIN);
        next.circuit_until = Some(over);
        next.candidate = None;
        next.take(holder, 1, over, now);
        let mut decisions = vec![SendDecision::Wait(over, WaitReason::Circuit); count];
        decisions[0] = SendDecision::Send;
        Admitted { decisions, next: Some(next), probe: true }
    }

    /// Those for whom there is a slot and a place go, those who waited before the others.
    fn admit_closed(
        &self,
        policy: &EndpointPolicy,
        requests: &[AdmissionRequest],
        holder: u64,
        now: Timestamp,
    ) -> Admitted {
        let concurrency_limit = self.concurrency_limit(policy);
        let busy: u32 = self.slots.iter().filter(|slot| slot.until > now).map(|slot| slot.attempts).sum();
        let mut free = concurrency_limit.saturating_sub(busy);
        // A little slower than the endpoint, or the line would come before there are slots.
        let step = Duration::from_millis((self.latency_ms() + CALLS_MS) * 11 / 10 / u64::from(concurrency_limit));
        let step = step.clamp(MIN_STEP, policy.timeout);
        let mut next = self.clone();
        let mut decisions = vec![SendDecision::Send; requests.len()];
        let mut going = 0;
        let (waited, new): (Vec<usize>, Vec<usize>) =
            (0..requests.len()).partition(|index| requests[*index].has_reservation || requests[*index].was_queued);
        for index in waited.iter().chain(&new).copied() {
            let AdmissionRequest { has_reservation, was_queued } = requests[index];
            let queue_end = next.queue_end.filter(|queue_end| *queue_end > now);
            // While most slots are free nobody has to stand behind those whose turn is yet to come.
            let may_pass = has_reservation
                || was_queued
                || queue_end.is_none()
                || (concurrency_limit > 1 && free * 2 > concurrency_limit);
            decisions[index] = if free > 0 && may_pass {
                let send_at =
                    if has_reservation { Some((next.window, now)) } else { next.window.reserve(now, policy.rate) };
                match send_at {
                    Some((window, send_at)) => {
                        next.window = window;
                        if send_at > now {
                            SendDecision::Wait(send_at, WaitReason::RateLimit)
                        } else {
                            free -= 1;
                            going += 1;
                            SendDecision::Send
                        }
                    }
                    // It asks again when places are promised for then.
                    None => SendDecision::Wait(now.after(MAX_WAIT), WaitReason::Concurrency),
                }
            } else {
                let send_at = queue_end.unwrap_or(now).after(step).min(now.after(MAX_QUEUE_WAIT));
                next.queue_end = Some(send_at);
                // A place in the rate limit is kept as long as its window lasts.
                let keeps = has_reservation && policy.rate.same_window(send_at, now);
                SendDecision::Wait(send_at, if keeps { WaitReason::RateLimit } else { WaitReason::Concurrency })
            };
        }
        if going > 0 {
            next.take(holder, going, now.after(policy.timeout + ATTEMPT_MARGIN), now);
        }
        let changed = next != *self;
        next.revision += 1;
        Admitted { decisions, next: changed.then_some(next), probe: false }
    }

    /// Takes a slot, and those of the dead away.
    fn take(&mut self, holder: u64, attempts: u32, until: Timestamp, now: Timestamp) {
        self.slots.retain(|slot| slot.until > now);
        self.slots.push(Slot { holder, attempts, until });
    }
}
