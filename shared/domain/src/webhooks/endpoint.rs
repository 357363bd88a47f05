//! How an endpoint stands: its failures, its circuit, how much it takes at once, and when it is disabled.

use std::time::Duration;

use crate::{RateLimit, RateWindow, Schedule, Timestamp};

/// How much longer than a try its slot and its lease are held.
pub const ATTEMPT_MARGIN: Duration = Duration::from_secs(5);
/// How long an endpoint is taken to need for an answer before any came.
const UNKNOWN_LATENCY_MS: u64 = 500;
/// An endpoint whose answers take this long gets only a part of its limit,
const SLOW_MS: u64 = 2000;
/// one of so many parts.
const SLOW_SHARE: u32 = 2;
/// Parts of its patience, in percent, after which an endpoint's operator is warned; the first as soon as it fails at all.
const WARNINGS: [u8; 4] = [1, 50, 75, 90];
/// What one try counts among the recent ones: about the last twenty matter.
const ATTEMPT_WEIGHT: f64 = 0.1;
/// What failing now, and being slow, take from a health of 100.
const HEALTH_PENALTY: u32 = 10;

/// What an endpoint's deliveries keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointPolicy {
    /// When a try is made again.
    pub schedule: Schedule,
    /// The whole of one try.
    pub timeout: Duration,
    /// Sends per window.
    pub rate: RateLimit,
    /// Tries at once, at least 1.
    pub concurrency: u32,
    /// When nothing more is sent for a while.
    pub circuit: Circuit,
    /// When the endpoint is disabled.
    pub disable_policy: DisablePolicy,
}

/// When an endpoint that fails is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circuit {
    /// Failed tries in a row that open it; 0 for never.
    pub failures: u64,
    /// Until the first probe; each probe that fails doubles it.
    pub delay: Duration,
    /// The longest time between probes.
    pub max_delay: Duration,
}

impl Circuit {
    /// The time until the next probe after `probes` that failed.
    pub fn wait(&self, probes: u32) -> Duration {
        self.delay.saturating_mul(1_u32.checked_shl(probes).unwrap_or(u32::MAX)).min(self.max_delay)
    }
}

/// How long an endpoint may fail before it is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisablePolicy {
    /// Failed tries in a row; 0 for any number.
    pub failures: u64,
    /// Time since the first of them; zero for any time.
    pub time: Duration,
    /// Failed tries in a row before time counts: who is sent one webhook a week has not failed for a week.
    pub min_failures: u64,
}

/// What is kept of an endpoint beside its settings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointState {
    /// Rises with each change: who admits on an older one admits again.
    pub revision: u64,
    /// The version of its registration; none where it stands in the settings.
    pub registration: Option<u64>,
    /// When its registration was removed.
    pub removed_at: Option<Timestamp>,
    /// When it was disabled.
    pub disabled_at: Option<Timestamp>,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Whether everybody who wants to know was told that it is disabled.
    pub disable_notified: bool,
    /// Its places in the rate limit.
    pub window: RateWindow,
    /// It asked for nothing before then.
    pub paused_until: Option<Timestamp>,
    /// Failed tries since the last one that it took.
    pub failures: u64,
    /// When the first of these failed.
    pub failing_since: Option<Timestamp>,
    /// The warning that was given last, in percent of its patience.
    pub warned: u8,
    /// Since when it was failing when everybody who wants to know was told of it; until they are told that it recovered.
    pub outage_notified_since: Option<Timestamp>,
    /// Nothing is sent before then but the probe that runs until then.
    pub circuit_until: Option<Timestamp>,
    /// Probes in a row that failed.
    pub probes: u32,
    /// The opening of the circuit whose probe is chosen.
    pub candidate: Option<Timestamp>,
    /// Tries at once that it takes at the moment, where these are fewer than its limit.
    pub concurrency_limit: Option<u32>,
    /// How long its answers take, smoothed; 0 before any came.
    pub latency_ms: u64,
    /// How many of a thousand recent tries it took; none before any was made.
    pub success_permille: Option<u32>,
    /// The end of the line of those who wait for a slot.
    pub queue_end: Option<Timestamp>,
    /// Tries that are under way.
    pub slots: Vec<Slot>,
}

/// Tries that one batch has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Whose.
    pub holder: u64,
    /// How many.
    pub attempts: u32,
    /// Who holds it longer has died.
    pub until: Timestamp,
}

/// What a batch saw of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchOutcome {
    /// Tries that it took.
    pub accepted: u32,
    /// Tries that failed.
    pub failed: u32,
    /// Whether one of them said that there are too many (429, 502, 503, 504).
    pub overloaded: bool,
    /// It asks for nothing before then.
    pub pause_until: Option<Timestamp>,
    /// The mean time that its tries took, in milliseconds.
    pub latency_ms: u64,
}

/// What a batch changes about an endpoint; written without a condition, so none of it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointReport {
    /// The slot that is given back.
    pub holder: u64,
    /// When.
    pub at: Timestamp,
    /// Failures that are added, or none where it took a webhook: it has no failures then.
    pub failed: Option<u64>,
    /// How long its answers take; none where nothing was tried.
    pub latency_ms: Option<u64>,
    /// How many of a thousand recent tries it took; none where nothing was tried.
    pub success_permille: Option<u32>,
    /// What becomes of its width.
    pub concurrency_limit: ConcurrencyChange,
    /// Nothing is sent before then; none where that does not change.
    pub circuit_until: Option<Timestamp>,
    /// Probes in a row that failed; none where that does not change.
    pub probes: Option<u32>,
    /// It asks for nothing before then.
    pub pause_until: Option<Timestamp>,
}

/// What becomes of the tries at once that an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConcurrencyChange {
    /// Nothing, whatever others found.
    Unchanged,
    /// So many from now on.
    Set(u32),
    /// So many more, whatever others found.
    RaiseBy(u32),
}

/// What follows from an endpoint's failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndpointHealth {
    /// Nothing.
    Healthy,
    /// Its operator is told that so many percent of its patience are over.
    Warn(u8),
    /// It is disabled, with the reason that people see.
    Disable(String),
}

impl EndpointState {
    /// Tries at once that it takes at the moment.
    pub fn concurrency_limit(&self, policy: &EndpointPolicy) -> u32 {
        let limit = policy.concurrency.max(1);
        let concurrency_limit = self.concurrency_limit.unwrap_or(limit).clamp(1, limit);
        // Each slow try keeps a whole invocation of the dispatcher busy.
        if self.latency_ms >= SLOW_MS { concurrency_limit.min(limit.div_ceil(SLOW_SHARE)) } else { concurrency_limit }
    }

    /// How long its answers take.
    pub fn latency_ms(&self) -> u64 {
        if self.latency_ms == 0 { UNKNOWN_LATENCY_MS } else { self.latency_ms }
    }

    /// Whether so many failed tries in a row have opened its circuit.
    pub fn is_open(&self, policy: &EndpointPolicy) -> bool {
        policy.circuit.failures > 0 && self.failures >= policy.circuit.failures
    }

    /// How well it takes webhooks, from 0 (disabled) to 100: the share of recent tries that it took, less a tenth each
    /// while it fails and while it is slow; at most a tenth while its circuit is open.
    pub fn health(&self, policy: &EndpointPolicy) -> u32 {
        if self.disabled_at.is_some() {
            return 0;
        }
        let taken = self.success_permille.unwrap_or(1000) / 10;
        let failing = if self.failures > 0 { HEALTH_PENALTY } else { 0 };
        let slow = if self.latency_ms >= SLOW_MS { HEALTH_PENALTY } else { 0 };
        let score = taken.saturating_sub(failing + slow);
        if self.is_open(policy) { score.min(HEALTH_PENALTY) } else { score }
    }

    /// How much of its patience is used, in percent.
    pub fn disable_progress(&self, policy: &EndpointPolicy, now: Timestamp) -> u64 {
        let (by_count, by_time) = self.used(policy, now);
        by_count.max(by_time).unwrap_or(0).min(100)
    }

    /// How much of its patience is used by count and by time, in percent; none where that does not count.
    fn used(&self, policy: &EndpointPolicy, now: Timestamp) -> (Option<u64>, Option<u64>) {
        let disable_policy = &policy.disable_policy;
        let by_count =
            (disable_policy.failures > 0).then(|| self.failures.saturating_mul(100) / disable_policy.failures);
        let failing = self.failing_since.map_or(0, |since| u128::try_from(now.0 - since.0).unwrap_or(0));
        let counts = !disable_policy.time.is_zero() && self.failures >= disable_policy.min_failures;
        let percent = || u64::try_from(failing * 100 / disable_policy.time.as_millis().max(1)).unwrap_or(u64::MAX);
        (by_count, counts.then(percent))
    }

    /// What a batch that was admitted on this state changes; `probe` says whether it was sent to see how things are.
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
        let concurrency_limit = match (batch.overloaded, batch.accepted, self.concurrency_limit) {
            (true, _, concurrency_limit) => {
                ConcurrencyChange::Set((concurrency_limit.unwrap_or(limit).min(limit) / 2).max(1))
            }
            // Back from an open circuit it is asked gently.
            (false, accepted @ 1.., _) if open => ConcurrencyChange::Set(accepted.min(limit)),
            (false, accepted @ 1.., Some(concurrency_limit)) if concurrency_limit < limit => {
                ConcurrencyChange::RaiseBy(accepted)
            }
            (false, ..) => ConcurrencyChange::Unchanged,
        };
        let tried = batch.accepted + batch.failed > 0;
        let latency_ms = tried.then(|| match self.latency_ms {
            // What came before the circuit opened says nothing about now.
            old if old == 0 || (open && batch.accepted > 0) => batch.latency_ms.max(1),
            old => ((old * 3 + batch.latency_ms) / 4).max(1),
        });
        let success_permille = tried.then(|| {
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
        let probes = failed_probe.then(|| self.probes.saturating_add(1));
        let circuit_until = opens.then(|| now.after(policy.circuit.wait(probes.unwrap_or(self.probes))));
        // A probe that could not be made says nothing; the next may be made at once.
        let circuit_until = if probe && !tried { Some(now) } else { circuit_until };
        EndpointReport {
            holder,
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

    /// What follows from how it stands after a report.
    pub fn assess_health(&self, policy: &EndpointPolicy, now: Timestamp) -> EndpointHealth {
        let disable_policy = &policy.disable_policy;
        if self.disabled_at.is_some() || self.failures == 0 {
            return EndpointHealth::Healthy;
        }
        let (by_count, by_time) = self.used(policy, now);
        let last_warning = WARNINGS[WARNINGS.len() - 1];
        if by_count.max(by_time).is_some_and(|percent| percent >= 100) && self.warned < last_warning {
            // Nobody is disabled without a warning, however long nothing was sent.
            return EndpointHealth::Warn(last_warning);
        }
        if by_count.is_some_and(|percent| percent >= 100) {
            return EndpointHealth::Disable(format!("{} tries in a row failed", self.failures));
        }
        if by_time.is_some_and(|percent| percent >= 100) {
            let since = self.failing_since.unwrap_or(now);
            return EndpointHealth::Disable(format!("every try since {since} failed"));
        }
        let used = by_count.max(by_time).unwrap_or(0);
        let fails = self.failures >= disable_policy.min_failures;
        let used = if fails { used.max(u64::from(WARNINGS[0])) } else { used };
        let levels = WARNINGS.into_iter().skip(usize::from(!fails)).rev();
        let reached = levels.into_iter().find(|level| u64::from(*level) <= used);
        reached.filter(|level| *level > self.warned).map_or(EndpointHealth::Healthy, EndpointHealth::Warn)
    }
}

impl EndpointReport {
    /// The state after it.
    pub fn apply(&self, state: &mut EndpointState) {
        state.revision += 1;
        state.slots.retain(|slot| slot.holder != self.holder);
        state.latency_ms = self.latency_ms.unwrap_or(state.latency_ms);
        state.success_permille = self.success_permille.or(state.success_permille);
        match self.concurrency_limit {
            ConcurrencyChange::Unchanged => {}
            ConcurrencyChange::Set(concurrency_limit) => state.concurrency_limit = Some(concurrency_limit),
            ConcurrencyChange::RaiseBy(more) => {
                state.concurrency_limit = Some(state.concurrency_limit.unwrap_or(0).saturating_add(more))
            }
        }
        match self.failed {
            None => {
                state.failures = 0;
                state.failing_since = None;
                state.warned = 0;
                state.circuit_until = None;
                state.candidate = None;
                state.probes = 0;
            }
            Some(failed) => {
                state.failures += failed;
                if failed > 0 {
                    state.failing_since = state.failing_since.or(Some(self.at));
                }
                state.circuit_until = self.circuit_until.or(state.circuit_until);
                state.probes = self.probes.unwrap_or(state.probes);
            }
        }
        state.paused_until = state.paused_until.max(self.pause_until);
    }
}
