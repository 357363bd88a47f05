//! Messages of the job inbox, and those of clients over WebSocket connections.

use reelhook_app::live::protocol::{ClientMessage, LONGEST, parse};
use reelhook_app::watch::Cursor;
use reelhook_http::access::Caller;
use reelhook_http::{clips, inbox, jobs, projects};
use serde_json::{Value, json};

use crate::input::Input;
use crate::target::Verdict;
use crate::targets::api::api;
use crate::targets::judge::judged;

/// Envelopes, and events of EventBridge with one.
pub fn of_jobs(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let text = if input.flag() { envelope(&mut input) } else { String::from_utf8_lossy(input.rest()).into_owned() };
    let Some(message) = judged(inbox::read("message-1", &text)) else { return Verdict::Refused };
    let (request, caller) = (&message.request, Caller::known_as("a caller"));
    assert_eq!((request.method.as_str(), request.request_id.as_str()), ("POST", "message-1"), "it is a request");
    assert!(message.owner.as_ref().is_none_or(|owner| owner.chars().count() <= 64), "an owner's name is short");
    assert!(request.header("idempotency-key").is_some_and(|key| key.len() <= 255), "each message has a key");
    let body = judged(request.json()).expect("the body was read within the envelope");
    assert!(body.is_object(), "a body is an object");
    let was_read = match message.operation {
        inbox::Operation::Generate => judged(jobs::generate::read(request, caller)).is_some(),
        inbox::Operation::Projects => judged(projects::routes::Route::read(request, &caller)).is_some(),
        inbox::Operation::Clips => judged(clips::routes::Route::read(request, &caller, false)).is_some(),
        inbox::Operation::GenerateVideoAsync => body["scenes"].is_array(),
    };
    Verdict::of(was_read)
}

fn envelope(input: &mut Input<'_>) -> String {
    let (operation, path) = *input.pick(&[
        ("generate", "/api/generate"),
        ("generate-video-async", "/api/generate-video-async"),
        ("projects", "/api/v1/projects"),
        ("clips", "/ai-clipping-agent/jobs"),
        ("cancel", "/api/job/{id}/cancel"),
    ]);
    let known = api().below(&[path]);
    let mut schemas = known.iter().filter(|one| one.path == path).flat_map(|one| one.bodies.first());
    let body = schemas.next().map_or_else(|| json!({}), |(_, schema)| api().value(schema, input));
    let mut envelope = json!({ "operation": operation, "body": body });
    while input.rarely(2) {
        let name = *input.pick(&["owner", "idempotencyKey", "webhookUrl", "traceparent", "body", "more"]);
        envelope[name] = if input.rarely(4) { input.json(2) } else { input.text().into() };
    }
    let message: Value = if input.rarely(3) {
        json!({ "id": input.text(), "detail-type": "a job", "source": "shop", "detail": envelope })
    } else {
        envelope
    };
    message.to_string()
}

/// What clients send over a connection.
pub fn of_sockets(bytes: &[u8]) -> Verdict {
    let mut input = Input::new(bytes);
    let text = if input.flag() {
        let mut message = json!({ "action": *input.pick(&["subscribe", "unsubscribe", "ping", "$connect"]) });
        for name in ["jobId", "projectId", "owner", "cursor"] {
            if input.rarely(2) {
                message[name] = if input.rarely(8) { input.json(1) } else { input.text().into() };
            }
        }
        message.to_string()
    } else {
        String::from_utf8_lossy(input.rest()).into_owned()
    };
    match parse(&text) {
        Ok(message) => {
            assert!(text.len() <= LONGEST, "a message of {} bytes", text.len());
            if let ClientMessage::Subscribe { target, cursor } = &message {
                assert!(target.subjects().len() <= 2, "a target names at most a job and a clip job");
                let written = cursor.map(|cursor| cursor.to_string());
                assert_eq!(written.and_then(|text| Cursor::parse(&text)), *cursor, "a cursor is written as it is read");
            }
            Verdict::Accepted
        }
        Err(refusal) => {
            assert!(!refusal.code().is_empty() && !refusal.to_string().is_empty(), "a refusal says why");
            Verdict::Refused
        }
    }
}
