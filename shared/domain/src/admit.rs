//! Which of an endpoint's deliveries may be sent now: nothing waits for another endpoint, and waiting uses up no try.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{EndpointPolicy, EndpointState, Slot, TRY_MARGIN, Timestamp};

/// What a delivery waits for, though its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Its place in the rate limit, which is taken for it.
    Rate,
    /// A slot: the endpoint has as many tries under way as it takes.
    Line,
    /// The endpoint failed too often in a row, and is probed now and then.
    Circuit,
    /// The endpoint asked to be left alone.
    Pause,
    /// Its endpoint, which these settings do not know.
    Settings,
}

/// How a delivery asks to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asking {
    /// Its place in the rate limit is taken, and has come.
    pub has_place: bool,
    /// It stood in the line already.
    pub was_in_line: bool,
}

/// Whether a delivery may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Now.
    Go,
    /// Not before then.
    Wait(Timestamp, Held),
    /// Never: the endpoint is disabled.
    Stop,
}

/// What was decided about a batch of one endpoint's deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// For each, in order.
    pub verdicts: Vec<Verdict>,
    /// What has to be saved, on condition that nobody changed it, before any is sent; none where nothing changes.
    pub next: Option<EndpointState>,
    /// Whether the one that goes is sent to see how the endpoint is.
    pub probe: bool,
}

/// The shortest step of the line.
const SHORTEST_STEP: Duration = Duration::from_millis(5);
/// The line is no longer than this, however many stand in it: an endpoint may become faster meanwhile.
const LONGEST_LINE: Duration = Duration::from_secs(300);
/// What a slot is held for beside the try itself, in milliseconds.
const CALLS_MS: u64 = 40;
/// The longest wait for a circuit or for a place: as long as a message can wait in a queue.
const LONGEST_HELD: Duration = Duration::from_secs(900);

impl EndpointState {
    /// Decides about these deliveries; `holder` names the batch's slot.
    pub fn admit(&self, policy: &EndpointPolicy, asking: &[Asking], holder: u64, now: Timestamp) -> Admitted {
        let all = |verdict| Admitted { verdicts: vec![verdict; asking.len()], next: None, probe: false };
        if self.disabled_at.is_some() {
            return all(Verdict::Stop);
        }
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return all(Verdict::Wait(until, Held::Pause));
        }
        if asking.is_empty() {
            return all(Verdict::Go);
        }
        if self.is_open(policy) {
            self.probe(policy, asking.len(), holder, now)
        } else {
            self.fit(policy, asking, holder, now)
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
                    verdicts: vec![Verdict::Wait(until, Held::Circuit); count],
                    next: None,
                    probe: false,
                };
            }
            // One comes back as the probe, the others when it is over.
            let behind = until.after(policy.timeout + TRY_MARGIN).min(now.after(LONGEST_HELD)).max(until);
            let mut verdicts = vec![Verdict::Wait(behind, Held::Circuit); count];
            let chosen = self.candidate == Some(until);
            if !chosen {
                verdicts[0] = Verdict::Wait(until, Held::Circuit);
                next.candidate = Some(until);
            }
            let changed = !chosen || self.circuit_until.is_none();
            return Admitted { verdicts, next: changed.then_some(next), probe: false };
        }
        let over = now.after(policy.timeout + TRY_MARGIN);
        next.circuit_until = Some(over);
        next.candidate = None;
        next.take(holder, 1, over, now);
        let mut verdicts = vec![Verdict::Wait(over, Held::Circuit); count];
        verdicts[0] = Verdict::Go;
        Admitted { verdicts, next: Some(next), probe: true }
    }

    /// Those for whom there is a slot and a place go, those who waited before the others.
    fn fit(&self, policy: &EndpointPolicy, asking: &[Asking], holder: u64, now: Timestamp) -> Admitted {
        let width = self.width(policy);
        let busy: u32 = self.slots.iter().filter(|slot| slot.until > now).map(|slot| slot.tries).sum();
        let mut free = width.saturating_sub(busy);
        // A little slower than the endpoint, or the line would come before there are slots.
        let step = Duration::from_millis((self.latency_ms() + CALLS_MS) * 11 / 10 / u64::from(width));
        let step = step.clamp(SHORTEST_STEP, policy.timeout);
        let mut next = self.clone();
        let mut verdicts = vec![Verdict::Go; asking.len()];
        let mut going = 0;
        let (waited, new): (Vec<usize>, Vec<usize>) =
            (0..asking.len()).partition(|index| asking[*index].has_place || asking[*index].was_in_line);
        for index in waited.iter().chain(&new).copied() {
            let Asking { has_place, was_in_line } = asking[index];
            let line = next.line.filter(|line| *line > now);
            // While most slots are free nobody has to stand behind those whose turn is yet to come.
            let may_pass = has_place || was_in_line || line.is_none() || (width > 1 && free * 2 > width);
            verdicts[index] = if free > 0 && may_pass {
                let place = if has_place { Some((next.window, now)) } else { next.window.reserve(now, policy.rate) };
                match place {
                    Some((window, place)) => {
                        next.window = window;
                        if place > now {
                            Verdict::Wait(place, Held::Rate)
                        } else {
                            free -= 1;
                            going += 1;
                            Verdict::Go
                        }
                    }
                    // It asks again when places are promised for then.
                    None => Verdict::Wait(now.after(LONGEST_HELD), Held::Line),
                }
            } else {
                let place = line.unwrap_or(now).after(step).min(now.after(LONGEST_LINE));
                next.line = Some(place);
                // A place in the rate limit is kept as long as its window lasts.
                let keeps = has_place && policy.rate.still_holds(place, now);
                Verdict::Wait(place, if keeps { Held::Rate } else { Held::Line })
            };
        }
        if going > 0 {
            next.take(holder, going, now.after(policy.timeout + TRY_MARGIN), now);
        }
        let changed = next != *self;
        next.revision += 1;
        Admitted { verdicts, next: changed.then_some(next), probe: false }
    }

    /// Takes a slot, and those of the dead away.
    fn take(&mut self, holder: u64, tries: u32, until: Timestamp, now: Timestamp) {
        self.slots.retain(|slot| slot.until > now);
        self.slots.push(Slot { holder, tries, until });
    }
}
