//! Log lines of routes: whatever a caller writes in any field, lines stay short and contain no control characters.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lambda_http::Request;
use reelhook_app::retention::Days;
use reelhook_app::webhooks::triggers::Tested;
use reelhook_domain::{Timestamp, steers};
use reelhook_http::access::{Access, Caller};
use reelhook_http::edge::Edge;
use reelhook_http::jobs::control::Command;
use reelhook_http::jobs::report_line::ReportLine;
use reelhook_http::jobs::step::Reporter;
use reelhook_http::jobs::{creatomate, queue, step};
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::webhooks::{deliveries, hooks, recover};
use reelhook_testkit::log_lines;
use serde_json::{Value, json};
use tracing::Level;

use crate::edge::deployed;

/// The maximum length of a line, in bytes.
const LINE: usize = 2048;
const NOW: Timestamp = Timestamp(1_704_110_400_000);

/// The lines that are logged during `work`, without the limit that functions also apply in the writer.
fn lines(work: impl FnOnce()) -> Vec<String> {
    log_lines(Level::INFO, |captured| captured, work)
}

/// Reads and logs a request like each of the functions.
fn through_the_routes(request: Request) {
    let request = ApiRequest::of(request);
    let span = tracing::error_span!("request", request_id = request.request_id);
    let _in_it = span.enter();
    request.audit(&request.source_ip, "a callback was received");
    let refused = Err(Problem::Request(RequestProblem::Unauthorized));
    let mut line = ReportLine::default();
    let caller = Caller::known_as(format!("local {}", request.header("user-agent").unwrap_or("none")));
    if let Ok(report) = step::read(&request, &Reporter::Trusted, NOW) {
        (line.job_id, line.attempt) = (Some(report.job_id), report.attempt);
    }
    if let Ok((render, callback)) = creatomate::read(&request) {
        (line.render_id, line.status) = (Some(render.to_string()), Some(callback.status));
    }
    line.write(&Edge::default(), &request, &refused, "received a report");
    if let Ok(Some((id, command))) = Command::read(&request) {
        command.note(&id, &caller, "applied");
    }
    if let Ok(Some(route)) = queue::Route::read(&request) {
        route.note(&caller);
    }
    if let Ok(Some(route)) = deliveries::Route::read(&request) {
        route.note(&caller);
    }
    if let Ok(Some(route)) = recover::Route::read(&request, &caller, Days::MONTH, NOW) {
        route.note(&caller);
    }
    match hooks::Route::read(&request, caller.clone(), true) {
        Ok(hooks::Route::Test(url)) => hooks::note_test(&caller.fingerprint, &url, &tested()),
        Ok(hooks::Route::Trigger(trigger, _)) => hooks::note_trigger(&trigger),
        Ok(hooks::Route::Status | hooks::Route::Validate(_)) | Err(_) => {}
    }
}

fn tested() -> Tested {
    let (url, message) = (String::new(), String::new());
    Tested { success: true, status: 200, duration: Duration::ZERO, url, message, error: None }
}

/// The sample events of routes, with their names.
fn samples() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let mut found = Vec::new();
    for folder in fs::read_dir(root).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for case in fs::read_dir(folder.path()).unwrap().flatten() {
            let event: Value = serde_json::from_slice(&fs::read(case.path()).unwrap()).unwrap();
            if event["rawPath"].is_string() {
                found.push((case.path().display().to_string(), event));
            }
        }
    }
    assert!(found.len() > 50, "{} samples", found.len());
    found
}

/// The path of each value that contains no other values.
fn leaves(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, value)| leaves(value, &format!("{place}/{}", name.replace('/', "~1")), found));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| leaves(value, &format!("{place}/{index}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(place.to_owned()),
    }
}

/// The events with this text in one of the fields that callers write.
fn filled(event: &Value, text: &str) -> Vec<Value> {
    let mut all = Vec::new();
    // The gateway sets these two.
    let headers = event["headers"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| !["host", "x-forwarded-proto"].contains(&name.as_str()));
    for name in headers {
        let mut event = event.clone();
        event["headers"][name] = json!(text);
        all.push(event);
    }
    let query = event["rawQueryString"].as_str().unwrap_or_default();
    for (index, _) in query.split('&').enumerate().filter(|(_, pair)| !pair.is_empty()) {
        let long: String = text.bytes().take(4_000).map(|byte| format!("%{byte:02X}")).collect();
        let pairs = query.split('&').enumerate().map(|(place, pair)| match pair.split_once('=') {
            Some((name, _)) if place == index => format!("{name}={long}"),
            _ => pair.to_owned(),
        });
        let filled: Vec<String> = pairs.collect();
        let mut event = event.clone();
        event["rawQueryString"] = json!(filled.join("&"));
        all.push(event);
    }
    let body = event["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
    if let Some(body) = body {
        let mut places = Vec::new();
        leaves(&body, "", &mut places);
        for place in places {
            let mut filled = body.clone();
            *filled.pointer_mut(&place).unwrap() = json!(text);
            let mut event = event.clone();
            event["body"] = json!(filled.to_string());
            all.push(event);
        }
    }
    all
}

/// Checks the lines that the routes log about these events.
fn check(name: &str, events: Vec<Value>) -> usize {
    let mut logged = 0;
    for event in events {
        // An invalid request does not reach a function.
        let Ok(request) = lambda_http::request::from_str(&event.to_string()) else { continue };
        for line in lines(|| through_the_routes(request)) {
            let start: String = line.chars().take(300).collect();
            assert!(line.len() <= LINE, "{name}: {} bytes: {start}", line.len());
            assert!(!line.chars().any(steers), "{name}: {start:?}");
            assert!(serde_json::from_str::<Value>(&line).is_ok(), "{name}: {start}");
            logged += 1;
        }
    }
    logged
}

#[test]
fn no_field_of_any_route_makes_a_log_line_long() {
    for (name, event) in samples() {
        for text in ["a", "\"", "é", "\u{1b}[2J", "\u{2028}\u{202e}", "https://a.b/"] {
            check(&name, filled(&event, &text.repeat(4_000 / text.len())));
        }
    }
}

#[test]
fn a_megabyte_in_a_callback_s_field_leaves_a_line_of_two_kilobytes() {
    let callbacks = samples().into_iter().filter(|(name, _)| name.contains("-webhook/"));
    let mut logged = 0;
    for (name, event) in callbacks {
        logged += check(&name, filled(&event, &"a".repeat(1_000_000)));
    }
    assert!(logged > 20, "{logged} lines");
}

#[test]
fn of_a_video_s_url_the_host_alone_is_logged() {
    for (url, host) in [
        ("https://bucket.s3.amazonaws.com/secret/video.mp4?X-Amz-Signature=secret", "bucket.s3.amazonaws.com"),
        ("http://cdn.example:8443/secret#secret", "cdn.example"),
        ("https://secret:secret@cdn.example/v.mp4", "cdn.example"),
        ("https://[2001:db8::1]/secret", "[2001:db8::1]"),
    ] {
        let (_, mut event) = samples().into_iter().find(|(name, _)| name.ends_with("/complete.json")).unwrap();
        event["body"] = json!(json!({ "videoUrl": url }).to_string());
        let lines = lines(|| through_the_routes(lambda_http::request::from_str(&event.to_string()).unwrap()));
        let line = lines.iter().find(|line| line.contains("received a command")).expect("a command");
        assert!(!lines.concat().contains("secret"), "{lines:?}");
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["command"], &line["host"]), (&json!("complete"), &json!(host)));
    }
}

#[test]
fn a_weak_key_or_password_is_logged_without_its_value() {
    let warned = |key: &str, password: &str| {
        let (key, password) = (key.to_owned(), password.to_owned());
        lines(|| {
            let read = Access::read(&deployed("*"), &|name| match name {
                "API_KEYS" => Some(key.clone()),
                "API_USERNAME" => Some("ann".to_owned()),
                "API_PASSWORD" => Some(password.clone()),
                "SESSION_SECRET" => Some("ses_secret".to_owned()),
                _ => None,
            });
            assert!(read.is_ok());
        })
    };
    let (long, short) = ("0123456789abcdef", "hunter2");
    assert_eq!(warned(long, long), Vec::<String>::new());
    for (key, password, named) in [(short, long, "API_KEYS"), (long, short, "API_PASSWORD")] {
        let lines = warned(key, password);
        assert!(lines.len() == 1 && lines[0].contains(named) && !lines[0].contains(short), "{lines:?}");
    }
}
