//! From waiting to running: claims, leases, and a busy worker.

use reelhook_domain::*;

use crate::story::*;

fn slot(story: &Story) -> Option<&str> {
    story.job.run.start.claim.as_ref().map(|claim| claim.slot.as_str())
}

#[test]
fn a_claim_leases_a_slot_and_a_second_claim_is_ignored() {
    let mut story = Story::waiting();
    let promised = story.job.next_slot();
    story.apply(Event::Claim);
    assert_eq!((slot(&story), promised.as_str()), (Some("job_1_a.1.1"), "job_1_a.1.1"));
    assert_eq!(
        (story.job.status, story.due_in()),
        (Status::Pending, Some(60)),
        "it runs once the worker has accepted it"
    );
    assert_eq!(story.ignored(Event::Claim), Ignored::NotReady);
}

#[test]
fn the_acceptance_starts_the_time_limit_and_keeps_the_slot() {
    let mut story = Story::claimed();
    story.wait(7).apply(started(1));
    assert_eq!((story.job.status, story.job.run.times.started_at), (Status::Processing, Some(story.now)));
    assert_eq!((slot(&story), story.freed()), (Some("job_1_a.1.1"), vec![]));
    assert_eq!(worker_of(&story.job).id.as_deref(), Some("worker_1"));
    assert_eq!(story.ignored(started(1)), Ignored::Duplicate, "a repeated attempt starts once");
    assert_eq!(story.ignored(Event::Claim), Ignored::NotReady);
}

#[test]
fn the_first_report_starts_a_run_whose_acceptance_was_lost() {
    let mut story = Story::claimed();
    story.wait(7).apply(step(0, StepStatus::Started, 100));
    let began = story.now;
    assert_eq!(
        (story.job.status, story.job.run.times.started_at, story.job.run.progress),
        (Status::Processing, Some(began), 5)
    );
    // The late acceptance adds its facts and nothing else.
    story.wait(7).apply(started(1));
    assert_eq!(
        (story.job.run.times.started_at, worker_of(&story.job).cancel_url),
        (Some(began), Some(web_url(CANCEL_URL)))
    );
}

#[test]
fn an_expired_lease_frees_the_slot_and_the_job_can_be_claimed_again() {
    let mut story = Story::claimed();
    story.wait(59);
    assert_eq!(story.ignored(Event::Tick), Ignored::NotDue);
    story.wait(1).apply(Event::Tick);
    assert_eq!((story.freed(), story.hints(), slot(&story)), (vec!["1.1".to_owned()], vec![0], None));
    assert_eq!(
        (story.job.run.attempt, story.job.retries.used),
        (1, 0),
        "the same attempt, with the same Idempotency-Key"
    );

    story.apply(Event::Claim);
    assert_eq!(slot(&story), Some("job_1_a.1.2"), "each claim has its own slot");
}

#[test]
fn a_claim_leaves_the_due_time_where_it_was_unless_the_lease_ends_earlier() {
    let mut early = Story::waiting();
    early.wait(45).apply(Event::Claim);
    assert_eq!(early.due_in(), Some(15), "when its hint would have been sent again");
    early.wait(15).apply(Event::Tick);
    assert_eq!((early.due_in(), early.job.outbox.len()), (Some(45), 0), "the lease has not expired");
    early.wait(45).apply(Event::Tick);
    assert_eq!(early.freed(), ["1.1"]);

    let mut late = Story::waiting();
    late.wait(600).apply(Event::Tick);
    assert_eq!(late.due_in(), Some(600));
    late.apply(Event::Claim);
    assert_eq!(late.due_in(), Some(60), "never after the lease");
}

#[test]
fn an_expired_claim_gives_way_to_the_next_one() {
    let mut story = Story::claimed();
    story.wait(60).apply(Event::Claim);
    assert_eq!((story.freed(), slot(&story)), (vec!["1.1".to_owned()], Some("job_1_a.1.2")));
    assert_eq!((story.job.run.attempt, story.due_in()), (1, Some(0)), "the same attempt, which is due already");
    story.apply(Event::Tick);
    assert_eq!((slot(&story), story.due_in()), (Some("job_1_a.1.2"), Some(60)), "it has a lease of its own");
}

#[test]
fn an_acceptance_after_the_lease_starts_the_run() {
    let mut story = Story::claimed();
    story.sweep();
    story.apply(started(1));
    assert_eq!((story.job.status, slot(&story)), (Status::Processing, None));
}

#[test]
fn a_busy_worker_is_retried_with_growing_waits() {
    let mut story = Story::waiting();
    let mut waits = Vec::new();
    for _ in 0..9 {
        story.apply(Event::Claim);
        story.apply(deferred(1, None));
        assert_eq!((story.freed().len(), slot(&story)), (1, None));
        let [wait] = story.hints()[..] else { panic!("one hint, not {:?}", story.hints()) };
        story.wait(u64::from(wait) - 1);
        assert_eq!(story.ignored(Event::Claim), Ignored::NotReady);
        story.wait(1);
        waits.push(wait);
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert_eq!((story.job.run.attempt, story.job.retries.used, story.job.status), (1, 0, Status::Pending));
}

#[test]
fn a_worker_gets_the_requested_wait() {
    let mut story = Story::claimed().then(deferred(1, Some(120)));
    assert_eq!((story.hints(), story.due_in()), (vec![120], Some(180)));
    story.wait(120).apply(Event::Claim);
    // The delay exceeds the maximum of a message, so the sweep sends the next hint.
    story.apply(deferred(1, Some(3600)));
    assert_eq!((story.hints(), story.due_in()), (vec![900], Some(3660)));
    story.wait(900);
    assert_eq!(story.ignored(Event::Claim), Ignored::NotReady);
    story.sweep();
    assert_eq!(story.hints(), [0]);
    story.apply(Event::Claim);
}

#[test]
fn a_refusal_of_the_worker_fails_the_run() {
    let mut story = Story::claimed().then(run_failed(1, "Unauthorized"));
    assert_eq!((story.job.status, story.freed()), (Status::Failed, vec!["1.1".to_owned()]));
    assert_eq!(story.notified(), [OutboundEvent::FailedNoRetry]);
    story.wait(1);
    assert_eq!(story.ignored(started(1)), Ignored::FinalJob);
}

#[test]
fn a_report_without_a_token_needs_a_started_run() {
    let report = || Report::of(1, StepStatus::Started, 110).unbound();
    assert_eq!(Story::waiting().ignored(report()), Ignored::NotStarted);
    let story = Story::claimed().then(report());
    assert_eq!(story.job.status, Status::Processing);
    let retrying = story.then(run_failed(1, "boom"));
    assert_eq!(retrying.ignored(report()), Ignored::NotStarted, "the run of the retry has not started");
}

#[test]
fn a_response_of_an_older_attempt_changes_nothing() {
    let mut story = Story::processing().then(run_failed(1, "boom"));
    story.wait(30).apply(Event::Claim);
    for late in [started(1), deferred(1, None), run_failed(1, "boom"), step(5, StepStatus::Completed, 155)] {
        assert_eq!(story.ignored(late), Ignored::StaleAttempt);
    }
}
