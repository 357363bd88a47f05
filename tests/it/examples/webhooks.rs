//! Webhook endpoints, their deliveries, and recoveries.

use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::start::SystemClock;
use reqwest::Method;
use serde_json::{Value, json};

use super::recorder::{Recorder, text};
use crate::stack::{Stack, read};

const ENDPOINTS: &str = "/api/webhooks/endpoints";

async fn delete(stack: &Stack, endpoint: &str) {
    let path = format!("{ENDPOINTS}/{endpoint}");
    let (status, answer) = read(stack.request(Method::DELETE, &path).send().await.expect("an answer")).await;
    assert_eq!(status, 200, "{answer}");
}

/// The number of an endpoint's deliveries with a status.
async fn count(stack: &Stack, endpoint: &str, status: &str) -> usize {
    let (_, list) = stack.get(&format!("/api/webhooks/deliveries?endpoint={endpoint}&status={status}")).await;
    list["deliveries"].as_array().expect("a list").len()
}

async fn until_count(stack: &Stack, endpoint: &str, status: &str, expected: usize) {
    let what = format!("{expected} {status} deliveries");
    stack.eventually(&what, || async { (count(stack, endpoint, status).await == expected).then_some(()) }).await;
}

/// An event about a job that exists nowhere else.
fn event() -> (String, Value) {
    let job = format!("job_1704110400000_{:032x}", ClockAndRandom::random(&SystemClock));
    let data = json!({ "job_id": job, "video_url": "https://cdn.example/video.mp4" });
    (job, json!({ "event": "job.completed", "data": data }))
}

/// Deletes the endpoints of other tests.
pub async fn deleted(stack: &Stack) {
    let (_, list) = stack.get(ENDPOINTS).await;
    for known in list["endpoints"].as_array().expect("a list") {
        if known["source"] == "api" {
            delete(stack, &text(&known["id"])).await;
        }
    }
}

/// Registers an endpoint for all events.
pub async fn registered(recorder: &mut Recorder<'_>) -> String {
    let body = json!({
        "url": recorder.url(""), "events": ["*"], "description": "Billing", "signatures": ["v1", "v1a"],
        "headers": { "X-Team": "billing" }, "metadata": { "team": "billing" },
    });
    let answer = recorder.send("registerEndpoint", &[], &body).await;
    let endpoint = text(&answer["endpoint"]["id"]);
    recorder.webhook("webhook.test", &endpoint).await;
    endpoint
}

/// Webhooks that callers send: tests, events by hand, and deliveries once more.
pub async fn sent(recorder: &mut Recorder<'_>, endpoint: &str) {
    let stack = recorder.stack;
    recorder.send("testWebhook", &[], &json!({ "url": recorder.url("") })).await;
    let (job, trigger) = event();
    recorder.send("triggerWebhook", &[], &trigger).await;
    let query = format!("endpoint={endpoint}&jobId={job}&status=delivered");
    let delivery = stack
        .eventually("the event is delivered", || async {
            let (_, list) = stack.get(&format!("/api/webhooks/deliveries?{query}")).await;
            list["deliveries"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
    recorder.get("listDeliveries", &[], &query).await;
    recorder.get("getDelivery", &[&delivery], "").await;
    recorder.post("retryDelivery", &[&delivery]).await;
    recorder.post("testEndpoint", &[endpoint]).await;
    until_count(stack, endpoint, "pending", 0).await;
}

/// An endpoint whose receiver fails, and then is gone: it is disabled, enabled, and what it missed is recovered.
pub async fn refused_by_their_receiver(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    let began = SystemClock.now().to_string();
    let hook = format!("{}-broken", recorder.hook);
    let body = json!({ "url": recorder.url("-broken"), "events": ["job.completed"], "schedule": "streamgank" });
    let (status, answer) = stack.post(ENDPOINTS, &body).await;
    assert_eq!(status, 201, "{answer}");
    let endpoint = text(&answer["endpoint"]["id"]);
    until_count(stack, &endpoint, "delivered", 1).await;
    for (answer, ended, event_name) in [(500, "exhausted", "delivery.exhausted"), (410, "stopped", "endpoint.disabled")]
    {
        stack.control(&format!("hooks/{hook}"), json!({ "answer": answer })).await;
        let (status, answer) = stack.post("/api/webhooks/trigger", &event().1).await;
        assert_eq!(status, 200, "{answer}");
        until_count(stack, &endpoint, ended, 1).await;
        recorder.webhook(event_name, &endpoint).await;
    }
    let ended = SystemClock.now().to_string();
    stack.control(&format!("hooks/{hook}"), json!({})).await;
    let enabled = recorder.post("enableEndpoint", &[&endpoint]).await;
    let done = recovered(stack, &enabled["recovery"]["id"]).await;
    recorder.show_later("enableEndpoint", "recovery", done);

    let metadata = json!({ "ticket": "T-7" });
    let filter = json!({ "from": began, "to": ended, "endpoint": endpoint, "dryRun": true, "metadata": metadata });
    let answer = recorder.send("recoverDeliveries", &[], &filter).await;
    let recovery = text(&answer["recovery"]["id"]);
    stack
        .eventually("the recovery in the list", || async {
            let (_, list) = stack.get("/api/webhooks/recover").await;
            (list["recoveries"][0]["id"] == recovery.as_str()).then_some(())
        })
        .await;
    recorder.get("listRecoveries", &[], "").await;
    recorder.keep_first("listRecoveries", "recoveries");
    recorder.get("getRecovery", &[&recovery], "").await;
    recorder.post("cancelRecovery", &[&recovery]).await;
    recorder.post("deleteEndpoint", &[&endpoint]).await;
}

/// What an endpoint is like: its fields, its secrets, and what it would get.
pub async fn settings_of(recorder: &mut Recorder<'_>, endpoint: &str) {
    let stack = recorder.stack;
    recorder.get("getWebhookStatus", &[], "").await;
    recorder.get("listEndpoints", &[], "limit=2").await;
    recorder.get("getEndpoint", &[endpoint], "").await;
    let change = json!({ "description": "Billing and shipping", "headers": { "X-Team": null }, "concurrency": 5 });
    recorder.send("changeEndpoint", &[endpoint], &change).await;
    recorder.get("listEventTypes", &[], "").await;
    recorder.get("previewEndpoint", &[endpoint], "event=job.completed").await;
    let (status, all) = stack.get(&format!("{ENDPOINTS}/{endpoint}/preview")).await;
    assert_eq!(status, 200, "{all}");
    recorder.keep_previews(&all);
    recorder.get("getEndpointSecrets", &[endpoint], "").await;
    recorder.get("getWebhookKeys", &[], &format!("endpointId={endpoint}")).await;
    recorder.send("rotateEndpointSecret", &[endpoint], &json!({ "graceSeconds": 3600 })).await;
    delete(stack, endpoint).await;
}

/// Waits until a recovery is done.
async fn recovered(stack: &Stack, id: &Value) -> Value {
    let path = format!("/api/webhooks/recover/{}", text(id));
    stack
        .eventually("the recovery is done", || async {
            let (_, answer) = stack.get(&path).await;
            (answer["recovery"]["status"] == "done").then(|| answer["recovery"].clone())
        })
        .await
}
