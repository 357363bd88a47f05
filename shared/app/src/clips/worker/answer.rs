//! The worker's answers to submissions and look-ups. The real worker runs one external id as often as it is submitted, so
//! that an answer which leaves open whether it has the submission counts as lost.

use reelhook_domain::clips::event::LookedUp;
use reelhook_domain::{RenderId, Timestamp};
use serde_json::Value;

use crate::outbound::submission::{Submission, reason, wait};
use crate::outbound::{OutboundError, OutboundResponse};

/// Reads the answer to a submission.
pub(super) fn submission(result: &Result<OutboundResponse, OutboundError>, now: Timestamp) -> Submission {
    let response = match result {
        Ok(response) => response,
        Err(error) => return Submission::of_error(error),
    };
    let status = response.status;
    let body = response.whole_json();
    let is_readable = body.as_ref().is_some_and(Value::is_object);
    let body = body.unwrap_or_default();
    let refused = |permanent: bool| Submission::Refused {
        error: reason(&body, status),
        wait: if permanent { None } else { wait(response, &body, now) },
        permanent,
    };
    match status {
        // With a 409 the worker knows the external id.
        200..=299 | 409 => match job_id(&body) {
            Some(id) => Submission::Accepted(id),
            None => Submission::Lost(format!("status {status} without a usable `job_id`")),
        },
        400 | 401 | 422 => refused(true),
        300..=499 | 503 => refused(false),
        // A gateway does not know whether the worker has the submission.
        502 | 504 => Submission::Lost(format!("status {status}")),
        // The worker itself says that it failed; a text that is no JSON may be that of any server on the way.
        500..=599 if is_readable => refused(false),
        _ => Submission::Lost(format!("status {status}")),
    }
}

/// Reads the answer to a look-up of an external id: the state of a job, or that there is none.
pub(super) fn looked_up(response: &OutboundResponse, external: &str) -> LookedUp {
    match response.status {
        404 => LookedUp::Missing,
        200..=299 => {
            let body = response.whole_json().unwrap_or_default();
            let (named, id) = (body["external_job_id"].as_str(), job_id(&body));
            let is_other = named.is_some_and(|named| named != external);
            let is_state = named.is_some() || id.is_some() || body["status"].is_string();
            // The worker answers to the external id, whatever its own one is.
            let id = id.or_else(|| RenderId::parse(external).ok());
            id.filter(|_| is_state && !is_other).map_or(LookedUp::Unanswered, LookedUp::Found)
        }
        _ => LookedUp::Unanswered,
    }
}

/// Whether a state is that of the submission with these ids. A worker that names none answers what it was asked.
pub(super) fn is_about(body: &Value, id: &RenderId, external: &str) -> bool {
    match (body["external_job_id"].as_str(), job_id(body)) {
        (Some(named), _) => named == external,
        (None, Some(named)) => named == *id || named.as_str() == external,
        (None, None) => true,
    }
}

/// The worker's id for a job: a text or a whole number.
fn job_id(body: &Value) -> Option<RenderId> {
    match &body["job_id"] {
        Value::Number(number) if number.is_u64() => RenderId::parse(&number.to_string()).ok(),
        other => RenderId::parse(other.as_str()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::samples;

    const NOW: Timestamp = Timestamp(1_000_000);
    const EXTERNAL: &str = "0b0e7a3c-5f0e-4f43-9a53-0f7a6c2b4d11";

    fn response(status: u16, body: &str) -> OutboundResponse {
        OutboundResponse { status, ..samples::response(&[], body.as_bytes()) }
    }

    fn read(status: u16, body: &str) -> Submission {
        submission(&Ok(response(status, body)), NOW)
    }

    fn id(text: &str) -> RenderId {
        RenderId::parse(text).unwrap()
    }

    #[test]
    fn any_2xx_with_a_job_id_accepts() {
        for (status, body, expected) in [
            (200, r#"{"job_id": "abc-123"}"#, "abc-123"),
            (202, r#"{"job_id": 17, "status": "pending"}"#, "17"),
            (201, r#"{"job_id": "abc-123", "error": "ignored"}"#, "abc-123"),
            (409, r#"{"detail": "known", "job_id": "abc-123"}"#, "abc-123"),
        ] {
            assert_eq!(read(status, body), Submission::Accepted(id(expected)), "{status} {body}");
        }
    }

    #[test]
    fn an_answer_that_leaves_the_outcome_open_is_lost() {
        for (status, body) in [
            (200, ""),
            (200, "{"),
            (200, r#"{"job_id": null}"#),
            (200, r#"{"job_id": "../x"}"#),
            (202, "<html>"),
            (409, r#"{"detail": "known"}"#),
            (500, "Internal Server Error"),
            (502, "<html>"),
            (504, r#"{"message": "Endpoint request timed out"}"#),
        ] {
            assert!(matches!(read(status, body), Submission::Lost(_)), "{status} {body}");
        }
        let cut = OutboundResponse { cut_short: Some(OutboundError::Reset), ..response(200, r#"{"job_id": "a"}"#) };
        assert!(matches!(submission(&Ok(cut), NOW), Submission::Lost(_)));
        let truncated = OutboundResponse { truncated: true, ..response(200, r#"{"job_id": "a"}"#) };
        assert!(matches!(submission(&Ok(truncated), NOW), Submission::Lost(_)));
        for error in [OutboundError::TimedOut(20_000), OutboundError::Reset] {
            assert!(matches!(submission(&Err(error), NOW), Submission::Lost(_)));
        }
    }

    #[test]
    fn only_what_is_always_refused_is_permanent() {
        for (status, expected) in [
            (400, true),
            (401, true),
            (422, true),
            (302, false),
            (403, false),
            (404, false),
            (408, false),
            (429, false),
            (500, false),
            (503, false),
        ] {
            let Submission::Refused { error, permanent, .. } = read(status, r#"{"detail": "no room"}"#) else {
                panic!("{status} is not refused")
            };
            assert_eq!((error.as_str(), permanent), ("no room", expected), "{status}");
        }
        assert!(matches!(read(503, "<html>"), Submission::Refused { permanent: false, .. }));
        let unsent = submission(&Err(OutboundError::Refused), NOW);
        assert!(matches!(unsent, Submission::Refused { permanent: false, .. }));
    }

    #[test]
    fn a_worker_that_is_busy_says_for_how_long() {
        let mut busy = response(503, "{}");
        busy.headers.push(("Retry-After".to_owned(), "90".to_owned()));
        let Submission::Refused { wait, .. } = submission(&Ok(busy), NOW) else { panic!("not refused") };
        assert_eq!(wait.map(|wait| wait.as_secs()), Some(90));
    }

    #[test]
    fn a_look_up_finds_the_job_of_its_external_id_only() {
        let found = |status: u16, body: &str| looked_up(&response(status, body), EXTERNAL);
        let with = |members: &str| format!(r#"{{"external_job_id": "{EXTERNAL}"{members}}}"#);
        assert_eq!(found(404, r#"{"detail": "Job not found"}"#), LookedUp::Missing);
        assert_eq!(found(200, &with(r#", "job_id": "abc-123""#)), LookedUp::Found(id("abc-123")));
        assert_eq!(found(200, &with("")), LookedUp::Found(id(EXTERNAL)));
        assert_eq!(found(200, r#"{"job_id": "abc-123"}"#), LookedUp::Found(id("abc-123")));
        assert_eq!(found(200, r#"{"status": "pending"}"#), LookedUp::Found(id(EXTERNAL)));
        for (status, body) in [
            (200, r#"{"job_id": "abc-123", "external_job_id": "other"}"#),
            (200, "{}"),
            (200, "ok"),
            (500, r#"{"job_id": "abc-123"}"#),
            (401, "{}"),
        ] {
            assert_eq!(found(status, body), LookedUp::Unanswered, "{status} {body}");
        }
    }

    #[test]
    fn the_state_of_another_job_is_recognised() {
        let check = |body: &str, expected: bool| {
            let body = serde_json::from_str(body).unwrap();
            assert_eq!(is_about(&body, &id("abc-123"), EXTERNAL), expected, "{body}");
        };
        check(r#"{"job_id": "abc-123"}"#, true);
        check(&format!(r#"{{"job_id": "{EXTERNAL}"}}"#), true);
        check(&format!(r#"{{"job_id": "x", "external_job_id": "{EXTERNAL}"}}"#), true);
        check(r#"{"status": "running"}"#, true);
        check(r#"{"job_id": "x"}"#, false);
        check(r#"{"job_id": "abc-123", "external_job_id": "x"}"#, false);
    }
}
