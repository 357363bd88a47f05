//! Checks of renders at Creatomate: until it confirms a reported end, and by schedule until the last check.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::renders::{CallbackAuth, check_render};
use reelhook_app::outbound::{Method, OutboundError};
use reelhook_domain::{JobId, OutboundEvent, Status};
use reelhook_testkit::{Answer, NOON, Stack, headers, response};
use serde_json::json;

use super::{VIDEO, call, render, rendering, says};

fn render_object(status: &str, url: Option<&str>) -> Answer {
    let body = json!({ "id": "render_1", "status": status, "url": url, "error_message": "it broke" });
    Ok(response(200, body.to_string()))
}

/// Sets the response of Creatomate; receivers accept everything.
fn creatomate_responds(stack: &Stack, answer: Answer) {
    stack.http.script(move |request| match request.url.host_str() {
        Some("api.creatomate.example") => answer.clone(),
        _ => Ok(response(200, "")),
    });
}

/// The number of requests to Creatomate.
fn requests_sent(stack: &Stack) -> usize {
    let requests = stack.http.requests();
    requests.iter().filter(|request| request.url.host_str() == Some("api.creatomate.example")).count()
}

async fn check(stack: &Stack, id: &JobId) {
    check_render(&stack.render_ports(), &stack.http, &stack.creatomate, id, &render(), 0).await.unwrap();
}

/// Lets virtual time pass, with the sweep each minute.
async fn pass(stack: &Stack, minutes: u64) {
    for _ in 0..minutes * 12 {
        stack.world.advance_s(5);
        if stack.world.now().millis_since(NOON) % 60_000 == 0 {
            stack.sweep().await;
        }
        stack.settle().await;
    }
}

#[tokio::test]
async fn a_check_requests_the_render_s_url_with_the_api_key() {
    let mut stack = Stack::default();
    let id = rendering(&stack, 1);
    check(&stack, &id).await;
    stack.creatomate.base = "http://localhost:3900/creatomate/".parse().unwrap();
    check(&stack, &id).await;
    let requests = stack.http.requests();
    assert_eq!(requests[0].url.as_str(), "https://api.creatomate.example/v1/renders/render_1");
    assert_eq!(requests[1].url.as_str(), "http://localhost:3900/creatomate/v1/renders/render_1");
    assert_eq!((requests[0].method, requests[0].body.len()), (Method::Get, 0));
    let sent = headers(&requests[0]);
    assert_eq!(sent["authorization"], "Bearer creatomate key");
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn a_confirmed_success_completes_the_job_with_its_video() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_responds(&stack, render_object("succeeded", Some(VIDEO)));
    check(&stack, &id).await;
    let job = stack.jobs.get(&id);
    assert_eq!((job.status, job.run.progress, job.run.video_url.as_deref()), (Status::Completed, 100, Some(VIDEO)));
}

#[tokio::test]
async fn a_confirmed_failure_fails_the_job_with_creatomate_s_error() {
    for status in ["failed", "cancelled"] {
        let stack = Stack::default();
        let id = rendering(&stack, 1);
        creatomate_responds(&stack, render_object(status, None));
        check(&stack, &id).await;
        let job = stack.jobs.get(&id);
        assert_eq!((job.status, job.run.error.as_deref()), (Status::Failed, Some("it broke")), "{status}");
    }
}

#[tokio::test]
async fn an_unusable_response_changes_nothing() {
    let no_answers: [Answer; 9] = [
        Ok(response(404, r#"{"status": "failed"}"#)),
        Ok(response(401, "")),
        Ok(response(429, "")),
        Ok(response(500, r#"{"status": "succeeded", "url": "https://x.example/v.mp4"}"#)),
        Ok(response(200, "not JSON")),
        Ok(response(200, "[]")),
        Ok(response(200, r#"{"id": "render_1"}"#)),
        Err(OutboundError::TimedOut(10_000)),
        Err(OutboundError::Refused),
    ];
    for answer in no_answers {
        let stack = Stack::default();
        let id = rendering(&stack, 1);
        let before = stack.jobs.get(&id);
        let shown = format!("{answer:?}");
        creatomate_responds(&stack, answer);
        check(&stack, &id).await;
        assert_eq!(stack.jobs.get(&id), before, "{shown}");
    }
}

#[tokio::test]
async fn a_success_without_a_usable_url_is_no_end() {
    for url in [None, Some("ftp://x.example/v.mp4"), Some("javascript:alert(1)"), Some("")] {
        let stack = Stack::default();
        let id = rendering(&stack, 1);
        creatomate_responds(&stack, render_object("succeeded", url));
        check(&stack, &id).await;
        let job = stack.jobs.get(&id);
        assert_eq!((job.status, job.run.video_url), (Status::Rendering, None), "{url:?}");
    }
}

#[tokio::test]
async fn a_check_of_another_render_or_of_a_deleted_job_does_nothing() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_responds(&stack, render_object("failed", None));
    let other = reelhook_domain::RenderId::parse("render_0").unwrap();
    check_render(&stack.render_ports(), &stack.http, &stack.creatomate, &id, &other, 0).await.unwrap();
    assert_eq!(stack.jobs.get(&id).status, Status::Rendering);
    stack.jobs.remove(&id);
    check(&stack, &id).await;
}

#[tokio::test]
async fn an_end_is_checked_until_creatomate_confirms_it() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    // Its API lags behind its webhooks.
    creatomate_responds(&stack, render_object("rendering", None));
    call(&stack, &CallbackAuth::Run(id.clone(), 1), &says("succeeded")).await;
    stack.settle().await;
    let sent = requests_sent(&stack);
    assert_eq!((sent, stack.jobs.get(&id).status), (2, Status::Rendering), "the callback asks, and then a poll does");
    stack.world.advance_s(4);
    stack.settle().await;
    assert_eq!(requests_sent(&stack), 3);
    creatomate_responds(&stack, render_object("succeeded", Some(VIDEO)));
    stack.world.advance_s(8);
    stack.settle().await;
    assert_eq!((requests_sent(&stack), stack.jobs.get(&id).status), (4, Status::Completed));
}

#[tokio::test]
async fn an_unconfirmed_end_returns_to_the_schedule() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_responds(&stack, Ok(response(500, "")));
    call(&stack, &CallbackAuth::Run(id.clone(), 1), &says("succeeded")).await;
    pass(&stack, 10).await;
    let job = stack.jobs.get(&id);
    assert_eq!(job.status, Status::Rendering);
    assert_eq!(job.run.engine.render().unwrap().polls.as_ref().map(|watch| watch.confirming), Some(0));
    assert_eq!(requests_sent(&stack), 10, "by the callback, by eight polls that it causes, and then by schedule");
    // And a late confirmation still counts.
    creatomate_responds(&stack, render_object("succeeded", Some(VIDEO)));
    pass(&stack, 20).await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}

#[tokio::test]
async fn a_confirmation_whose_messages_are_all_lost_is_made_by_the_sweep() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_responds(&stack, Ok(response(500, "")));
    call(&stack, &CallbackAuth::Run(id.clone(), 1), &says("succeeded")).await;
    stack.drop_stream();
    assert_eq!(requests_sent(&stack), 1, "the callback's own");
    creatomate_responds(&stack, render_object("succeeded", Some(VIDEO)));
    stack.world.advance_s(30);
    stack.sweep().await;
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}

#[tokio::test]
async fn a_render_without_callbacks_is_checked_after_2_12_22_and_32_minutes_and_then_times_out() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_responds(&stack, render_object("rendering", None));
    let mut at = Vec::new();
    for minute in 1..=40 {
        let before = requests_sent(&stack);
        pass(&stack, 1).await;
        if requests_sent(&stack) > before {
            at.push((minute, requests_sent(&stack) - before));
        }
    }
    assert_eq!(at, [(2, 1), (12, 1), (22, 1), (32, 1)]);
    let job = stack.jobs.get(&id);
    assert_eq!((job.status, job.run.render_timed_out(), job.run.video_url), (Status::Completed, true, None));
    assert_eq!(job.run.times.completed_at, Some(NOON.after(Duration::from_secs(32 * 60))));
    let events: Vec<_> = stack.deliveries.of_job(&id).iter().map(|delivery| delivery.event).collect();
    assert_eq!(events, [OutboundEvent::RenderTimeout]);
}

#[tokio::test]
async fn a_success_after_the_render_timeout_is_confirmed_and_still_counts() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_responds(&stack, render_object("rendering", None));
    pass(&stack, 33).await;
    assert!(stack.jobs.get(&id).run.render_timed_out());
    creatomate_responds(&stack, render_object("succeeded", Some(VIDEO)));
    call(&stack, &CallbackAuth::Anonymous, &says("succeeded")).await;
    stack.settle().await;
    let job = stack.jobs.get(&id);
    assert_eq!(
        (job.status, job.run.video_url.as_deref(), job.run.render_timed_out()),
        (Status::Completed, Some(VIDEO), false)
    );
    let mut events: Vec<_> = stack.deliveries.of_job(&id).iter().map(|delivery| delivery.event).collect();
    events.sort();
    assert_eq!(events, [OutboundEvent::Completed, OutboundEvent::RenderTimeout]);
    assert_eq!(stack.fanout.counted(Status::Completed, "2024-01-01"), 1, "counted once");
}

#[tokio::test]
async fn without_an_api_key_no_request_is_sent_and_the_schedule_still_ends() {
    let mut stack = Stack::default();
    stack.creatomate.key = None;
    let id = rendering(&stack, 1);
    pass(&stack, 33).await;
    assert_eq!(requests_sent(&stack), 0);
    assert!(stack.jobs.get(&id).run.render_timed_out());
}

#[tokio::test]
async fn a_check_that_can_t_be_saved_is_redelivered() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_responds(&stack, render_object("succeeded", Some(VIDEO)));
    stack.jobs.faults.busy("save", 1);
    let ports = stack.render_ports();
    check_render(&ports, &stack.http, &stack.creatomate, &id, &render(), 0).await.unwrap_err();
    check(&stack, &id).await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}
