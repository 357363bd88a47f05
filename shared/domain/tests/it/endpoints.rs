//! Admission of endpoints: slots, reservations and circuits; and their warnings and disabling.

use std::time::Duration;

use reelhook_domain::*;

pub const NOW: Timestamp = Timestamp(1_704_110_400_000);
pub const SECOND: Duration = Duration::from_secs(1);

pub fn policy() -> EndpointPolicy {
    EndpointPolicy {
        schedule: Schedule::Standard,
        timeout: 10 * SECOND,
        rate: RateLimit { max: 1000, window: 60 * SECOND },
        concurrency: 4,
        circuit: Circuit { failures: 3, delay: 30 * SECOND, max_delay: 900 * SECOND },
        disable_policy: DisablePolicy { failures: 100, time: 3600 * SECOND, min_failures: 3 },
    }
}

/// An endpoint with its stored state.
pub struct Kept {
    pub policy: EndpointPolicy,
    pub state: EndpointState,
    pub now: Timestamp,
    batches: u64,
}

impl Kept {
    pub fn new() -> Self {
        Self { policy: policy(), state: EndpointState::default(), now: NOW, batches: 0 }
    }

    pub fn wait(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    pub fn admit(&mut self, requests: &[AdmissionRequest]) -> (u64, Admitted) {
        self.batches += 1;
        let admitted = self.state.admit(&self.policy, requests, self.batches, self.now);
        if let Some(next) = &admitted.next {
            assert_eq!(next.revision, self.state.revision + 1);
            self.state.clone_from(next);
        }
        (self.batches, admitted)
    }

    /// The decisions about `count` new deliveries.
    pub fn decisions(&mut self, count: usize) -> Vec<SendDecision> {
        self.admit(&vec![AdmissionRequest::default(); count]).1.decisions
    }

    fn report(&mut self, holder: u64, outcome: BatchOutcome, probe: bool) -> HealthVerdict {
        self.state.report(&self.policy, holder, &outcome, probe, self.now).apply(&mut self.state);
        self.state.assess_health(&self.policy, self.now)
    }

    /// Sends one batch of `count` deliveries, which all succeed or all fail; returns whether any was sent.
    fn batch(&mut self, count: u32, succeeds: bool) -> bool {
        let (holder, admitted) = self.admit(&vec![AdmissionRequest::default(); count as usize]);
        let sent = admitted.decisions.iter().filter(|decision| **decision == SendDecision::Send).count() as u32;
        let outcome = if succeeds {
            BatchOutcome { accepted: sent, ..outcome() }
        } else {
            BatchOutcome { failed: sent, ..outcome() }
        };
        if sent > 0 {
            self.report(holder, outcome, admitted.probe);
        }
        sent > 0
    }
}

pub fn outcome() -> BatchOutcome {
    BatchOutcome { latency_ms: 100, ..BatchOutcome::default() }
}

fn after(seconds: u32) -> Timestamp {
    NOW.after(seconds * SECOND)
}

#[test]
fn the_concurrency_limit_of_an_endpoint_holds_and_other_deliveries_queue() {
    let mut kept = Kept::new();
    kept.state.latency_ms = 400;
    let (first, admitted) = kept.admit(&[AdmissionRequest::default(); 3]);
    assert_eq!(admitted.decisions, [SendDecision::Send; 3]);
    let queue_end = |step: i64| SendDecision::Wait(Timestamp(NOW.0 + step * 121), WaitReason::Concurrency);
    assert_eq!(kept.decisions(3), [SendDecision::Send, queue_end(1), queue_end(2)], "at the pace of its responses");
    assert_eq!(kept.decisions(2), [queue_end(3), queue_end(4)]);
    kept.report(first, BatchOutcome { accepted: 3, latency_ms: 400, ..BatchOutcome::default() }, false);
    // Queued deliveries go before a newer one, which is queued at the end.
    kept.wait(Duration::from_millis(242));
    let waited = AdmissionRequest { was_queued: true, ..AdmissionRequest::default() };
    let (_, admitted) = kept.admit(&[AdmissionRequest::default(), waited, waited, waited]);
    let SendDecision::Wait(_, WaitReason::Concurrency) = admitted.decisions[0] else {
        panic!("{:?}", admitted.decisions)
    };
    assert_eq!(admitted.decisions[1..], [SendDecision::Send; 3]);
}

#[test]
fn an_unreleased_slot_expires() {
    let mut kept = Kept::new();
    assert_eq!(kept.decisions(4), [SendDecision::Send; 4]);
    kept.wait(policy().timeout + ATTEMPT_MARGIN - Duration::from_millis(1));
    assert!(matches!(kept.decisions(1)[..], [SendDecision::Wait(_, WaitReason::Concurrency)]));
    kept.wait(Duration::from_millis(1));
    assert_eq!(kept.decisions(1), [SendDecision::Send], "a slot is free, and the queue has passed");
    assert_eq!(kept.state.concurrency.slots.len(), 1, "expired slots are removed");
}

#[test]
fn a_429_halves_the_concurrency_until_the_endpoint_accepts_more() {
    let mut kept = Kept::new();
    let concurrency_limit = |kept: &Kept| kept.state.concurrency_limit(&kept.policy);
    let (holder, _) = kept.admit(&[AdmissionRequest::default(); 2]);
    kept.report(holder, BatchOutcome { accepted: 1, failed: 1, overloaded: true, ..outcome() }, false);
    assert_eq!((concurrency_limit(&kept), kept.state.failures), (2, 0));
    let (holder, _) = kept.admit(&[AdmissionRequest::default()]);
    kept.report(holder, BatchOutcome { failed: 1, overloaded: true, ..outcome() }, false);
    let (holder, _) = kept.admit(&[AdmissionRequest::default()]);
    kept.report(holder, BatchOutcome { failed: 1, overloaded: true, ..outcome() }, false);
    assert_eq!(concurrency_limit(&kept), 1, "the limit is at least one");
    for expected in [2, 3, 4] {
        assert!(kept.batch(1, true));
        assert_eq!(concurrency_limit(&kept), expected);
    }
    assert!(kept.batch(1, true));
    assert_eq!(concurrency_limit(&kept), 4, "and at most the configured limit");
}

#[test]
fn a_slow_endpoint_gets_half_of_its_slots() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 50;
    kept.state.latency_ms = 1999;
    assert_eq!(kept.state.concurrency_limit(&kept.policy), 50);
    kept.state.latency_ms = 2000;
    assert_eq!(kept.state.concurrency_limit(&kept.policy), 25);
}

#[test]
fn an_open_circuit_sends_one_probe_with_growing_pauses() {
    let mut kept = Kept::new();
    for _ in 0..3 {
        assert!(kept.batch(1, false));
    }
    let wait = |seconds: u32| SendDecision::Wait(after(seconds), WaitReason::Circuit);
    assert_eq!(kept.decisions(3), [wait(30), wait(45), wait(45)], "one returns as the probe, the others after it");
    assert_eq!(kept.decisions(2), [wait(45), wait(45)], "only one delivery becomes the probe");
    kept.wait(30 * SECOND);
    let (holder, admitted) = kept.admit(&[AdmissionRequest::default(); 3]);
    assert!(admitted.probe);
    assert_eq!(
        admitted.decisions,
        [SendDecision::Send, wait(30 + 15), wait(30 + 15)],
        "the others wait for its result"
    );
    assert_eq!(kept.decisions(1), [wait(30 + 15)]);
    kept.report(holder, BatchOutcome { failed: 1, ..outcome() }, true);
    let mut now = 30;
    for expected in [60, 120, 240, 480, 900, 900] {
        let SendDecision::Wait(until, WaitReason::Circuit) = kept.decisions(1)[0] else {
            panic!("the circuit is closed")
        };
        assert_eq!(until, after(now + expected));
        kept.wait(expected * SECOND);
        now += expected;
        assert!(kept.batch(5, false), "the next probe");
    }
    kept.wait(900 * SECOND);
    assert!(kept.batch(1, true));
    assert_eq!((kept.state.failures, kept.state.circuit.failed_probes, kept.state.circuit.until), (0, 0, None));
    assert_eq!(kept.state.concurrency_limit(&kept.policy), 1, "the concurrency limit starts low");
    assert!(kept.batch(4, true) && kept.batch(4, true) && kept.batch(4, true));
    assert_eq!(kept.state.concurrency_limit(&kept.policy), 4);
}

#[test]
fn a_probe_that_was_not_sent_changes_nothing() {
    let mut kept = Kept::new();
    for _ in 0..3 {
        kept.batch(1, false);
    }
    kept.wait(30 * SECOND);
    let (holder, admitted) = kept.admit(&[AdmissionRequest::default()]);
    assert!(admitted.probe);
    kept.report(holder, BatchOutcome::default(), true);
    assert_eq!((kept.state.failures, kept.state.circuit.failed_probes), (3, 0));
    assert!(kept.admit(&[AdmissionRequest::default()]).1.probe, "the next probe is sent at once");
}

#[test]
fn a_crash_during_a_probe_keeps_the_circuit_open_for_one_attempt_only() {
    let mut kept = Kept::new();
    for _ in 0..3 {
        kept.batch(1, false);
    }
    kept.wait(30 * SECOND);
    assert!(kept.admit(&[AdmissionRequest::default()]).1.probe);
    kept.wait(policy().timeout + ATTEMPT_MARGIN);
    assert!(kept.admit(&[AdmissionRequest::default()]).1.probe);
}

#[test]
fn without_a_limit_on_failures_no_circuit_opens() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    for _ in 0..50 {
        assert!(kept.batch(1, false));
    }
}

#[test]
fn paused_and_disabled_endpoints_get_nothing_and_stay_unchanged() {
    let mut kept = Kept::new();
    kept.state.paused_until = Some(after(5));
    assert_eq!(kept.decisions(2), [SendDecision::Wait(after(5), WaitReason::Pause); 2]);
    kept.state.disabled_at = Some(NOW);
    assert_eq!(kept.decisions(1), [SendDecision::Stop]);
    assert_eq!(kept.state.revision, 0);
}

#[test]
fn a_longer_pause_stays() {
    let mut kept = Kept::new();
    for (pause, expected) in [(60, 60), (5, 60), (90, 90)] {
        kept.report(1, BatchOutcome { pause_until: Some(after(pause)), ..BatchOutcome::default() }, false);
        assert_eq!(kept.state.paused_until, Some(after(expected)));
    }
}

#[test]
fn warnings_come_once_each_before_an_endpoint_is_disabled_by_time() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    let mut notified = Vec::new();
    for minute in 0..=61_u32 {
        let (holder, _) = kept.admit(&[AdmissionRequest::default()]);
        match kept.report(holder, BatchOutcome { failed: 1, ..outcome() }, false) {
            HealthVerdict::Healthy => {}
            HealthVerdict::Warn(level) => {
                kept.state.warned = Some(level);
                notified.push((minute, level.percent().to_string()));
            }
            HealthVerdict::Disable(reason) => {
                notified.push((minute, reason));
                break;
            }
        }
        kept.wait(60 * SECOND);
    }
    let shown: Vec<(u32, &str)> = notified.iter().map(|(minute, text)| (*minute, text.as_str())).collect();
    let disabled = "every attempt since 2024-01-01T12:00:00.000Z failed";
    assert_eq!(shown, [(2, "1"), (30, "50"), (45, "75"), (54, "90"), (60, disabled)]);
}

#[test]
fn one_failed_attempt_a_week_is_not_a_week_of_failures() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    for _ in 0..2 {
        let (holder, _) = kept.admit(&[AdmissionRequest::default()]);
        assert_eq!(kept.report(holder, BatchOutcome { failed: 1, ..outcome() }, false), HealthVerdict::Healthy);
        kept.wait(7 * 24 * 3600 * SECOND);
    }
}

#[test]
fn an_endpoint_is_disabled_by_count_and_never_where_both_are_off() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    kept.policy.disable_policy.time = Duration::ZERO;
    let fail = |kept: &mut Kept, failed| kept.report(1, BatchOutcome { failed, ..outcome() }, false);
    assert_eq!(fail(&mut kept, 2), HealthVerdict::Healthy);
    assert_eq!(fail(&mut kept, 47), HealthVerdict::Warn(WarningLevel::Failing), "the first failures cause a warning");
    kept.state.warned = Some(WarningLevel::Failing);
    assert_eq!(
        fail(&mut kept, 27),
        HealthVerdict::Warn(WarningLevel::ThreeQuarters),
        "only the highest level that is reached"
    );
    kept.state.warned = Some(WarningLevel::Last);
    assert_eq!(fail(&mut kept, 24), HealthVerdict::Disable("100 consecutive attempts failed".to_owned()));
    kept.policy.disable_policy.failures = 0;
    assert_eq!(fail(&mut kept, 1_000_000), HealthVerdict::Healthy);
    kept.policy = policy();
    assert_eq!(
        kept.report(1, BatchOutcome { accepted: 1, ..outcome() }, false),
        HealthVerdict::Healthy,
        "one success resets the state"
    );
    assert_eq!((kept.state.failures, kept.state.failing_since, kept.state.warned), (0, None, None));
}

#[test]
fn health_is_the_success_rate_minus_current_problems() {
    let mut kept = Kept::new();
    assert_eq!(kept.state.health(&kept.policy), 100, "a new endpoint is healthy");
    kept.report(1, BatchOutcome { accepted: 20, ..outcome() }, false);
    assert_eq!(kept.state.health(&kept.policy), 100);
    kept.report(1, BatchOutcome { failed: 1, ..outcome() }, false);
    assert_eq!((kept.state.success_permille, kept.state.health(&kept.policy)), (Some(900), 80));
    kept.report(1, BatchOutcome { failed: 9, ..outcome() }, false);
    assert_eq!(kept.state.health(&kept.policy), 10, "the circuit is open, and nearly all attempts failed");
    kept.report(1, BatchOutcome { accepted: 1, ..outcome() }, false);
    let recovering = kept.state.health(&kept.policy);
    for _ in 0..20 {
        kept.report(1, BatchOutcome { accepted: 1, ..outcome() }, false);
    }
    assert!(recovering < 50 && kept.state.health(&kept.policy) > 90, "{recovering} and then {:?}", kept.state);
    kept.state.latency_ms = 3000;
    assert!(kept.state.health(&kept.policy) < 90, "slow");
    kept.state.disabled_at = Some(kept.now);
    assert_eq!(kept.state.health(&kept.policy), 0);
}

#[test]
fn a_backlog_never_waits_longer_than_five_minutes() {
    let mut kept = Kept::new();
    kept.state.latency_ms = 9000;
    for _ in 0..100 {
        for decision in kept.decisions(10) {
            let SendDecision::Wait(until, WaitReason::Concurrency) = decision else { continue };
            assert!(until <= after(300));
        }
    }
}

#[test]
fn a_reservation_in_the_rate_limit_is_kept_while_no_slot_is_free() {
    let mut kept = Kept::new();
    assert_eq!(kept.decisions(4), [SendDecision::Send; 4]);
    let used = kept.state.window.used;
    let (_, admitted) = kept.admit(&[AdmissionRequest { has_reservation: true, ..AdmissionRequest::default() }]);
    let SendDecision::Wait(until, WaitReason::RateLimit) = admitted.decisions[0] else {
        panic!("{:?}", admitted.decisions)
    };
    assert!(until < after(60));
    assert_eq!(kept.state.window.used, used, "and no new reservation is made");
}

#[test]
fn after_an_outage_the_pace_follows_the_current_responses() {
    let mut kept = Kept::new();
    kept.state = EndpointState {
        latency_ms: 10_000,
        failures: 3,
        circuit: CircuitState { until: Some(NOW), ..CircuitState::default() },
        ..EndpointState::default()
    };
    let (holder, admitted) = kept.admit(&[AdmissionRequest::default()]);
    assert!(admitted.probe);
    kept.report(holder, BatchOutcome { accepted: 1, latency_ms: 50, ..BatchOutcome::default() }, true);
    assert_eq!(kept.state.latency_ms, 50);
}

#[test]
fn an_earlier_admission_does_not_undo_a_later_429() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 20;
    let before = kept.state.clone();
    kept.report(1, BatchOutcome { failed: 1, overloaded: true, ..outcome() }, false);
    assert_eq!(kept.state.concurrency.limit, Some(10));
    before.report(&kept.policy, 2, &BatchOutcome { accepted: 1, ..outcome() }, false, kept.now).apply(&mut kept.state);
    assert_eq!(kept.state.concurrency.limit, Some(10));
}

#[test]
fn no_endpoint_is_disabled_without_a_warning_however_long_nothing_was_sent() {
    let mut kept = Kept::new();
    kept.policy.circuit.failures = 0;
    assert_eq!(
        kept.report(1, BatchOutcome { failed: 12, ..outcome() }, false),
        HealthVerdict::Warn(WarningLevel::Failing)
    );
    kept.state.warned = Some(WarningLevel::Failing);
    kept.wait(7 * 24 * 3600 * SECOND);
    let HealthVerdict::Warn(WarningLevel::Last) = kept.report(2, BatchOutcome { failed: 1, ..outcome() }, false) else {
        panic!("no warning")
    };
    kept.state.warned = Some(WarningLevel::Last);
    assert!(matches!(kept.report(3, BatchOutcome { failed: 1, ..outcome() }, false), HealthVerdict::Disable(_)));
}

#[test]
fn a_late_batch_does_not_undo_the_results_of_others() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 20;
    kept.state.concurrency.limit = Some(10);
    let before = kept.state.clone();
    kept.report(1, BatchOutcome { failed: 1, overloaded: true, ..outcome() }, false);
    assert_eq!(kept.state.concurrency.limit, Some(5));
    let report = |outcome| before.report(&kept.policy, 2, &outcome, false, kept.now);
    for (outcome, expected) in [
        (BatchOutcome { failed: 1, ..outcome() }, 5),
        (BatchOutcome::default(), 5),
        (BatchOutcome { accepted: 2, ..outcome() }, 7),
    ] {
        let mut state = kept.state.clone();
        report(outcome).apply(&mut state);
        assert_eq!(state.concurrency.limit, Some(expected));
    }
}

#[test]
fn a_circuit_that_many_batches_open_at_once_pauses_before_its_first_probe() {
    let mut kept = Kept::new();
    let before = kept.state.clone();
    for holder in 0..3 {
        before
            .report(&kept.policy, holder, &BatchOutcome { failed: 1, ..outcome() }, false, kept.now)
            .apply(&mut kept.state);
    }
    assert_eq!(kept.decisions(1), [SendDecision::Wait(after(30), WaitReason::Circuit)]);
    assert_eq!(kept.state.circuit.until, Some(after(30)));
}

#[test]
fn each_delivery_of_a_very_long_backlog_gets_its_turn() {
    let mut kept = Kept::new();
    kept.policy.rate = RateLimit { max: 2, window: 60 * SECOND };
    let mut waiting: Vec<(Timestamp, AdmissionRequest)> = vec![(NOW, AdmissionRequest::default()); 100];
    let mut sent = 0;
    for _ in 0..400 {
        let due: Vec<AdmissionRequest> =
            waiting.extract_if(.., |(at, _)| *at <= kept.now).map(|(_, requests)| requests).collect();
        for requests in due {
            let (holder, admitted) = kept.admit(&[requests]);
            match admitted.decisions[0] {
                SendDecision::Send => {
                    sent += 1;
                    kept.report(holder, BatchOutcome { accepted: 1, ..outcome() }, false);
                }
                SendDecision::Wait(until, wait_reason) => {
                    let has_reservation = wait_reason == WaitReason::RateLimit;
                    waiting.push((
                        until,
                        AdmissionRequest {
                            has_reservation,
                            was_queued: !has_reservation,
                            ..AdmissionRequest::default()
                        },
                    ));
                }
                SendDecision::Stop => panic!("it is not disabled"),
            }
        }
        kept.wait(30 * SECOND);
    }
    assert_eq!((sent, waiting.len()), (100, 0));
}
