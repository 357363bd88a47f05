//! A game day: the fault behind each alarm is provoked, the alarm rings by its own metric, threshold and periods, and the
//! commands of its page in docs/runbook end it.
//!
//! The local stack keeps the metrics and evaluates the alarms (infra/local/mends/metrics.py); a minute of them passes in a
//! second.

mod alarm;
mod functions;
mod money;
mod queries;
pub mod queues;
mod runbook;
mod settings;
mod tables;
mod topic;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::stack::Stack;

/// The functions that drills stop.
const STOPPED: [&str; 2] = ["fanout", "dispatcher"];
/// The functions whose queues drills do not let them read.
const UNREAD: [&str; 5] = ["dispatcher", "worker", "render", "live", "inbox"];

/// Plays a drill, and then removes what it provoked also if it failed, so that the next test finds a whole stack.
async fn drill(stack: &Stack, played: impl Future<Output = ()>) {
    let memory = stack.aws.memory("render").await;
    let outcome = AssertUnwindSafe(played).catch_unwind().await;
    for function in STOPPED {
        let path = format!("/2017-10-31/functions/{}/concurrency", stack.aws.function(function));
        stack.aws.call("lambda", "DELETE", &path, None, &Value::Null).await;
    }
    for function in UNREAD {
        stack.aws.set_mappings(function, true).await;
    }
    functions::schedule(stack, "EnableRule").await;
    tables::limit(stack, -1).await;
    queues::recursive_loop(stack, "Allow").await;
    if stack.aws.memory("render").await != memory {
        stack.aws.set_memory("render", memory).await;
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Stops a function, as someone does who gives it no execution.
async fn stop(stack: &Stack, function: &str) {
    let path = format!("/2017-10-31/functions/{}/concurrency", stack.aws.function(function));
    let none = json!({ "ReservedConcurrentExecutions": 0 });
    let (status, answer, _) = stack.aws.call("lambda", "PUT", &path, None, &none).await;
    assert_eq!(status, 200, "{answer}");
}
