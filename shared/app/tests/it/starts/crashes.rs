//! Crashes of the worker function: between claim and POST, and between POST and confirm.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::starts::start_some;
use reelhook_domain::{JobId, Lane, Status};
use reelhook_testkit::{Stack, body_of, header};

use super::start;

/// Runs the worker function until `so_far` holds; then its process ends.
fn crash_when(stack: &Stack, so_far: impl Fn() -> bool) {
    let ports = stack.start_ports();
    let mut running = pin!(start_some(&ports, &[]));
    let mut context = Context::from_waker(Waker::noop());
    while !so_far() {
        assert!(running.as_mut().poll(&mut context).is_pending(), "it ended before it could crash");
    }
}

/// After the crash: nothing for the length of the lease, then the same request again, and the job runs.
async fn is_posted_again(stack: &Stack, id: &JobId, posts: usize) {
    stack.world.advance_s(59);
    stack.sweep().await;
    stack.settle().await;
    assert_eq!(stack.http.requests().len(), posts, "the lease still runs");
    stack.world.advance_s(1);
    assert_eq!(stack.sweep().await.jobs_changed, 1);
    stack.settle().await;
    let job = stack.jobs.get(id);
    assert_eq!((job.status, job.run.attempt, job.retries.used), (Status::Processing, 1, 0));
    let requests = stack.http.requests();
    assert_eq!(requests.len(), posts + 1);
    for request in &requests {
        assert_eq!(header(request, "idempotency-key"), format!("{id}.1"));
        assert_eq!(header(request, "webhook-id"), header(&requests[0], "webhook-id"));
        assert_eq!(body_of(request), body_of(&requests[0]));
    }
    let held: Vec<String> = stack.jobs.admission_item().active.into_keys().collect();
    assert_eq!(
        held,
        [format!("{id}.1.2@{}", Lane::of_key("caller"))],
        "the first claim's slot is free, the second's is held"
    );
}

#[tokio::test]
async fn a_crash_between_claim_and_post_is_repaired_when_the_lease_expires() {
    let stack = Stack::default();
    let id = stack.submit(1);
    crash_when(&stack, || stack.jobs.get(&id).run.start.claim.is_some());
    assert!(stack.http.requests().is_empty());
    assert_eq!(stack.jobs.admission_item().active.len(), 1);
    is_posted_again(&stack, &id, 0).await;
}

#[tokio::test]
async fn a_crash_between_post_and_confirm_posts_again_under_the_same_key() {
    let stack = Stack::default();
    let id = stack.submit(1);
    crash_when(&stack, || !stack.http.requests().is_empty());
    assert_eq!(stack.jobs.get(&id).status, Status::Pending);
    is_posted_again(&stack, &id, 1).await;
}

#[tokio::test]
async fn a_confirmation_that_can_t_be_saved_posts_again_under_the_same_key() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.jobs.faults.busy("save", 1);
    start_some(&stack.start_ports(), &[]).await.unwrap_err();
    is_posted_again(&stack, &id, 1).await;
}

#[tokio::test]
async fn callbacks_after_a_crash_confirm_the_run_and_it_is_not_posted_again() {
    let stack = Stack::default();
    let id = stack.submit(1);
    crash_when(&stack, || !stack.http.requests().is_empty());
    let event = reelhook_testkit::step(1, 0, reelhook_domain::StepStatus::Started, None);
    stack.jobs.apply(&id, &event, reelhook_testkit::NOON, &stack.policy);
    stack.world.advance_s(61);
    stack.sweep().await;
    stack.settle().await;
    assert_eq!(stack.http.requests().len(), 1);
    assert_eq!(stack.jobs.get(&id).status, Status::Processing);
}

#[tokio::test]
async fn an_expired_claim_gives_way_to_the_next_one() {
    let stack = Stack::default();
    let id = stack.submit(1);
    crash_when(&stack, || stack.jobs.get(&id).run.start.claim.is_some());
    stack.world.advance_s(60);
    // Its slot is leased for longer than its claim.
    assert_eq!((stack.jobs.admission_item().active.len(), start(&stack).await), (1, 1));
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Processing);
    assert_eq!(stack.jobs.admission_item().active.len(), 1, "the first claim's slot is free");
}

#[tokio::test]
async fn the_only_slot_that_a_crash_has_left_to_a_claim_is_freed_by_the_sweep() {
    for rows in [1, 2] {
        let stack = Stack::with(&[], 1);
        stack.jobs.arrange_with(rows, true);
        let (id, next) = (stack.submit(1), stack.submit(2));
        crash_when(&stack, || stack.jobs.get(&id).run.start.claim.is_some());
        stack.world.advance_s(60);
        assert_eq!(stack.jobs.slots().running(stack.world.now()), 1);
        stack.sweep().await;
        stack.settle().await;
        assert_eq!(stack.jobs.get(&id).status, Status::Processing);
        assert_eq!((stack.jobs.slots().running(stack.world.now()), stack.jobs.get(&next).status), (1, Status::Pending));
    }
}

#[tokio::test]
async fn a_claimed_job_is_not_claimed_by_another_hint() {
    let stack = Stack::default();
    let id = stack.submit(1);
    crash_when(&stack, || stack.jobs.get(&id).run.start.claim.is_some());
    assert_eq!(start(&stack).await, 0);
    assert!(stack.http.requests().is_empty());
}
