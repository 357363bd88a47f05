//! Hints alone: jobs, a retry and webhooks while the schedule of the due sweep is disabled.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures_util::FutureExt as _;
use reelhook_domain::DeliveryStatus;
use serde_json::{Value, json};

use crate::stack::Stack;
use crate::waiting::without_sweeps;

/// The deadline of every wait; exceeding it fails the test.
const TIMEOUT: Duration = Duration::from_secs(60);
/// More jobs than infra/local/test-profile.json has slots (`MaxWorkers`).
const MORE_THAN_SLOTS: usize = 16;

/// Calls EventBridge.
async fn events(stack: &Stack, action: &str, body: &Value) -> Value {
    let target = format!("AWSEvents.{action}");
    let (status, answer, _) = stack.aws.call("events", "POST", "/", Some(&target), body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The name of the rule that runs the due sweep.
async fn schedule(stack: &Stack) -> String {
    let answer = events(stack, "ListRules", &json!({})).await;
    let rules = answer["Rules"].as_array().expect("rules").iter();
    let scheduled: Vec<&Value> = rules.filter(|rule| rule["ScheduleExpression"] == "rate(1 minute)").collect();
    assert_eq!(scheduled.len(), 1, "{answer}");
    scheduled[0]["Name"].as_str().expect("a name").to_owned()
}

/// Two jobs complete, one of them after a retry, and all their webhooks arrive, one of them after a retry.
async fn everything_moves(stack: &Stack) {
    stack.control("hooks/second", json!({ "answer": 500, "times": 1 })).await;
    let scenarios = ["step_ms=10&render_ms=50", "step_ms=10&render_ms=50&fail=3&fail_attempts=1"];
    let jobs = [stack.submit(scenarios[0]).await, stack.submit(scenarios[1]).await];
    let mut expected = 0;
    for job in &jobs {
        let completed = || async { (stack.job(job).await["status"] == "completed").then_some(()) };
        without_sweeps(TIMEOUT, "the end of a job", completed).await;
        expected += stack.stored(job).await.emitted.len() * 2;
    }
    let deliveries = without_sweeps(TIMEOUT, "every delivery", || async {
        let all = stack.aws.deliveries_of(&jobs).await;
        let delivered = all.iter().all(|delivery| delivery.status == DeliveryStatus::Delivered);
        (all.len() == expected && delivered).then_some(all)
    })
    .await;
    assert!(deliveries.iter().any(|delivery| delivery.attempts > 1), "no webhook was retried");
    assert_eq!(stack.stored(&jobs[1]).await.run.attempt, 2, "no run was retried");
    without_sweeps(TIMEOUT, "empty queues", || async {
        let depths = stack.aws.depths().await;
        depths.iter().all(|(_, depth)| *depth == 0).then_some(())
    })
    .await;
}

/// More jobs than slots complete: each slot that is freed starts the next one.
async fn slots_pass_on(stack: &Stack) {
    let mut jobs = Vec::new();
    for _ in 0..MORE_THAN_SLOTS {
        jobs.push(stack.submit("step_ms=10&no_render").await);
    }
    for job in &jobs {
        let completed = || async { (stack.job(job).await["status"] == "completed").then_some(()) };
        without_sweeps(TIMEOUT, "the end of a job that waited for a slot", completed).await;
    }
}

#[tokio::test]
async fn jobs_and_webhooks_need_no_sweep() {
    let stack = Stack::open().await;
    let rule = schedule(&stack).await;
    let rule = json!({ "Name": rule });
    events(&stack, "DisableRule", &rule).await;
    let moves = async {
        everything_moves(&stack).await;
        slots_pass_on(&stack).await;
    };
    let outcome = AssertUnwindSafe(moves).catch_unwind().await;
    events(&stack, "EnableRule", &rule).await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}
