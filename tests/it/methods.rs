//! HEAD is answered as GET on every route, and an unsupported method gets 405 with the supported ones.

use std::time::{Duration, Instant};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::stack::{JsonText, Stack, read};

/// Headers that are equal for GET and HEAD, even if other requests happen between the two.
const SHARED: [&str; 5] = ["content-type", "cache-control", "etag", "content-security-policy", "location"];

fn shared(response: &Response) -> Vec<Option<String>> {
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().expect("ASCII").to_owned());
    SHARED.map(header).into()
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    stack.webhook("main", &job, "job.completed").await;
    let described: Value =
        serde_json::from_str(include_str!("../../functions/pages/openapi/openapi.json")).expect("JSON");
    let mut checked = 0;
    for (path, operations) in described["paths"].as_object().expect("paths") {
        if !operations["get"].is_object() {
            continue;
        }
        let path = path.replace("{id}", &job).replace("{country}", "US").replace("{creatomateId}", "no-such-render");
        let path = path.replace("{name}", "corp-1");
        let get = stack.request(Method::GET, &path).send().await.expect("an answer");
        let began = Instant::now();
        let head = stack.request(Method::HEAD, &path).send().await.expect("an answer");
        assert_eq!(head.status(), get.status(), "{path}");
        assert_eq!(shared(&head), shared(&get), "{path}");
        assert!(began.elapsed() < Duration::from_secs(20), "{path}: no event is waited for");
        assert_eq!(head.bytes().await.expect("nothing"), "", "{path}");
        checked += 1;
    }
    assert!(checked > 35, "{checked}");
}

#[tokio::test]
async fn head_has_the_content_length_and_requires_the_key_as_get_does() {
    let stack = Stack::open().await;
    for path in ["/assets/style.css", "/api/music-tracks/corp-1", "/openapi.json"] {
        let get = stack.request(Method::GET, path).send().await.expect("an answer");
        let head = stack.request(Method::HEAD, path).send().await.expect("an answer");
        let length = head.headers()["content-length"].to_str().expect("digits").to_owned();
        assert_eq!(length, get.bytes().await.expect("a file").len().to_string(), "{path}");
    }
    for path in ["/api/queue/jobs", "/api/download/x", "/api/music-tracks/corp-1?token=s1.x", "/api/job/job_1_a"] {
        let head = stack.http.head(format!("{}{path}", stack.api)).send().await.expect("an answer");
        assert_eq!(head.status(), 401, "{path}");
        assert!(head.headers().contains_key("www-authenticate"), "{path}");
    }
    // The head of a stream arrives immediately, also on the Function URL.
    let stream = format!("{}/api/queue/status/stream", stack.aws.stream_url());
    let head = stack.http.head(stream).header("x-api-key", &stack.key).send().await.expect("an answer");
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "text/event-stream; charset=utf-8");
}

#[tokio::test]
async fn an_unsupported_method_gets_the_supported_ones() {
    let stack = Stack::open().await;
    for (method, path, allow) in [
        (Method::GET, "/api/generate", "POST, OPTIONS"),
        (Method::PUT, "/api/generate", "POST, OPTIONS"),
        (Method::POST, "/api/job/job_1_a", "GET, HEAD, OPTIONS"),
        (Method::DELETE, "/api/download/x", "GET, HEAD, OPTIONS"),
        (Method::PUT, "/api/webhooks/endpoints/ep_1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        (Method::POST, "/dashboard", "GET, HEAD, OPTIONS"),
        (Method::POST, "/assets/style.css", "GET, HEAD, OPTIONS"),
        (Method::POST, "/health", "GET, HEAD, OPTIONS"),
    ] {
        let request = stack.request(method.clone(), path).json_text(&json!({}));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["allow"], allow, "{method} {path}");
        let (status, answer) = read(response).await;
        assert_eq!((status, &answer["code"]), (405, &json!("method_not_allowed")), "{method} {path}");
    }
    let (status, answer) = read(stack.request(Method::PUT, "/api/nothing").send().await.expect("an answer")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("unknown_route")));
    let url = format!("{}/api/job/job_1_a", stack.aws.stream_url());
    let response = stack.http.put(url).header("x-api-key", &stack.key).send().await.expect("an answer");
    assert_eq!(response.headers()["allow"], "GET, HEAD, OPTIONS");
}
