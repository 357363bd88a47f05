//! Triggered events: the allowed data.

use lambda_http::Body;
use reelhook_http::access::Caller;
use reelhook_http::problem::Problem;
use reelhook_http::webhooks::hooks::Route;
use serde_json::Value;

use crate::support::request;

/// The data of an event, as it would be sent on.
fn triggered(data: &str) -> Result<Option<Value>, Problem> {
    let body = Body::Text(format!("{{\"event\": \"job.completed\", \"data\": {data}}}"));
    let request = request("POST", "/api/webhooks/trigger", &[("content-type", "application/json")], body);
    match Route::read(&request, Caller::known_as("ann"), true)? {
        Route::Trigger(trigger, _) => Ok(trigger.data),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_number_that_receivers_would_misread_is_refused_with_its_path() {
    for (data, place) in [
        (r#"{"id": 1234567890123456789}"#, "`data.id`"),
        (r#"{"order": {"lines": [{"id": 1}, {"id": -9007199254740993}]}}"#, "`data.order.lines[1].id`"),
        (r#"{"id": 123456789012345678901234567890}"#, "`data.id`"),
        (r#"{"id": 1234567890123456789.0}"#, "`data.id`"),
    ] {
        let (status, code, sentence) = triggered(data).unwrap_err().parts();
        assert_eq!((status, code), (400, "bad_field"), "{data}");
        assert!(sentence.contains(place) && sentence.contains("send it as a text"), "{sentence}");
    }
    assert_eq!(triggered("{\"id\": 1e400}").unwrap_err().parts().1, "bad_json");
}

#[test]
fn other_numbers_are_sent_on() {
    for data in [
        r#"{"id": 9007199254740992, "same": -9007199254740992}"#,
        r#"{"zero": -0, "half": 0.5, "third": 0.1, "large": 1e300, "exact": 1.5e3}"#,
        r#"{"id": "1234567890123456789"}"#,
        "{}",
    ] {
        assert_eq!(triggered(data), Ok(Some(serde_json::from_str(data).unwrap())), "{data}");
    }
    assert_eq!(triggered("null"), Ok(None));
}
