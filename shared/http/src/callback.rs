//! What webhooks that outside services call have in common: whether they are there, and errors of one sentence.

use reelhook_app::views::wire::Time;
use reelhook_domain::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::problem::{Problem, RequestProblem};

/// The status of a webhook that is there.
const HEALTHY: &str = "healthy";
/// The method of reports.
const METHOD: &str = "POST";

/// The health of a webhook.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CallbackHealth {
    /// `healthy`.
    #[schemars(extend("const" = HEALTHY))]
    status: &'static str,
    /// The path of the webhook.
    endpoint: String,
    /// The method of reports.
    #[schemars(extend("const" = METHOD))]
    method: &'static str,
    /// What calls it.
    description: &'static str,
    /// The time of the answer.
    timestamp: Time,
}

/// The answer about the health of the webhook with this name.
pub(crate) fn health(webhook: &str, description: &'static str, now: Timestamp) -> ApiAnswer {
    let (endpoint, timestamp) = (format!("/api/webhooks/{webhook}"), Time(now));
    ApiAnswer::json(200, &CallbackHealth { status: HEALTHY, endpoint, method: METHOD, description, timestamp })
}

/// Why a callback was refused.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CallbackError {
    /// A sentence: `Invalid signature` with 401, `Rate limit exceeded` with 429.
    error: String,
}

impl Problem {
    /// The error in the form of webhooks that outside services call.
    pub fn callback(&self, _request_id: &str) -> ApiAnswer {
        let (status, _, sentence) = self.parts();
        let error = if *self == Self::Request(RequestProblem::Unauthorized) {
            "Invalid signature".to_owned()
        } else if matches!(self, Self::Request(RequestProblem::RateLimited(_))) {
            "Rate limit exceeded".to_owned()
        } else {
            sentence
        };
        self.headers(ApiAnswer::json(status, &CallbackError { error }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_sentence() {
        let check = |problem: RequestProblem, status: u16, body: &str| {
            let answer = Problem::Request(problem).callback("r-1");
            assert_eq!((answer.status, answer.body.as_str()), (status, body));
            answer
        };
        check(RequestProblem::Unauthorized, 401, r#"{"error":"Invalid signature"}"#);
        let limited = check(RequestProblem::RateLimited(17), 429, r#"{"error":"Rate limit exceeded"}"#);
        assert!(limited.headers.contains(&("retry-after", "17".to_owned())), "{limited:?}");
        check(RequestProblem::NoObject, 400, r#"{"error":"The body must be a JSON object"}"#);
    }
}
