//! The answers to submissions. A submission is paid for if the service has it, so that each answer is one of three:
//! accepted, refused, or lost.

use reelhook_domain::{Timestamp, WebUrl};
use serde_json::Value;

use crate::outbound::submission::{Submission, reason, wait};
use crate::outbound::{OutboundError, OutboundResponse};
use crate::projects::services::report::task_id;

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What became of the submission.
    pub submission: Submission,
    /// What an accepted submission has as the URL of the task's status. It is checked by
    /// [`Service::status_url`](super::Service::status_url).
    pub status_url: Option<String>,
    /// Whether the service answered without a server error.
    pub answered: bool,
}

impl Answer {
    /// Reads the result of the request.
    pub fn read(result: Result<OutboundResponse, OutboundError>, now: Timestamp) -> Self {
        match result {
            Ok(response) => {
                // A body that broke off or was cut has no id that could be relied on.
                let body = response.whole_json().unwrap_or_default();
                let submission = read_response(&response, &body, now);
                let is_accepted = matches!(submission, Submission::Accepted(_));
                let named = body["status_url"].as_str().map(str::trim).filter(|text| !text.is_empty());
                let named = named.filter(|text| is_accepted && text.len() <= WebUrl::LIMIT);
                Self { status_url: named.map(str::to_owned), answered: response.status < 500, submission }
            }
            Err(error) => Self { submission: Submission::of_error(&error), status_url: None, answered: false },
        }
    }
}

fn read_response(response: &OutboundResponse, body: &Value, now: Timestamp) -> Submission {
    let status = response.status;
    match status {
        // With a 409 the service knows the Idempotency-Key: it has the task, whether it names it or not.
        200..=299 | 409 => match task_id(body) {
            Some(id) => Submission::Accepted(id),
            None => Submission::Lost(format!("status {status} without a usable `task_id`")),
        },
        // A server that timed out while it read the request did not process it (RFC 9110, 15.5.9).
        408 | 425 | 429 | 503 => {
            Submission::Refused { error: reason(body, status), wait: wait(response, body, now), permanent: false }
        }
        // A redirect is not followed, so that no other server gets the key.
        300..=499 => Submission::Refused { error: reason(body, status), wait: None, permanent: true },
        _ => Submission::Lost(format!("status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reelhook_domain::RenderId;

    use super::*;
    use crate::outbound::samples;
    use crate::outbound::submission::LONGEST_WAIT;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn response(status: u16, body: &str) -> OutboundResponse {
        OutboundResponse { status, ..samples::response(&[], body.as_bytes()) }
    }

    fn submission(status: u16, body: &str) -> Submission {
        Answer::read(Ok(response(status, body)), NOW).submission
    }

    fn is_lost(submission: &Submission) -> bool {
        matches!(submission, Submission::Lost(_))
    }

    #[test]
    fn any_2xx_with_a_task_id_is_accepted() {
        let id = RenderId::parse("task_1").unwrap();
        for status in [200, 201, 202, 204] {
            assert_eq!(submission(status, r#"{"task_id": "task_1"}"#), Submission::Accepted(id.clone()));
        }
    }

    #[test]
    fn a_conflict_with_a_task_id_names_the_task_of_a_known_key() {
        let id = RenderId::parse("task_1").unwrap();
        let answer = Answer::read(Ok(response(409, r#"{"error": "known key", "task_id": "task_1"}"#)), NOW);
        assert_eq!(answer, Answer { submission: Submission::Accepted(id), status_url: None, answered: true });
        // Without a usable one the task of an earlier submission may be under way: nothing is refunded.
        for body in ["", "{}", r#"{"error": "known key"}"#, r#"{"task_id": "../x"}"#] {
            assert!(is_lost(&submission(409, body)), "{body}");
        }
        assert!(matches!(submission(422, r#"{"task_id": "task_1"}"#), Submission::Refused { permanent: true, .. }));
    }

    #[test]
    fn only_an_accepted_submission_has_a_status_url_and_only_one_of_a_bounded_length() {
        let status_url = |status: u16, body: &str| Answer::read(Ok(response(status, body)), NOW).status_url;
        let named = r#"{"task_id": "task_1", "status_url": "/state/task_1"}"#;
        assert_eq!(status_url(202, named).as_deref(), Some("/state/task_1"));
        assert_eq!(status_url(409, named).as_deref(), Some("/state/task_1"));
        for (status, body) in [
            (200, r#"{"status_url": "/state/task_1"}"#),
            (500, named),
            (200, r#"{"task_id": "task_1", "status_url": 7}"#),
            (200, r#"{"task_id": "task_1", "status_url": null}"#),
            (200, r#"{"task_id": "task_1", "status_url": " "}"#),
        ] {
            assert_eq!(status_url(status, body), None, "{status} {body}");
        }
        let of_length = |length: usize| {
            let url = "x".repeat(length);
            status_url(200, &format!(r#"{{"task_id": "task_1", "status_url": "{url}"}}"#)).is_some()
        };
        assert_eq!([of_length(WebUrl::LIMIT), of_length(WebUrl::LIMIT + 1)], [true, false]);
    }

    #[test]
    fn a_2xx_without_a_usable_id_is_lost() {
        for body in ["", "{", "{}", r#"{"task_id": null}"#, r#"{"task_id": "../x"}"#, "[]", "ok"] {
            assert!(is_lost(&submission(200, body)), "{body}");
        }
        let cut =
            OutboundResponse { cut_short: Some(OutboundError::Reset), ..response(200, r#"{"task_id": "task_1"}"#) };
        assert!(is_lost(&Answer::read(Ok(cut), NOW).submission));
    }

    #[test]
    fn a_server_error_is_lost_unless_it_says_that_the_service_is_unavailable() {
        for status in [500, 502, 504, 599] {
            let answer = Answer::read(Ok(response(status, r#"{"task_id": "task_1"}"#)), NOW);
            assert!(is_lost(&answer.submission) && !answer.answered, "{status}");
        }
        let Submission::Refused { permanent, wait, .. } = submission(503, "") else { panic!("not refused") };
        assert_eq!((permanent, wait), (false, None));
    }

    #[test]
    fn waits_come_from_the_body_or_from_the_header() {
        let wait = |body: &str, header: Option<&str>| {
            let mut response = response(429, body);
            response.headers.extend(header.map(|value| ("Retry-After".to_owned(), value.to_owned())));
            match Answer::read(Ok(response), NOW) {
                Answer { submission: Submission::Refused { wait, permanent: false, .. }, answered: true, .. } => wait,
                other => panic!("{other:?}"),
            }
        };
        let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
        assert_eq!(wait(r#"{"retry_after": 1.5}"#, Some("9")), seconds(1.5));
        assert_eq!(wait(r#"{"retry_after": "7"}"#, None), seconds(7.0));
        assert_eq!(wait("{}", Some("9")), seconds(9.0));
        assert_eq!(wait(r#"{"retry_after": -1}"#, None), None);
        assert_eq!(wait(r#"{"retry_after": 1e300}"#, Some("9")), seconds(9.0));
        assert_eq!(wait(r#"{"retry_after": 999999}"#, None), Some(LONGEST_WAIT));
        assert_eq!(wait("{}", None), None);
    }

    #[test]
    fn other_refusals_are_permanent() {
        for status in [302, 400, 401, 404, 422] {
            let Submission::Refused { permanent, error, .. } = submission(status, r#"{"error": "bad prompt"}"#) else {
                panic!("{status} is not refused")
            };
            assert_eq!((permanent, error.as_str()), (true, "bad prompt"), "{status}");
        }
    }

    #[test]
    fn what_was_never_sent_is_refused_and_what_may_have_been_sent_is_lost() {
        let read = |error| Answer::read(Err(error), NOW);
        let host = || "s.example".to_owned();
        let unsent = [
            OutboundError::Refused,
            OutboundError::NotFound { host: host() },
            OutboundError::Forbidden { host: host() },
            OutboundError::Tls("bad certificate".to_owned()),
        ];
        for error in unsent {
            let answer = read(error);
            assert!(matches!(answer.submission, Submission::Refused { permanent: false, .. }) && !answer.answered);
        }
        for error in [OutboundError::TimedOut(15_000), OutboundError::Reset, OutboundError::Other("?".to_owned())] {
            let answer = read(error);
            assert!(is_lost(&answer.submission) && !answer.answered);
        }
    }
}
