//! Functions that crash, are stopped, are slow, or are not called.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::alarm::{page, pause, waits_for};
use super::{drill, stop};
use crate::aws::kill;
use crate::stack::Stack;
use crate::videos::{film, order, until};

/// Longer than ten minutes of the metrics.
const SLOW: Duration = Duration::from_secs(11);
/// The interval between two faults.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a fault may go on: until its alarm rings and the page's command has run.
const LONGEST: Duration = Duration::from_secs(240);

/// Repeats a fault of renderers until they have more memory than at first. The fault is that of a test, since the local
/// stack gives functions all memory that they take; the command of a page ends it as on AWS.
async fn until_more_memory<F: Future<Output = ()>>(stack: &Stack, fault: impl Fn() -> F) {
    let little = stack.aws.memory("render").await;
    let faults = async {
        while stack.aws.memory("render").await <= little {
            fault().await;
        }
    };
    tokio::time::timeout(LONGEST, faults).await.expect("the page's command gives renderers more memory");
}

/// Enables or disables the schedule of the due sweep.
pub async fn schedule(stack: &Stack, action: &str) {
    let target = "AWSEvents.ListRules";
    let (status, answer, _) = stack.aws.call("events", "POST", "/", Some(target), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let mut rules = answer["Rules"].as_array().expect("rules").iter();
    let rule = rules.find(|rule| rule["ScheduleExpression"] == "rate(1 minute)").expect("the schedule");
    let target = format!("AWSEvents.{action}");
    let body = json!({ "Name": rule["Name"] });
    let (status, answer, _) = stack.aws.call("events", "POST", "/", Some(&target), &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_renderer_that_crashes_rings_at_once() {
    let stack = Stack::open().await;
    let page = page("failed-runs", "FailedRunsAlarm");
    page.is_quiet(&stack).await;
    let video = order(&stack, film(2, 1.0)).await;
    drill(&stack, async {
        let crashes = until_more_memory(&stack, || async {
            // A process that has nothing to do is no failed run.
            for pid in stack.aws.processes("render") {
                kill(pid);
            }
            pause(PAUSE).await;
        });
        let operator = async {
            page.rings(&stack).await;
            page.command(&stack, &[("FUNCTION", "render")]).await;
        };
        tokio::join!(crashes, operator);
        page.is_over(&stack).await;
        until(&stack, &video, "completed").await;
    })
    .await;
}

/// Sends a signal to the renderers, and returns how many there are.
fn signal(stack: &Stack, name: &str) -> usize {
    let sent =
        |pid: &u32| Command::new("kill").args([name, &pid.to_string()]).status().is_ok_and(|status| status.success());
    stack.aws.processes("render").iter().filter(|pid| sent(pid)).count()
}

#[tokio::test]
async fn a_renderer_that_hangs_is_slow_and_another_one_goes_on() {
    let stack = Stack::open().await;
    let page = page("slow-renders", "SlowRendersAlarm");
    page.is_quiet(&stack).await;
    drill(&stack, async {
        let hangs = until_more_memory(&stack, || async {
            let video = order(&stack, film(2, 1.0)).await;
            waits_for("a renderer", || async { (signal(&stack, "-STOP") > 0).then_some(()) }).await;
            pause(SLOW).await;
            signal(&stack, "-CONT");
            until(&stack, &video, "completed").await;
        });
        let operator = async {
            page.rings(&stack).await;
            page.command(&stack, &[]).await;
        };
        tokio::join!(hangs, operator);
        page.is_over(&stack).await;
        let video = order(&stack, film(2, 1.0)).await;
        until(&stack, &video, "completed").await;
    })
    .await;
    signal(&stack, "-CONT");
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_function_that_was_stopped_rings_until_it_may_run() {
    let stack = Stack::open().await;
    let page = page("throttles", "ThrottleAlarm");
    page.is_quiet(&stack).await;
    drill(&stack, async {
        stop(&stack, "dispatcher").await;
        let job = stack.submit("step_ms=5").await;
        page.rings_while(&stack, || async {
            // Each hint is refused.
            stack.aws.hint(&json!({ "kind": "game_day" })).await;
            pause(PAUSE).await;
        })
        .await;
        page.heals(&stack, &[("FUNCTION", "dispatcher")]).await;
        stack.until_status(&job, "completed").await;
        stack.webhook("main", &job, "job.completed").await;
    })
    .await;
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_falls_behind_and_catches_up() {
    let stack = Stack::open().await;
    let page = page("stream-age", "StreamAgeAlarm");
    page.is_quiet(&stack).await;
    drill(&stack, async {
        stop(&stack, "fanout").await;
        let job = stack.submit("step_ms=5").await;
        page.rings(&stack).await;
        page.heals(&stack, &[]).await;
        stack.until_status(&job, "completed").await;
        stack.webhook("main", &job, "job.completed").await;
    })
    .await;
}

#[tokio::test]
async fn a_sweep_that_is_not_called_rings_until_its_schedule_is_enabled() {
    let stack = Stack::open().await;
    let page = page("sweep-missed", "CleanupMissedAlarm");
    drill(&stack, async {
        schedule(&stack, "DisableRule").await;
        page.rings(&stack).await;
        page.heals(&stack, &[]).await;
        let target = "AWSEvents.ListRules";
        let (_, answer, _) = stack.aws.call("events", "POST", "/", Some(target), &json!({})).await;
        let is_disabled = |rule: &Value| rule["State"] == "DISABLED";
        assert!(!answer["Rules"].as_array().expect("rules").iter().any(is_disabled), "{answer}");
    })
    .await;
}
