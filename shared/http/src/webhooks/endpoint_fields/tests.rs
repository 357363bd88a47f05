//! Tests of bodies about endpoints: what merges, what is refused, and the path in every error.

use serde_json::{Value, json};

use super::*;
use crate::typed;

const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:hooks";

fn rules() -> DestinationRules {
    let elsewhere = "arn:aws:sqs:us-east-1:123456789012:hooks".to_owned();
    DestinationRules {
        allow_http: false,
        destinations: vec![QUEUE.to_owned(), elsewhere],
        region: "eu-central-1".to_owned(),
    }
}

fn merged(fields: &mut Fields, body: &Value) -> Result<(), String> {
    let patch = typed::read::<EndpointPatch>(body);
    patch.and_then(|patch| patch.apply(fields, &rules())).map_err(|problem| problem.parts().2)
}

fn hook(body: Value) -> Result<Fields, String> {
    let mut fields = Fields::default();
    merged(&mut fields, &json!({ "url": "https://a.example/x" }))?;
    merged(&mut fields, &body)?;
    Ok(fields)
}

#[test]
fn a_url_without_tls_is_refused() {
    let sentence = hook(json!({ "url": "http://a.example/x" })).unwrap_err();
    assert!(sentence.contains("https"), "{sentence}");
}

#[test]
fn what_is_not_named_stays_and_null_is_the_default() {
    let mut fields = hook(json!({ "rateLimit": { "max": 5, "windowMs": 2000 }, "asciiJson": true })).unwrap();
    merged(&mut fields, &json!({ "rateLimit": { "max": 9 }, "events": ["*"] })).unwrap();
    let policy = &fields.choices.policy;
    assert_eq!((policy.rate_limit_max, policy.rate_limit_window), (Some(9), Some(2000)));
    merged(&mut fields, &json!({ "rateLimit": { "max": null } })).unwrap();
    assert_eq!((fields.choices.policy.rate_limit_max, fields.choices.policy.rate_limit_window), (None, Some(2000)));
    merged(&mut fields, &json!({ "rateLimit": null, "asciiJson": null, "events": null })).unwrap();
    assert_eq!((fields.choices.policy.rate_limit_window, fields.choices.form.ascii), (None, false));
    assert_eq!(fields.choices, Fields::default().choices);
    assert_eq!(fields.destination.map(|to| to.shown()).as_deref(), Some("https://a.example/x"));
}

#[test]
fn a_new_endpoint_has_the_standard_payload_and_an_older_one_keeps_the_envelope() {
    let mut fields = hook(json!({})).unwrap();
    assert_eq!(fields.choices.form.format, Format::Standard);
    // Null is the default of a registration, whatever the endpoint had before.
    for (format, expected) in [(json!("streamgank"), Format::StreamGank), (Value::Null, Format::Standard)] {
        merged(&mut fields, &json!({ "format": format })).unwrap();
        assert_eq!(fields.choices.form.format, expected);
    }
    for wrong in [json!("cloudevents"), json!("Standard"), json!(1), json!({ "standard": null })] {
        let refused = merged(&mut fields, &json!({ "format": wrong })).unwrap_err();
        assert!(refused.contains("`standard` or `streamgank`"), "{refused}");
    }
    let stored: Choices =
        serde_json::from_value(json!({ "events": ["job.*"], "form": { "payload": "full", "ascii": false },
            "asymmetric": false, "policy": {} }))
        .unwrap();
    let mut older = Fields { choices: stored, ..fields };
    merged(&mut older, &json!({ "payload": "thin", "description": "Orders" })).unwrap();
    assert_eq!((older.choices.form.format, older.choices.form.payload), (Format::StreamGank, Payload::Thin));
}

#[test]
fn headers_merge_by_name_whatever_their_case() {
    let mut fields = hook(json!({ "headers": { "X-One": "1", "X-Two": "2" } })).unwrap();
    merged(&mut fields, &json!({ "headers": { "x-one": "3", "X-TWO": null } })).unwrap();
    assert_eq!(fields.headers, [("x-one".to_owned(), "3".to_owned())]);
    merged(&mut fields, &json!({ "headers": null })).unwrap();
    assert!(fields.headers.is_empty());
}

#[test]
fn what_an_answer_hides_is_not_taken_for_a_value() {
    let refused = hook(json!({ "headers": { "Authorization": "***" } })).unwrap_err();
    assert!(refused.contains("not ***"), "{refused}");
    let refused = hook(json!({ "url": "https://hooks.slack.com/***" })).unwrap_err();
    assert!(refused.contains("not ***"), "{refused}");
}

#[test]
fn a_destination_keeps_its_type_and_is_one_that_the_stack_reaches() {
    let mut queue = Fields::default();
    merged(&mut queue, &json!({ "type": "sqs", "arn": QUEUE })).unwrap();
    for (body, why) in [
        (json!({ "type": "http", "url": "https://a.example/" }), "as it was registered"),
        (json!({ "url": "https://a.example/" }), "left out for the type `sqs`"),
        (json!({ "arn": "arn:aws:sqs:us-east-1:123456789012:hooks" }), "eu-central-1"),
        (json!({ "arn": "arn:aws:sqs:eu-central-1:123456789012:other" }), "QueueDestinations"),
        (json!({ "arn": "hooks" }), "arn:aws:sqs:region:account:name"),
        (json!({ "headers": { "X-One": "1" } }), "left out but for the type `http`"),
    ] {
        let refused = merged(&mut queue, &body).unwrap_err();
        assert!(refused.contains(why), "{body}: {refused}");
    }
    merged(&mut queue, &json!({ "type": "sqs", "description": "the same" })).unwrap();
}

#[test]
fn an_error_names_the_path_of_the_field() {
    for (body, path, code) in [
        (json!({ "rateLimit": { "max": 0 } }), "rateLimit.max", "bad_field"),
        (json!({ "rateLimit": { "burst": 5 } }), "rateLimit.burst", "unknown_field"),
        (json!({ "rateLimit": [5] }), "rateLimit", "bad_field"),
        (json!({ "ascii_json": 1 }), "ascii_json", "bad_field"),
        (json!({ "asciiJson": true, "ascii_json": true }), "asciiJson", "bad_field"),
        (json!({ "events": ["job.*", 5] }), "events", "bad_field"),
        (json!({ "permanentStatuses": [404, 429] }), "permanentStatuses", "bad_field"),
        (json!({ "enabled": null }), "enabled", "bad_field"),
        (json!({ "URL": "https://a.example/" }), "URL", "unknown_field"),
    ] {
        let as_change = typed::read::<EndpointPatch>(&body).unwrap_err();
        let as_new = typed::read::<EndpointRequest>(&body).unwrap_err();
        for problem in [as_change, as_new] {
            assert_eq!((problem.path(), problem.parts().1), (Some(path), code), "{body}");
        }
    }
    let secret = json!({ "url": "https://a.example/", "secret": "hunter2" });
    assert_eq!(typed::read::<EndpointRequest>(&secret).unwrap_err().path(), Some("secret"));
    assert_eq!(typed::read::<EndpointPatch>(&secret).unwrap_err().parts().1, "unknown_field");
}

#[test]
fn debug_hides_what_is_secret() {
    let body = json!({ "url": "https://a.example/x-token", "headers": { "Authorization": "Bearer x-token" } });
    let (change, new): (EndpointPatch, EndpointRequest) = (typed::read(&body).unwrap(), typed::read(&body).unwrap());
    let text = format!("{change:?} {new:?}");
    assert!(!text.contains("x-token"), "{text}");
}
