//! A client that repeats a request, under one idempotency key, until it is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use crate::stack::{Stack, read};

/// How long a request is repeated.
const PATIENCE: Duration = Duration::from_secs(120);
/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// A client of the API.
pub struct Caller<'a> {
    /// The stack that it calls.
    pub stack: &'a Stack,
    run: String,
    server_errors: AtomicU64,
}

impl<'a> Caller<'a> {
    /// A client whose idempotency keys no other campaign has.
    pub fn new(stack: &'a Stack, seed: u64) -> Self {
        let run = format!("prove-{}-{seed}", std::process::id());
        Self { stack, run, server_errors: AtomicU64::new(0) }
    }

    /// An idempotency key.
    pub fn key(&self, what: &str, number: usize) -> String {
        format!("{}-{what}-{number}", self.run)
    }

    /// How many answers were 5xx.
    pub fn server_errors(&self) -> u64 {
        self.server_errors.load(Ordering::Relaxed)
    }

    /// Sends a request until it has an answer that is neither 5xx nor 429.
    pub async fn send(&self, what: &str, request: impl Fn() -> RequestBuilder) -> (u16, Value) {
        let (deadline, mut ticks) = (Instant::now() + PATIENCE, interval(PAUSE));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = String::new();
        while Instant::now() < deadline {
            ticks.tick().await;
            let response = match request().send().await {
                Ok(response) => response,
                Err(error) => {
                    last = error.to_string();
                    continue;
                }
            };
            let status = response.status().as_u16();
            if status < 500 && status != 429 {
                return read(response).await;
            }
            // Not all of these are answers of a function, so they need not be as described.
            self.server_errors.fetch_add(u64::from(status >= 500), Ordering::Relaxed);
            last = format!("{status} {}", response.text().await.unwrap_or_default());
        }
        panic!("{what} was not answered for {PATIENCE:?}: {last}");
    }
}
