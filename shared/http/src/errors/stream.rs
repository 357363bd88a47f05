//! The stream of errors: the requests of its viewers, and their access.

use reelhook_app::errors::stream::{ErrorStreamEventType, ErrorWatch, sign};
use reelhook_app::watch::LiveEvent;
use reelhook_domain::Timestamp;
use reelhook_signing::{SigningKeys, SubjectClaims};

use crate::access::Access;
use crate::live::sse;
use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;

/// The subject of tokens for the stream of errors.
pub const SUBJECT: &str = "errors";

/// GET /api/v1/errors/stream
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorStreamRoute {
    /// The id of the last event that the viewer has seen, by its Last-Event-ID.
    pub last: Option<String>,
}

impl ErrorStreamRoute {
    /// Reads the route; none if the path is not that of the stream.
    pub fn read(request: &ApiRequest) -> Option<Self> {
        let ("GET", ["api", "v1", "errors", "stream"]) = (request.method.as_str(), &request.segments()[..]) else {
            return None;
        };
        let last = request.header("last-event-id").or_else(|| request.query("lastEventId"));
        Some(Self { last: last.map(str::to_owned) })
    }
}

/// Admits a viewer with a key, or with a token for the stream of errors.
///
/// # Errors
/// [`RequestProblem::Unauthorized`].
pub fn admit(request: &ApiRequest, access: &Access, keys: &SigningKeys, now: Timestamp) -> Result<(), Problem> {
    match request.query("token") {
        // No owner gets a token for this subject.
        Some(token) => {
            let verified = SubjectClaims::verify(token, SUBJECT, now.seconds(), keys).map(drop);
            verified.map_err(|_| Problem::Request(RequestProblem::Unauthorized))
        }
        None => access.caller(request, now).map(drop),
    }
}

/// What a viewer gets first: its cursor, and `connected` if it comes for the first time.
pub fn first(route: &ErrorStreamRoute, watch: &ErrorWatch, now: Timestamp) -> String {
    let cursor = format!("id: {}\n\n", watch.cursor());
    match route.last {
        Some(_) => cursor,
        None => cursor + &sse::unnumbered(&sign(ErrorStreamEventType::Connected, now)),
    }
}

/// The text of changes.
pub fn changes(events: &[LiveEvent]) -> String {
    events.iter().map(sse::seen).collect()
}

/// A heartbeat.
pub fn heartbeat(now: Timestamp) -> String {
    sse::unnumbered(&sign(ErrorStreamEventType::Heartbeat, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::get_request;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    #[test]
    fn a_viewer_goes_on_at_its_position() {
        let path = "/api/v1/errors/stream";
        let fresh = ErrorStreamRoute::read(&get_request(path, &[])).unwrap();
        let text = first(&fresh, &ErrorWatch::begin(fresh.last.as_deref(), NOON), NOON);
        assert!(text.starts_with("id: 1704110399000.\n\ndata: {\"type\":\"connected\""), "{text}");
        let again = ErrorStreamRoute::read(&get_request(path, &[("lastEventId", "1704110390000.err_1_a")])).unwrap();
        let text = first(&again, &ErrorWatch::begin(again.last.as_deref(), NOON), NOON);
        assert_eq!(text, "id: 1704110390000.err_1_a\n\n");
        assert_eq!(ErrorStreamRoute::read(&get_request("/api/v1/errors", &[])), None);
    }
}
