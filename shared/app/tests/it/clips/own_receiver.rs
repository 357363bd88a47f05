//! The URL that a clip job names for webhooks about it.

use reelhook_app::clock::ClockAndRandom;
use reelhook_domain::WebUrl;
use reelhook_domain::clips::event::Event;
use reelhook_testkit::{Stack, a_clip_job, header, headers};
use serde_json::{Value, json};

#[tokio::test]
async fn a_job_s_own_receiver_gets_standard_webhooks() {
    let stack = Stack::with(&[("WEBHOOK_URLS", "")], 3);
    let mut job = a_clip_job(1, stack.world.now(), &stack.clips.policy);
    job.request.callback = WebUrl::parse("https://client.example/hook");
    stack.clips.jobs.put(&job);
    assert!(stack.clips.jobs.apply(&job.id, &Event::Cancel, stack.world.now(), &stack.clips.policy));
    stack.fan_out(&stack.clips.jobs.stream()).await.unwrap();
    stack.dispatch().await;
    let requests = stack.http.requests();
    let [sent] = requests.as_slice() else { panic!("one webhook: {requests:?}") };
    assert_eq!(sent.url.as_str(), "https://client.example/hook");
    assert!(header(sent, "webhook-signature").starts_with("v1,"), "{sent:?}");
    assert!(!headers(sent).contains_key("x-webhook-event"), "that is a notification about a video");
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["jobId"]), (&json!("clips.canceled"), &json!(job.id.uuid())));
}
