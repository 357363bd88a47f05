//! What every function behind the API does with an event: take it apart, answer, say what is wrong in the caller's words.

use lambda_http::{Body, Request, Response};
use tracing::Instrument as _;

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::site::Site;

/// A challenge for which no browser opens a password dialog: pages have a sign-in page.
pub const QUIET_CHALLENGE: &str = "Bearer realm=\"reelhook\"";

/// Answers a request with what `respond` makes of it, errors in StreamGank's words; every line that is logged meanwhile
/// carries `request_id`.
pub async fn serve(
    site: &Site,
    request: Request,
    respond: impl AsyncFnOnce(&ApiRequest) -> Result<ApiAnswer, Problem>,
) -> Response<Body> {
    serve_in(Problem::streamgank, site, request, respond).await
}

/// [`serve`] with errors in other words.
pub async fn serve_in(
    to_answer: fn(&Problem, &str) -> ApiAnswer,
    site: &Site,
    request: Request,
    respond: impl AsyncFnOnce(&ApiRequest) -> Result<ApiAnswer, Problem>,
) -> Response<Body> {
    let request = ApiRequest::of(request);
    // Preflights reach functions where an API has a `$default` route, and where a Function URL has no CORS of its own.
    if request.method == "OPTIONS" {
        return site.preflight(&request).into_response();
    }
    // A level that no filter leaves out.
    let span = tracing::error_span!("request", request_id = request.request_id);
    let answer = respond(&request).instrument(span).await;
    request.finish(answer.unwrap_or_else(|problem| refusal(to_answer, &problem, &request))).into_response()
}

/// What is wrong, in the caller's words.
pub fn refusal(to_answer: fn(&Problem, &str) -> ApiAnswer, problem: &Problem, request: &ApiRequest) -> ApiAnswer {
    let answer = to_answer(problem, &request.request_id);
    let by_script = request.header("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
    if answer.status == 401 && by_script { answer.header("www-authenticate", QUIET_CHALLENGE) } else { answer }
}
