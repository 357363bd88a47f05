//! Each answer of 5xx has a cause: a call of AWS by the function that serves the request met a fault, or it was killed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::calls::ServerError;
use super::disturbance::Kill;
use crate::stack::Stack;

/// How long a fault has effects: calls are repeated, and circuits stay open.
const EFFECTS_MS: u64 = 30_000;
/// What mock services have sent: where it is shown, the list of what sent it, and the list of its calls.
const SENDERS: [(&str, &str, &str); 5] = [
    ("/worker/jobs", "runs", "callbacks"),
    ("/control/genesis/jobs", "jobs", "reports"),
    ("/control/videos/tasks", "tasks", "callbacks"),
    ("/control/frames/tasks", "tasks", "callbacks"),
    ("/control/stitches/tasks", "tasks", "callbacks"),
];
/// The functions that take these calls, in that order. Workers report to a Function URL, as the profile for tests says
/// (`CallbacksBy`).
const TAKERS: [&str; 5] = ["callbacks", "clipping-webhook", "scene-webhooks", "scene-webhooks", "scene-webhooks"];

/// The answers of 5xx to the callbacks and reports that mock services have sent since a time.
pub async fn seen_by_services(stack: &Stack, since: u64) -> Vec<ServerError> {
    let mut found = Vec::new();
    for ((path, senders, calls), function) in SENDERS.into_iter().zip(TAKERS) {
        let shown = stack.studio(path).await;
        let senders = shown[senders].as_array().unwrap_or_else(|| panic!("{path} has no list: {shown}"));
        let calls = senders.iter().filter_map(|sender| sender[calls].as_array()).flatten();
        let errors = calls.filter_map(|call| server_error(path, function, call));
        found.extend(errors.filter(|error| error.from >= since));
    }
    found
}

fn server_error(what: &str, function: &'static str, call: &Value) -> Option<ServerError> {
    let status = call["http_status"].as_u64().filter(|status| *status >= 500)?;
    let from = call["at_ms"].as_u64()?;
    Some(ServerError { what: what.to_owned(), function, status, from, until: from + call["duration_ms"].as_u64()? })
}

/// When calls of each function met a fault, or one of its processes was killed: Unix milliseconds in order, by the
/// function's name without that of the stack.
pub struct Causes(BTreeMap<String, Vec<u64>>);

impl Causes {
    /// What the faults that the proxy reports, and kills, may have caused. The proxy knows functions by their whole names.
    pub fn of(stack: &Stack, faults: &[Value], kills: &[Kill]) -> Self {
        Self::read(&stack.aws.function(""), faults, kills)
    }

    fn read(prefix: &str, faults: &[Value], kills: &[Kill]) -> Self {
        let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for fault in faults {
            let function = fault["function"].as_str().and_then(|name| name.strip_prefix(prefix));
            let (Some(function), Some(at)) = (function, fault["at"].as_u64()) else {
                panic!("a fault without a time or a function of this stack: {fault}")
            };
            times.entry(function.to_owned()).or_default().push(at);
        }
        for kill in kills {
            times.entry(kill.function.to_owned()).or_default().push(kill.at);
        }
        for of_function in times.values_mut() {
            of_function.sort_unstable();
        }
        Self(times)
    }

    /// Whether an answer came while a fault of its function had effects.
    fn explain(&self, error: &ServerError) -> bool {
        let Some(times) = self.0.get(error.function) else { return false };
        let first = times.partition_point(|at| *at < error.from.saturating_sub(EFFECTS_MS));
        times.get(first).is_some_and(|at| *at <= error.until)
    }

    /// Asserts that they explain each of these answers.
    pub fn assert_explain(&self, errors: &[ServerError]) {
        let unexplained = errors.iter().filter(|error| !self.explain(error));
        let unexplained: Vec<String> = unexplained.map(ToString::to_string).collect();
        let reason = "answers of 5xx of functions that met no fault and were not killed before them";
        assert!(unexplained.is_empty(), "{reason}: {unexplained:#?}");
    }
}

#[test]
fn a_fault_of_a_function_explains_what_it_answers_during_the_effects() {
    let error = |function: &'static str, from: u64, until: u64| ServerError {
        what: "a read".to_owned(),
        function,
        status: 503,
        from,
        until,
    };
    let kills = [Kill { at: 200_000, function: "generate" }];
    let fault = serde_json::json!({ "at": 100_000, "function": "reelhook-pages", "fault": "slow" });
    let causes = Causes::read("reelhook-", &[fault], &kills);
    for (function, from, until, expected) in [
        ("pages", 99_000, 99_999, false),
        ("pages", 99_000, 100_000, true),
        ("pages", 130_000, 130_001, true),
        ("pages", 130_001, 199_999, false),
        ("pages", 200_000, 200_001, false),
        ("generate", 99_000, 100_000, false),
        ("generate", 210_000, 210_001, true),
        ("videos", 100_000, 200_000, false),
    ] {
        assert_eq!(causes.explain(&error(function, from, until)), expected, "{function}: {from} to {until}");
    }
}

#[test]
fn a_call_of_a_service_names_the_function_that_took_it() {
    let call = serde_json::json!({ "at_ms": 5, "duration_ms": 2, "http_status": 502 });
    let error = server_error("/worker/jobs", "callbacks", &call).expect("an answer of 5xx");
    assert_eq!((error.function, error.status, error.from, error.until), ("callbacks", 502, 5, 7));
    let call = serde_json::json!({ "at_ms": 5, "duration_ms": 2, "http_status": 409 });
    assert!(server_error("/worker/jobs", "callbacks", &call).is_none());
}
