//! Lambda's Runtime API: gives batches of messages one after the other, first those that warm up and then the others.

use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::stand_ins::{Report, Shared};
use crate::webhooks::now;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:reelhook-dispatcher";
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:123456789012:reelhook-DeliveryHints";
/// The function's timeout, in milliseconds.
const TIMEOUT: i64 = 60_000;

/// How many batches there are, of how many messages.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Batches before the signal to go.
    pub warm_up: u64,
    /// Batches after it.
    pub batches: u64,
    /// Messages of each.
    pub batch: u64,
}

/// How far the function is.
#[derive(Debug)]
pub struct Invocations {
    plan: Plan,
    go: watch::Sender<bool>,
    given: AtomicU64,
    answered: AtomicU64,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    messages: u64,
    errors: u64,
    first: Option<String>,
}

/// The same as numbers.
#[derive(Debug, Serialize)]
pub struct Answered {
    /// Batches that were answered, those of the warm-up among them.
    batches: u64,
    /// Messages that the function wants again.
    failed_messages: u64,
    /// Batches, or starts, that failed as a whole.
    errors: u64,
    /// What the function said of the first.
    first_error: Option<String>,
}

impl Invocations {
    /// Nothing was given yet.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            go: watch::Sender::new(false),
            given: AtomicU64::default(),
            answered: AtomicU64::default(),
            failures: Mutex::default(),
        }
    }

    /// How far it is.
    pub fn answered(&self) -> Answered {
        let failures = self.failures.lock().expect("nobody panics with it");
        Answered {
            batches: self.answered.load(Ordering::Relaxed),
            failed_messages: failures.messages,
            errors: failures.errors,
            first_error: failures.first.clone(),
        }
    }

    fn failed(&self, body: &[u8]) {
        let mut failures = self.failures.lock().expect("nobody panics with it");
        failures.errors += 1;
        failures.first.get_or_insert_with(|| String::from_utf8_lossy(body).into_owned());
    }
}

/// The Runtime API, and beside it `POST /go`, which ends the warm-up, and `GET /report`.
pub fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .route("/go", post(go))
        .route("/report", get(report))
        .with_state(shared)
}

async fn next(State(shared): State<Shared>) -> Response {
    let Invocations { plan, go, given, .. } = &shared.invocations;
    let number = given.fetch_add(1, Ordering::Relaxed);
    if number >= plan.warm_up {
        // The sender lives as long as the state.
        let _ = go.subscribe().wait_for(|go| *go).await;
    }
    if number >= plan.warm_up + plan.batches {
        return pending().await;
    }
    let records: Vec<Value> =
        (number * plan.batch..(number + 1) * plan.batch).map(|one| record(&shared, one)).collect();
    let headers = [
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{number:012x}")),
        ("lambda-runtime-deadline-ms", (now().0 + TIMEOUT).to_string()),
        ("lambda-runtime-invoked-function-arn", ARN.to_owned()),
        ("lambda-runtime-trace-id", "Root=1-65929e80-000000000000000000000000;Sampled=0".to_owned()),
    ];
    (headers, Json(json!({ "Records": records }))).into_response()
}

fn record(shared: &Shared, number: u64) -> Value {
    let body = serde_json::to_string(&shared.webhooks.message(number)).expect("our own messages are JSON");
    let sent = now().0.to_string();
    json!({
        "messageId": format!("00000000-0000-4000-9000-{number:012x}"),
        "receiptHandle": "sample-receipt-handle",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AROASAMPLESAMPLESAMPL:reelhook-fanout",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {},
        "md5OfBody": "5143fbd31d93f66b3a9628c4e845720d",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "us-east-1",
    })
}

async fn response(State(shared): State<Shared>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    match serde_json::from_slice::<Value>(&body) {
        Ok(answer) => {
            let again = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
            shared.invocations.failures.lock().expect("nobody panics with it").messages += again as u64;
        }
        Err(_) => shared.invocations.failed(&body),
    }
    shared.invocations.answered.fetch_add(1, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn error(State(shared): State<Shared>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    shared.invocations.failed(&body);
    shared.invocations.answered.fetch_add(1, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn init_error(State(shared): State<Shared>, body: Bytes) -> StatusCode {
    shared.invocations.failed(&body);
    StatusCode::ACCEPTED
}

async fn go(State(shared): State<Shared>) -> StatusCode {
    shared.invocations.go.send_replace(true);
    StatusCode::NO_CONTENT
}

async fn report(State(shared): State<Shared>) -> Json<Report> {
    Json(shared.report())
}
