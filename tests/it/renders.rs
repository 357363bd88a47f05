//! Render callbacks: early, unsolicited, without a token, lost, and from a project-level hook.

use serde_json::{Value, json};

use crate::stack::{Stack, read};

#[tokio::test]
async fn the_official_sdk_works_with_the_mock_of_creatomate() {
    let stack = Stack::open().await;
    let key = stack.aws.secret("CREATOMATE_API_KEY").await;
    let mut node = tokio::process::Command::new("node");
    node.arg(stack.local.join("verify/creatomate.mjs")).arg(format!("{}/creatomate/v1", stack.studio)).arg(key);
    let process = node.output().await.expect("Node.js runs");
    assert!(process.status.success(), "{}", String::from_utf8_lossy(&process.stderr));
    let output: Value = serde_json::from_slice(&process.stdout).expect("JSON");
    for render in [&output["render"], &output["again"]] {
        assert_eq!(render["status"], "succeeded", "{output:#}");
        assert_eq!(render["id"], output["render"]["id"]);
    }
    let video = stack.http.get(output["again"]["url"].as_str().expect("a URL")).send().await.expect("the file");
    assert_eq!(&video.bytes().await.expect("the file")[4..8], b"ftyp", "an MP4");
}

async fn callback(stack: &Stack, token: Option<&str>, body: Value) -> (u16, Value) {
    let prefix = token.map(|token| format!("/w/{token}")).unwrap_or_default();
    let url = format!("{}{prefix}/api/webhooks/creatomate", stack.api);
    let request = stack.http.post(url).header("content-type", "application/json").body(body.to_string());
    read(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn a_callback_before_its_render_is_known_is_applied_later() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=20&before_id").await;
    let done = stack.until_status(&job, "completed").await;
    assert!(done["videoUrl"].is_string());
    stack.webhook("main", &job, "job.completed").await;
}

/// Whether a poll had to confirm the end of a job's render.
async fn was_polled(stack: &Stack, job: &str) -> bool {
    let (_, log) = stack.get(&format!("/api/queue/job/{job}/logs")).await;
    let lines = log["data"]["logs"].as_array().expect("lines");
    assert!(!lines.is_empty());
    lines.iter().any(|line| line["message"] == "Render reported as ended, confirming")
}

#[tokio::test]
async fn a_callback_confirms_the_end_of_its_render_itself() {
    let stack = Stack::open().await;
    // The render ends after the worker has named it, so that its callback is not an early one.
    let job = stack.submit("step_ms=5&render_ms=800").await;
    let done = stack.until_status(&job, "completed").await;
    assert!(done["videoUrl"].is_string(), "{done:#}");
    assert!(!was_polled(&stack, &job).await, "the callback left the confirmation to a poll");
}

#[tokio::test]
async fn an_end_that_creatomate_confirms_too_late_for_its_callback_is_polled() {
    let stack = Stack::open().await;
    // Longer than a callback waits, and shorter than a poll does.
    stack.control("creatomate", json!({ "get_ms": 4000 })).await;
    let job = stack.submit("step_ms=5&render_ms=800").await;
    let done = stack.until_status(&job, "completed").await;
    assert!(done["videoUrl"].is_string(), "{done:#}");
    assert!(was_polled(&stack, &job).await, "nothing confirmed the end");
}

#[tokio::test]
async fn a_failed_render_fails_the_job_and_is_not_retried() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&render_fail&error=Source%20image%20missing").await;
    let failed = stack.until_status(&job, "failed").await;
    assert_eq!((&failed["error"], &failed["retryCount"]), (&json!("Source image missing"), &json!(0)));
    stack.webhook("main", &job, "job.failed").await;
}

#[tokio::test]
async fn a_render_whose_callback_is_lost_is_found_by_the_checks() {
    let stack = Stack::open().await;
    stack.control("creatomate", json!({ "webhook": false })).await;
    let job = stack.submit("step_ms=5&render_ms=50").await;
    let done = stack.until_status(&job, "completed").await;
    assert!(done["videoUrl"].is_string(), "{done:#}");
}

#[tokio::test]
async fn an_unreachable_render_service_is_polled_again() {
    let stack = Stack::open().await;
    stack.control("creatomate", json!({ "status": 500, "times": 2 })).await;
    let job = stack.submit("step_ms=5&render_ms=50").await;
    let done = stack.until_status(&job, "completed").await;
    assert!(done["videoUrl"].is_string(), "{done:#}");
}

#[tokio::test]
async fn a_callback_without_a_token_is_only_a_hint() {
    let stack = Stack::open().await;
    stack.control("creatomate", json!({ "webhook": false, "render_ms": 20_000 })).await;
    let job = stack.submit("step_ms=5&render_ms=20000").await;
    let rendering = stack.until_status(&job, "rendering").await;
    let render = rendering["creatomateId"].as_str().expect("an id").to_owned();
    let lie = json!({ "id": render, "status": "succeeded", "url": "https://evil.example/video.mp4" });
    let (status, answer) = callback(&stack, None, lie.clone()).await;
    assert_eq!((status, &answer["job_id"]), (200, &Value::Null), "{answer}");
    // A guessed id gets the same answer.
    for id in ["unknown", "0f7c3a52-9a1e-4b7e-8a55-6f1de0f5c111", "x"] {
        let guess = json!({ "id": id, "status": "succeeded", "url": "https://evil.example/video.mp4" });
        assert_eq!(callback(&stack, None, guess).await, (200, answer.clone()), "{id}");
    }
    let (status, _) = callback(&stack, Some("t1.x.1.y"), lie).await;
    assert_eq!(status, 401, "a wrong token is refused, unlike a missing one");
    stack.eventually("the hint is processed", || async { (stack.aws.depths().await[0].1 == 0).then_some(()) }).await;
    let job = stack.job(&job).await;
    assert_ne!(job["videoUrl"], "https://evil.example/video.mp4", "its body is not believed");
}

#[tokio::test]
async fn long_texts_in_a_callback_are_accepted_and_shortened_in_the_log() {
    let stack = Stack::open().await;
    let long = "a".repeat(900_000);
    let token = stack.aws.secret("OPERATOR_CALLBACK_TOKEN").await;
    for body in [
        json!({ "id": "render-long-1", "status": "failed", "error": long }),
        json!({ "id": "render-long-2", "status": long }),
        json!({ "id": "render-long-3", "status": "succeeded", "url": format!("https://cdn.example/{long}") }),
        json!({ "id": "render-long-4", "status": "rendering", "snapshot_url": long, "metadata": long[..100_000] }),
    ] {
        for token in [None, Some(token.as_str())] {
            let (status, answer) = callback(&stack, token, body.clone()).await;
            let expected = if token.is_some() { 404 } else { 200 };
            assert_eq!(status, expected, "{}: {:.300}", body["id"], answer.to_string());
        }
        let (status, answer) = callback(&stack, None, json!({ "id": long, "status": "failed" })).await;
        assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{:.300}", answer.to_string());
    }
    let log = std::fs::read_to_string(crate::cost::log_path()).expect("the functions' log");
    let lines = log.lines().filter(|line| line.contains("received a render callback"));
    let longest = lines.map(str::len).max().unwrap_or_default();
    // The emulator wraps each log line in another one.
    assert!((1..=3000).contains(&longest), "{longest} bytes");
}

#[tokio::test]
async fn a_project_level_hook_with_the_operators_token_reaches_the_job() {
    let stack = Stack::open().await;
    stack.control("creatomate", json!({ "webhook": false })).await;
    let job = stack.submit("step_ms=5&render_ms=20000").await;
    let rendering = stack.until_status(&job, "rendering").await;
    let render = rendering["creatomateId"].as_str().expect("an id").to_owned();
    let token = stack.aws.secret("OPERATOR_CALLBACK_TOKEN").await;
    let (status, answer) = callback(&stack, Some(&token), json!({ "id": render, "status": "transcribing" })).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["message"], "Creatomate webhook processed successfully");
    let (status, answer) = callback(&stack, Some(&token), json!({ "id": "unknown", "status": "rendering" })).await;
    assert_eq!((status, &answer["error"]), (404, &json!("Job not found for render ID: unknown")));
    for (body, message) in [
        (json!({ "status": "rendering" }), "Invalid webhook: missing render_id"),
        (json!({ "id": "render-x" }), "Invalid webhook: missing status"),
    ] {
        let (status, answer) = callback(&stack, Some(&token), body).await;
        assert_eq!((status, &answer["message"]), (400, &json!(message)));
    }
}
