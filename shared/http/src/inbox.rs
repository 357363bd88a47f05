//! Messages of the job inbox: an envelope that names an operation, and the body of its route (docs/inbox.md). A message
//! becomes a request as the gateway would hand it on, so that each route has one reader.

use std::time::Duration;

use lambda_http::http::{HeaderValue, Method};
use lambda_http::{Body, Request, RequestExt};
use reelhook_domain::TraceParent;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;
use crate::typed;
use crate::typed::fields::{Text, blank_is_absent};

/// The longest `idempotencyKey`, in characters: with its prefix it is an Idempotency-Key.
const KEY: usize = 200;

/// How long the id of a message or of an event is known. SQS keeps a message for 14 days, also as a dead letter, and
/// `cargo xtask redrive` sends it anew with its first id: whenever it comes for a second time, it makes nothing.
const ID_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// The longest `traceparent`, in characters: later versions of W3C Trace Context may add to the 55 of this one.
const TRACE: usize = 512;

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// POST /api/generate
    Generate,
    /// POST /api/generate-video-async
    GenerateVideoAsync,
    /// POST /api/v1/projects
    Projects,
    /// POST /ai-clipping-agent/jobs
    Clips,
}

impl Operation {
    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::GenerateVideoAsync => "generate-video-async",
            Self::Projects => "projects",
            Self::Clips => "clips",
        }
    }

    /// The path of its route. Keys belong to a path, so a key means the same in a message and in a request.
    fn path(self) -> &'static str {
        match self {
            Self::Generate => "/api/generate",
            Self::GenerateVideoAsync => "/api/generate-video-async",
            Self::Projects => "/api/v1/projects",
            Self::Clips => "/ai-clipping-agent/jobs",
        }
    }

    /// Whether its body names a URL for webhooks.
    fn has_webhook_url(self) -> bool {
        match self {
            Self::GenerateVideoAsync | Self::Clips => true,
            Self::Generate | Self::Projects => false,
        }
    }
}

/// The envelope. An unknown field is refused: a misspelt `owner` must not fall back to the default one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Envelope {
    operation: Operation,
    #[serde(default)]
    owner: Option<Text<64>>,
    #[serde(default, deserialize_with = "blank_is_absent")]
    idempotency_key: Option<Text<KEY>>,
    #[serde(default, deserialize_with = "blank_is_absent")]
    webhook_url: Option<Text<2000>>,
    #[serde(default, deserialize_with = "blank_is_absent")]
    traceparent: Option<Text<TRACE>>,
    body: Value,
}

/// The body as it is written: viewers read the digits of its numbers.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
}

/// An event of EventBridge; its detail is an envelope.
#[derive(Deserialize)]
struct WrittenEvent<'a> {
    #[serde(borrow)]
    detail: Written<'a>,
}

/// A message that was read.
pub struct Message {
    /// What it asks for.
    pub operation: Operation,
    /// The name of an owner, which only the stack's own list makes one.
    pub owner: Option<String>,
    /// How long its key is known, if not as long as that of a request.
    pub key_kept: Option<Duration>,
    /// The request.
    pub request: ApiRequest,
}

/// Reads a message, which has this id in its queue: an envelope, or an event of EventBridge whose detail is one.
///
/// # Errors
/// [`Problem`] says what is wrong with the envelope. The body is read by its route.
pub fn read(id: &str, text: &str) -> Result<Message, Problem> {
    let value = typed::json::parse(text.as_bytes()).map_err(|error| bad_json(&error))?;
    if !value.is_object() {
        return Err(Problem::Request(RequestProblem::NoObject));
    }
    let is_event = value.get("detail-type").is_some() && value.get("detail").is_some();
    let envelope: Envelope = typed::read(if is_event { &value["detail"] } else { &value })?;
    let written = if is_event {
        serde_json::from_str(text).map(|WrittenEvent { detail }| detail)
    } else {
        serde_json::from_str(text)
    };
    let Written { body } = written.map_err(|error| bad_json(&error))?;
    let Value::Object(members) = &envelope.body else { return Err(bad("body", "a JSON object")) };
    let body = match envelope.webhook_url.and_then(Text::filled) {
        Some(_) if !envelope.operation.has_webhook_url() => {
            return Err(bad(
                "webhookUrl",
                "absent: only registered endpoints get webhooks about what this operation makes",
            ));
        }
        // The body's own URL takes precedence.
        Some(url) if !members.contains_key("webhookUrl") => with_url(body.get(), &url, members.is_empty()),
        Some(_) | None => body.get().to_owned(),
    };
    let event_id = if is_event { value["id"].as_str() } else { None };
    let (key, key_kept) = match (envelope.idempotency_key.and_then(Text::filled), event_id) {
        (Some(given), _) => (format!("given.{given}"), None),
        // One event may come in two messages.
        (None, Some(event)) if (1..=KEY).contains(&event.len()) => (format!("event.{event}"), Some(ID_KEPT)),
        (None, Some(_) | None) => (format!("message.{id}"), Some(ID_KEPT)),
    };
    // A rule's template fills a field that the event lacks with nothing, which must not order for the default owner.
    let blank = || bad("owner", "a name in JobInboxOwners, or absent");
    let owner = envelope.owner.map(|name| name.filled().ok_or_else(blank)).transpose()?;
    // As in a request, what is no trace refuses nothing.
    let trace = envelope.traceparent.and_then(|text| TraceParent::parse(&text));
    Ok(Message {
        operation: envelope.operation,
        owner,
        key_kept,
        request: request(id, envelope.operation.path(), body, &key, trace.as_ref())?,
    })
}

fn bad_json(error: &serde_json::Error) -> Problem {
    Problem::Request(RequestProblem::BadJson(error.to_string()))
}

/// The text of an object with one more member, the first one.
fn with_url(object: &str, url: &str, is_empty: bool) -> String {
    let rest = object.trim_start().strip_prefix('{').unwrap_or_default();
    format!("{{\"webhookUrl\":{}{}{rest}", Value::from(url), if is_empty { "" } else { "," })
}

/// A POST of JSON with an Idempotency-Key.
fn request(id: &str, path: &str, body: String, key: &str, trace: Option<&TraceParent>) -> Result<ApiRequest, Problem> {
    let mut request = Request::new(Body::Binary(body.into_bytes())).with_raw_http_path(path);
    *request.method_mut() = Method::POST;
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    // A header may have other bytes, which no client of the API can send as a text.
    let visible = key.bytes().all(|byte| (b' '..=b'~').contains(&byte)).then(|| HeaderValue::from_str(key).ok());
    let key = visible.flatten().ok_or_else(|| bad("idempotencyKey", "visible ASCII characters and spaces"))?;
    headers.insert("idempotency-key", key);
    if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(&trace.to_string()).ok()) {
        headers.insert("traceparent", trace);
    }
    let mut request = ApiRequest::of(request);
    // The gateway has given it none.
    request.request_id = id.to_owned();
    Ok(request)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "059f36b4-87a3-44ab-83d2-661975830a7d";

    fn key(message: &Message) -> &str {
        message.request.header("idempotency-key").unwrap()
    }

    fn read_json(envelope: &Value) -> Result<Message, Problem> {
        read(ID, &envelope.to_string())
    }

    #[test]
    fn a_message_becomes_the_request_of_its_route() {
        for (operation, path) in [
            ("generate", "/api/generate"),
            ("generate-video-async", "/api/generate-video-async"),
            ("projects", "/api/v1/projects"),
            ("clips", "/ai-clipping-agent/jobs"),
        ] {
            let message = read_json(&json!({ "operation": operation, "owner": "shop", "body": { "a": 1 } })).unwrap();
            let request = &message.request;
            assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", path));
            assert_eq!(request.json(), Ok(json!({ "a": 1 })));
            assert_eq!((request.request_id.as_str(), message.owner.as_deref()), (ID, Some("shop")));
            assert_eq!((key(&message), message.operation.name()), (format!("message.{ID}").as_str(), operation));
        }
    }

    #[test]
    fn the_trace_of_a_message_goes_on_if_it_is_a_w3c_traceparent() {
        const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let check = |given: &str, expected: Option<&str>| {
            let message = read_json(&json!({ "operation": "clips", "traceparent": given, "body": {} })).unwrap();
            assert_eq!(message.request.traceparent().as_deref(), expected, "{given}");
        };
        check(TRACE, Some(TRACE));
        check(&format!("cc{}-what-a-later-version-adds", &TRACE[2..]), Some(TRACE));
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let amazon = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        for other in ["", " ", "é", "00-zz", zero, amazon] {
            check(other, None);
        }
        let long = json!({ "operation": "clips", "traceparent": "0".repeat(513), "body": {} });
        assert_eq!(read_json(&long).err().unwrap().path(), Some("traceparent"));
        let unlike = json!({ "operation": "clips", "traceparent": [TRACE], "body": {} });
        assert_eq!(read_json(&unlike).err().unwrap().path(), Some("traceparent"));
    }

    #[test]
    fn an_event_of_eventbridge_has_its_own_id_as_key() {
        let event = json!({
            "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Video wanted",
            "source": "shop", "detail": { "operation": "generate", "body": {} },
        });
        assert_eq!(key(&read_json(&event).unwrap()), "event.17793124-05d4-b198-2fde-7ededc63b103");
        let mut given = event;
        given["detail"]["idempotencyKey"] = json!("order 7");
        assert_eq!(key(&read_json(&given).unwrap()), "given.order 7");
    }

    #[test]
    fn the_digits_of_a_body_are_kept() {
        for text in [
            r#"{"operation":"clips","body":{"start": 1.50, "n": 18446744073709551616}}"#,
            r#"{"detail-type":"x","id":"e","detail":{"operation":"clips","body":{"start": 1.50, "n": 18446744073709551616}}}"#,
        ] {
            let message = read(ID, text).unwrap();
            assert_eq!(message.request.body, br#"{"start": 1.50, "n": 18446744073709551616}"#);
        }
    }

    #[test]
    fn the_url_for_webhooks_is_the_bodys_own_or_the_envelopes() {
        let url = "https://shop.example/hooks?a=\"b\"";
        let body = |body: Value| {
            let envelope = json!({ "operation": "clips", "webhookUrl": url, "body": body });
            read_json(&envelope).unwrap().request.json().unwrap()
        };
        assert_eq!(body(json!({})), json!({ "webhookUrl": url }));
        assert_eq!(body(json!({ "a": [1] })), json!({ "webhookUrl": url, "a": [1] }));
        assert_eq!(body(json!({ "webhookUrl": "https://other.example" }))["webhookUrl"], "https://other.example");
        let refused = read_json(&json!({ "operation": "projects", "webhookUrl": url, "body": {} })).err().unwrap();
        assert_eq!(refused.path(), Some("webhookUrl"));
    }

    #[test]
    fn a_wrong_envelope_is_refused_with_its_reason() {
        let check = |text: &str, path: Option<&str>, code: &str| {
            let problem = read(ID, text).err().unwrap_or_else(|| panic!("{text}"));
            assert_eq!((problem.path(), problem.parts().1), (path, code), "{text}");
        };
        check("", None, "bad_json");
        check("{", None, "bad_json");
        check("[]", None, "no_object");
        check("{}", Some("operation"), "bad_field");
        check(r#"{"operation":"delete","body":{}}"#, Some("operation"), "bad_field");
        check(r#"{"operation":"clips"}"#, Some("body"), "bad_field");
        check(r#"{"operation":"clips","body":"{}"}"#, Some("body"), "bad_field");
        check(r#"{"operation":"clips","body":{},"onwer":"shop"}"#, Some("onwer"), "unknown_field");
        check(r#"{"operation":"clips","body":{},"body":{}}"#, None, "bad_json");
        check(r#"{"operation":"clips","body":{},"idempotencyKey":"é"}"#, Some("idempotencyKey"), "bad_field");
        check(r#"{"detail-type":"x","detail":{"body":{}}}"#, Some("operation"), "bad_field");
    }

    #[test]
    fn a_message_that_names_no_owner_has_none() {
        for envelope in
            [json!({ "operation": "clips", "body": {} }), json!({ "operation": "clips", "owner": null, "body": {} })]
        {
            assert_eq!(read_json(&envelope).unwrap().owner, None);
        }
    }

    #[test]
    fn the_owner_of_an_envelope_is_a_name_and_nothing_else() {
        for wrong in [json!(["shop"]), json!({ "id": "shop" }), json!("x".repeat(65)), json!(""), json!(" \n")] {
            let envelope = json!({ "operation": "clips", "owner": wrong, "body": {} });
            assert_eq!(
                read_json(&envelope).err().and_then(|problem| problem.path().map(str::to_owned)).as_deref(),
                Some("owner")
            );
        }
    }
}
