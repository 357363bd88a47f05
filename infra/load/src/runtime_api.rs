//! Lambda's Runtime API: hands out events one after the other, first for the warm-up, then to measure.

use std::fmt;
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
use serde_json::Value;
use tokio::sync::watch;

use crate::webhooks::now;

const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:reelhook-measured";
/// The function's timeout, in milliseconds.
const TIMEOUT: i64 = 60_000;

/// The number of events.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Events before `POST /go`.
    pub warm_up: u64,
    /// Events after `POST /go`.
    pub measured: u64,
}

/// Makes the event with a number.
type MakeEvent = Box<dyn Fn(u64) -> Value + Send + Sync>;

/// The invocations of the function.
pub struct Invocations {
    plan: Plan,
    event: MakeEvent,
    go: watch::Sender<bool>,
    started: AtomicU64,
    handled: AtomicU64,
    failures: Mutex<Failures>,
    answer: Mutex<Value>,
}

impl fmt::Debug for Invocations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Invocations").field("plan", &self.plan).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Failures {
    messages: u64,
    errors: u64,
    first: Option<String>,
}

/// Numbers of handled events and failures.
#[derive(Debug, Serialize)]
pub struct Handled {
    /// Events that the function responded to, including the warm-up.
    events: u64,
    /// Messages that the function reported as failed.
    failed_messages: u64,
    /// Events that failed as a whole or were answered with another status than 200, and initialisations that failed.
    errors: u64,
    /// The function's report of the first.
    first_error: Option<String>,
}

impl Invocations {
    /// No invocation has started yet.
    pub fn new(plan: Plan, event: impl Fn(u64) -> Value + Send + Sync + 'static) -> Self {
        Self {
            plan,
            event: Box::new(event),
            go: watch::Sender::new(false),
            started: AtomicU64::default(),
            handled: AtomicU64::default(),
            failures: Mutex::default(),
            answer: Mutex::default(),
        }
    }

    /// The last response of the function.
    pub fn answer(&self) -> Value {
        self.answer.lock().expect("no thread panics while it holds the lock").clone()
    }

    /// The numbers so far.
    pub fn handled(&self) -> Handled {
        let failures = self.failures();
        Handled {
            events: self.handled.load(Ordering::Relaxed),
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
    let Invocations { plan, event, go, started, .. } = &*invocations;
    let number = started.fetch_add(1, Ordering::Relaxed);
    if number >= plan.warm_up {
        // The sender lives as long as the state, so this cannot fail.
        let _ = go.subscribe().wait_for(|go| *go).await;
    }
    if number >= plan.warm_up + plan.measured {
        return pending().await;
    }
    let headers = [
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{number:012x}")),
        ("lambda-runtime-deadline-ms", (now().0 + TIMEOUT).to_string()),
        ("lambda-runtime-invoked-function-arn", ARN.to_owned()),
        ("lambda-runtime-trace-id", "Root=1-65929e80-000000000000000000000000;Sampled=0".to_owned()),
    ];
    (headers, Json(event(number))).into_response()
}

async fn response(State(invocations): State<Arc<Invocations>>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    match serde_json::from_slice::<Value>(&body) {
        Ok(response) => {
            let failed = response["batchItemFailures"].as_array().map_or(0, Vec::len);
            invocations.failures().messages += failed as u64;
            if response["statusCode"].as_u64().is_some_and(|status| status != 200) {
                invocations.failed(&body);
            }
            *invocations.answer.lock().expect("no thread panics while it holds the lock") = response;
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
