//! Submitting each family; refusals, and attempts that are repeated.

use serde_json::{Value, json};

use crate::program::{KEY, Place};
use crate::server::{Reply, Server};

const UUID: &str = "3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b";

#[test]
fn a_job_is_submitted_with_the_key_and_an_idempotency_key() {
    let server = Server::scripted(vec![(
        "POST /api/generate",
        vec![Reply::json(200, &json!({ "success": true, "jobId": "job_1", "queuePosition": 1 }))],
    )]);
    let arguments = ["submit", "job", "--country", "US", "--platform", "netflix", "--genre", "Horror"];
    let ended = Place::new().run(&server.url, &[&arguments[..], &["--metadata", "order=4711"]].concat());
    assert_eq!((ended.code, ended.out.as_str()), (0, "job_1\n"), "{ended:?}");
    let request = server.only("POST /api/generate");
    let expected =
        json!({ "country": "US", "platform": "netflix", "genre": "Horror", "metadata": { "order": "4711" } });
    assert_eq!(request.json(), expected);
    assert_eq!(request.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(request.header("idempotency-key").len(), 36);
}

#[test]
fn a_video_is_submitted_from_a_file() {
    let answer =
        json!({ "success": true, "jobId": UUID, "status": "queued", "warnings": ["theme: `marine` is not known"] });
    let server = Server::scripted(vec![("POST /api/generate-flexible-video", vec![Reply::json(202, &answer)])]);
    let place = Place::new();
    let film = include_str!("../../../../examples/film.json");
    let arguments = ["submit", "video", place.file("film.json", film), "--json", "--idempotency-key", "order-1"];
    let ended = place.run(&server.url, &arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap(), json!({ "id": UUID, "answer": answer }));
    assert!(ended.err.contains("warning: theme: `marine` is not known"), "{}", ended.err);
    let request = server.only("POST /api/generate-flexible-video");
    assert_eq!(request.json(), serde_json::from_str::<Value>(film).unwrap());
    assert_eq!(request.header("idempotency-key"), "order-1");
}

#[test]
fn a_project_is_created_and_started() {
    let server = Server::scripted(vec![
        ("POST /api/v1/projects", vec![Reply::json(201, &json!({ "id": "proj_1", "status": "draft" }))]),
        ("POST /api/v1/projects/proj_1/start", vec![Reply::json(200, &json!({ "id": "proj_1" }))]),
    ]);
    let ended = Place::new().run(&server.url, &["submit", "project", "--prompt", "A fox", "--prompt", "A river"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "proj_1\n"), "{ended:?}");
    let body = json!({ "name": "A fox", "scenes": [{ "prompt": "A fox" }, { "prompt": "A river" }] });
    assert_eq!(server.only("POST /api/v1/projects").json(), body);
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn a_file_is_uploaded_for_a_clip_job_without_the_key() {
    let store = Server::scripted(vec![("PUT /uploads/a.mp4?signature=s", vec![Reply::bytes(200, b"")])]);
    let upload = json!({ "success": true, "key": "uploads/a.mp4", "uploadUrl": format!("{}/uploads/a.mp4?signature=s", store.url),
        "method": "PUT", "headers": { "Content-Type": "video/mp4", "Content-Length": "5" } });
    let server = Server::scripted(vec![
        ("POST /api/uploads", vec![Reply::json(201, &upload)]),
        ("POST /api/ai-clipping-agent/jobs", vec![Reply::json(201, &json!({ "id": UUID, "status": "queued" }))]),
    ]);
    let place = Place::new();
    let arguments = ["submit", "clips", place.file("talk.mp4", b"12345"), "--count", "3", "--range", "60-300"];
    let ended = place.run(&server.url, &arguments);
    assert_eq!((ended.code, ended.out.trim()), (0, UUID), "{ended:?}");
    assert_eq!(server.only("POST /api/uploads").json(), json!({ "contentType": "video/mp4", "size": 5 }));
    let sent = store.only("PUT /uploads/a.mp4?signature=s");
    assert_eq!((sent.body.as_slice(), sent.header("content-type")), (&b"12345"[..], "video/mp4"));
    assert_eq!((sent.header("content-length"), sent.header("authorization")), ("5", ""));
    let body =
        json!({ "videoUrl": "uploads/a.mp4", "requestedClipCount": 3, "ranges": [{ "start": 60.0, "end": 300.0 }] });
    assert_eq!(server.only("POST /api/ai-clipping-agent/jobs").json(), body);
}

#[test]
fn a_refusal_is_said_in_the_words_of_the_api() {
    let refusal = json!({ "error": "Invalid video configuration. Must include scenes array.", "code": "no_scenes",
        "request_id": "363bd296" });
    let server = Server::scripted(vec![("POST /api/generate-flexible-video", vec![Reply::json(400, &refusal)])]);
    let place = Place::new();
    let ended = place.run(&server.url, &["submit", "video", place.file("film.json", "{}"), "--json"]);
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    let expected = "error: Invalid video configuration. Must include scenes array. (no_scenes, request 363bd296)\n";
    assert_eq!(ended.err, expected);
}

#[test]
fn an_answer_that_may_be_lost_is_asked_for_again_with_the_same_key() {
    let busy = Reply::json(503, &json!({ "message": "Busy", "code": "busy" })).with("Retry-After", "0");
    let done = Reply::json(200, &json!({ "jobId": "job_1" }));
    let cut = done.clone().cut(3);
    let server = Server::scripted(vec![("POST /api/generate", vec![busy, cut, done])]);
    let arguments = ["submit", "job", "--country", "US", "--platform", "netflix", "--genre", "Horror"];
    let ended = Place::new().run(&server.url, &arguments);
    assert_eq!((ended.code, ended.out.as_str()), (0, "job_1\n"), "{ended:?}");
    assert!(ended.err.contains("Busy (busy); next attempt in"), "{}", ended.err);
    let keys: Vec<String> = server.requests().iter().map(|one| one.header("idempotency-key").to_owned()).collect();
    assert_eq!(keys.len(), 3);
    assert!(!keys[0].is_empty() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[test]
fn a_submission_whose_answer_is_lost_can_be_found() {
    let page = Reply::bytes(200, b"<html>Sign in</html>");
    let server = Server::scripted(vec![("POST /api/generate", vec![page])]);
    let arguments = ["submit", "job", "--country", "US", "--platform", "netflix", "--genre", "Horror"];
    let ended = Place::new().run(&server.url, &arguments);
    assert_eq!((ended.code, ended.out.as_str()), (4, ""), "{ended:?}");
    let key = server.only("POST /api/generate").header("idempotency-key").to_owned();
    assert!(ended.err.contains(&format!("the same command with `--idempotency-key {key}` finds it")), "{}", ended.err);
}

#[test]
fn a_project_that_does_not_start_is_named() {
    let full = json!({ "error": "The budget is spent", "code": "budget_spent" });
    let server = Server::scripted(vec![
        ("POST /api/v1/projects", vec![Reply::json(201, &json!({ "id": "proj_1", "status": "draft" }))]),
        ("POST /api/v1/projects/proj_1/start", vec![Reply::json(409, &full)]),
    ]);
    let ended = Place::new().run(&server.url, &["submit", "project", "--prompt", "A fox"]);
    assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{ended:?}");
    assert!(ended.err.contains("proj_1 was created, and is not known to be started"), "{}", ended.err);
}

#[test]
fn a_limit_that_lasts_until_midnight_is_said_at_once() {
    let sentence = "This key or owner may make 5 jobs a day, and has made them; more may be made after midnight UTC";
    let full = json!({ "error": sentence, "code": "daily_limit", "retryAfter": 43_200 });
    let full = Reply::json(429, &full).with("Retry-After", "43200");
    let server = Server::scripted(vec![("POST /api/generate", vec![full])]);
    let arguments = ["submit", "job", "--country", "US", "--platform", "netflix", "--genre", "Horror"];
    let ended = Place::new().run(&server.url, &arguments);
    assert_eq!((ended.code, server.lines().len()), (3, 1), "{ended:?}");
    assert!(ended.err.contains("5 jobs a day") && ended.err.contains("(daily_limit)"), "{}", ended.err);
}

#[test]
fn a_command_that_may_have_been_done_is_not_repeated() {
    let failed = Reply::json(502, &json!({ "message": "Bad gateway" }));
    let server = Server::scripted(vec![("DELETE /api/webhooks/endpoints/ep_1", vec![failed])]);
    let ended = Place::new().run(&server.url, &["endpoints", "remove", "ep_1"]);
    assert_eq!((ended.code, server.lines().len()), (4, 1), "{ended:?}");
}

#[test]
fn an_api_that_is_not_there_is_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let ended = Place::new().run(&url, &["endpoints", "remove", "ep_1"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains(&format!("error: {url} can't be reached: ")), "{}", ended.err);
}
