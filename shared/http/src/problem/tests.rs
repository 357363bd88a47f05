//! Every problem has its row in docs/errors.md, and no answer tells more than it should.

use std::collections::BTreeSet;

use super::*;

/// The one after `problem`, so that the compiler asks for each variant.
fn after(problem: &Problem) -> Option<Problem> {
    Some(match problem {
        Problem::MissingParameters { .. } => Problem::BadField { field: "f", right: "r".to_owned() },
        Problem::BadField { .. } => Problem::BadValue { path: "p".to_owned(), right: "r".to_owned() },
        Problem::BadValue { .. } => Problem::NoScenes { received: Value::Null },
        Problem::NoScenes { .. } => Problem::CallbackMissing,
        Problem::CallbackMissing => Problem::CallbackFormat { received: Value::Null },
        Problem::CallbackFormat { .. } => Problem::CallbackProtocol { received: Value::Null, right: "r" },
        Problem::CallbackProtocol { .. } => Problem::BadConfig(String::new()),
        Problem::BadConfig(_) => Problem::BadForm(String::new()),
        Problem::BadForm(_) => Problem::FormTooLarge,
        Problem::FormTooLarge => Problem::VideoNotFound,
        Problem::VideoNotFound => Problem::VideoGone,
        Problem::VideoGone => Problem::VideoFailed { job_id: String::new(), error: String::new() },
        Problem::VideoFailed { .. } => Problem::NoJob(String::new()),
        Problem::NoJob(_) => Problem::TrackNotFound,
        Problem::TrackNotFound => Problem::BadJson(String::new()),
        Problem::BadJson(_) => Problem::NoObject,
        Problem::NoObject => Problem::BodyTooLarge,
        Problem::BodyTooLarge => Problem::UnsupportedEncoding(String::new()),
        Problem::UnsupportedEncoding(_) => Problem::BadEncoding("gzip"),
        Problem::BadEncoding(_) => Problem::PayloadTooLarge,
        Problem::PayloadTooLarge => Problem::BadIdempotencyKey,
        Problem::BadIdempotencyKey => Problem::KeyReused,
        Problem::KeyReused => Problem::Unauthorized,
        Problem::Unauthorized => Problem::SignInFailed,
        Problem::SignInFailed => Problem::ForeignPage,
        Problem::ForeignPage => Problem::ForeignHost,
        Problem::ForeignHost => Problem::JobNotFound,
        Problem::JobNotFound => Problem::DeliveryNotFound,
        Problem::DeliveryNotFound => Problem::DeliveryUnderWay,
        Problem::DeliveryUnderWay => Problem::EndpointDisabled,
        Problem::EndpointDisabled => Problem::EndpointNotFound,
        Problem::EndpointNotFound => Problem::UnknownField { name: String::new(), known: Vec::new() },
        Problem::UnknownField { .. } => Problem::EndpointConfigured,
        Problem::EndpointConfigured => Problem::TooManyEndpoints,
        Problem::TooManyEndpoints => Problem::TooManySecrets(None),
        Problem::TooManySecrets(_) => Problem::VersionMismatch,
        Problem::VersionMismatch => Problem::NoSecretsKey,
        Problem::NoSecretsKey => Problem::RecoveryNotFound,
        Problem::RecoveryNotFound => Problem::RenderIdMissing,
        Problem::RenderIdMissing => Problem::RenderStatusMissing,
        Problem::RenderStatusMissing => Problem::RenderUnknown(String::new()),
        Problem::RenderUnknown(_) => Problem::CannotCancel(Status::Completed),
        Problem::CannotCancel(status) => Problem::CannotRetry(*status),
        Problem::CannotRetry(status) => Problem::CannotComplete(*status),
        Problem::CannotComplete(status) => Problem::CannotDelete(*status),
        Problem::CannotDelete(_) => Problem::VideoUrlMissing,
        Problem::VideoUrlMissing => Problem::NoRender,
        Problem::NoRender => Problem::VideoExists,
        Problem::VideoExists => Problem::WorkflowIncomplete,
        Problem::WorkflowIncomplete => Problem::CannotMonitor(Status::Failed),
        Problem::CannotMonitor(_) => Problem::RenderCheckFailed,
        Problem::RenderCheckFailed => Problem::RenderCheckTimeout,
        Problem::RenderCheckTimeout => Problem::PreviewParametersMissing,
        Problem::PreviewParametersMissing => Problem::UrlMissing("URL is required"),
        Problem::UrlMissing(_) => Problem::EventMissing,
        Problem::EventMissing => Problem::RateLimited { retry_after: 1 },
        Problem::RateLimited { .. } => Problem::TooManyStreams,
        Problem::TooManyStreams => Problem::UnknownRoute,
        Problem::UnknownRoute => Problem::MethodNotAllowed(String::new()),
        Problem::MethodNotAllowed(_) => Problem::Busy,
        Problem::Busy => Problem::Internal,
        Problem::Internal => return None,
    })
}

#[test]
fn the_table_in_docs_lists_every_code_with_its_status_and_no_other() {
    let first = Problem::MissingParameters { received: json!({}) };
    let all = std::iter::successors(Some(first), after);
    let known: BTreeSet<(String, String)> =
        all.map(|problem| problem.parts()).map(|(status, code, _)| (code.to_owned(), status.to_string())).collect();
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
fn a_store_that_fails_is_busy_or_broken_and_tells_nothing_of_its_cause() {
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
fn long_input_is_cut_where_it_is_echoed() {
    let long = json!({ "country": "é".repeat(2000) });
    let problem = Problem::MissingParameters { received: long };
    let answer = problem.streamgank("r-1");
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 2 * ECHO_LIMIT, "{}", answer.body.len());
}
