//! What became of a submission to an outside service that is paid for, or must not run twice: accepted, refused, or lost.

use std::time::Duration;

use reelhook_domain::{RenderId, Timestamp, brief, cut, retry_after};
use serde_json::Value;

use super::{OutboundError, OutboundResponse};

/// The maximum size of a service's reason for a refusal, in bytes.
const ERROR_LIMIT: usize = 1024;
/// The longest wait that a service can request.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// The service has it under this id.
    Accepted(RenderId),
    /// The service does not have it.
    Refused {
        /// The reason.
        error: String,
        /// The time that the service asked to wait.
        wait: Option<Duration>,
        /// Whether the same submission is always refused.
        permanent: bool,
    },
    /// Whether the service has it is unknown, for this reason.
    Lost(String),
}

impl Submission {
    /// Of a request without an answer: refused if it was never sent, else lost.
    pub(crate) fn of_error(error: &OutboundError) -> Self {
        let code = error.code();
        match error {
            // The request was never sent.
            OutboundError::Forbidden { .. }
            | OutboundError::NotFound { .. }
            | OutboundError::Refused
            | OutboundError::Tls(_) => {
                Self::Refused { error: format!("the service was not reached: {code}"), wait: None, permanent: false }
            }
            OutboundError::BadRequest(reason) => {
                let error = format!("the request cannot be sent: {}", brief(reason));
                Self::Refused { error, wait: None, permanent: true }
            }
            OutboundError::TimedOut(_) | OutboundError::Reset | OutboundError::Other(_) => {
                Self::Lost(format!("no answer: {code}"))
            }
        }
    }
}

/// The service's reason for a refusal, or else its status.
pub(crate) fn reason(body: &Value, status: u16) -> String {
    let texts = [&body["error"], &body["error"]["message"], &body["message"], &body["detail"]];
    let text = texts.into_iter().filter_map(Value::as_str).map(str::trim).find(|text| !text.is_empty());
    match text.map(str::to_owned).or_else(|| invalid_member(&body["detail"])) {
        Some(text) => cut(&text, ERROR_LIMIT).to_owned(),
        None => format!("the service answered with status {status}"),
    }
}

/// The first entry of a list of invalid members as FastAPI answers it: `[{"loc": ["body", "max_clips"], "msg": "…"}]`.
fn invalid_member(detail: &Value) -> Option<String> {
    let first = &detail[0];
    let sentence = first["msg"].as_str()?;
    let place: Vec<&str> = first["loc"].as_array().into_iter().flatten().filter_map(Value::as_str).take(8).collect();
    Some(if place.is_empty() { sentence.to_owned() } else { format!("{}: {sentence}", place.join(".")) })
}

/// The wait in the member `retry_after`, in seconds, or else in the header Retry-After; an hour at most.
pub(crate) fn wait(response: &OutboundResponse, body: &Value, now: Timestamp) -> Option<Duration> {
    let member = match &body["retry_after"] {
        Value::Number(seconds) => seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        Value::String(text) => retry_after(text, now),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let asked = member.or_else(|| response.header("retry-after").and_then(|header| retry_after(header, now)));
    asked.map(|wait| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reason_is_the_first_sentence_of_the_service() {
        let missing = json!({ "detail": [{ "loc": ["body", "video_url"], "msg": "field required" }] });
        let long = json!({ "detail": "é".repeat(ERROR_LIMIT) });
        for (body, expected) in [
            (json!({ "error": "no", "detail": "other" }), "no"),
            (json!({ "error": { "message": " no " } }), "no"),
            (json!({ "detail": "Invalid API key" }), "Invalid API key"),
            (missing, "body.video_url: field required"),
            (json!({ "detail": [{ "msg": "bad" }] }), "bad"),
            (json!({ "detail": [7] }), "the service answered with status 422"),
            (json!({ "error": "  " }), "the service answered with status 422"),
            (Value::Null, "the service answered with status 422"),
        ] {
            assert_eq!(reason(&body, 422), expected, "{body}");
        }
        assert!(reason(&long, 422).len() <= ERROR_LIMIT);
    }
}
