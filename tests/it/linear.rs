//! Concurrent clients of one job and of one account on the deployed stack: their histories are linearizable (ADR 73).
//!
//! The tests are short by default; `REELHOOK_FULL=1` makes 40 histories each, and LINEAR_HISTORIES any other number.
//! LINEAR_SEED is the seed of the first one. On a hostile stack, LINEAR_PERCENT of a hundred calls of AWS meet a fault
//! while the clients make their calls.

mod jobs;
mod ledger;

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::stack::{JsonText, Stack, read};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// The seeds of a test.
fn seeds() -> std::ops::Range<u64> {
    let full = std::env::var("REELHOOK_FULL").is_ok_and(|value| value == "1");
    let first = number("LINEAR_SEED").unwrap_or(0);
    first..first + number("LINEAR_HISTORIES").unwrap_or(if full { 40 } else { 3 })
}

/// What calls of AWS meet while clients make theirs.
struct Faults<'a> {
    stack: &'a Stack,
    /// How many calls of a hundred meet a fault: 0 but on a hostile stack.
    percent: u64,
}

impl<'a> Faults<'a> {
    fn of(stack: &'a Stack) -> Self {
        Self { stack, percent: number("LINEAR_PERCENT").unwrap_or(0) }
    }

    /// Whether calls meet faults.
    fn are_injected(&self) -> bool {
        self.percent > 0
    }

    /// From now on calls meet the faults of this seed.
    async fn begin(&self, seed: u64) {
        self.set(&json!({ "seed": seed, "percent": self.percent })).await;
    }

    async fn end(&self) {
        self.set(&json!({})).await;
    }

    async fn set(&self, settings: &Value) {
        if self.are_injected() {
            let url = format!("{}/_faults", self.stack.aws.functions_endpoint);
            let answer = self.stack.http.put(url).json_text(settings).send().await.expect("the proxy answers");
            assert!(answer.status().is_success(), "a hostile stack: use `cargo xtask test --only prove`");
        }
    }

    /// Sends a request. None if the API was too busy, or a fault hides the outcome: the call may have had its effect.
    async fn answer(&self, request: RequestBuilder) -> Option<(u16, Value)> {
        let response = request.send().await.expect("an answer");
        // Not all of these are answers of a function, so they need not be as described.
        if self.are_injected() && response.status().is_server_error() {
            return None;
        }
        let (status, answer) = read(response).await;
        (status != 503).then_some((status, answer))
    }
}
