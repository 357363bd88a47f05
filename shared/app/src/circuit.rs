//! A circuit breaker for each outside service: while a service fails, nothing is sent to it, and no task or job counts that
//! as a failure of its own.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Circuit, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clock::ClockAndRandom;
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// When a circuit opens, and how often it is probed.
const CIRCUIT: Circuit =
    Circuit { failures: 5, delay: Duration::from_secs(30), max_delay: Duration::from_secs(5 * 60) };
/// The time after which a probe without a result is repeated.
const PROBE: Duration = Duration::from_secs(60);
/// The time after which an open circuit is closed that nothing probes: no task needs its service.
const UNUSED: Duration = Duration::from_secs(30 * 60);
/// Attempts at recording results after conflicts.
const ATTEMPTS: u32 = 5;

/// The name of an outside service that has a circuit: of lower-case letters, never changed once it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey(&'static str);

impl ServiceKey {
    /// The service of this name.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The name in storage, in logs and in errors.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// The stored state of the circuit breaker of a service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServiceCircuit {
    /// Rises by one with each change.
    pub version: u64,
    /// Consecutive requests that failed.
    pub failures: u64,
    /// Consecutive probes that failed.
    pub failed_probes: u32,
    /// Nothing is sent before this time; none while the circuit is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it opened; none while it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
}

/// Stores the circuits of services.
#[async_trait]
pub trait Circuits: Send + Sync {
    /// The circuit of a service; a closed one of version 0 if none is stored.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn circuit(&self, service: ServiceKey) -> Result<ServiceCircuit, StoreError>;

    /// Replaces the circuit of a service if the stored version is the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_circuit(
        &self,
        service: ServiceKey,
        circuit: &ServiceCircuit,
    ) -> Result<Saved<ServiceCircuit>, StoreError>;
}

/// What may be sent to a service now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Requests: the circuit is closed.
    All,
    /// One request, the probe: the circuit is half-open.
    Probe,
    /// Nothing: the circuit is open.
    Nothing,
}

impl Permit {
    /// The number of requests that may be sent at once, at most `most`.
    pub fn requests(self, most: usize) -> usize {
        match self {
            Self::All => most,
            Self::Probe => most.min(1),
            Self::Nothing => 0,
        }
    }
}

/// The results of requests to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Results {
    /// Requests that it answered without a server error.
    pub answered: u64,
    /// Requests without an answer, or with a server error.
    pub failed: u64,
}

impl Results {
    /// Counts a request.
    pub fn count(&mut self, answered: bool) {
        if answered {
            self.answered += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl ServiceCircuit {
    /// The next version, which claims the probe of a half-open circuit; none unless it is half-open.
    pub fn claim_probe(&self, now: Timestamp) -> Option<Self> {
        let is_half_open = self.until.is_some_and(|until| until <= now);
        is_half_open.then(|| Self { until: Some(now.after(PROBE)), ..self.next() })
    }

    /// The next version, closed, of a circuit that nothing has probed for long although it is half-open: whether its
    /// service is still down is unknown, and the next task finds out. None for every other circuit.
    pub fn close_unused(&self, now: Timestamp) -> Option<Self> {
        let is_unused = self.until.is_some_and(|until| until.after(UNUSED) <= now);
        is_unused.then(|| Self { version: self.version + 1, ..Self::default() })
    }

    /// The next version after these results; none if they change nothing. One answer closes the circuit.
    pub fn after(&self, results: Results, permit: Permit, now: Timestamp) -> Option<Self> {
        if results.answered > 0 {
            let is_closed = self.failures == 0 && self.until.is_none();
            return (!is_closed).then(|| Self { version: self.version + 1, ..Self::default() });
        }
        if results.failed == 0 {
            // A probe that was not sent has no result; the next one may be sent immediately.
            return (permit == Permit::Probe).then(|| Self { until: Some(now), ..self.next() });
        }
        let mut next = Self { failures: self.failures.saturating_add(results.failed), ..self.next() };
        if permit == Permit::Probe {
            next.failed_probes = self.failed_probes.saturating_add(1);
        }
        let opens = permit == Permit::Probe || (self.until.is_none() && next.failures >= CIRCUIT.failures);
        if opens {
            next.until = Some(now.after(CIRCUIT.wait(next.failed_probes)));
            next.opened_at = self.opened_at.or(Some(now));
        }
        Some(next)
    }

    fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }
}

/// What may be sent to a service now. A half-open circuit permits its probe to one caller.
///
/// # Errors
/// [`StoreError`].
pub async fn permit(circuits: &dyn Circuits, service: ServiceKey, now: Timestamp) -> Result<Permit, StoreError> {
    let circuit = circuits.circuit(service).await?;
    if circuit.until.is_none() {
        return Ok(Permit::All);
    }
    let Some(claimed) = circuit.claim_probe(now) else { return Ok(Permit::Nothing) };
    Ok(match circuits.save_circuit(service, &claimed).await? {
        Saved::Done => Permit::Probe,
        Saved::Conflict(_) => Permit::Nothing,
    })
}

/// Records the results of requests that were sent with a permit. A failure is only logged: the next results are recorded
/// again.
pub async fn record(
    circuits: &dyn Circuits,
    clock: &dyn ClockAndRandom,
    service: ServiceKey,
    permit: Permit,
    results: Results,
) {
    let mut retry = Retry::new(clock, ATTEMPTS);
    while retry.attempt().await {
        match try_record(circuits, clock.now(), service, permit, results).await {
            Ok(Saved::Done) => return,
            Ok(Saved::Conflict(_)) => {}
            Err(error) => {
                tracing::warn!(service = service.name(), %error, "failed to record the results of a service");
                return;
            }
        }
    }
    tracing::warn!(service = service.name(), "failed to record the results of a service after conflicts");
}

async fn try_record(
    circuits: &dyn Circuits,
    now: Timestamp,
    service: ServiceKey,
    permit: Permit,
    results: Results,
) -> Result<Saved<ServiceCircuit>, StoreError> {
    let circuit = circuits.circuit(service).await?;
    let Some(next) = circuit.after(results, permit, now) else { return Ok(Saved::Done) };
    let saved = circuits.save_circuit(service, &next).await?;
    if saved == Saved::Done && next.until.is_some() != circuit.until.is_some() {
        let open = next.until.is_some();
        tracing::warn!(service = service.name(), open, failures = next.failures, "the circuit of a service changed");
    }
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn results(answered: u64, failed: u64) -> Results {
        Results { answered, failed }
    }

    #[test]
    fn five_failures_in_a_row_open_the_circuit() {
        let circuit = ServiceCircuit::default();
        assert_eq!(circuit.after(results(3, 0), Permit::All, NOW), None, "a healthy service costs no write");
        let four = circuit.after(results(0, 4), Permit::All, NOW).unwrap();
        assert_eq!((four.version, four.failures, four.until), (1, 4, None));
        let open = four.after(results(0, 1), Permit::All, NOW).unwrap();
        assert_eq!(open.until, Some(NOW.after(CIRCUIT.delay)));
        let closed = four.after(results(1, 9), Permit::All, NOW).unwrap();
        assert_eq!(closed, ServiceCircuit { version: 2, ..ServiceCircuit::default() });
    }

    #[test]
    fn each_failed_probe_doubles_the_time_until_the_next_one() {
        let mut circuit = ServiceCircuit::default().after(results(0, 5), Permit::All, NOW).unwrap();
        assert_eq!(circuit.claim_probe(NOW), None, "it is open");
        for expected in [60, 120, 240, 300, 300] {
            let now = circuit.until.unwrap();
            let claimed = circuit.claim_probe(now).unwrap();
            assert_eq!(claimed.claim_probe(now), None, "there is one probe");
            circuit = claimed.after(results(0, 1), Permit::Probe, now).unwrap();
            assert_eq!(circuit.until.unwrap().since(now), Duration::from_secs(expected));
            assert_eq!(circuit.opened_at, Some(NOW), "it has been open all the time");
        }
        let closed = circuit.after(results(1, 0), Permit::Probe, NOW).unwrap();
        assert_eq!((closed.until, closed.opened_at), (None, None));
    }

    #[test]
    fn a_failure_from_before_the_circuit_opened_does_not_keep_it_open_longer() {
        let open = ServiceCircuit::default().after(results(0, 5), Permit::All, NOW).unwrap();
        let late = open.after(results(0, 1), Permit::All, NOW.after(Duration::from_secs(20))).unwrap();
        assert_eq!((late.until, late.failed_probes), (open.until, 0));
    }

    #[test]
    fn an_open_circuit_that_nothing_probes_is_closed_after_half_an_hour() {
        let open = ServiceCircuit::default().after(results(0, 5), Permit::All, NOW).unwrap();
        let until = open.until.unwrap();
        assert_eq!(open.close_unused(until.after(Duration::from_secs(1799))), None);
        let closed = open.close_unused(until.after(Duration::from_secs(1800))).unwrap();
        assert_eq!(closed, ServiceCircuit { version: 2, ..ServiceCircuit::default() });
        assert_eq!(closed.close_unused(until.after(Duration::from_secs(9000))), None, "it is closed");
    }

    #[test]
    fn a_probe_that_was_not_sent_may_be_sent_immediately() {
        let open = ServiceCircuit::default().after(results(0, 5), Permit::All, NOW).unwrap();
        let claimed = open.claim_probe(open.until.unwrap()).unwrap();
        let released = claimed.after(Results::default(), Permit::Probe, NOW).unwrap();
        assert!(released.claim_probe(NOW).is_some());
    }
}
