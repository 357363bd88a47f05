//! Webhooks that services call about tasks of projects: the calls of seed 003, and a limit that holds over all instances.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use reelhook_signing::{SigningKeys, streamgank};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, read};

/// The webhooks with the settings of their secrets and their limits.
const WEBHOOKS: [(&str, &str, usize); 3] = [
    ("video-complete", "VIDEO_WEBHOOK_SECRET", 100),
    ("last-frame-complete", "LAST_FRAME_WEBHOOK_SECRET", 100),
    ("stitch-complete", "STITCH_WEBHOOK_SECRET", 50),
];

/// A number that no other run of the test has.
fn unique() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").subsec_nanos()
}

/// A service that signs its callbacks and has an address of its own.
struct Service<'a> {
    stack: &'a Stack,
    webhook: &'static str,
    keys: SigningKeys,
    edge: String,
    address: String,
}

impl<'a> Service<'a> {
    async fn of(stack: &'a Stack, webhook: &'static str, setting: &str) -> Self {
        let secret = stack.aws.secret(setting).await;
        let keys = SigningKeys::parse(&secret).expect("a secret");
        let (edge, unique) = (stack.aws.secret("EDGE_SECRET").await, unique());
        let address = format!("2001:db8:{:x}:{:x}::1", unique >> 16, unique & 0xffff);
        Self { stack, webhook, keys, edge, address }
    }

    /// Status, seconds to wait, and body of the answer to a callback.
    async fn send(&self, signature: Option<&str>, body: &Value) -> (u16, Option<String>, Value) {
        let (url, body) = (format!("{}/api/webhooks/{}", self.stack.api, self.webhook), body.to_string());
        let good = streamgank::hex_signature(body.as_bytes(), &self.keys);
        let request = self.stack.http.post(url).header("content-type", "application/json").body(body);
        let request = request.header("x-reelhook-edge", &self.edge).header("x-reelhook-viewer", &self.address);
        let request = request.header("x-webhook-signature", signature.unwrap_or(&good));
        let response = request.send().await.expect("an answer");
        let wait = response.headers().get("retry-after").map(|text| text.to_str().expect("ASCII").to_owned());
        let (status, body) = read(response).await;
        (status, wait, body)
    }
}

#[tokio::test]
async fn five_callbacks_about_an_unknown_scene_are_one_error() {
    let stack = Stack::open().await;
    let service = Service::of(&stack, "video-complete", "VIDEO_WEBHOOK_SECRET").await;
    let scene = format!("scene_unknown_{}", unique());
    let body = json!({
        "task_id": "test_123", "status": "completed", "scene_id": scene, "project_id": "proj_unknown",
        "video_url": "https://example.com/test.mp4", "timestamp": "2025-10-04T10:30:00.000Z",
    });
    let refused = service.send(Some("invalid"), &body).await;
    assert_eq!((refused.0, refused.2), (401, json!({ "error": "Invalid signature" })));
    for _ in 0..5 {
        let (status, _, answer) = service.send(None, &body).await;
        assert_eq!((status, answer), (200, json!({ "received": true, "warning": "Scene not found" })));
    }
    let (status, answer) = stack.get("/api/v1/errors?type=webhook").await;
    assert_eq!(status, 200, "{answer}");
    let errors = answer["errors"].as_array().expect("a list");
    let about: Vec<&Value> = errors.iter().filter(|error| error["context"]["scene_id"] == json!(scene)).collect();
    let [error] = about[..] else { panic!("{answer:#}") };
    assert_eq!((&error["occurrences"], &error["severity"]), (&json!(5), &json!("warning")));
}

#[tokio::test]
async fn the_first_call_over_the_limit_is_refused_by_every_instance() {
    let stack = Stack::open().await;
    for (webhook, setting, limit) in WEBHOOKS {
        let service = Service::of(&stack, webhook, setting).await;
        // It is counted before it is read, and raises no error. More calls at once than one instance takes.
        let body = json!([]);
        let answers = join_all((0..limit + 5).map(|_| service.send(None, &body))).await;
        let admitted = answers.iter().filter(|(status, _, _)| *status == 400).count();
        assert_eq!(admitted, limit, "{webhook}: {answers:?}");
        for (status, wait, answer) in answers.iter().filter(|(status, _, _)| *status != 400) {
            assert_eq!((*status, answer), (429, &json!({ "error": "Rate limit exceeded" })));
            let wait: u64 = wait.as_deref().expect("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&wait), "{wait}");
        }
    }
}

#[tokio::test]
async fn each_webhook_says_that_it_is_there() {
    let stack = Stack::open().await;
    for (webhook, _, _) in WEBHOOKS {
        let path = format!("/api/webhooks/{webhook}");
        let response = stack.http.get(format!("{}{path}", stack.api)).send().await.expect("an answer");
        let (status, answer) = read(response).await;
        assert_eq!((status, &answer["status"], &answer["method"]), (200, &json!("healthy"), &json!("POST")));
        assert_eq!(answer["endpoint"], json!(path));
        // The emulator answers each OPTIONS from the CORS configuration of the API. On AWS some reach the function
        // (docs/contract/scenes.md); its answer is tested beside it.
        let options = stack.http.request(Method::OPTIONS, format!("{}{path}", stack.api)).send().await;
        let options = options.expect("an answer");
        let allowed = options.headers().get("access-control-allow-headers").and_then(|text| text.to_str().ok());
        let allowed = allowed.expect("the headers that a caller may send").to_ascii_lowercase();
        assert!(options.status().is_success() && allowed.contains("x-webhook-signature"), "{allowed}");
    }
}
