//! Rate limits per caller and per job, counted centrally for all instances.

use std::time::{SystemTime, UNIX_EPOCH};

use reelhook_signing::{SigningKeys, fingerprint, hash_key};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{JsonText, Stack, read};

/// A key that no other test uses (infra/local/test-profile.json).
const KEY: &str = "rk_limited";
/// ApiCallsPerMinute of that profile.
pub const CALLS: u32 = 1_000_000;
/// JobReportsPerMinute.
pub const REPORTS: u32 = 600;

fn minute() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    i64::try_from(now / 60).expect("a time")
}

/// Sets the counter of a caller, as if other instances had admitted calls of this minute and of the next ones.
pub async fn use_up(stack: &Stack, caller: &str, used: u32) {
    for minute in minute()..minute() + 3 {
        stack.aws.set_counter(&format!("rate#{caller}"), &format!("{minute:010}"), used).await;
    }
}

/// Uses up all calls of the caller with this key in this minute.
pub async fn use_up_calls(stack: &Stack, key: &str) {
    let secret = SigningKeys::parse(&stack.aws.secret("SESSION_SECRET").await).expect("a secret");
    use_up(stack, &fingerprint(&hash_key(key), &secret), CALLS).await;
}

#[tokio::test]
async fn a_caller_over_the_rate_limit_must_wait_on_every_route_but_streams() {
    let stack = Stack::open().await;
    let call = async |method: &Method, path: &str| {
        let request = stack.http.request(method.clone(), format!("{}{path}", stack.api)).header("x-api-key", KEY);
        request.json_text(&json!({})).send().await.expect("an answer")
    };
    assert_eq!(call(&Method::GET, "/api/job/job_1_a").await.status(), 404, "the key is valid");
    use_up_calls(&stack, KEY).await;
    let routes = [
        (Method::POST, "/api/generate"),
        (Method::GET, "/api/job/job_1_a"),
        (Method::GET, "/api/queue/status"),
        (Method::GET, "/api/logs/stats"),
        (Method::GET, "/api/webhooks/status"),
        (Method::GET, "/api/platforms/US"),
        (Method::POST, "/api/stream-token"),
    ];
    for (method, path) in routes {
        // An instance may still have a lease on a few calls.
        let mut response = call(&method, path).await;
        for _ in 0..20 {
            if response.status() == 429 {
                break;
            }
            response = call(&method, path).await;
        }
        assert_eq!(response.status(), 429, "{method} {path}");
        let wait: u64 = response.headers()["retry-after"].to_str().expect("ASCII").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
        let (_, answer) = read(response).await;
        assert_eq!((&answer["success"], &answer["code"]), (&json!(false), &json!("rate_limited")), "{method} {path}");
        assert_eq!(answer["message"], "Rate limit exceeded. Please slow down.");
        assert_eq!(answer["retryAfter"], wait);
    }
    // Streams have their own limit; pages and the health check have none.
    for (path, expected) in [("/api/job/job_1_a/stream", 404), ("/queue", 200), ("/health", 200)] {
        assert_eq!(call(&Method::GET, path).await.status(), expected, "{path}");
    }
    // Other callers are not limited.
    assert_eq!(stack.get("/api/queue/status").await.0, 200);
}

#[tokio::test]
async fn the_reports_of_a_job_per_minute_are_limited() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=3").await;
    stack.until(&job, "done with step 3", |job| job["progress"] == 36).await;
    use_up(&stack, &format!("job#{job}"), REPORTS).await;
    let report = json!({ "job_id": job, "step_number": 3, "status": "completed", "sequence": 1 });
    let mut taken = 0;
    let refused: Value = loop {
        let (status, answer) = stack.post("/api/webhooks/step-update", &report).await;
        match status {
            200 => taken += 1,
            429 => break answer,
            _ => panic!("{status}: {answer}"),
        }
        assert!(taken <= 200, "ten calls of each instance are free, not all");
    };
    assert_eq!(refused["code"], "rate_limited");
    // Other jobs are not limited.
    let other = stack.submit("step_ms=5").await;
    stack.until_status(&other, "completed").await;
}
