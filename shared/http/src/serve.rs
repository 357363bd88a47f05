//! What every function behind the API does with an event: take it apart, answer, say what is wrong in the caller's words.

use lambda_http::{Body, Request, Response};
use tracing::Instrument as _;

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// Answers a request with what `respond` makes of it, errors in StreamGank's words; every line that is logged meanwhile
/// carries `request_id`.
pub async fn serve(
    request: Request,
    respond: impl AsyncFnOnce(&ApiRequest) -> Result<ApiAnswer, Problem>,
) -> Response<Body> {
    serve_in(Problem::streamgank, request, respond).await
}

/// [`serve`] with errors in other words.
pub async fn serve_in(
    words: fn(&Problem, &str) -> ApiAnswer,
    request: Request,
    respond: impl AsyncFnOnce(&ApiRequest) -> Result<ApiAnswer, Problem>,
) -> Response<Body> {
    let request = ApiRequest::of(request);
    // A level that no filter leaves out.
    let span = tracing::error_span!("request", request_id = request.request_id);
    let answer = respond(&request).instrument(span).await;
    request.finish(answer.unwrap_or_else(|problem| words(&problem, &request.request_id))).into_response()
}
