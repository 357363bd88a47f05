//! Provokes the errors of projects, of the webhooks about their tasks, and of the errors API.

use reelhook_signing::{SigningKeys, streamgank};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::Seen;
use crate::scenes::backends::Backends;
use crate::scenes::project::{PROJECTS, behave, command, create, fast, made, scene_ids, scenes, text, unique, until};
use crate::stack::{JsonText, read};

/// The limit of calls of a webhook about videos, in a minute.
const CALLS: usize = 100;

impl Seen<'_> {
    /// Expects an error in the form of projects.
    pub(super) async fn project(&mut self, request: RequestBuilder, code: &str) {
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        assert_eq!(answer["code"], code, "{status}: {answer}");
        let texts = [&answer["error"], &answer["request_id"]];
        assert!(texts.iter().all(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{answer}");
        self.keep("projects", code, status, answer);
    }

    /// Calls a route of projects with a JSON body, and expects an error.
    async fn call(&mut self, route: &str, body: Value, code: &str) {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        let request = self.stack.request(method.parse().expect("a method"), path).json_text(&body);
        self.project(request, code).await;
    }

    /// Expects an error in the form of the webhooks about tasks, which have no code.
    async fn callback(&mut self, request: RequestBuilder, code: &str) {
        let (status, answer) = read(request.send().await.expect("an answer")).await;
        assert!(status >= 400 && answer["error"].is_string() && answer.get("code").is_none(), "{status}: {answer}");
        self.keep("callbacks", code, status, answer);
    }
}

/// Errors of any request about projects.
pub(super) async fn requests(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    let url = format!("{}{PROJECTS}", stack.api);
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
        seen.project(sent(coding, content_type, body), code).await;
    }
    seen.project(stack.http.post(&url).json_text(&json!({})), "unauthorized").await;
    seen.project(stack.http.post(&url).basic_auth("anyone", Some(&stack.key)).body("name=x"), "foreign_page").await;
    let keyed = |key: &str, name: &str| {
        let body = json!({ "name": name });
        stack.http.post(&url).header("x-api-key", &stack.key).header("idempotency-key", key).json_text(&body)
    };
    seen.project(keyed(&"k".repeat(256), "One"), "bad_idempotency_key").await;
    assert_eq!(keyed("project of errors", "One").send().await.expect("an answer").status(), 201);
    seen.project(keyed("project of errors", "Two"), "idempotency_key_reused").await;
    let long = json!({ "name": "Long", "scenes": [{ "prompt": "A lake", "duration": 700 }] });
    seen.call(&format!("POST {PROJECTS}"), long, "bad_field").await;
}

/// Errors of projects and their scenes.
pub(super) async fn projects(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    Backends::Services.choose(stack).await;
    let new = format!("POST {PROJECTS}");
    seen.call(&new, json!({}), "project_name_missing").await;
    let chosen = json!({ "id": format!("proj_errors_{}", unique()), "name": "Chosen" });
    let empty = text(&create(stack, &chosen).await["id"]);
    seen.call(&new, chosen, "project_exists").await;
    seen.call(&new, json!({ "name": "Many", "scenes": vec![json!({ "prompt": "A lake" }); 201] }), "too_many_scenes")
        .await;
    let twice = json!([{ "prompt": "A lake", "sceneNumber": 1 }, { "prompt": "A sea", "sceneNumber": "1" }]);
    seen.call(&new, json!({ "name": "Twice", "scenes": twice }), "bad_scene_graph").await;
    let unknown = stack.request(Method::GET, &format!("{PROJECTS}/proj_unknown"));
    seen.project(unknown, "project_not_found").await;
    // Streams have the errors of StreamGank's dialect, whatever they are about.
    seen.get(&format!("{PROJECTS}/proj_unknown/stream"), "project_not_found").await;
    seen.call("PATCH /api/scenes/scene_unknown", json!({ "name": "x" }), "scene_not_found").await;
    ambiguous(seen).await;
    let file = stack.request(Method::GET, &format!("/api/v1/files/{empty}/final/first/video.mp4"));
    seen.project(file, "file_not_found").await;
    seen.call(&format!("POST {PROJECTS}/{empty}/start"), json!({}), "nothing_ready").await;
    seen.call(&format!("POST {PROJECTS}/{empty}/cancel"), json!({}), "project_not_running").await;
    let stale = stack.request(Method::PATCH, &format!("{PROJECTS}/{empty}")).header("if-match", "\"7\"");
    seen.project(stale.json_text(&json!({ "name": "Changed" })), "version_mismatch").await;

    let (id, project) = made(stack, scenes(2)).await;
    behave(stack, "videos", &id, fast(json!({ "task": { "endless": true } }))).await;
    let (one, scene) = (format!("{PROJECTS}/{id}"), format!("{PROJECTS}/{id}/scenes/{}", scene_ids(&project)[0]));
    seen.call(&format!("PATCH {scene}"), json!({ "take": 9 }), "take_not_found").await;
    seen.call(&format!("PATCH {scene}"), json!({ "status": "approved" }), "bad_scene_status").await;
    seen.call(&format!("POST {one}/stitch"), json!({}), "scenes_not_verified").await;
    let budget = stack.request(Method::PATCH, &one).json_text(&json!({ "budget": 0.01 }));
    assert_eq!(budget.send().await.expect("an answer").status(), 200);
    seen.call(&format!("POST {one}/start"), json!({}), "over_budget").await;
    let budget = stack.request(Method::PATCH, &one).json_text(&json!({ "budget": null }));
    assert_eq!(budget.send().await.expect("an answer").status(), 200);
    command(stack, &id, "start").await;
    until(stack, &id, "generating", |project| project["scenes"][0]["taskId"].is_string()).await;
    seen.call(&format!("POST {scene}/generate"), json!({}), "scene_busy").await;
    command(stack, &id, "cancel").await;

    let (done, _) = made(stack, scenes(1)).await;
    behave(stack, "videos", &done, fast(json!({}))).await;
    command(stack, &done, "start").await;
    until(stack, &done, "completed", |project| project["status"] == "completed").await;
    seen.call(&format!("POST {PROJECTS}/{done}/start"), json!({}), "project_ended").await;
}

/// Two projects have a scene with the same id.
async fn ambiguous(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    let draft = json!([{ "id": "scene_shared", "prompt": "A lake", "status": "draft" }]);
    let new = json!({ "name": "Shared", "scenes": draft });
    for _ in 0..2 {
        create(stack, &new).await;
    }
    let rename = || stack.request(Method::PATCH, "/api/scenes/scene_shared").json_text(&json!({ "name": "x" }));
    // The ids of new scenes are found only once the fanout has read the stream.
    let check = || async { (rename().send().await.expect("an answer").status() == 409).then_some(()) };
    stack.eventually("an ambiguous id", check).await;
    seen.project(rename(), "scene_ambiguous").await;
}

/// Errors of the webhooks about tasks.
pub(super) async fn callbacks(seen: &mut Seen<'_>) {
    let stack = seen.stack;
    let keys = SigningKeys::parse(&stack.aws.secret("VIDEO_WEBHOOK_SECRET").await).expect("a secret");
    let (edge, unique) = (stack.aws.secret("EDGE_SECRET").await, unique());
    let viewer = format!("2001:db8:{:x}:{:x}::1", (unique >> 16) & 0xffff, unique & 0xffff);
    let url = format!("{}/api/webhooks/video-complete", stack.api);
    let signed = |coding: &str, content_type: &str, body: &str| {
        let signature = streamgank::hex_signature(body.as_bytes(), &keys);
        let request = stack.http.post(&url).header("content-type", content_type).body(body.to_owned());
        let request = request.header("x-webhook-signature", signature).header("x-reelhook-edge", &edge);
        let request = request.header("x-reelhook-viewer", &viewer);
        if coding.is_empty() { request } else { request.header("content-encoding", coding) }
    };
    let unsigned = stack.http.post(&url).header("x-webhook-signature", "invalid").json_text(&json!({}));
    seen.callback(unsigned, "unauthorized").await;
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    for (coding, content_type, body, code) in [
        ("", "application/json", "{", "bad_json"),
        ("", "application/json", "[]", "no_object"),
        ("", "application/json", &large, "body_too_large"),
        ("br", "application/json", "{}", "unsupported_encoding"),
        ("gzip", "application/octet-stream", "{}", "bad_encoding"),
    ] {
        seen.callback(signed(coding, content_type, body), code).await;
    }
    let clips = SigningKeys::parse(&stack.aws.secret("WEBHOOK_SECRET").await).expect("a secret");
    let report = stack.http.post(format!("{}/api/webhooks/ai-clipping", stack.api));
    let report = report.header("x-webhook-signature", streamgank::hex_signature(b"{}", &clips));
    seen.callback(report.json_text(&json!({})), "bad_field").await;
    for _ in 0..CALLS {
        let answer = signed("", "application/json", "[]").send().await.expect("an answer");
        if answer.status() == 429 {
            break;
        }
    }
    seen.callback(signed("", "application/json", "[]"), "rate_limited").await;
}

/// Errors of the errors API.
pub(super) async fn inbox(seen: &mut Seen<'_>) {
    let dismiss = "/api/v1/errors/dismiss";
    seen.post(dismiss, json!({}), "error_id_missing").await;
    seen.post(dismiss, json!({ "errorId": "err_1704110400000_0000000" }), "error_not_dismissible").await;
    seen.get("/api/v1/errors/err_1704110400000_0000000", "error_not_found").await;
}
