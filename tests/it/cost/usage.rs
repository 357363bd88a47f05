//! The receipt of a job: what its answer and its last webhook say that it has used is what its calls cost.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::deployed::{CallbacksBy, deployed};
use super::jobs::{JOB, SCENARIO, ended};
use super::measure;
use super::price::{
    self, API_REQUEST, GB_SECOND, INVOCATION, MEMORY_GB, OWN_SECONDS, READ_UNIT, SQS_REQUEST, WAITING_SECONDS,
    WRITE_UNIT,
};
use super::rows::{Purpose, Row, of, share};
use crate::stack::Stack;

/// How far the sum of a receipt may be from that of the counted calls.
const TOLERANCE: f64 = 0.05;
/// Runs that other work disturbs are not compared.
const ATTEMPTS: usize = 6;
/// The runs without a hint that wait for a response from outside: the callback of the render's end.
const CONFIRMING_RUNS: f64 = 1.0;

#[tokio::test]
async fn the_receipt_of_a_job_is_within_a_twentieth_of_its_calls() {
    let stack = Stack::open().await;
    deployed(&stack, CallbacksBy::Api, compare(&stack)).await;
}

#[tokio::test]
async fn a_job_whose_request_does_not_ask_for_its_usage_has_none() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    let ended = stack.until_status(&job, "completed").await;
    let webhook = stack.webhook("main", &job, "job.completed").await;
    assert_eq!((ended.get("usage"), data(&webhook).get("usage")), (None, None));
}

async fn compare(stack: &Stack) {
    // Warms up all functions.
    run(stack, "step_ms=5").await;
    for _ in 0..ATTEMPTS {
        let job = Mutex::new(String::new());
        let measured = measure(stack, &JOB, &async || {
            let id = run(stack, SCENARIO).await;
            *job.lock().expect("no panic") = id;
        })
        .await;
        if !measured.disturbed.is_empty() {
            println!("measuring again: {:?}", measured.disturbed);
            continue;
        }
        let job = job.into_inner().expect("no panic");
        let (rows, _) = price::price(stack, &JOB, &measured).await;
        let (receipt, calls) = (stack.job(&job).await["usage"].clone(), of(&rows, Purpose::Own));
        let (billed, counted) = (billed(&receipt), counted(&calls));
        println!("{receipt} is ${billed:.2} per million jobs, ${counted:.2} were counted: {calls:#?}");
        let webhook = stack.webhook("main", &job, "job.completed").await;
        let last = &data(&webhook)["usage"];
        assert_eq!((&last["runs"], &last["write_units"]), (&receipt["runs"], &receipt["writeUnits"]));
        assert!((billed / counted - 1.0).abs() <= TOLERANCE, "${billed:.2} instead of ${counted:.2}");
        return;
    }
    panic!("each run was disturbed");
}

/// Runs a job that counts what it uses, until nothing is left to do.
async fn run(stack: &Stack, scenario: &str) -> String {
    let job = stack.submit_with(json!({ "template": format!("studio:{scenario}"), "usage": true })).await;
    ended(stack, &job).await;
    job
}

/// The data of a webhook that a receiver has kept.
fn data(webhook: &Value) -> &Value {
    &webhook["body"]["data"]
}

/// The price of a receipt: its runs, requests and units.
fn billed(receipt: &Value) -> f64 {
    let of = |name: &str| receipt[name].as_f64().unwrap_or_else(|| panic!("{receipt} has no `{name}`"));
    // A run that a queue causes waits for the worker.
    let waiting = of("queueRequests") / 3.0 + CONFIRMING_RUNS;
    let seconds = waiting * WAITING_SECONDS + (of("runs") - waiting) * OWN_SECONDS;
    of("runs") * INVOCATION
        + seconds * MEMORY_GB * GB_SECOND
        + of("apiRequests") * API_REQUEST
        + of("queueRequests") * SQS_REQUEST
        + of("writeUnits") * WRITE_UNIT
        + of("readUnits") * READ_UNIT
}

/// The price of the counted calls of the same kinds.
fn counted(calls: &[Row]) -> f64 {
    ["DynamoDB", "SQS", "Lambda", "HTTP API"].iter().map(|service| share(calls, service)).sum()
}
