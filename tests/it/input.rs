//! Invalid input: 4xx with a sentence that names the field, never a 5xx or a partly written job.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use reelhook_domain::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, read};

async fn send(stack: &Stack, path: &str, body: Vec<u8>) -> (u16, Value) {
    let request = stack.request(Method::POST, path).header("content-type", "application/json").body(body);
    read(request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn invalid_submissions_get_a_sentence_and_create_nothing() {
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
    assert_eq!(stack.aws.count("JobsTable").await, before, "no job was created");
}

#[tokio::test]
async fn invalid_callbacks_get_a_sentence_and_change_nothing() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=2").await;
    let before = stack.until(&job, "done with step 2", |job| job["progress"] == 24).await;
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
    assert_eq!(stack.job(&job).await, before, "the job is unchanged");
}

#[tokio::test]
async fn unknown_and_malformed_ids_are_not_found() {
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

/// POST /api/generate with these headers and bytes.
async fn generate(stack: &Stack, headers: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
    let mut request = stack.request(Method::POST, "/api/generate");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request.body(body.to_vec()).send().await.expect("an answer")).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("written");
    encoder.finish().expect("compressed")
}

#[tokio::test]
async fn bodies_are_read_in_all_supported_encodings_and_others_are_refused() {
    let stack = Stack::open().await;
    let text = json!({
        "country": "FR", "platform": "netflix", "genre": "Comédie", "template": "studio:step_ms=5",
        "pauseAfterExtraction": true,
    });
    let text = text.to_string();
    let (start, end) = text.split_once('é').expect("an accent");
    let latin = [start.as_bytes(), b"\xe9", end.as_bytes()].concat();
    let (json, bytes) = ("application/json", "application/octet-stream");
    let (json_in_latin, bytes_in_latin) = (format!("{json}; charset=iso-8859-1"), format!("{bytes}; charset=latin1"));
    let gzipped = ("content-encoding", "gzip");
    for (headers, body) in [
        (vec![("content-type", json)], [b"\xef\xbb\xbf".as_slice(), text.as_bytes()].concat()),
        (vec![("content-type", bytes), gzipped], gzip(text.as_bytes())),
        (vec![("content-type", bytes_in_latin.as_str())], latin.clone()),
        (vec![("content-type", bytes_in_latin.as_str()), gzipped], gzip(&latin)),
    ] {
        let (status, answer) = generate(&stack, &headers, &body).await;
        assert_eq!((status, &answer["job"]["parameters"]["genre"]), (200, &json!("Comédie")), "{headers:?}: {answer}");
    }
    for (headers, body, status, code) in [
        // The gateway passes a body that is declared as JSON on as text.
        (vec![("content-type", json), gzipped], gzip(text.as_bytes()), 415, "unsupported_encoding"),
        (vec![("content-type", json_in_latin.as_str())], latin.clone(), 415, "unsupported_encoding"),
        (vec![("content-type", json)], latin.clone(), 400, "bad_json"),
        (vec![("content-type", bytes)], latin, 400, "bad_json"),
        (vec![("content-type", bytes), gzipped], gzip(&vec![b' '; 2 * 1024 * 1024]), 413, "body_too_large"),
    ] {
        let (found, answer) = generate(&stack, &headers, &body).await;
        assert_eq!((found, &answer["code"]), (status, &json!(code)), "{headers:?}: {answer}");
    }
    let form = stack.request(Method::POST, "/api/generate-video-async").header("content-type", "multipart/form-data");
    let (status, answer) = read(form.body("--part\r\n").send().await.expect("an answer")).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_form")), "{answer}");
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("the boundary is missing")), "{answer}");
}

#[tokio::test]
async fn an_equivalent_request_with_the_same_key_gets_the_first_answer() {
    let stack = Stack::open().await;
    let key = format!("written otherwise {}", std::process::id());
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let first = r#"{"country": "FR", "platform": "netflix", "genre": "Comédie", "template": "studio:step_ms=5"}"#;
    let (status, answer) = generate(&stack, &headers, first.as_bytes()).await;
    assert_eq!(status, 200, "{answer}");
    let again = r#"{"template":"studio:step_ms=5","genre":"Com\u00e9die","platform":"netflix","country":"FR"}"#;
    assert_eq!(generate(&stack, &headers, again.as_bytes()).await, (200, answer.clone()));
    let other = first.replace("Comédie", "Drame");
    let (status, refused) = generate(&stack, &headers, other.as_bytes()).await;
    assert_eq!((status, &refused["code"]), (422, &json!("idempotency_key_reused")));
    stack.until_status(answer["jobId"].as_str().expect("jobId"), "completed").await;
}

#[tokio::test]
async fn times_are_unambiguous_and_numbers_arrive_exactly() {
    let stack = Stack::open().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let from = now - 60;
    for given in [json!(from), json!(from * 1000), json!(from.to_string()), json!(from as f64)] {
        let body = json!({ "from": given, "endpoint": "unknown", "dryRun": true });
        let (status, answer) = stack.post("/api/webhooks/recover", &body).await;
        assert!(status == 200 || status == 202, "{given}: {answer}");
        let meant = Timestamp(i64::try_from(from * 1000).expect("a time")).to_string();
        assert_eq!(answer["recovery"]["filter"]["from"], meant, "{given}");
    }
    for (body, code) in [
        (json!({ "from": "2024-01-01", "dryRun": true }), "bad_field"),
        (json!({ "from": from * 1_000_000, "dryRun": true }), "bad_field"),
        (json!({ "from": 1, "dryRun": true }), "bad_field"),
        (json!({ "from": from, "to": "2099-01-01T00:00:00Z", "dryRun": true }), "bad_field"),
        (json!({ "form": from, "dryRun": true }), "unknown_field"),
        (json!({ "from": from, "untill": from, "dryRun": true }), "unknown_field"),
    ] {
        let (status, answer) = stack.post("/api/webhooks/recover", &body).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{body}: {answer}");
    }
    // The unencoded `+` of a zone, and whole numbers in other spellings.
    let query = "from=2024-01-01T12:00:00+02:00&to=1704110400&limit=5.0";
    for path in [format!("/api/logs/search?{query}"), format!("/api/webhooks/deliveries?{query}")] {
        let (status, answer) = stack.get(&path).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let large = br#"{"event": "job.completed", "data": {"order": {"id": 1234567890123456789}}}"#;
    let (status, answer) = send(&stack, "/api/webhooks/trigger", large.to_vec()).await;
    assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{answer}");
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("`data.order.id`")), "{answer}");
}
