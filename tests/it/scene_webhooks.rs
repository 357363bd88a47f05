//! Webhooks that services call about tasks of projects: the calls of seed 003, and a limit that holds over all instances.

use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use reelhook_signing::{SigningKeys, streamgank};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::interval;

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

/// The result of some work, and the most instances of a function that there were at once during it.
async fn with_instances<T>(stack: &Stack, function: &str, work: impl Future<Output = T>) -> (T, usize) {
    let mut work = pin!(work);
    let (mut ticks, mut most) = (interval(Duration::from_millis(50)), 0);
    loop {
        tokio::select! {
            done = &mut work => return (done, most),
            _ = ticks.tick() => most = most.max(stack.aws.processes(function).len()),
        }
    }
}

#[tokio::test]
async fn the_first_call_over_the_limit_is_refused_by_every_instance() {
    let stack = Stack::open().await;
    for (webhook, setting, limit) in WEBHOOKS {
        let service = Service::of(&stack, webhook, setting).await;
        // It is counted before it is read, and raises no error. More calls at once than one instance takes.
        let body = json!([]);
        let calls = join_all((0..limit + 5).map(|_| service.send(None, &body)));
        let (answers, instances) = with_instances(&stack, "scene-webhooks", calls).await;
        assert!(instances > 1, "{webhook}: {instances} instance took all calls");
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
        // The emulator's gateway answers every OPTIONS itself, from the stack's CORS configuration; AWS perhaps only
        // preflights (docs/aws-checklist.md).
        let options = stack.http.request(Method::OPTIONS, format!("{}{path}", stack.api)).send().await;
        let options = options.expect("an answer");
        let header = |name: &str| options.headers().get(name).and_then(|text| text.to_str().ok()).unwrap_or_default();
        let methods = header("access-control-allow-methods");
        assert_eq!((options.status().as_u16(), methods), (204, "GET,POST,PATCH,DELETE,OPTIONS"));
        let allowed = header("access-control-allow-headers");
        assert!(allowed.split(',').any(|name| name == "x-webhook-signature"), "{allowed}");
    }
}

#[tokio::test]
async fn options_that_reaches_a_webhook_names_its_methods_and_headers() {
    let stack = Stack::open().await;
    let event = include_str!("../../events/scene-webhooks/video-complete-options.json");
    let mut event: Value = serde_json::from_str(event).expect("JSON");
    // Without an origin it is no preflight.
    let headers = event["headers"].as_object_mut().expect("headers");
    headers.retain(|name, _| name != "origin" && !name.starts_with("access-control-"));
    for (webhook, _, _) in WEBHOOKS {
        let path = format!("/api/webhooks/{webhook}");
        event["rawPath"] = json!(path);
        event["requestContext"]["http"]["path"] = json!(path);
        let (answer, error) = stack.aws.invoke("scene-webhooks", &event).await;
        assert_eq!((error, &answer["statusCode"]), (None, &json!(200)), "{webhook}: {answer}");
        let header = |name: &str| answer["headers"][name].as_str().unwrap_or_default();
        assert_eq!(header("access-control-allow-methods"), "POST, GET, OPTIONS", "{webhook}: {answer}");
        assert_eq!(header("access-control-allow-headers"), "Content-Type, X-Webhook-Signature", "{webhook}: {answer}");
    }
}
