//! The state of an endpoint: failures, circuit breaker, concurrency limit, and the policy that disables it.

use std::time::Duration;

use crate::{RateLimit, RateWindow, Schedule, Slot, Timestamp, WarningLevel};

/// How much longer than the timeout of an attempt its slot and its lease are held.
pub const ATTEMPT_MARGIN: Duration = Duration::from_secs(5);
/// The assumed latency of an endpoint that has not answered yet.
const UNKNOWN_LATENCY_MS: u64 = 500;
/// From this latency on, an endpoint gets only a part of its concurrency limit.
const SLOW_MS: u64 = 2000;
/// Smaller differences of the latency are not reported, in milliseconds.
const PACE_MS: u64 = 50;
/// The divisor of the concurrency limit of a slow endpoint.
const SLOW_SHARE: u32 = 2;
/// The weight of one attempt in the success rate: about the last twenty matter.
const ATTEMPT_WEIGHT: f64 = 0.1;
/// How much each problem, failing and being slow, takes from a health of 100.
const HEALTH_PENALTY: u32 = 10;

/// The limits of an endpoint's deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointPolicy {
    /// When a failed attempt is repeated.
    pub schedule: Schedule,
    /// The total time of one attempt.
    pub timeout: Duration,
    /// Sends per window.
    pub rate: RateLimit,
    /// The concurrency limit: attempts at the same time, at least 1.
    pub concurrency: u32,
    /// The circuit breaker.
    pub circuit: Circuit,
    /// When the endpoint is disabled.
    pub disable_policy: DisablePolicy,
}

/// The circuit breaker's settings: after which failures it opens, and how often it is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circuit {
    /// Consecutive failed attempts that open it; 0 for never.
    pub failures: u64,
    /// The time until the first probe; each failed probe doubles it.
    pub delay: Duration,
    /// The longest time between probes.
    pub max_delay: Duration,
}

impl Circuit {
    /// The time until the next probe after `probes` failed ones.
    pub fn wait(&self, probes: u32) -> Duration {
        self.delay.saturating_mul(1_u32.checked_shl(probes).unwrap_or(u32::MAX)).min(self.max_delay)
    }
}

/// How long an endpoint may fail before it is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisablePolicy {
    /// Consecutive failed attempts; 0 for no limit.
    pub failures: u64,
    /// Time since the first of them; zero for no limit.
    pub time: Duration,
    /// Consecutive failed attempts before the time counts: an endpoint that gets one webhook a week and fails once has not
    /// failed for a week.
    pub min_failures: u64,
}

/// The stored state of an endpoint, beside its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointState {
    /// Rises with each change: an admission that was decided on an older revision is decided again.
    pub revision: u64,
    /// The version of its registration; none if it is configured in the settings.
    pub registration: Option<u64>,
    /// When its registration was removed.
    pub removed_at: Option<Timestamp>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Why it was disabled.
    pub disabled_reason: Option<String>,
    /// Whether subscribers were notified that it is disabled.
    pub disable_notified: bool,
    /// Its reservations in the rate limit.
    pub window: RateWindow,
    /// The endpoint requested no webhooks before this time.
    pub paused_until: Option<Timestamp>,
    /// Failed attempts since the last one that it accepted.
    pub failures: u64,
    /// When the outage began: the first of these failures.
    pub failing_since: Option<Timestamp>,
    /// The newest warning of the outage.
    pub warned: Option<WarningLevel>,
    /// Start of the outage that subscribers were notified about; none once they are notified of its end.
    pub outage_notified_since: Option<Timestamp>,
    /// Its circuit breaker.
    pub circuit: CircuitState,
    /// Its attempts in progress, and the deliveries that wait for them.
    pub concurrency: Concurrency,
    /// Its smoothed latency; 0 before the first answer.
    pub latency_ms: u64,
    /// Its success rate over recent attempts, in thousandths; none before the first attempt.
    pub success_permille: Option<u32>,
}

/// The state of a circuit breaker, which is open while there are enough failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CircuitState {
    /// Only the probe is sent before this time.
    pub until: Option<Timestamp>,
    /// Consecutive failed probes.
    pub failed_probes: u32,
    /// The value of `until` for which a probe is chosen already.
    pub candidate: Option<Timestamp>,
}

/// An endpoint's use of its concurrency limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Concurrency {
    /// The adaptive limit, if it is lower than the configured one.
    pub limit: Option<u32>,
    /// When the last waiting delivery is due.
    pub queue_end: Option<Timestamp>,
    /// Attempts in progress.
    pub slots: Vec<Slot>,
    /// When the slots changed last; none if they never did, or if version 0.2 changed them.
    pub changed_at: Option<Timestamp>,
}

/// The results of a batch's attempts at one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchOutcome {
    /// Attempts that it accepted.
    pub accepted: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Whether one of them was answered with an overload status (429, 502, 503, 504).
    pub overloaded: bool,
    /// The endpoint requests no webhooks before this time.
    pub pause_until: Option<Timestamp>,
    /// The mean duration of the attempts, in milliseconds.
    pub latency_ms: u64,
}

/// What a batch changes about an endpoint's state; it is written without a condition, so that no result is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// The slot that is released.
    pub holder: u64,
    /// What is kept of it: claims whose results could not be saved.
    pub kept: Option<Slot>,
    /// The time of the report.
    pub at: Timestamp,
    /// Failures to add; none if it accepted a webhook, which resets its failures.
    pub failed: Option<u64>,
    /// Its new latency; none if nothing was sent.
    pub latency_ms: Option<u64>,
    /// Its new success rate, in thousandths; none if nothing was sent.
    pub success_permille: Option<u32>,
    /// The change of its concurrency limit.
    pub concurrency_limit: ConcurrencyChange,
    /// The new circuit time; none if it does not change.
    pub circuit_until: Option<Timestamp>,
    /// The new number of consecutive failed probes; none if it does not change.
    pub probes: Option<u32>,
    /// The endpoint requests no webhooks before this time.
    pub pause_until: Option<Timestamp>,
}

/// A change of an endpoint's concurrency limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConcurrencyChange {
    /// No change.
    Unchanged,
    /// The limit is this number.
    Set(u32),
    /// The limit rises by this number, in addition to other batches' changes.
    RaiseBy(u32),
}

/// What the disable policy makes of an endpoint's failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthVerdict {
    /// There is nothing to do.
    Healthy,
    /// Its operator is warned that this much of the disable policy is used.
    Warn(WarningLevel),
    /// It is disabled, with the reason shown to people.
    Disable(String),
}

impl EndpointState {
    /// The concurrency limit that applies now.
    pub fn concurrency_limit(&self, policy: &EndpointPolicy) -> u32 {
        let limit = policy.concurrency.max(1);
        let concurrency_limit = self.concurrency.limit.unwrap_or(limit).clamp(1, limit);
        // A slow attempt keeps a whole invocation of the dispatcher busy.
        if self.latency_ms >= SLOW_MS { concurrency_limit.min(limit.div_ceil(SLOW_SHARE)) } else { concurrency_limit }
    }

    /// Its latency, in milliseconds.
    pub fn latency_ms(&self) -> u64 {
        if self.latency_ms == 0 { UNKNOWN_LATENCY_MS } else { self.latency_ms }
    }

    /// Whether its circuit is open.
    pub fn is_open(&self, policy: &EndpointPolicy) -> bool {
        policy.circuit.failures > 0 && self.failures >= policy.circuit.failures
    }

    /// Its health from 0 (disabled) to 100: the success rate in percent, less 10 while it fails and 10 while it is slow; at
    /// most 10 while its circuit is open.
    pub fn health(&self, policy: &EndpointPolicy) -> u32 {
        if self.disabled_at.is_some() {
            return 0;
        }
        let accepted = self.success_permille.unwrap_or(1000) / 10;
        let failing = if self.failures > 0 { HEALTH_PENALTY } else { 0 };
        let slow = if self.latency_ms >= SLOW_MS { HEALTH_PENALTY } else { 0 };
        let score = accepted.saturating_sub(failing + slow);
        if self.is_open(policy) { score.min(HEALTH_PENALTY) } else { score }
    }

    /// How much of the disable policy is used, in percent.
    pub fn disable_progress(&self, policy: &EndpointPolicy, now: Timestamp) -> u64 {
        let (by_count, by_time) = self.used(policy, now);
        by_count.max(by_time).unwrap_or(0).min(100)
    }

    /// How much of the disable policy is used by count and by time, in percent; none for a limit that does not apply.
    fn used(&self, policy: &EndpointPolicy, now: Timestamp) -> (Option<u64>, Option<u64>) {
        let disable_policy = &policy.disable_policy;
        let by_count =
            (disable_policy.failures > 0).then(|| self.failures.saturating_mul(100) / disable_policy.failures);
        let failing = self.failing_since.map_or(0, |since| now.since(since).as_millis());
        let counts = !disable_policy.time.is_zero() && self.failures >= disable_policy.min_failures;
        let percent = || u64::try_from(failing * 100 / disable_policy.time.as_millis().max(1)).unwrap_or(u64::MAX);
        (by_count, counts.then(percent))
    }

    /// What a batch that was admitted on this state changes; `probe` says whether it was the probe of an open circuit.
    pub fn report(
        &self,
        policy: &EndpointPolicy,
        holder: u64,
        batch: &BatchOutcome,
        probe: bool,
        now: Timestamp,
    ) -> EndpointReport {
        let limit = policy.concurrency.max(1);
        let open = self.is_open(policy);
        let concurrency_limit = match (batch.overloaded, batch.accepted, self.concurrency.limit) {
            (true, _, concurrency_limit) => {
                ConcurrencyChange::Set((concurrency_limit.unwrap_or(limit).min(limit) / 2).max(1))
            }
            // After an open circuit the limit starts low.
            (false, accepted @ 1.., _) if open => ConcurrencyChange::Set(accepted.min(limit)),
            (false, accepted @ 1.., Some(concurrency_limit)) if concurrency_limit < limit => {
                ConcurrencyChange::RaiseBy(accepted)
            }
            (false, ..) => ConcurrencyChange::Unchanged,
        };
        let attempted = batch.accepted + batch.failed > 0;
        let latency_ms = attempted.then(|| match self.latency_ms {
            // The latency from before the circuit opened is out of date.
            old if old == 0 || (open && batch.accepted > 0) => batch.latency_ms.max(1),
            old => ((old * 3 + batch.latency_ms) / 4).max(1),
        });
        let success_permille = attempted.then(|| {
            let old = 1.0 - ATTEMPT_WEIGHT;
            let weight = old.powi(i32::try_from(batch.accepted + batch.failed).unwrap_or(i32::MAX));
            let rate = f64::from(batch.accepted) / f64::from(batch.accepted + batch.failed);
            let known = self.success_permille.map_or(rate, |permille| f64::from(permille) / 1000.0);
            (1000.0 * (known * weight + rate * (1.0 - weight))).round() as u32
        });
        let failed = (batch.accepted == 0).then_some(u64::from(batch.failed));
        let opens = policy.circuit.failures > 0
            && failed.is_some_and(|n| n > 0 && self.failures + n >= policy.circuit.failures);
        let failed_probe = probe && batch.failed > 0 && batch.accepted == 0;
        let probes = failed_probe.then(|| self.circuit.failed_probes.saturating_add(1));
        let circuit_until = opens.then(|| now.after(policy.circuit.wait(probes.unwrap_or(self.circuit.failed_probes))));
        // A probe that was not sent has no result; the next one may be sent immediately.
        let circuit_until = if probe && !attempted { Some(now) } else { circuit_until };
        EndpointReport {
            holder,
            kept: None,
            at: now,
            failed,
            latency_ms,
            success_permille,
            concurrency_limit,
            circuit_until,
            probes,
            pause_until: batch.pause_until,
        }
    }

    /// What the disable policy makes of its state after a report.
    pub fn assess_health(&self, policy: &EndpointPolicy, now: Timestamp) -> HealthVerdict {
        let disable_policy = &policy.disable_policy;
        if self.disabled_at.is_some() || self.failures == 0 {
            return HealthVerdict::Healthy;
        }
        let (by_count, by_time) = self.used(policy, now);
        let last_warning = WarningLevel::Last;
        if by_count.max(by_time).is_some_and(|percent| percent >= 100) && self.warned < Some(last_warning) {
            // No endpoint is disabled without a warning, however long nothing was sent to it.
            return HealthVerdict::Warn(last_warning);
        }
        if by_count.is_some_and(|percent| percent >= 100) {
            return HealthVerdict::Disable(format!("{} consecutive attempts failed", self.failures));
        }
        if by_time.is_some_and(|percent| percent >= 100) {
            let since = self.failing_since.unwrap_or(now);
            return HealthVerdict::Disable(format!("every attempt since {since} failed"));
        }
        let used = by_count.max(by_time).unwrap_or(0);
        let fails = self.failures >= disable_policy.min_failures;
        let by_policy = WarningLevel::reached(used).filter(|level| *level > WarningLevel::Failing);
        let reached = by_policy.or(fails.then_some(WarningLevel::Failing));
        reached.filter(|level| self.warned < Some(*level)).map_or(HealthVerdict::Healthy, HealthVerdict::Warn)
    }
}

impl EndpointReport {
    /// Whether it says more than that all is as it was in `state`; if not, it need not be written.
    pub fn is_news(&self, state: &EndpointState) -> bool {
        let troubled = state.failures > 0
            || state.warned.is_some()
            || state.outage_notified_since.is_some()
            || state.circuit != CircuitState::default();
        let changes = self.failed.is_some()
            || self.concurrency_limit != ConcurrencyChange::Unchanged
            || self.pause_until.is_some()
            || self.success_permille.is_some_and(|permille| state.success_permille != Some(permille));
        troubled || changes || self.latency_ms.is_some_and(|latency_ms| is_another_pace(state.latency_ms, latency_ms))
    }

    /// Changes the state as the store does.
    pub fn apply(&self, state: &mut EndpointState) {
        state.revision += 1;
        state.concurrency.slots.retain(|slot| slot.holder != self.holder);
        state.concurrency.slots.extend(self.kept.clone());
        state.concurrency.changed_at = Some(self.at);
        state.latency_ms = self.latency_ms.unwrap_or(state.latency_ms);
        state.success_permille = self.success_permille.or(state.success_permille);
        match self.concurrency_limit {
            ConcurrencyChange::Unchanged => {}
            ConcurrencyChange::Set(limit) => state.concurrency.limit = Some(limit),
            ConcurrencyChange::RaiseBy(more) => {
                state.concurrency.limit = Some(state.concurrency.limit.unwrap_or(0).saturating_add(more))
            }
        }
        match self.failed {
            None => {
                state.failures = 0;
                state.failing_since = None;
                state.warned = None;
                state.circuit = CircuitState::default();
            }
            Some(failed) => {
                state.failures += failed;
                if failed > 0 {
                    state.failing_since = state.failing_since.or(Some(self.at));
                }
                state.circuit.until = self.circuit_until.or(state.circuit.until);
                state.circuit.failed_probes = self.probes.unwrap_or(state.circuit.failed_probes);
            }
        }
        state.paused_until = state.paused_until.max(self.pause_until);
    }
}

/// Whether a smoothed latency differs so much from the stored one that the batch was more than half faster or slower, by
/// more than 50 ms, or that the endpoint becomes slow or fast.
fn is_another_pace(stored: u64, latency_ms: u64) -> bool {
    // A batch counts a quarter.
    let difference = stored.abs_diff(latency_ms) * 4;
    stored == 0 || difference > PACE_MS.max(stored / 2) || (stored >= SLOW_MS) != (latency_ms >= SLOW_MS)
}
