//! Ids, cursors, times and URLs: what was read is written so that it is read as the same.

use std::fmt::{Debug, Display};

use reelhook_app::errors::store::ErrorCursor;
use reelhook_app::errors::stream::ErrorWatch;
use reelhook_app::live::topic::Topic;
use reelhook_app::watch::Cursor;
use reelhook_app::webhooks::endpoints::Arn;
use reelhook_app::webhooks::recovery::RecoveryId;
use reelhook_domain::projects::task::TaskRef;
use reelhook_domain::{
    ClipJobId, DeliveryId, EndpointId, EventId, JobId, OwnerId, ProjectId, RenderId, SceneId, Subject, Timestamp,
    TraceParent, WebUrl,
};
use reelhook_http::live::sse;
use reelhook_http::origin::Origin;
use reelhook_outbound::is_public;
use serde_json::json;

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::requests::NOON;

/// The times that are written as they are; those before and after are written as these.
const WRITTEN: (i64, i64) = (-62_167_219_200_000, 253_402_207_200_000);

/// Reads a text as a `T`, and what it is written as once more. Whether it is one.
fn again<T: PartialEq + Debug>(text: &str, parse: impl Fn(&str) -> Option<T>, write: impl Fn(&T) -> String) -> bool {
    let Some(read) = parse(text) else { return false };
    let written = write(&read);
    assert_eq!(parse(&written).as_ref(), Some(&read), "`{text}` was written as `{written}`");
    true
}

fn displayed<T: PartialEq + Debug + Display>(text: &str, parse: impl Fn(&str) -> Option<T>) -> bool {
    again(text, parse, ToString::to_string)
}

/// Ids of all kinds. An id is a segment of a path, and leads nowhere else.
pub fn of_ids(bytes: &[u8]) -> Verdict {
    let text = text_of(bytes);
    let segments = [
        displayed(&text, |text| JobId::parse(text).ok()),
        displayed(&text, |text| RenderId::parse(text).ok()),
        displayed(&text, |text| EndpointId::parse(text).ok()),
        displayed(&text, |text| EventId::parse(text).ok()),
        displayed(&text, |text| ProjectId::parse(text).ok()),
        displayed(&text, |text| SceneId::parse(text).ok()),
        displayed(&text, |text| ClipJobId::parse(text).ok()),
        displayed(&text, |text| Subject::parse(text).ok()),
        again(&text, RecoveryId::parse, |id| id.as_str().to_owned()),
    ];
    let is_read = segments.contains(&true);
    if is_read {
        assert!(text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic()), "an id is short and visible");
    }
    if let Ok(subject) = Subject::parse(&text) {
        assert!(
            !subject.as_str().contains(['/', '\\', '%']) && subject.as_str() != "..",
            "`{subject}` leads elsewhere"
        );
        let token = sse::token_subject(&subject);
        assert!(token.is_none_or(|token| sse::of_token_subject(&token) == Some(subject)), "a token is for one subject");
    }
    let others = [
        displayed(&text, TaskRef::parse),
        displayed(&text, DeliveryId::parse),
        displayed(&text, OwnerId::parse),
        again(&text, Topic::parse, Topic::key),
        again(&text, |text| Arn::parse(text, "sqs"), |arn| arn.as_str().to_owned()),
    ];
    Verdict::of(is_read || others.contains(&true))
}

/// Positions of viewers and of lists, and the events that carry them.
pub fn of_cursors(bytes: &[u8]) -> Verdict {
    let text = text_of(bytes);
    let is_cursor = displayed(&text, Cursor::parse);
    let is_error = displayed(&text, ErrorCursor::parse);
    let cursor = ErrorWatch::begin(Some(&text), NOON).cursor().to_owned();
    assert!(
        cursor.len() <= 200 && cursor.bytes().all(|byte| byte.is_ascii_graphic()),
        "a cursor on one line: {cursor:?}"
    );
    let events = [
        sse::unnumbered(&json!({ "text": text })),
        sse::named("status", Some("0f3c"), &json!([text])),
        Cursor::parse(&text).map(|cursor| sse::cursor(&cursor)).unwrap_or_default(),
    ];
    for event in events.iter().filter(|event| !event.is_empty()) {
        let lines = event.strip_suffix("\n\n").expect("an event ends with an empty line");
        let is_field = |line: &str| ["id: ", "data: ", "event: "].iter().any(|name| line.starts_with(name));
        assert!(!lines.contains('\r') && lines.split('\n').all(is_field), "a text made a line of its own: {event:?}");
    }
    Verdict::of(is_cursor || is_error)
}

/// Times, traces, URLs and origins.
pub fn of_texts(bytes: &[u8]) -> Verdict {
    let text = text_of(bytes);
    let times = [Timestamp::parse(&text), Timestamp::parse_http_date(&text, NOON), Timestamp::parse_day(&text)];
    for time in times.iter().flatten() {
        let written = Timestamp(time.millis().clamp(WRITTEN.0, WRITTEN.1));
        assert_eq!(Timestamp::parse(&time.to_string()), Some(written), "`{text}`");
        assert_eq!(time.day().len(), 10, "the day of `{text}`");
    }
    let is_trace = displayed(&text, TraceParent::parse);
    let followed = TraceParent::of(&text, Some(&text));
    assert_eq!(TraceParent::parse(&String::from(followed.clone())), Some(followed), "a trace follows from any id");
    let url = WebUrl::parse(&text);
    if let Some(url) = &url {
        assert_eq!(url.as_written(), text, "a URL stays as it was written");
        assert!(matches!(url.scheme(), "http" | "https") && url.host_str().is_some(), "`{text}` has a host");
        let stored = serde_json::to_string(url).expect("a text");
        assert_eq!(serde_json::from_str::<WebUrl>(&stored).ok().as_ref(), Some(url), "a stored URL is read");
    }
    let is_origin = displayed(&text, Origin::parse);
    let address = text.parse::<std::net::IpAddr>().ok();
    if let Some(address) = address {
        assert!(!(is_public(address) && address.to_canonical().is_loopback()), "{address} is this machine's");
    }
    Verdict::of(times.iter().any(Option::is_some) || is_trace || url.is_some() || is_origin || address.is_some())
}

/// A known text, or the bytes themselves.
fn text_of(bytes: &[u8]) -> String {
    let mut input = Input::new(bytes);
    if input.rarely(3) { input.text() } else { String::from_utf8_lossy(input.rest()).into_owned() }
}
