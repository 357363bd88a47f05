//! What viewers are told of a job that has ended or is not there, so that their pages come to rest (docs/adr/0028).

use reelhook_app::watch::Seen;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::sse::{self, Asked, NOT_FOUND, WHILE_AT_REST};

/// How soon a page comes back, in milliseconds, for a job that nothing takes further.
pub const SETTLED_MS: u32 = 120_000;
/// How soon a page that was told the end comes back to rest, for a job that may be tried again.
const UNSETTLED_MS: u32 = 5_000;
/// How soon a page comes back that found no place to rest.
const FULL_MS: u32 = 60_000;

/// Events, after which the viewer comes back.
pub fn events(retry_ms: u32, text: &str) -> ApiAnswer {
    ApiAnswer::text(200, sse::retry(retry_ms) + text).header("content-type", "text/event-stream; charset=utf-8")
}

/// There is no such job. A page that opens a stream again and again is told once, and then to come seldom.
pub fn not_found(request: &ApiRequest, asked: &Asked, was_told: bool) -> ApiAnswer {
    let answer = if was_told { events(SETTLED_MS, "") } else { Problem::JobNotFound.streamgank(&request.request_id) };
    asked.note(request, answer, NOT_FOUND, WHILE_AT_REST)
}

/// The viewer has seen the end: a stream that knows what it has seen stops.
pub fn over(request: &ApiRequest, asked: &Asked, last: &Seen) -> ApiAnswer {
    asked.note(request, ApiAnswer::text(204, String::new()), &last.id, WHILE_AT_REST)
}

/// The end, for who has not seen it.
pub fn ended(request: &ApiRequest, asked: &Asked, last: &Seen, settled: bool) -> ApiAnswer {
    let retry = if settled { SETTLED_MS } else { UNSETTLED_MS };
    asked.note(request, events(retry, &sse::seen(last)), &last.id, WHILE_AT_REST)
}

/// As many rest and watch as may.
pub fn full(request: &ApiRequest, asked: &Asked, last: &Seen) -> ApiAnswer {
    rested(request, asked, last, FULL_MS)
}

/// The end once more, since another page of the browser may have been told in this one's place. It has no id: with one,
/// the browser would come back by itself and be told to stop, upon which the page opens the next stream.
pub fn rested(request: &ApiRequest, asked: &Asked, last: &Seen, retry_ms: u32) -> ApiAnswer {
    asked.note(request, events(retry_ms, &sse::unnumbered(&last.data)), &last.id, WHILE_AT_REST)
}
