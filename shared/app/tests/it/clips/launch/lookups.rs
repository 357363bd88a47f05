//! Look-ups of submissions whose answers were lost: they come before anything is sent again.

use reelhook_app::outbound::{Method, OutboundError};
use reelhook_domain::ClipJobId;
use reelhook_domain::clips::run::WorkerState;
use reelhook_testkit::{Answer, Stack, response};

use super::{create, paths, state, submitted, work, worker_id};

/// A job whose submission timed out; the worker answers look-ups so.
async fn lost(answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Stack, ClipJobId) {
    let stack = Stack::default();
    stack.http.script(
        move |request| {
            if request.method == Method::Get { answer() } else { Err(OutboundError::TimedOut(20_000)) }
        },
    );
    let id = create(&stack, 1);
    work(&stack, &id).await;
    (stack, id)
}

/// The time of the next look-up comes, and a hint about it.
async fn next_lookup(stack: &Stack, id: &ClipJobId) {
    let WorkerState::Unclear { next_at, .. } = state(stack, id) else { panic!("not unclear") };
    stack.world.set(next_at);
    work(stack, id).await;
}

#[tokio::test]
async fn a_submission_that_is_found_is_not_sent_again() {
    let (stack, id) = lost(|| Ok(response(200, r#"{"job_id": "g-1", "status": "downloading"}"#))).await;
    next_lookup(&stack, &id).await;
    let WorkerState::Submitted { id: known, .. } = state(&stack, &id) else { panic!("not submitted") };
    assert_eq!(known, worker_id("g-1"));
    assert_eq!(paths(&stack, Method::Get), [format!("/ai-clipping/jobs/{}", id.uuid())]);
    assert_eq!(submitted(&stack).len(), 1);
}

#[tokio::test]
async fn a_submission_that_is_missing_twice_is_sent_again_under_the_same_id() {
    let (stack, id) = lost(|| Ok(response(404, r#"{"detail": "Job not found"}"#))).await;
    next_lookup(&stack, &id).await;
    assert!(matches!(state(&stack, &id), WorkerState::Unclear { lookups: 1, .. }), "once is not enough");
    next_lookup(&stack, &id).await;
    assert!(matches!(state(&stack, &id), WorkerState::Waiting { .. }));
    stack.http.script(|_| Ok(response(202, r#"{"job_id": "g-1"}"#)));
    work(&stack, &id).await;
    assert_eq!(submitted(&stack), [id.uuid(), id.uuid()]);
    assert!(matches!(state(&stack, &id), WorkerState::Submitted { .. }));
}

#[tokio::test]
async fn a_look_up_without_a_usable_answer_shows_nothing() {
    let answers: [fn() -> Answer; 4] = [
        || Err(OutboundError::TimedOut(20_000)),
        || Ok(response(500, r#"{"detail": "oops"}"#)),
        || Ok(response(200, "<html>")),
        || Ok(response(200, r#"{"job_id": "g-9", "external_job_id": "another"}"#)),
    ];
    for answer in answers {
        let (stack, id) = lost(answer).await;
        for _ in 0..3 {
            next_lookup(&stack, &id).await;
        }
        assert!(matches!(state(&stack, &id), WorkerState::Unclear { lookups: 0, .. }));
        assert_eq!(submitted(&stack).len(), 1);
    }
}
