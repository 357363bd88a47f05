//! Bad input: 4xx with a sentence that names the field, never a 5xx, never a half-written job.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, read};

async fn send(stack: &Stack, path: &str, body: Vec<u8>) -> (u16, Value) {
    let request = stack.request(Method::POST, path).header("content-type", "application/json").body(body);
    read(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn bad_submissions_get_a_sentence_and_make_nothing() {
    let stack = Stack::open().await;
    let before = stack.aws.count("JobsTable").await;
    let good = json!({ "country": "US", "platform": "netflix", "genre": "Horror" });
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body.to_string().into_bytes()
    };
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"".to_vec(), 400, "bad_json"),
        (b"{".to_vec(), 400, "bad_json"),
        (b"\xff\xfe".to_vec(), 400, "bad_json"),
        (b"[]".to_vec(), 400, "no_object"),
        (b"null".to_vec(), 400, "no_object"),
        (b"{\"country\":\"\\ud800\"}".to_vec(), 400, "bad_json"),
        (b"{}".to_vec(), 400, "missing_parameters"),
        (json!({ "country": "US", "platform": "", "genre": "x" }).to_string().into_bytes(), 400, "missing_parameters"),
        (with("country", json!(7)), 400, "bad_field"),
        (with("genre", json!({ "a": 1 })), 400, "bad_field"),
        (with("genre", json!("x".repeat(5000))), 400, "bad_field"),
        (with("pauseAfterExtraction", json!("yes")), 400, "bad_field"),
        (with("template", json!(["auto"])), 400, "bad_field"),
        ("[".repeat(100_000).into_bytes(), 400, "bad_json"),
        (with("padding", json!("x".repeat(2 * 1024 * 1024))), 413, "body_too_large"),
    ];
    for (body, status, code) in cases {
        let shown: String = String::from_utf8_lossy(&body).chars().take(80).collect();
        let (found, answer) = send(&stack, "/api/generate", body).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{shown}: {answer}");
        assert_eq!(answer["success"], false);
        assert!(answer["message"].is_string() && answer["error"].is_string() && answer["request_id"].is_string());
    }
    let (_, answer) = send(&stack, "/api/generate", b"{\"country\":\"US\"}".to_vec()).await;
    assert_eq!(
        (&answer["message"], &answer["received"]["country"]),
        (&json!("Missing required parameters"), &json!("US"))
    );
    assert_eq!(stack.aws.count("JobsTable").await, before, "nothing was made");
}

#[tokio::test]
async fn bad_callbacks_get_a_sentence_and_change_nothing() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=2").await;
    let before = stack.until(&job, "silent after step 2", |job| job["progress"] == 24).await;
    let cases: Vec<(Value, u16)> = vec![
        (json!({}), 400),
        (json!({ "job_id": 5, "step_number": 1, "status": "started" }), 400),
        (json!({ "job_id": "../../etc", "step_number": 1, "status": "started" }), 400),
        (json!({ "job_id": "job_1_unknown", "step_number": 1, "status": "started" }), 404),
        (json!({ "job_id": job, "status": "started" }), 400),
        (json!({ "job_id": job, "step_number": 1.5, "status": "started" }), 400),
        (json!({ "job_id": job, "step_number": -1, "status": "started" }), 400),
        (json!({ "job_id": job, "step_number": 1e300, "status": "started" }), 400),
        (json!({ "job_id": job, "step_number": 1, "status": "started", "duration": "long" }), 400),
        (
            json!({ "job_id": job, "step_number": 1, "status": "started", "details": { "video_url": "javascript:alert(1)" } }),
            400,
        ),
        (json!({ "job_id": job, "step_number": 7, "status": "completed", "details": { "creatomate_id": "a b" } }), 400),
        (json!({ "job_id": job, "step_number": 7, "status": "completed", "details": { "creatomate_id": ".." } }), 400),
        (json!({ "job_id": "..", "step_number": 1, "status": "started" }), 400),
    ];
    for (body, status) in cases {
        let (found, answer) = send(&stack, "/api/webhooks/step-update", body.to_string().into_bytes()).await;
        assert_eq!(found, status, "{body}: {answer}");
        assert!(answer["message"].is_string() && answer["code"].is_string(), "{answer}");
    }
    assert_eq!(stack.job(&job).await, before, "the job is as it was");
}

#[tokio::test]
async fn unknown_and_odd_ids_are_not_found() {
    let stack = Stack::open().await;
    for id in ["job_1_unknown", "x", "%20", "a%00b", "..%2f..", "%F0%9F%8E%AC", &"x".repeat(500)] {
        for path in [format!("/api/job/{id}"), format!("/api/job/{id}/details")] {
            let (status, answer) = stack.get(&path).await;
            assert_eq!(status, 404, "{path}: {answer}");
        }
    }
    let (status, answer) = stack.get("/api/queue/job/job_1_unknown/logs").await;
    assert_eq!((status, &answer["data"]["count"]), (200, &json!(0)), "{answer}");
}

#[tokio::test]
async fn hostile_headers_change_nothing() {
    let stack = Stack::open().await;
    let body = json!({ "country": "US", "platform": "netflix", "genre": "Horror", "pauseAfterExtraction": true, "template": "studio:step_ms=5" });
    for (name, value) in [
        ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("traceparent", "00-zz"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("content-length-x", "99999999999"),
        ("x-amzn-trace-id", "Root=1;Self=../../"),
    ] {
        let request =
            stack.request(Method::POST, "/api/generate").header(name, value).header("content-type", "application/json");
        let (status, answer) = read(request.body(body.to_string()).send().await.expect("an answer")).await;
        assert_eq!(status, 200, "{name}: {answer}");
    }
    let request = stack
        .request(Method::POST, "/api/generate")
        .header("idempotency-key", "é")
        .header("content-type", "application/json");
    let (status, answer) = read(request.body(body.to_string()).send().await.expect("an answer")).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_idempotency_key")), "{answer}");
}
