//! Errors in the form of these webhooks: one sentence.

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::problem::{Problem, RequestProblem};

/// Why a callback was refused.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CallbackError {
    /// A sentence: `Invalid signature` with 401, `Rate limit exceeded` with 429.
    error: String,
}

impl Problem {
    /// The error in the form of the webhooks of projects.
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
