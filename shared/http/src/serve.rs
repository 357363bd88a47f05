//! What every function behind the API does with an event: take it apart, answer, say what is wrong in the caller's words.

use lambda_http::{Body, Request, Response};
use tracing::Instrument as _;

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// Answers a request with what `respond` makes of it; every line that is logged meanwhile carries `request_id`.
pub async fn serve(
    request: Request,
    respond: impl AsyncFnOnce(&ApiRequest) -> Result<ApiAnswer, Problem>,
) -> Response<Body> {
    let request = ApiRequest::of(request);
    // A level that no filter leaves out.
    let span = tracing::error_span!("request", request_id = request.request_id);
    let answer = respond(&request).instrument(span).await;
    answer.unwrap_or_else(|problem| problem.streamgank(&request.request_id)).into_response()
}
