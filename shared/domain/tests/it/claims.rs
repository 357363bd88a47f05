//! Slots and their claims: which attempts are in progress, how long a slot counts, and what is reported.

use std::time::Duration;

use reelhook_domain::*;

use crate::endpoints::{Kept, NOW, SECOND, outcome, policy};

/// A delivery that is due, with this many attempts.
fn delivery(n: u32, attempts: u32) -> Delivery {
    let event_id = EventId::parse(&format!("job_1_{n:x}.3.0")).unwrap();
    let row = serde_json::json!({
        "id": DeliveryId::of(&event_id, &EndpointId::parse("ep_1").unwrap()), "event_id": event_id,
        "event": "job.completed", "job_id": format!("job_1_{n:x}"), "endpoint_id": "ep_1",
        "endpoint_name": "webhook_1", "status": "pending", "version": 1, "created_at": NOW, "attempts": attempts,
        "next_attempt_at": NOW, "due_at": NOW.after(60 * SECOND),
    });
    serde_json::from_value(row).unwrap()
}

/// Requests to send the first attempts of deliveries with these numbers.
fn requests(numbers: std::ops::Range<u32>) -> Vec<AdmissionRequest> {
    numbers.map(|n| delivery(n, 0).admission_request(policy().rate, NOW)).collect()
}

#[test]
fn a_claim_lasts_until_the_attempt_is_recorded_or_its_lease_has_expired() {
    let mut kept = Kept::new();
    kept.admit(&requests(0..2));
    let claimed = |kept: &Kept, delivery: &Delivery| kept.state.claimed(delivery, kept.now);
    let lease = policy().timeout + ATTEMPT_MARGIN;
    let in_progress = ClaimedAttempt { attempt: 1, started_at: NOW, in_progress: true };
    assert_eq!(claimed(&kept, &delivery(0, 0)), Some(in_progress));
    assert_eq!(claimed(&kept, &delivery(0, 1)), None, "the attempt is recorded");
    assert_eq!(claimed(&kept, &delivery(2, 0)), None, "another delivery");
    kept.wait(lease - Duration::from_millis(1));
    assert_eq!(claimed(&kept, &delivery(1, 0)), Some(in_progress));
    kept.wait(Duration::from_millis(1));
    let lost = ClaimedAttempt { in_progress: false, ..in_progress };
    assert_eq!(claimed(&kept, &delivery(1, 0)), Some(lost), "its batch has crashed");
    // Another batch makes the second attempt, and crashes too.
    let repeated = delivery(1, 0).with_claimed(&lost);
    assert_eq!((repeated.attempts, repeated.last.as_ref().unwrap().result.is_none()), (1, true));
    kept.admit(&[repeated.admission_request(policy().rate, kept.now)]);
    assert!(claimed(&kept, &delivery(1, 0)).unwrap().in_progress, "the second attempt");
    assert_eq!(claimed(&kept, &delivery(0, 0)), Some(lost), "the claim of a crashed batch is kept");
    kept.wait(lease);
    assert_eq!(claimed(&kept, &delivery(1, 0)), Some(lost), "the attempts in their order");
    assert_eq!(claimed(&kept, &delivery(1, 1)).map(|claimed| claimed.attempt), Some(2));
}

#[test]
fn claims_of_crashed_batches_are_kept_within_bounds() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 100;
    for n in 0..20 {
        kept.admit(&requests(n..n + 1));
        kept.wait(20 * SECOND);
    }
    kept.admit(&requests(20..21));
    assert_eq!(kept.state.concurrency.slots.len(), 9, "the newest expired ones, and that of the last batch");
    kept.wait(1000 * SECOND);
    kept.admit(&requests(21..22));
    assert_eq!(kept.state.concurrency.slots.len(), 1);
}

#[test]
fn slots_of_very_many_batches_are_removed_little_by_little() {
    let mut kept = Kept::new();
    let expired = |holder| Slot {
        holder,
        attempts: 0,
        until: NOW,
        busy_until: NOW,
        started_at: NOW,
        claims: vec![AttemptClaim { delivery: holder, attempt: 1 }],
    };
    kept.state.concurrency.slots = (1000..2000).map(expired).collect();
    // All of them expire at the same time, so none is newer than another.
    kept.wait(1000 * SECOND);
    for left in [900, 800, 700] {
        let before = kept.state.concurrency.slots.len();
        let (holder, _) = kept.admit(&requests(0..1));
        let slots = &kept.state.concurrency.slots;
        let removed = before + 1 - slots.len();
        assert_eq!(removed, 100, "in one expression");
        assert_eq!(slots.iter().filter(|slot| slot.until == NOW).count(), left);
        assert!(slots.iter().any(|slot| slot.holder == holder));
    }
}

#[test]
fn a_holder_has_one_slot_which_its_next_batch_replaces() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 20;
    let admit = |kept: &mut Kept, numbers| {
        let admitted = kept.state.admit(&kept.policy, &requests(numbers), 7, kept.now);
        kept.state = admitted.next.expect("a slot");
        admitted.decisions
    };
    for first in [0, 10, 20] {
        assert_eq!(admit(&mut kept, first..first + 10), [SendDecision::Send; 10]);
        assert_eq!(kept.state.concurrency.slots.len(), 1);
    }
}

#[test]
fn only_news_must_be_reported() {
    let usual = EndpointState { latency_ms: 100, success_permille: Some(1000), ..EndpointState::default() };
    let policy = policy();
    let accepted = BatchOutcome { accepted: 3, ..outcome() };
    let is_news =
        |state: &EndpointState, outcome: BatchOutcome| state.report(&policy, 1, &outcome, false, NOW).is_news(state);
    assert!(!is_news(&usual, accepted));
    assert!(!is_news(&usual, BatchOutcome { latency_ms: 149, ..accepted }), "within 50 ms");
    assert!(is_news(&EndpointState::default(), accepted), "the first latency");
    for outcome in [
        BatchOutcome { failed: 1, ..outcome() },
        BatchOutcome { failed: 1, ..accepted },
        BatchOutcome { latency_ms: 200, ..accepted },
        BatchOutcome { pause_until: Some(NOW), ..accepted },
        BatchOutcome { overloaded: true, ..accepted },
    ] {
        assert!(is_news(&usual, outcome), "{outcome:?}");
    }
    for state in [
        EndpointState { failures: 1, ..usual.clone() },
        EndpointState { success_permille: Some(900), ..usual.clone() },
        EndpointState { outage_notified_since: Some(NOW), ..usual.clone() },
        EndpointState { concurrency: Concurrency { limit: Some(1), ..Concurrency::default() }, ..usual.clone() },
    ] {
        assert!(is_news(&state, accepted), "{state:?}");
    }
}

#[test]
fn a_slot_that_is_not_reported_stops_counting_soon_and_others_are_reported() {
    let mut kept = Kept::new();
    kept.policy.concurrency = 20;
    kept.state.latency_ms = 100;
    let (_, first) = kept.admit(&requests(0..10));
    assert!(!first.must_report, "half of the slots is free");
    let slot = kept.state.concurrency.slots[0].clone();
    let lease = kept.now.after(policy().timeout + ATTEMPT_MARGIN);
    assert_eq!((slot.busy_until, slot.until), (kept.now.after(Duration::from_millis(800)), lease));
    let extended = slot.extended();
    assert_eq!((extended.busy_until, &extended.claims), (lease, &slot.claims));
    let (_, second) = kept.admit(&requests(10..15));
    assert!(second.must_report, "others may soon wait for a slot");
    assert_eq!(kept.state.concurrency.slots[1].busy_until, lease);
    assert_eq!(kept.decisions(6)[..5], [SendDecision::Send; 5]);
    // The slot of the first batch does not count any more, though its claims are kept.
    kept.state.concurrency.slots.truncate(1);
    kept.wait(Duration::from_millis(800));
    assert_eq!(kept.decisions(20), [SendDecision::Send; 20]);
    assert!(kept.state.claimed(&delivery(0, 0), kept.now).is_some_and(|claimed| claimed.in_progress));
}

#[test]
fn a_released_slot_keeps_the_claims_whose_results_could_not_be_saved() {
    let mut kept = Kept::new();
    let (holder, _) = kept.admit(&requests(0..2));
    let slot = kept.state.concurrency.slots[0].clone();
    let report = kept.state.report(&kept.policy, holder, &BatchOutcome { accepted: 2, ..outcome() }, false, kept.now);
    let unsaved = slot.released(&slot.claims[1..], kept.now);
    EndpointReport { kept: unsaved, ..report.clone() }.apply(&mut kept.state);
    assert_eq!(kept.state.claimed(&delivery(0, 0), kept.now), None);
    assert!(kept.state.claimed(&delivery(1, 0), kept.now).is_some());
    assert_eq!(kept.decisions(4), [SendDecision::Send; 4], "it holds no slot any more");
    assert_eq!(slot.released(&[], kept.now), None);
}

#[test]
fn an_attempt_that_ends_after_a_change_by_request_is_recorded() {
    let grace = 60 * SECOND;
    let ended = |status: u16, class: ResponseClass| {
        let answered = Outcome::Answered { status, class, retry_after: None };
        delivery(0, 0).begin(NOW).finish(&answered, NOW, &Schedule::Standard, 0.0, grace).0
    };
    let delivered = ended(200, ResponseClass::Success);
    let failed = ended(500, ResponseClass::Retryable);
    let sooner = delivery(0, 0).resend(NOW, grace);
    let late = sooner.with_late(&delivered).expect("the attempt is not recorded");
    assert_eq!((late.version, late.attempts, late.status), (3, 1, DeliveryStatus::Delivered));
    assert_eq!((late.due_at, late.finished_at), (None, Some(NOW)));
    let late = sooner.with_late(&failed).expect("the attempt is not recorded");
    assert_eq!((late.attempts, late.status, late.next_attempt_at), (1, DeliveryStatus::Pending, NOW));
    let late = sooner.with_late(&ended(429, ResponseClass::Throttled)).expect("the attempt is not recorded");
    assert_eq!((late.attempts, late.counted()), (1, 0), "a busy receiver uses up no attempt");
    let stopped = delivery(0, 0).finish(&Outcome::Superseded, NOW, &Schedule::Standard, 0.0, grace).0;
    let late = stopped.with_late(&delivered).expect("the attempt is not recorded");
    assert_eq!((late.attempts, late.status), (1, DeliveryStatus::Stopped));
    let late = failed.with_late(&delivered).expect("the attempt is recorded as unknown");
    assert_eq!((late.attempts, late.status), (1, DeliveryStatus::Delivered));
    let leased = Delivery { lease_until: Some(NOW), ..failed.clone() };
    assert_eq!(leased.with_late(&delivered), None, "version 0.2 makes its attempt");
    let result = serde_json::json!({ "status": 500, "duration_ms": 7, "reason": "status 500, trying again" });
    let mut made = failed;
    made.last.as_mut().expect("an attempt").result = Some(serde_json::from_value(result).unwrap());
    assert_eq!(made.with_late(&delivered), None, "another one has made its attempt");
}

#[test]
fn an_attempt_is_in_progress_by_its_lease_or_by_its_claim() {
    let mut kept = Kept::new();
    kept.admit(&requests(0..1));
    assert!(delivery(0, 0).is_in_progress(&kept.state, NOW), "it is claimed");
    assert!(!delivery(0, 1).is_in_progress(&kept.state, NOW), "the attempt is recorded");
    let leased = Delivery { lease_until: Some(NOW.after(SECOND)), ..delivery(1, 0) };
    assert!(leased.is_in_progress(&kept.state, NOW), "an older version leased it");
    assert!(!leased.is_in_progress(&kept.state, NOW.after(SECOND)), "the lease has ended");
}

#[test]
fn an_endpoint_is_quiet_since_clocks_agree_that_its_slots_changed_before() {
    let mut kept = Kept::new();
    assert!(kept.state.is_quiet_since(NOW), "it has never changed");
    kept.admit(&requests(0..1));
    assert!(!kept.state.is_quiet_since(NOW));
    assert!(!kept.state.is_quiet_since(NOW.after(2 * SECOND)));
    assert!(kept.state.is_quiet_since(NOW.after(2 * SECOND + Duration::from_millis(1))));
}

#[test]
fn attempts_are_those_of_rows_and_the_last_one_each_once_and_in_order() {
    let result = |reason: &str| -> AttemptResult {
        serde_json::from_value(serde_json::json!({ "status": 500, "duration_ms": 7, "reason": reason })).unwrap()
    };
    let attempt = |number: u32, reason: Option<&str>| Attempt { number, started_at: NOW, result: reason.map(result) };
    let with_last = |last: Attempt| Delivery { last: Some(last), ..delivery(0, 2) };
    let first = attempt(1, Some("first"));
    // The delivery has its last attempt, and a row of it may be older or newer.
    let known = with_last(attempt(2, Some("known")));
    for rows in
        [vec![first.clone()], vec![attempt(2, None), first.clone()], vec![attempt(2, Some("row")), first.clone()]]
    {
        assert_eq!(known.all_attempts(rows), [first.clone(), attempt(2, Some("known"))]);
    }
    let unknown = with_last(attempt(2, None));
    assert_eq!(unknown.all_attempts(vec![first.clone()]), [first.clone(), attempt(2, None)]);
    let row = attempt(2, Some("row"));
    assert_eq!(unknown.all_attempts(vec![row.clone(), first.clone()]), [first.clone(), row]);
    // A batch crashed between its row and the delivery.
    let later = attempt(3, None);
    assert_eq!(known.all_attempts(vec![later.clone(), first.clone()]), [first, attempt(2, Some("known")), later]);
    assert!(delivery(0, 0).all_attempts(Vec::new()).is_empty());
}

#[test]
fn limits_count_from_the_replay() {
    let made = delivery(0, 0);
    assert_eq!(made.requested_at(), NOW);
    let replayed = Delivery { replayed_at: Some(NOW.after(SECOND)), ..made };
    assert_eq!(replayed.requested_at(), NOW.after(SECOND));
    assert_eq!(replayed.recovered_by("rec_1").recovery.as_deref(), Some("rec_1"));
}

#[test]
fn the_disable_policy_is_used_up_by_count_or_by_time() {
    // 100 failures, or an hour once there were three.
    let used = |failures: u64, failing_for: Duration| {
        let state = EndpointState { failures, failing_since: Some(NOW), ..EndpointState::default() };
        state.disable_progress(&policy(), NOW.after(failing_for))
    };
    assert_eq!([0, 1, 50, 100, 101].map(|failures| used(failures, Duration::ZERO)), [0, 1, 50, 100, 100]);
    assert_eq!((used(2, 1800 * SECOND), used(3, 1800 * SECOND), used(60, 1800 * SECOND)), (2, 50, 60));
    assert_eq!(used(3, 7200 * SECOND), 100);
    let unlimited = DisablePolicy { failures: 0, time: Duration::ZERO, min_failures: 0 };
    let state = EndpointState { failures: 7, failing_since: Some(NOW), ..EndpointState::default() };
    let endless = EndpointPolicy { disable_policy: unlimited, ..policy() };
    assert_eq!(state.disable_progress(&endless, NOW.after(7200 * SECOND)), 0);
}
