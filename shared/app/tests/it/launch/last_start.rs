//! The end of an invocation: nothing is claimed or sent that it could leave without an answer.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::Method;
use reelhook_app::projects::launch::{last_start, start_scenes, tasks};
use reelhook_domain::Timestamp;
use reelhook_domain::projects::task::TaskState;
use reelhook_testkit::{NOON, Stack, body_of, response};
use serde_json::json;

use super::{add, completed, frame, posts, project, reads, report, start, state, video, work};

/// Services that need ten seconds for each request. They accept every task, and say that it is under way.
fn slow() -> Stack {
    let stack = Stack::default();
    let world = Arc::clone(&stack.world);
    stack.http.script(move |request| {
        world.advance_s(10);
        let body = match request.method {
            Method::Post => json!({ "task_id": body_of(request)["metadata"]["submission"] }),
            Method::Get | Method::Delete => json!({ "status": "processing" }),
        };
        Ok(response(200, body.to_string()))
    });
    stack
}

fn is_busy(error: &ChangeError) -> bool {
    matches!(error, ChangeError::Store(error) if error.is_busy())
}

#[test]
fn nothing_starts_in_the_last_45_seconds() {
    assert_eq!(last_start(NOON), NOON.before(Duration::from_secs(45)));
    assert!(last_start(Timestamp(i64::MAX)) > NOON);
}

#[tokio::test]
async fn scenes_for_which_no_time_is_left_are_not_claimed() {
    let mut stack = slow();
    let ids: Vec<_> = (1..=12).map(|n| add(&stack, n, 1, false)).collect();
    stack.scenes.last_start = NOON.after(Duration::from_secs(60));
    let busy = start_scenes(&stack.launch_ports(), &[]).await.unwrap_err();
    assert!(is_busy(&busy), "{busy}: the hint comes again");
    assert_eq!(posts(&stack).len(), 10, "the second five start after 50 s, and nothing after 100 s");
    let waits = |n: usize| matches!(state(&stack, &ids[n], &video(n as u32 + 1, 1)), TaskState::Waiting { .. });
    assert_eq!((0..ids.len()).filter(|n| waits(*n)).count(), 2);
    assert_eq!(stack.scenes.projects.admission_item().active.len(), 10);
    stack.scenes.last_start = Timestamp(i64::MAX);
    assert_eq!(start(&stack).await, 2);
}

#[tokio::test]
async fn polls_for_which_no_time_is_left_are_left_to_the_next_hint() {
    let mut stack = slow();
    let id = add(&stack, 1, 12, true);
    assert_eq!(start(&stack).await, 12);
    stack.world.advance_s(60);
    stack.scenes.last_start = stack.world.now().after(Duration::from_secs(20));
    work(&stack, &id).await;
    assert_eq!(reads(&stack).len(), 5, "the next five would start after 50 s");
    let now = stack.world.now();
    assert_eq!(project(&stack, &id).hinted_at, Some(now.after(Duration::from_secs(1))), "a hint is on its way");
    // The launcher takes it.
    stack.world.advance_s(1);
    stack.scenes.last_start = Timestamp(i64::MAX);
    work(&stack, &id).await;
    assert!(reads(&stack).len() >= 12, "all are polled");
}

#[tokio::test]
async fn a_submission_for_which_no_time_is_left_is_not_claimed() {
    let mut stack = slow();
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    report(&stack, &id, &video(1, 1), completed());
    stack.scenes.last_start = stack.world.now().before(Duration::from_millis(1));
    let busy = tasks(&stack.launch_ports(), &id).await.unwrap_err();
    assert!(is_busy(&busy), "{busy}");
    assert!(matches!(state(&stack, &id, &frame(1, 1)), TaskState::Waiting { .. }));
    assert_eq!(posts(&stack).len(), 1);
    stack.scenes.last_start = Timestamp(i64::MAX);
    work(&stack, &id).await;
    assert!(matches!(state(&stack, &id, &frame(1, 1)), TaskState::Submitted { .. }));
}
