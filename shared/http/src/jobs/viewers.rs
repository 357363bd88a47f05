//! Answers to viewers of live updates. Pages of jobs and projects that have ended or do not exist poll rarely
//! (docs/adr/0028).

use reelhook_app::watch::{LiveEvent, Watch};
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::live::sse::{self, IDLE_COOKIE_LIFE, NOT_FOUND, Route, SHORT_COOKIE_LIFE};
use crate::request::ApiRequest;

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

/// An answer with live events after `text`; the viewer reconnects at the cursor of `watch`.
pub fn found(
    request: &ApiRequest,
    route: &Route,
    retry_ms: u32,
    watch: &Watch,
    mut text: String,
    found: &[LiveEvent],
) -> ApiAnswer {
    text.extend(found.iter().map(sse::seen));
    let lasts = if found.iter().any(|seen| seen.ends) { IDLE_COOKIE_LIFE } else { SHORT_COOKIE_LIFE };
    route.note(request, events(retry_ms, &text), &watch.cursor().to_string(), lasts)
}

/// The job or the project does not exist. A page that keeps opening streams gets 404 once, and then a long `retry`.
pub fn not_found(request: &ApiRequest, route: &Route, was_received: bool) -> ApiAnswer {
    let answer = if was_received { events(SETTLED_MS, "") } else { route.not_found(request) };
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

/// The text for a viewer that waits for other numbers of the queue than those with the id `last`, which it has seen, or
/// `received`, which a page of its browser has; none if it goes on waiting. `over` ends the wait.
pub fn queue_text(
    last: Option<&str>,
    received: Option<&str>,
    (id, data): (&str, &Value),
    over: bool,
) -> Option<String> {
    if last.or(received) == Some(id) && !over {
        return None;
    }
    // The cookie may be from another page of the same browser, and this page has not seen these numbers.
    Some(if over && last == Some(id) {
        sse::named("heartbeat", None, &json!({}))
    } else {
        sse::named("status", Some(id), data)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::get_request;

    const JOB: &str = "/api/job/job_1/stream";

    fn answer(of: impl FnOnce(&ApiRequest, &Route) -> ApiAnswer) -> ApiAnswer {
        let request = get_request(JOB, &[]);
        let route = Route::read(&request).unwrap().unwrap();
        of(&request, &route)
    }

    fn cookie(answer: &ApiAnswer) -> &str {
        let (_, cookie) = answer.headers.iter().find(|(name, _)| *name == "set-cookie").expect("a cookie");
        cookie.split(';').next().unwrap_or_default()
    }

    #[test]
    fn the_end_of_a_job_has_an_id_only_for_a_viewer_that_has_not_seen_it() {
        let last = LiveEvent { id: "7.0".to_owned(), data: json!({ "type": "completed" }), ends: true };
        let check = |answer: ApiAnswer, status: u16, body: &str| {
            assert_eq!((answer.status, answer.body.as_str(), cookie(&answer)), (status, body, "seen=7.0"));
        };
        let event = r#"data: {"type":"completed"}"#;
        check(
            answer(|request, route| ended(request, route, &last, true)),
            200,
            &format!("retry: 120000\n\nid: 7.0\n{event}\n\n"),
        );
        check(
            answer(|request, route| ended(request, route, &last, false)),
            200,
            &format!("retry: 5000\n\nid: 7.0\n{event}\n\n"),
        );
        check(answer(|request, route| full(request, route, &last)), 200, &format!("retry: 60000\n\n{event}\n\n"));
        check(answer(|request, route| over(request, route, &last)), 204, "");
    }

    #[test]
    fn a_missing_job_is_reported_once() {
        let first = answer(|request, route| not_found(request, route, false));
        assert_eq!((first.status, cookie(&first)), (404, "seen=not-found"));
        let again = answer(|request, route| not_found(request, route, true));
        assert_eq!((again.status, again.body.as_str(), cookie(&again)), (200, "retry: 120000\n\n", "seen=not-found"));
    }

    #[test]
    fn a_viewer_of_the_queue_waits_for_numbers_that_it_does_not_have() {
        let numbers = json!({ "stats": {} });
        let check = |last: Option<&str>, received: Option<&str>, over: bool, event: Option<&str>| {
            let text = queue_text(last, received, ("a", &numbers), over);
            let name = text.as_deref().and_then(|text| text.strip_prefix("event: ")?.split('\n').next());
            assert_eq!(name, event, "{last:?}, {received:?}, {over}");
        };
        check(None, None, false, Some("status"));
        check(Some("b"), None, false, Some("status"));
        check(None, Some("b"), false, Some("status"));
        check(Some("b"), Some("a"), false, Some("status"));
        check(Some("a"), None, false, None);
        check(None, Some("a"), false, None);
        check(Some("a"), None, true, Some("heartbeat"));
        check(None, Some("a"), true, Some("status"));
    }
}
