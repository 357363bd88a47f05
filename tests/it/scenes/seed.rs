//! The session and the list of unit tests of seed 003, as its users run them.

use std::process::Command;

use futures_util::{StreamExt as _, stream};
use reelhook_signing::{SigningKeys, streamgank};
use reqwest::Client;
use serde_json::{Value, json};

use super::backends::Backends;
use super::callers::Caller;
use super::project::{command, completed, made, open, scene_ids, scenes, unique};
use crate::stack::Stack;

/// The seed's commands; what they print is one line of JSON each.
const SESSION: &str = r#"
SIGNATURE=$(echo -n "$PAYLOAD" | openssl dgst -sha256 -hmac "$SECRET" -hex | cut -d' ' -f2)
curl -s -X POST "$API/api/webhooks/video-complete" \
  -H "Content-Type: application/json" \
  -H "X-Webhook-Signature: $SIGNATURE" \
  -d "$PAYLOAD"; echo
curl -s -H "X-API-Key: $KEY" "$API/api/v1/errors"; echo
curl -s -H "X-API-Key: $KEY" "$API/api/v1/errors?severity=error"; echo
curl -s -H "X-API-Key: $KEY" "$API/api/v1/errors?type=webhook"; echo
curl -s -H "X-API-Key: $KEY" -X POST "$API/api/v1/errors/dismiss" \
  -H "Content-Type: application/json" \
  -d '{"errorId":"err_123_abc"}'; echo
curl -s -H "X-API-Key: $KEY" "$API/api/v1/errors/stats"; echo
curl -s "$API/api/webhooks/video-complete"; echo
"#;

/// The first secret of a setting, with which senders sign.
async fn newest_secret(stack: &Stack, setting: &str) -> String {
    stack.aws.secret(setting).await.split(',').next().expect("a secret").to_owned()
}

#[tokio::test]
async fn the_session_of_the_seed_is_answered_as_it_says() {
    let stack = open(Backends::Services).await;
    let scene = format!("scene_{}", unique());
    let payload = json!({
        "task_id": "test_123", "status": "completed", "scene_id": scene, "project_id": "proj_test",
        "video_url": "https://example.com/test.mp4", "timestamp": "2025-10-04T10:30:00.000Z",
    });
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", SESSION]).env("PAYLOAD", payload.to_string());
    bash.env("SECRET", newest_secret(&stack, "VIDEO_WEBHOOK_SECRET").await);
    bash.env("API", &stack.api).env("KEY", &stack.key).env("no_proxy", "*");
    let output = bash.output().expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [received, all, severe, webhooks, dismissed, stats, health] = answers.as_slice() else { panic!("{lines}") };
    assert_eq!(received, &json!({ "received": true, "warning": "Scene not found" }));
    let lists = |errors: &Value| {
        let errors = errors["errors"].as_array().expect("a list");
        errors.iter().any(|error| error["context"]["scene_id"] == scene.as_str())
    };
    assert_eq!([lists(all), lists(severe), lists(webhooks)], [true, false, true], "it is a warning");
    let expected = json!("Error not found or not dismissible");
    assert_eq!((&dismissed["success"], &dismissed["error"]), (&json!(false), &expected));
    assert!(stats["stats"]["byType"]["webhook"].as_u64() > Some(0), "{stats}");
    assert_eq!((&health["status"], &health["endpoint"]), (&json!("healthy"), &json!("/api/webhooks/video-complete")));
}

/// A callback about a project that has ended: it is answered with what is true, and changes nothing.
async fn late_callback(stack: &Stack) -> Value {
    let (id, project) = made(stack, scenes(1)).await;
    command(stack, &id, "start").await;
    completed(stack, &id).await;
    json!({
        "task_id": null, "status": "completed", "scene_id": scene_ids(&project)[0], "project_id": id,
        "video_url": "https://example.com/test.mp4",
    })
}

#[tokio::test]
async fn signatures_are_verified_over_the_bytes_that_are_sent() {
    let stack = open(Backends::Services).await;
    let body = late_callback(&stack).await;
    let caller = Caller::of(&stack).await;
    let url = caller.url("video-complete");
    let good = caller.signature("VIDEO_WEBHOOK_SECRET", &body).await;
    let expected =
        json!({ "received": true, "status": "completed", "scene_updated": true, "last_frame_triggered": true });
    for signature in [good.clone(), format!("sha256={good}")] {
        assert_eq!(caller.send(&url, Some(&signature), &body).await, (200, expected.clone()), "{signature}");
    }
    let keys = SigningKeys::parse("another secret").expect("a secret");
    let other = streamgank::hex_signature(body.to_string().as_bytes(), &keys);
    let shorter = &good[..good.len() - 1];
    for signature in [None, Some("invalid"), Some(""), Some("sha256="), Some(&other), Some(shorter), Some("zz")] {
        let refused = (401, json!({ "error": "Invalid signature" }));
        assert_eq!(caller.send(&url, signature, &body).await, refused, "{signature:?}");
    }
}

#[tokio::test]
async fn of_101_valid_calls_over_several_connections_one_is_refused() {
    let stack = open(Backends::Services).await;
    let body = late_callback(&stack).await;
    let caller = Caller::of(&stack).await;
    let url = caller.url("video-complete");
    let signature = caller.signature("VIDEO_WEBHOOK_SECRET", &body).await;
    // Calls without a valid signature do not count.
    for _ in 0..3 {
        assert_eq!(caller.send(&url, Some("invalid"), &body).await.0, 401);
    }
    let connections: Vec<Client> = (0..8).map(|_| Client::builder().no_proxy().build().expect("a client")).collect();
    let calls = connections.iter().cycle().take(101).map(|connection| caller.over(connection, &url, &signature, &body));
    let statuses: Vec<u16> = stream::iter(calls).buffer_unordered(16).collect().await;
    let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert_eq!((count(200), count(429)), (100, 1), "{statuses:?}");
}
