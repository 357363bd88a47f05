//! Tests that docs/errors.md lists every problem, and that no answer reveals its cause.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

#[test]
fn the_table_in_the_docs_lists_exactly_the_codes_with_their_statuses() {
    let all = Problem::CODES.into_iter().flatten();
    let known: BTreeSet<(String, String)> =
        all.map(|(code, status)| ((*code).to_owned(), status.to_string())).collect();
    let table = include_str!("../../../../docs/errors.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<(String, String)> = table
        .filter_map(|row| row.split_once("` | "))
        .map(|(code, rest)| (code.to_owned(), rest.split(' ').next().unwrap_or_default().to_owned()))
        // The other tables have no status in their second column.
        .filter(|(_, status)| status.parse::<u16>().is_ok())
        .collect();
    assert_eq!(known, listed);
}

#[test]
fn a_store_failure_is_busy_or_internal_and_does_not_reveal_its_cause() {
    let busy = StoreError::Busy { operation: "load job", source: "throttled at 10.0.0.7".into() };
    let refused = StoreError::Refused { operation: "load job", source: "AccessDenied for role x".into() };
    for (error, status, code, wait) in [(busy, 503, "busy", true), (refused, 500, "internal", false)] {
        let answer = Problem::from(error).streamgank("r-1");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["code"], &body["request_id"]), (status, &json!(code), &json!("r-1")));
        assert_eq!(answer.headers.iter().any(|(name, _)| *name == "retry-after"), wait);
        assert!(!answer.body.contains("10.0.0.7") && !answer.body.contains("role"), "{}", answer.body);
    }
}

#[test]
fn long_input_is_shortened_in_the_echo() {
    let long = json!({ "country": "é".repeat(2000) });
    let problem = Problem::Job(JobProblem::MissingParameters(long));
    let answer = problem.streamgank("r-1");
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 2 * ECHO_LIMIT, "{}", answer.body.len());
}
