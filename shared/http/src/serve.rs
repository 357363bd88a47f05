//! Serves one event of any function behind the API: it reads the request, and answers or reports an error in the
//! caller's format.

use lambda_http::{Body, Request, Response};
use tracing::Instrument as _;

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::site::Site;

/// A challenge for which browsers open no password dialog: the pages have a sign-in page.
pub const QUIET_CHALLENGE: &str = "Bearer realm=\"reelhook\"";

/// Answers a request with the result of `respond`, and reports errors in StreamGank's format. Every log line of the
/// request has its `request_id`.
pub async fn serve(
    site: &Site,
    request: Request,
    respond: impl AsyncFnOnce(&ApiRequest) -> Result<ApiAnswer, Problem>,
) -> Response<Body> {
    serve_in(Problem::streamgank, site, request, respond).await
}

/// [`serve`] with errors in another format.
pub async fn serve_in(
    to_answer: fn(&Problem, &str) -> ApiAnswer,
    site: &Site,
    request: Request,
    respond: impl AsyncFnOnce(&ApiRequest) -> Result<ApiAnswer, Problem>,
) -> Response<Body> {
    let request = ApiRequest::of(request);
    // Functions receive preflights from an API with a `$default` route, and from a Function URL without CORS settings.
    if request.method == "OPTIONS" {
        return site.preflight(&request).into_response();
    }
    // No filter drops spans of this level.
    let span = tracing::error_span!("request", request_id = request.request_id);
    let answer = respond(&request).instrument(span).await;
    request.finish(answer.unwrap_or_else(|problem| refusal(to_answer, &problem, &request))).into_response()
}

/// The answer to a request that failed, in the caller's format.
pub fn refusal(to_answer: fn(&Problem, &str) -> ApiAnswer, problem: &Problem, request: &ApiRequest) -> ApiAnswer {
    let answer = to_answer(problem, &request.request_id);
    let by_script = request.header("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
    if answer.status == 401 && by_script { answer.header("www-authenticate", QUIET_CHALLENGE) } else { answer }
}
