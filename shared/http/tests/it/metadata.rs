//! Metadata in requests: each route that creates something reads it within its limits, and lists are filtered by it.

use lambda_http::Body;
use reelhook_app::jobs::queue::JobFilter;
use reelhook_app::retention::Days;
use reelhook_app::webhooks::endpoints::Destination;
use reelhook_app::webhooks::endpoints::registrations::{Choices, Private};
use reelhook_domain::{JobKind, Metadata, Status, Timestamp, WebUrl};
use reelhook_http::access::Caller;
use reelhook_http::jobs::{generate, queue};
use reelhook_http::problem::Problem;
use reelhook_http::request::ApiRequest;
use reelhook_http::videos::routes;
use reelhook_http::webhooks::endpoint_fields::DestinationRules;
use reelhook_http::webhooks::{endpoints, recover};
use serde_json::{Value, json};

use crate::support::{form, get_request, order, part, request};

const NOW: Timestamp = Timestamp(1_704_110_400_000);
const CONFIG: &str = "Content-Disposition: form-data; name=\"config\"";
const FIELD: &str = "Content-Disposition: form-data; name=\"metadata\"";
/// The routes that create something, with a body that each accepts.
const ROUTES: [(&str, &str); 4] = [
    ("/api/generate", r#"{"country": "FR", "platform": "netflix", "genre": "Drama"}"#),
    ("/api/generate-video-async", r#"{"scenes": [{"type": "stats"}]}"#),
    ("/api/webhooks/endpoints", r#"{"url": "https://a.example/"}"#),
    ("/api/webhooks/recover", r#"{"from": "2024-01-01T00:00:00Z"}"#),
];

fn caller() -> Caller {
    Caller::known_as("ann")
}

fn rules() -> DestinationRules {
    DestinationRules { allow_http: false, destinations: Vec::new(), region: "us-east-1".to_owned() }
}

fn json_request(method: &str, path: &str, body: &str) -> ApiRequest {
    request(method, path, &[("content-type", "application/json")], Body::Text(body.to_owned()))
}

/// The metadata of a request as its route reads it. `member` is JSON.
fn read(path: &str, body: &str, member: &str) -> Result<Metadata, Problem> {
    let body = format!(r#"{{"metadata": {member}, {}"#, &body[1..]);
    let request = json_request("POST", path, &body);
    match path {
        "/api/generate" => generate::read(&request, caller()).map(|submission| submission.request.metadata),
        "/api/generate-video-async" => order(&request).map(|order| order.metadata),
        "/api/webhooks/endpoints" => match endpoints::Route::read(&request, &caller(), &rules())? {
            Some(endpoints::Route::Register(requested)) => Ok(requested.choices.metadata),
            other => panic!("{other:?}"),
        },
        _ => match recover::Route::read(&request, &caller(), Days::MONTH, NOW)? {
            Some(recover::Route::Begin(requested)) => Ok(requested.metadata),
            other => panic!("{other:?}"),
        },
    }
}

fn parsed(metadata: Value) -> Metadata {
    Metadata::parse(&metadata).unwrap()
}

#[test]
fn every_route_that_creates_something_reads_metadata() {
    for (path, body) in ROUTES {
        for none in ["null", "{}"] {
            assert_eq!(read(path, body, none), Ok(Metadata::default()), "{path}");
        }
        let member = r#"{"order": "42", "shop.name": "Caf\u00e9"}"#;
        assert_eq!(read(path, body, member), Ok(parsed(json!({ "order": "42", "shop.name": "Café" }))), "{path}");
    }
}

#[test]
fn what_is_wrong_with_metadata_is_refused_with_its_path() {
    for (path, body) in ROUTES {
        for (member, named) in [
            ("\"order=42\"", "`metadata` must be an object"),
            ("[]", "`metadata` must be an object"),
            (r#"{"order": 42}"#, "`metadata.order` must be a text"),
            (r#"{"order": 12345678901234567890123}"#, "`metadata.order` must be a text"),
            (r#"{"order": null}"#, "`metadata.order` must be a text"),
            (r#"{"order": {"id": "42"}}"#, "`metadata.order` must be a text"),
            (r#"{"the order": "42"}"#, "`metadata.the order` must be a member whose name"),
            (r#"{"the\norder": "42"}"#, "`metadata.the?order` must be a member whose name"),
        ] {
            let (status, code, sentence) = read(path, body, member).unwrap_err().parts();
            assert_eq!((status, code), (400, "bad_field"), "{path}: {member}");
            assert!(sentence.starts_with(named), "{path}: {sentence}");
        }
    }
}

#[test]
fn a_form_has_metadata_as_a_field_or_in_its_configuration() {
    let scenes = r#"{"scenes": [{"type": "stats"}]"#;
    let read = |config: &str, fields: &[&str]| {
        let fields = fields.iter().map(|text| part(FIELD, text));
        let parts: Vec<Vec<u8>> = [part(CONFIG, format!("{scenes}{config}}}"))].into_iter().chain(fields).collect();
        order(&form(&[], &parts)).map(|order| order.metadata)
    };
    let configured = r#", "metadata": {"order": "1"}"#;
    let cases: [(&str, &[&str], Value); 7] = [
        ("", &[], json!({})),
        ("", &[""], json!({})),
        ("", &[" null "], json!({})),
        ("", &["{\"order\": \"2\"}\r\n"], json!({ "order": "2" })),
        (configured, &[], json!({ "order": "1" })),
        (configured, &[" "], json!({ "order": "1" })),
        (configured, &["{\"shop\": \"2\"}"], json!({ "shop": "2" })),
    ];
    for (config, fields, expected) in cases {
        assert_eq!(read(config, fields), Ok(parsed(expected)), "{config} {fields:?}");
    }
    for (field, named) in [
        ("order=42", "`metadata` must be an object as JSON ("),
        ("42", "`metadata` must be an object with texts"),
        ("{\"order\": 42}", "`metadata.order` must be a text"),
    ] {
        let (status, code, sentence) = read("", &[field]).unwrap_err().parts();
        assert_eq!((status, code), (400, "bad_field"), "{field}");
        assert!(sentence.starts_with(named), "{sentence}");
    }
}

#[test]
fn another_metadata_is_another_request() {
    let headers = [("content-type", "application/json"), ("idempotency-key", "once")];
    let as_json = |metadata: &str| {
        let body = format!(r#"{{"scenes": [{{"type": "stats"}}], "metadata": {metadata}}}"#);
        let request = request("POST", "/api/generate-video-async", &headers, Body::Text(body));
        order(&request).unwrap().key.expect("a key")
    };
    let as_form = |metadata: &str| {
        let parts = [part(CONFIG, r#"{"scenes": [{"type": "stats"}]}"#), part(FIELD, metadata)];
        order(&form(&[("idempotency-key", "once")], &parts)).unwrap().key.expect("a key")
    };
    let one = r#"{"a": "1", "b": "2"}"#;
    for (other, same) in [(r#"{"b":"2","a":"\u0031"}"#, true), (r#"{"a": "1"}"#, false), ("null", false)] {
        assert_eq!(as_json(other).is_same(&as_json(one).body_hash), same, "{other}");
        assert_eq!(as_form(other).is_same(&as_form(one).body_hash), same, "{other}");
    }
    let without = [part(CONFIG, r#"{"scenes": [{"type": "stats"}]}"#)];
    let without = order(&form(&[("idempotency-key", "once")], &without)).unwrap().key.expect("a key");
    assert!(without.is_same(&as_form("").body_hash), "a blank field is none");
}

#[test]
fn a_change_of_an_endpoint_merges_metadata_by_name() {
    let apply = |body: Value| {
        let request = json_request("PATCH", "/api/webhooks/endpoints/ep_1", &body.to_string());
        let Some(endpoints::Route::Change(_, patch)) = endpoints::Route::read(&request, &caller(), &rules())? else {
            panic!("{body} is a change")
        };
        let mut choices = Choices { metadata: parsed(json!({ "a": "1", "b": "2" })), ..Choices::default() };
        let destination = Destination::Web(WebUrl::parse("https://a.example/").unwrap());
        let mut private = Private { destination, headers: Vec::new(), secrets: Vec::new() };
        patch.apply(&mut choices, &mut private).map(|()| choices.metadata)
    };
    assert_eq!(apply(json!({ "description": "x" })), Ok(parsed(json!({ "a": "1", "b": "2" }))));
    assert_eq!(apply(json!({ "metadata": { "a": null, "c": "3" } })), Ok(parsed(json!({ "b": "2", "c": "3" }))));
    assert_eq!(apply(json!({ "metadata": null })), Ok(Metadata::default()));
    let (_, _, sentence) = apply(json!({ "metadata": { "a": 1 } })).unwrap_err().parts();
    assert!(sentence.starts_with("`metadata.a` must be a text"), "{sentence}");
}

/// The filter of a list, with its members in the order of their names and values.
fn filter(path: &str, query: &str) -> Result<JobFilter, Problem> {
    let request = get_request(path, query);
    let mut filter = match path {
        "/api/videos" => match routes::Route::read(&request)? {
            routes::Route::List { filter, .. } => filter,
            other => panic!("{other:?}"),
        },
        _ => match queue::Route::read(&request)? {
            Some(queue::Route::List { filter, .. }) => filter,
            other => panic!("{other:?}"),
        },
    };
    filter.metadata.sort();
    Ok(filter)
}

#[test]
fn lists_are_filtered_by_members_of_metadata() {
    let of_jobs = JobFilter { family: Some(JobKind::Workflow), ..JobFilter::default() };
    let videos = JobFilter { family: Some(JobKind::Video), status: Some(Status::Completed), ..JobFilter::default() };
    for (path, unfiltered) in [("/api/queue/jobs", of_jobs), ("/api/videos", videos)] {
        let check = |query: &str, members: &[(&str, &str)]| {
            let metadata = members.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(filter(path, query), Ok(JobFilter { metadata, ..unfiltered.clone() }), "{path}?{query}");
        };
        check("limit=5&metadata=x", &[]);
        check("metadata.order=42", &[("order", "42")]);
        check("metadata.shop.name=a%26b+c&metadata.order=42", &[("order", "42"), ("shop.name", "a&b c")]);
        check("metadata.order=1&metadata.order=2", &[("order", "1"), ("order", "2")]);
        check("metadata.order=", &[("order", "")]);
        for (query, named) in [
            ("metadata.=x".to_owned(), "`metadata.` must be a member whose name"),
            ("metadata.a%20b=x".to_owned(), "`metadata.a b` must be a member whose name"),
            (format!("metadata.order={}", "x".repeat(501)), "`metadata.order` must be a text"),
        ] {
            let (status, code, sentence) = filter(path, &query).unwrap_err().parts();
            assert_eq!((status, code), (400, "bad_field"), "{path}?{query}");
            assert!(sentence.starts_with(named), "{sentence}");
        }
    }
}
