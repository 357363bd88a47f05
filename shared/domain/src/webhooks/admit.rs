//! Admission: which of an endpoint's deliveries may be sent now. No endpoint waits for another, and a wait uses up no
//! attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ATTEMPT_MARGIN, AttemptClaim, EndpointPolicy, EndpointState, Slot, Timestamp};

/// Why a delivery that is due waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// It has a reservation in the rate limit, for later.
    #[serde(rename = "rate")]
    RateLimit,
    /// The endpoint's concurrency limit is reached.
    #[serde(rename = "line")]
    Concurrency,
    /// The endpoint's circuit is open: it is only probed.
    Circuit,
    /// The endpoint requested a pause.
    Pause,
    /// These settings do not know its endpoint.
    #[serde(rename = "settings")]
    UnknownEndpoint,
}

/// What admission has to know about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdmissionRequest {
    /// It has a reservation in the current window of the rate limit.
    pub has_reservation: bool,
    /// It waited for the concurrency limit before.
    pub was_queued: bool,
    /// The attempt that is made if it is sent.
    pub claim: Option<AttemptClaim>,
}

/// The decision about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendDecision {
    /// It is sent now.
    Send,
    /// It waits until this time, for this reason.
    Wait(Timestamp, WaitReason),
    /// It is never sent: the endpoint is disabled.
    Stop,
}

/// The decisions about a batch of one endpoint's deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// One for each delivery, in order.
    pub decisions: Vec<SendDecision>,
    /// The endpoint's next state, which must be saved before any delivery is sent, on condition that the state has not
    /// changed; none if nothing changes.
    pub next: Option<EndpointState>,
    /// Whether the delivery that is sent is the probe of an open circuit.
    pub probe: bool,
    /// Whether the results must be reported even if they are no news: others may wait for the slot.
    pub must_report: bool,
}

/// The shortest distance between two deliveries in the backlog.
const MIN_STEP: Duration = Duration::from_millis(5);
/// The longest wait in the backlog, whatever its depth: the endpoint may become faster in the meantime.
const MAX_QUEUE_WAIT: Duration = Duration::from_secs(300);
/// How much longer than its attempt a slot is held, in milliseconds.
const CALLS_MS: u64 = 40;
/// The longest wait for a circuit or for a reservation: as long as a queue can delay a message.
const MAX_WAIT: Duration = Duration::from_secs(900);

impl EndpointState {
    /// Decides about these deliveries; `holder` identifies the batch's slot.
    pub fn admit(
        &self,
        policy: &EndpointPolicy,
        requests: &[AdmissionRequest],
        holder: u64,
        now: Timestamp,
    ) -> Admitted {
        let all = |decision| Admitted {
            decisions: vec![decision; requests.len()],
            next: None,
            probe: false,
            must_report: false,
        };
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
            self.probe(policy, requests, holder, now)
        } else {
            self.admit_closed(policy, requests, holder, now)
        }
    }

    /// Decides for an open circuit: when the probe is due, one delivery is sent as the probe.
    fn probe(&self, policy: &EndpointPolicy, requests: &[AdmissionRequest], holder: u64, now: Timestamp) -> Admitted {
        let count = requests.len();
        let interval = policy.circuit.wait(self.circuit.failed_probes);
        let mut next = self.clone();
        next.revision += 1;
        let opened = self.circuit.until.unwrap_or_else(|| now.after(interval));
        next.circuit.until = Some(opened);
        if let Some(until) = Some(opened).filter(|until| *until > now) {
            if self.concurrency.slots.iter().any(|slot| slot.until == until) {
                // The probe is in progress and ends by then.
                return Admitted {
                    decisions: vec![SendDecision::Wait(until, WaitReason::Circuit); count],
                    next: None,
                    probe: false,
                    must_report: false,
                };
            }
            // One delivery returns as the probe, the others after it.
            let behind = until.after(policy.timeout + ATTEMPT_MARGIN).min(now.after(MAX_WAIT)).max(until);
            let mut decisions = vec![SendDecision::Wait(behind, WaitReason::Circuit); count];
            let chosen = self.circuit.candidate == Some(until);
            if !chosen {
                decisions[0] = SendDecision::Wait(until, WaitReason::Circuit);
                next.circuit.candidate = Some(until);
            }
            let changed = !chosen || self.circuit.until.is_none();
            return Admitted { decisions, next: changed.then_some(next), probe: false, must_report: false };
        }
        let over = now.after(policy.timeout + ATTEMPT_MARGIN);
        next.circuit.until = Some(over);
        next.circuit.candidate = None;
        let slot = Slot {
            holder,
            attempts: 1,
            until: over,
            busy_until: over,
            started_at: now,
            claims: requests[0].claim.into_iter().collect(),
        };
        next.take(slot, now);
        let mut decisions = vec![SendDecision::Wait(over, WaitReason::Circuit); count];
        decisions[0] = SendDecision::Send;
        Admitted { decisions, next: Some(next), probe: true, must_report: true }
    }

    /// Decides for a closed circuit: deliveries are sent while slots and the rate limit allow it, those that waited first.
    fn admit_closed(
        &self,
        policy: &EndpointPolicy,
        requests: &[AdmissionRequest],
        holder: u64,
        now: Timestamp,
    ) -> Admitted {
        let concurrency_limit = self.concurrency_limit(policy);
        // The holder's own slot is that of its former batch, which has ended.
        let others = self.concurrency.slots.iter().filter(|slot| slot.holder != holder && slot.busy_until > now);
        let busy: u32 = others.map(|slot| slot.attempts).sum();
        let mut free = concurrency_limit.saturating_sub(busy);
        // A little slower than the endpoint: faster than that, deliveries would return before slots are free.
        let step = Duration::from_millis((self.latency_ms() + CALLS_MS) * 11 / 10 / u64::from(concurrency_limit));
        let step = step.clamp(MIN_STEP, policy.timeout);
        let mut next = self.clone();
        let mut decisions = vec![SendDecision::Send; requests.len()];
        let mut going = 0;
        let (waited, new): (Vec<usize>, Vec<usize>) =
            (0..requests.len()).partition(|index| requests[*index].has_reservation || requests[*index].was_queued);
        for index in waited.iter().chain(&new).copied() {
            let AdmissionRequest { has_reservation, was_queued, .. } = requests[index];
            let queue_end = next.concurrency.queue_end.filter(|queue_end| *queue_end > now);
            // While most slots are free, a new delivery may pass those that are due later.
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
                    // The rate limit has no reservations that far ahead, so the delivery requests admission again later.
                    None => SendDecision::Wait(now.after(MAX_WAIT), WaitReason::Concurrency),
                }
            } else {
                let send_at = queue_end.unwrap_or(now).after(step).min(now.after(MAX_QUEUE_WAIT));
                next.concurrency.queue_end = Some(send_at);
                // A reservation in the rate limit is kept until its window ends.
                let keeps = has_reservation && policy.rate.same_window(send_at, now);
                SendDecision::Wait(send_at, if keeps { WaitReason::RateLimit } else { WaitReason::Concurrency })
            };
        }
        let waits = next.concurrency.queue_end.is_some_and(|queue_end| queue_end > now);
        let must_report = waits || (busy + going) * 2 > concurrency_limit;
        if going > 0 {
            let until = now.after(policy.timeout + ATTEMPT_MARGIN);
            let sent = requests.iter().zip(&decisions).filter(|(_, decision)| **decision == SendDecision::Send);
            let slot = Slot {
                holder,
                attempts: going,
                until,
                // What is not reported, and so not released, must not count for long.
                busy_until: if must_report { until } else { until.min(now.after(self.usual_time())) },
                started_at: now,
                claims: sent.filter_map(|(request, _)| request.claim).collect(),
            };
            next.take(slot, now);
        }
        let changed = next != *self;
        next.revision += 1;
        Admitted { decisions, next: changed.then_some(next), probe: false, must_report }
    }
}
