//! Lambda's Runtime API: hands out batches of messages one after the other, first for the warm-up, then to measure.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::webhooks::{Webhooks, now};

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:reelhook-dispatcher";
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:123456789012:reelhook-DeliveryHints";
/// The function's timeout, in milliseconds.
const TIMEOUT: i64 = 60_000;

/// The number and size of batches.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Batches before `POST /go`.
    pub warm_up: u64,
    /// Batches after `POST /go`.
    pub batches: u64,
    /// Messages per batch.
    pub batch: u64,
}

/// The invocations of the function.
#[derive(Debug)]
pub struct Invocations {
    plan: Plan,
    webhooks: Webhooks,
    go: watch::Sender<bool>,
    started: AtomicU64,
    handled: AtomicU64,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    messages: u64,
    errors: u64,
    first: Option<String>,
}

/// Numbers of handled batches and failures.
#[derive(Debug, Serialize)]
pub struct Handled {
    /// Batches that the function responded to, including the warm-up.
    batches: u64,
    /// Messages that the function reported as failed.
    failed_messages: u64,
    /// Batches and initialisations that failed as a whole.
    errors: u64,
    /// The function's report of the first.
    first_error: Option<String>,
}

impl Invocations {
    /// No invocation has started yet.
    pub fn new(plan: Plan, webhooks: Webhooks) -> Self {
        Self {
            plan,
            webhooks,
            go: watch::Sender::new(false),
            started: AtomicU64::default(),
            handled: AtomicU64::default(),
            failures: Mutex::default(),
        }
    }

    /// The numbers so far.
    pub fn handled(&self) -> Handled {
        let failures = self.failures();
        Handled {
            batches: self.handled.load(Ordering::Relaxed),
            failed_messages: failures.messages,
            errors: failures.errors,
            first_error: failures.first.clone(),
        }
    }

    fn failed(&self, body: &[u8]) {
        let mut failures = self.failures();
        failures.errors += 1;
        failures.first.get_or_insert_with(|| String::from_utf8_lossy(body).into_owned());
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().expect("no thread panics while it holds the lock")
    }
}

/// The routes of the Runtime API, and `POST /go`, which ends the warm-up.
pub fn routes(invocations: Arc<Invocations>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .route("/go", post(go))
        .with_state(invocations)
}

async fn next(State(invocations): State<Arc<Invocations>>) -> Response {
    let Invocations { plan, webhooks, go, started, .. } = &*invocations;
    let number = started.fetch_add(1, Ordering::Relaxed);
    if number >= plan.warm_up {
        // The sender lives as long as the state, so this cannot fail.
        let _ = go.subscribe().wait_for(|go| *go).await;
    }
    if number >= plan.warm_up + plan.batches {
        return pending().await;
    }
    let records: Vec<Value> =
        (number * plan.batch..(number + 1) * plan.batch).map(|one| record(webhooks, one)).collect();
    let headers = [
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{number:012x}")),
        ("lambda-runtime-deadline-ms", (now().0 + TIMEOUT).to_string()),
        ("lambda-runtime-invoked-function-arn", ARN.to_owned()),
        ("lambda-runtime-trace-id", "Root=1-65929e80-000000000000000000000000;Sampled=0".to_owned()),
    ];
    (headers, Json(json!({ "Records": records }))).into_response()
}

fn record(webhooks: &Webhooks, number: u64) -> Value {
    let body = serde_json::to_string(&webhooks.message(number)).expect("our own messages are JSON");
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

async fn response(State(invocations): State<Arc<Invocations>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    match serde_json::from_slice::<Value>(&body) {
        Ok(response) => {
            let failed = response["batchItemFailures"].as_array().map_or(0, Vec::len);
            invocations.failures().messages += failed as u64;
        }
        Err(_) => invocations.failed(&body),
    }
    invocations.handled.fetch_add(1, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn error(State(invocations): State<Arc<Invocations>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    invocations.failed(&body);
    invocations.handled.fetch_add(1, Ordering::Relaxed);
    StatusCode::ACCEPTED
}

async fn init_error(State(invocations): State<Arc<Invocations>>, body: Bytes) -> StatusCode {
    invocations.failed(&body);
    StatusCode::ACCEPTED
}

async fn go(State(invocations): State<Arc<Invocations>>) -> StatusCode {
    invocations.go.send_replace(true);
    StatusCode::NO_CONTENT
}
