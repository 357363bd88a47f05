//! Concurrent clients of one job and of one account on the deployed stack: their histories are linearizable (ADR 73).
//!
//! The tests are short by default; `REELHOOK_FULL=1` makes 40 histories each, and LINEAR_HISTORIES any other number.
//! LINEAR_SEED is the seed of the first one.

mod jobs;
mod ledger;

/// The seeds of a test.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let full = std::env::var("REELHOOK_FULL").is_ok_and(|value| value == "1");
    let first = number("LINEAR_SEED").unwrap_or(0);
    first..first + number("LINEAR_HISTORIES").unwrap_or(if full { 40 } else { 3 })
}
