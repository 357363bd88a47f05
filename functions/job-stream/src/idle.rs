//! Answers to viewers of a job that has ended or does not exist, which make their pages poll rarely (docs/adr/0028).

use reelhook_app::watch::LiveEvent;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::jobs::problem::JobProblem;
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::sse::{self, IDLE_COOKIE_LIFE, NOT_FOUND, Route};

/// `retry` in milliseconds for a job that no command can continue.
pub const SETTLED_MS: u32 = 120_000;
/// `retry` in milliseconds for a job that has ended and may be retried: the next request is held.
const UNSETTLED_MS: u32 = 5_000;
/// `retry` in milliseconds if no viewer slot is free.
const FULL_MS: u32 = 60_000;

/// An answer with events, after which the viewer reconnects.
pub fn events(retry_ms: u32, text: &str) -> ApiAnswer {
    ApiAnswer::text(200, sse::retry(retry_ms) + text).header("content-type", "text/event-stream; charset=utf-8")
}

/// The job does not exist. A page that keeps opening streams gets 404 once, and then a long `retry`.
pub fn not_found(request: &ApiRequest, route: &Route, was_received: bool) -> ApiAnswer {
    let answer = if was_received {
        events(SETTLED_MS, "")
    } else {
        Problem::Job(JobProblem::NotFound).streamgank(&request.request_id)
    };
    route.note(request, answer, NOT_FOUND, IDLE_COOKIE_LIFE)
}

/// The viewer has seen the end, and its EventSource sent the id: 204 makes it stop.
pub fn over(request: &ApiRequest, route: &Route, last: &LiveEvent) -> ApiAnswer {
    route.note(request, ApiAnswer::text(204, String::new()), &last.id, IDLE_COOKIE_LIFE)
}

/// The end, for a viewer that has not seen it.
pub fn ended(request: &ApiRequest, route: &Route, last: &LiveEvent, settled: bool) -> ApiAnswer {
    let retry = if settled { SETTLED_MS } else { UNSETTLED_MS };
    route.note(request, events(retry, &sse::seen(last)), &last.id, IDLE_COOKIE_LIFE)
}

/// All viewer slots are taken.
pub fn full(request: &ApiRequest, route: &Route, last: &LiveEvent) -> ApiAnswer {
    idle(request, route, last, FULL_MS)
}

/// The end again, since another page of the browser may have received it instead of this one. It has no id: the browser
/// would reconnect with the id and get 204, and the page would open the next stream.
pub fn idle(request: &ApiRequest, route: &Route, last: &LiveEvent, retry_ms: u32) -> ApiAnswer {
    route.note(request, events(retry_ms, &sse::unnumbered(&last.data)), &last.id, IDLE_COOKIE_LIFE)
}
