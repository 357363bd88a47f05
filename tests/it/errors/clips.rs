//! Provokes the errors of clip jobs and credits.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::Seen;
use crate::clips::backends::Backends;
use crate::clips::film;
use crate::clips::job::{CREDITS, JOBS, begin, command, fast, of_page, page, succeeded, until, until_status};
use crate::clips::tokens::Owner;
use crate::stack::{JsonText, read};

/// A job that does not exist.
const UNKNOWN: &str = "550e8400-e29b-41d4-a716-446655440000";

impl Seen<'_> {
    /// Expects an error in the form of clip jobs.
    pub(super) async fn clip(&mut self, request: RequestBuilder, code: &str) {
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        assert_eq!(answer["code"], code, "{status}: {answer}");
        let texts = [&answer["error"], &answer["request_id"]];
        assert!(texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{answer}");
        self.keep("clips", code, status, answer);
    }

    /// Posts JSON to a route of clip jobs, and expects an error.
    async fn clip_command(&mut self, path: &str, body: Value, code: &str) {
        self.clip(self.stack.request(Method::POST, path).json_text(&body), code).await;
    }
}

/// Errors of any request about clip jobs.
pub(super) async fn requests(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    Backends::Worker.choose(stack).await;
    stack.control("genesis", fast(json!({}))).await;
    let url = format!("{}{JOBS}", stack.api);
    let sent = |coding: &str, content_type: &str, body: &str| {
        let request = stack.http.post(&url).header("x-api-key", &stack.key).header("content-type", content_type);
        let request = if coding.is_empty() { request } else { request.header("content-encoding", coding) };
        request.body(body.to_owned())
    };
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    for (coding, content_type, body, code) in [
        ("", "application/json", "{", "bad_json"),
        ("", "application/json", "[]", "no_object"),
        ("", "application/json", &large, "body_too_large"),
        ("br", "application/json", "{}", "unsupported_encoding"),
        ("gzip", "application/octet-stream", "{}", "bad_encoding"),
    ] {
        seen.clip(sent(coding, content_type, body), code).await;
    }
    seen.clip(stack.http.post(&url).json_text(&json!({})), "unauthorized").await;
    seen.clip(stack.http.post(&url).basic_auth("anyone", Some(&stack.key)).body("videoUrl=x"), "foreign_page").await;
    let keyed = |key: &str, page: &str| {
        stack.http.post(&url).header("x-api-key", &stack.key).header("idempotency-key", key).json_text(&of_page(page))
    };
    seen.clip(keyed(&"k".repeat(256), &page()), "bad_idempotency_key").await;
    assert_eq!(keyed("clips of errors", "https://youtu.be/one").send().await.expect("an answer").status(), 201);
    seen.clip(keyed("clips of errors", "https://youtu.be/two"), "idempotency_key_reused").await;
    let mut wrong = of_page(&page());
    wrong["ranges"] = json!([{ "start": 0, "end": 5 }, { "start": 30, "end": 20 }]);
    seen.clip_command(JOBS, wrong, "bad_field").await;
    let unknown = format!("{JOBS}/{UNKNOWN}");
    seen.clip(stack.request(Method::GET, &unknown), "clip_job_not_found").await;
    // Streams have the errors of StreamGank's dialect, whatever they are about.
    seen.get(&format!("{unknown}/stream"), "clip_job_not_found").await;
    let file = stack.request(Method::GET, "/api/v1/files/clips/unknown/0-0.mp4");
    seen.clip(file, "file_not_found").await;
}

/// Errors of clip jobs in each state, and of credits.
pub(super) async fn clips(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    let (endless, _) = begin(stack, fast(json!({ "job": { "endless": true } }))).await;
    seen.clip_command(&format!("{JOBS}/{endless}/retry"), json!({}), "clip_job_under_way").await;
    seen.clip_command(&format!("{JOBS}/{endless}/clips/0"), json!({ "start": 0, "end": 1 }), "cut_by_worker").await;
    command(stack, &endless, "cancel").await;
    let (done, _) = begin(stack, fast(json!({}))).await;
    until_status(stack, &done, "succeeded").await;
    seen.clip_command(&format!("{JOBS}/{done}/cancel"), json!({}), "clip_job_ended").await;
    seen.clip_command(&format!("{JOBS}/{done}/retry"), json!({}), "clip_job_succeeded").await;

    Backends::Limited.choose(stack).await;
    let owner = Owner::of(stack, "errors").await;
    let (status, answer) = stack.post(CREDITS, &json!({ "userId": owner.id, "amount": 5 })).await;
    assert_eq!(status, 201, "{answer}");
    let poor = owner.request(stack, Method::POST, JOBS).json_text(&of_page(&page()));
    seen.clip(poor, "insufficient_credits").await;

    Backends::Own.choose(stack).await;
    seen.clip_command(JOBS, of_page(&page()), "source_unreadable").await;
    let own = film::begin(stack, json!({ "requestedClipCount": 1, "clipDurations": ["15-30"] })).await;
    let clip = |index: u32| format!("{JOBS}/{own}/clips/{index}");
    let range = json!({ "start": 20, "end": 37 });
    seen.clip_command(&clip(0), range.clone(), "clip_job_not_succeeded").await;
    succeeded(stack, &own).await;
    seen.clip_command(&clip(7), range.clone(), "clip_not_found").await;
    let (status, answer) = stack.post(&clip(0), &range).await;
    assert_eq!(status, 202, "{answer}");
    seen.clip_command(&clip(0), range, "clip_busy").await;
    until(stack, &own, "cut again", |job| job["output"]["clips"][0]["startMs"] == 20_000).await;
}
