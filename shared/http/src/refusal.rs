//! The answer to a request that failed, in the format of its caller.

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// A challenge for which browsers open no password dialog: the pages have a sign-in page.
pub const QUIET_CHALLENGE: &str = "Bearer realm=\"reelhook\"";

/// The answer to a request that failed, in the caller's format.
pub fn refusal(to_answer: fn(&Problem, &str) -> ApiAnswer, problem: &Problem, request: &ApiRequest) -> ApiAnswer {
    let answer = to_answer(problem, &request.request_id);
    let by_script = request.header("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
    if answer.status == 401 && by_script { answer.header("www-authenticate", QUIET_CHALLENGE) } else { answer }
}
