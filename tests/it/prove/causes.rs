//! Each answer of 5xx has a cause: a call of AWS that met a fault, or a function that was killed.

use serde_json::Value;

use super::calls::ServerError;
use super::disturbance::Kill;
use crate::stack::Stack;

/// How long a fault has effects: calls are repeated, and circuits stay open.
const EFFECTS_MS: u64 = 30_000;
/// What mock services have sent to the API: where it is shown, the list of what sent it, and the list of its calls.
const SENDERS: [(&str, &str, &str); 5] = [
    ("/worker/jobs", "runs", "callbacks"),
    ("/control/genesis/jobs", "jobs", "reports"),
    ("/control/videos/tasks", "tasks", "callbacks"),
    ("/control/frames/tasks", "tasks", "callbacks"),
    ("/control/stitches/tasks", "tasks", "callbacks"),
];

/// The answers of 5xx to the callbacks and reports that mock services have sent since a time.
pub async fn seen_by_services(stack: &Stack, since: u64) -> Vec<ServerError> {
    let mut found = Vec::new();
    for (path, senders, calls) in SENDERS {
        let shown = stack.studio(path).await;
        let senders = shown[senders].as_array().unwrap_or_else(|| panic!("{path} has no list: {shown}"));
        let calls = senders.iter().filter_map(|sender| sender[calls].as_array()).flatten();
        found.extend(calls.filter_map(|call| server_error(path, call)).filter(|error| error.from >= since));
    }
    found
}

fn server_error(what: &str, call: &Value) -> Option<ServerError> {
    let status = call["http_status"].as_u64().filter(|status| *status >= 500)?;
    let from = call["at_ms"].as_u64()?;
    Some(ServerError { what: what.to_owned(), status, from, until: from + call["duration_ms"].as_u64()? })
}

/// The times of the faults that the proxy reports, and of kills, in order.
pub fn times(faults: &[Value], kills: &[Kill]) -> Vec<u64> {
    let at = |fault: &Value| fault["at"].as_u64().unwrap_or_else(|| panic!("a fault without a time: {fault}"));
    let mut times: Vec<u64> = faults.iter().map(at).chain(kills.iter().map(|kill| kill.at)).collect();
    times.sort_unstable();
    times
}

/// Asserts that each of these answers came while a fault had effects.
pub fn assert_caused(errors: &[ServerError], times: &[u64]) {
    let uncaused = errors.iter().filter(|error| !is_caused(error, times));
    let uncaused: Vec<String> = uncaused.map(ToString::to_string).collect();
    assert!(uncaused.is_empty(), "answers of 5xx without a fault or a kill before them: {uncaused:#?}");
}

fn is_caused(error: &ServerError, times: &[u64]) -> bool {
    let first = times.partition_point(|at| *at < error.from.saturating_sub(EFFECTS_MS));
    times.get(first).is_some_and(|at| *at <= error.until)
}

#[test]
fn a_fault_causes_what_is_answered_during_its_effects() {
    let error = |from: u64, until: u64| ServerError { what: "a read".to_owned(), status: 503, from, until };
    let kills = [Kill { at: 200_000, function: "generate" }];
    let times = times(&[serde_json::json!({ "at": 100_000, "function": null, "fault": "slow" })], &kills);
    for (from, until, expected) in
        [(99_000, 99_999, false), (99_000, 100_000, true), (130_000, 130_001, true), (130_001, 199_999, false)]
    {
        assert_eq!(is_caused(&error(from, until), &times), expected, "{from} to {until}");
    }
    assert!(is_caused(&error(210_000, 210_001), &times) && !is_caused(&error(300_000, 300_001), &[]));
}
