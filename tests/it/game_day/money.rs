//! The commands of the page about money, of which CloudWatch has no alarm.

use std::time::Duration;

use super::alarm::pause;
use super::{drill, runbook};
use crate::stack::Stack;
use crate::videos::{film, order, until};

/// Longer than a run may take: ProcessingTimeoutSeconds in infra/local/test-profile.json.
const TIMED_OUT: Duration = Duration::from_secs(25);

/// The status of a video.
async fn status_of(stack: &Stack, video: &str) -> String {
    let (status, answer) = stack.get(&format!("/api/job-status/{video}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["status"].as_str().expect("a status").to_owned()
}

#[tokio::test]
async fn what_costs_money_stops_and_goes_on_and_no_run_fails() {
    let stack = Stack::open().await;
    let caller = [("API", stack.api.as_str()), ("KEY", stack.key.as_str())];
    let begun = order(&stack, film(2, 1.0)).await;
    stack
        .eventually("a video that has begun", || async { (status_of(&stack, &begun).await != "queued").then_some(()) })
        .await;
    drill(&stack, async {
        runbook::run(&stack, "docs/runbook/spend.md", "heal", &caller).await;
        assert_eq!(status_of(&stack, &begun).await, "completed", "the command waits for it");
        let state = runbook::run(&stack, "docs/runbook/spend.md", "over", &[]).await;
        assert!(state.contains("Disabl"), "{state}");
        let video = order(&stack, film(2, 1.0)).await;
        let job = stack.submit("step_ms=5").await;
        pause(TIMED_OUT).await;
        stack.sweep().await;
        assert_eq!(status_of(&stack, &video).await, "queued");
        assert_eq!(stack.job(&job).await["status"], "pending");
        runbook::run(&stack, "docs/runbook/spend.md", "resume", &caller).await;
        until(&stack, &video, "completed").await;
        stack.until_status(&job, "completed").await;
    })
    .await;
    stack.assert_queues_empty().await;
}
