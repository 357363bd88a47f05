//! A client that repeats a request, under one idempotency key, until it is answered, and notes each answer of 5xx.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use super::routes::function_of;
use crate::stack::{JsonText, Stack, read};

/// How long a request is repeated.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// An answer of 5xx.
#[derive(Debug, Clone)]
pub struct ServerError {
    /// What was requested.
    pub what: String,
    /// The function that serves it, by its name without that of the stack.
    pub function: &'static str,
    /// The status of the answer.
    pub status: u64,
    /// When the request was sent, in Unix milliseconds.
    pub from: u64,
    /// When it was answered, in Unix milliseconds.
    pub until: u64,
}

impl fmt::Display for ServerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, function, status, from, until } = self;
        write!(formatter, "{status} of {function} to {what}, sent at {from} and answered at {until}")
    }
}

/// A client of the API.
pub struct Caller<'a> {
    /// The stack that it calls.
    pub stack: &'a Stack,
    run: String,
    server_errors: Mutex<Vec<ServerError>>,
}

impl<'a> Caller<'a> {
    /// A client whose idempotency keys no other campaign has.
    pub fn new(stack: &'a Stack, seed: u64) -> Self {
        let run = format!("prove-{}-{}-{seed}", std::process::id(), now_ms());
        Self { stack, run, server_errors: Mutex::default() }
    }

    /// An idempotency key.
    pub fn key(&self, what: &str, number: usize) -> String {
        format!("{}-{what}-{number}", self.run)
    }

    /// The answers of 5xx so far.
    pub fn server_errors(&self) -> Vec<ServerError> {
        self.server_errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request until it has an answer that is neither 5xx nor 429.
    pub async fn send(&self, what: &str, request: impl Fn() -> RequestBuilder) -> (u16, Value) {
        let (deadline, mut ticks) = (Instant::now() + PATIENCE, interval(PAUSE));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = String::new();
        while Instant::now() < deadline {
            ticks.tick().await;
            match self.once(what, request()).await {
                Ok(answered) => return answered,
                Err(error) => last = error,
            }
        }
        panic!("{what} was not answered for {PATIENCE:?}: {last}");
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// Why there is no answer; the answer, if it is 5xx or 429.
    pub async fn once(&self, what: &str, request: RequestBuilder) -> Result<(u16, Value), String> {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, url, from) = (request.method().clone(), request.url().clone(), now_ms());
        let response = client.execute(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        if status < 500 && status != 429 {
            return Ok(read(response).await);
        }
        // Not all of these are answers of a function, so they need not be as described.
        let text = response.text().await.unwrap_or_default();
        if status >= 500 {
            let (what, function) = (what.to_owned(), function_of(self.stack, &method, &url));
            let error = ServerError { what, function, status: status.into(), from, until: now_ms() };
            self.server_errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
        }
        Err(format!("{status} {text}"))
    }

    /// GET as an operator, until it is answered.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(path, || self.stack.request(Method::GET, path)).await
    }

    /// POST of a JSON body as an operator, until it is answered.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(path, || self.stack.request(Method::POST, path).json_text(body)).await
    }
}

/// The time in Unix milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis();
    u64::try_from(since).expect("milliseconds")
}
