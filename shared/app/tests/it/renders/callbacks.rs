//! Callbacks: the jobs that they apply to, by their authentication, and their effects.

use std::time::Duration;

use reelhook_app::jobs::renders::{CallbackAuth, Received, receive};
use reelhook_app::outbound::OutboundError;
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_domain::{Event, JobId, OutboundEvent, Status};
use reelhook_testkit::{NOON, Stack, response};

use super::{VIDEO, call, processing, render, rendering, says, without_key};

fn by_token(id: &JobId) -> CallbackAuth {
    CallbackAuth::Run(id.clone(), 1)
}

fn check_of(id: &JobId) -> Delayed<WorkMessage> {
    Delayed::now(WorkMessage::CheckRender { job_id: id.clone(), render: render(), check: 0 })
}

#[tokio::test]
async fn a_callback_with_the_run_s_token_shows_the_progress_of_the_render() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    let seen = call(&stack, &by_token(&id), &says("planned")).await;
    assert!(matches!(&seen, Received::Reached(job) if job.id == id), "{seen:?}");
    // Step 8 sets the progress to 95: earlier states change nothing, an unknown one is shown.
    assert_eq!(stack.jobs.get(&id).run.progress, 95);
    call(&stack, &by_token(&id), &says("compressing")).await;
    assert_eq!(stack.jobs.get(&id).run.caption, "Render status: compressing");
}

#[tokio::test]
async fn a_callback_of_an_older_run_changes_nothing() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    let before = stack.jobs.get(&id);
    let seen = call(&stack, &CallbackAuth::Run(id.clone(), 0), &says("failed")).await;
    assert!(matches!(seen, Received::Stale(_)), "{seen:?}");
    assert_eq!(stack.jobs.get(&id), before);
    assert_eq!(stack.jobs.parked_callback(&render()), None);
}

#[tokio::test]
async fn a_token_reaches_its_own_job_and_no_other_with_the_same_render() {
    let stack = without_key();
    let (mine, other) = (rendering(&stack, 1), rendering(&stack, 2));
    call(&stack, &by_token(&mine), &says("succeeded")).await;
    assert_eq!(stack.jobs.get(&mine).status, Status::Completed);
    assert_eq!(stack.jobs.get(&other).status, Status::Rendering);
}

#[tokio::test]
async fn a_token_of_a_deleted_job_finds_nothing() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    stack.jobs.remove(&id);
    assert_eq!(call(&stack, &by_token(&id), &says("succeeded")).await, Received::Unknown);
}

#[tokio::test]
async fn a_callback_for_a_render_that_its_run_has_not_reported_is_parked() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    let other = reelhook_domain::RenderId::parse("render_2").unwrap();
    let before = stack.jobs.get(&id);
    let seen = receive(&stack.callback_ports(), &by_token(&id), &other, &says("succeeded")).await.unwrap();
    assert!(matches!(&seen, Received::Reached(job) if job.id == id), "{seen:?}");
    assert_eq!(stack.jobs.get(&id), before);
    assert_eq!(stack.jobs.parked_callback(&other).unwrap().status, "succeeded");
    // A late state does not replace the end.
    receive(&stack.callback_ports(), &by_token(&id), &other, &says("rendering")).await.unwrap();
    assert_eq!(stack.jobs.parked_callback(&other).unwrap().status, "succeeded");
}

#[tokio::test]
async fn the_operator_s_callback_applies_to_every_job_with_that_render() {
    let stack = without_key();
    let ids = [1, 2, 3].map(|n| rendering(&stack, n));
    let seen = call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    assert!(matches!(&seen, Received::Reached(job) if job.id == ids[0]), "{seen:?}");
    for id in &ids {
        let job = stack.jobs.get(id);
        assert_eq!((job.status, job.run.video_url.as_deref()), (Status::Completed, Some(VIDEO)));
    }
    assert_eq!(stack.jobs.parked_callback(&render()), None);
}

#[tokio::test]
async fn an_end_is_confirmed_if_creatomate_can_be_checked() {
    for status in ["succeeded", "failed", "cancelled"] {
        let stack = Stack::default();
        let id = rendering(&stack, 1);
        call(&stack, &by_token(&id), &says(status)).await;
        let job = stack.jobs.get(&id);
        assert_eq!((job.status, job.run.video_url, job.run.error), (Status::Rendering, None, None), "{status}");
        stack.follow_stream().await.unwrap();
        assert_eq!(stack.work.sent(), [check_of(&id)], "{status}: the render is checked at once");
    }
}

/// Creatomate answers every request with this status of the render, and with its video.
fn creatomate_says(stack: &Stack, status: &'static str) {
    let body = format!(r#"{{"id": "render_1", "status": "{status}", "url": "{VIDEO}", "error_message": "it broke"}}"#);
    stack.http.script(move |_| Ok(response(200, body.clone())));
}

#[tokio::test]
async fn a_callback_confirms_the_end_that_it_reports() {
    for auth in [by_token, |_: &JobId| CallbackAuth::Operator] {
        for (status, confirmed) in [("succeeded", Status::Completed), ("failed", Status::Failed)] {
            let stack = Stack::default();
            let id = rendering(&stack, 1);
            creatomate_says(&stack, status);
            // What Creatomate answers counts, not what the callback says.
            let seen = call(&stack, &auth(&id), &says("succeeded")).await;
            assert!(matches!(&seen, Received::Reached(job) if job.status == confirmed), "{seen:?}");
            let request = stack.http.only_request();
            assert_eq!(request.url.as_str(), "https://api.creatomate.example/v1/renders/render_1");
            assert_eq!(request.deadline, Duration::from_secs(3), "the callback waits no longer");
            stack.follow_stream().await.unwrap();
            assert!(stack.work.sent().is_empty(), "no poll is left to make");
        }
    }
}

#[tokio::test]
async fn an_end_that_creatomate_does_not_confirm_in_time_is_polled() {
    let unusable: [fn(&Stack); 4] = [
        |stack| creatomate_says(stack, "rendering"),
        |stack| stack.http.script(|_| Err(OutboundError::TimedOut(3000))),
        |stack| stack.http.script(|_| Ok(response(429, "Too many requests"))),
        |stack| stack.http.script(|_| Ok(response(200, r#"{"id": "render_1", "status": "succeeded"}"#))),
    ];
    for answer in unusable {
        let stack = Stack::default();
        let id = rendering(&stack, 1);
        answer(&stack);
        call(&stack, &by_token(&id), &says("succeeded")).await;
        let job = stack.jobs.get(&id);
        assert_eq!((job.status, job.run.video_url.as_deref()), (Status::Rendering, None));
        assert!(job.run.engine.render().unwrap().is_confirming());
        stack.follow_stream().await.unwrap();
        assert_eq!(stack.work.sent(), [check_of(&id)]);
    }
}

#[tokio::test]
async fn creatomate_is_asked_only_for_an_end_that_would_change_the_job() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    creatomate_says(&stack, "rendering");
    for status in ["planned", "rendering", "compressing"] {
        call(&stack, &by_token(&id), &says(status)).await;
    }
    assert!(stack.http.requests().is_empty(), "no end is reported");
    for _ in 0..3 {
        call(&stack, &by_token(&id), &says("succeeded")).await;
    }
    assert_eq!(stack.http.requests().len(), 1, "polls go on");
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    call(&stack, &by_token(&id), &says("succeeded")).await;
    call(&stack, &CallbackAuth::Anonymous, &says("succeeded")).await;
    assert_eq!(stack.http.requests().len(), 1, "the job has ended; without a token a callback is only a hint");
}

#[tokio::test]
async fn one_callback_asks_once_for_all_jobs_with_its_render() {
    let stack = Stack::default();
    let ids = [1, 2, 3].map(|n| rendering(&stack, n));
    creatomate_says(&stack, "succeeded");
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    assert_eq!(stack.http.requests().len(), 1);
    assert!(ids.iter().all(|id| stack.jobs.get(id).status == Status::Completed));
}

#[tokio::test]
async fn a_repeated_end_is_checked_once() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    for _ in 0..5 {
        call(&stack, &by_token(&id), &says("succeeded")).await;
    }
    stack.follow_stream().await.unwrap();
    assert_eq!(stack.work.sent(), [check_of(&id)]);
}

#[tokio::test]
async fn without_an_api_key_an_authenticated_end_is_applied() {
    let stack = without_key();
    let (good, bad) = (rendering(&stack, 1), rendering(&stack, 2));
    call(&stack, &by_token(&good), &says("succeeded")).await;
    call(&stack, &by_token(&bad), &says("failed")).await;
    let (good, bad) = (stack.jobs.get(&good), stack.jobs.get(&bad));
    assert_eq!((good.status, good.run.progress, good.run.video_url.as_deref()), (Status::Completed, 100, Some(VIDEO)));
    assert_eq!((bad.status, bad.run.error.as_deref()), (Status::Failed, Some("no memory for 4k")));
    assert_eq!(bad.run.attempt, 1, "a failed render is not retried");
}

#[tokio::test]
async fn a_success_without_a_url_does_not_count() {
    let stack = without_key();
    let id = rendering(&stack, 1);
    let mut callback = says("succeeded");
    callback.url = None;
    call(&stack, &by_token(&id), &callback).await;
    assert_eq!(stack.jobs.get(&id).status, Status::Rendering);
}

#[tokio::test]
async fn an_anonymous_callback_is_a_hint_once_in_ten_seconds_and_its_body_is_ignored() {
    let stack = Stack::default();
    let id = rendering(&stack, 1);
    let before = stack.jobs.get(&id);
    for _ in 0..3 {
        assert_eq!(call(&stack, &CallbackAuth::Anonymous, &says("failed")).await, Received::Hinted(Some(id.clone())));
    }
    assert_eq!(stack.work.sent(), [check_of(&id)]);
    stack.world.advance_s(9);
    call(&stack, &CallbackAuth::Anonymous, &says("failed")).await;
    assert_eq!(stack.work.sent().len(), 1);
    stack.world.advance_s(1);
    call(&stack, &CallbackAuth::Anonymous, &says("failed")).await;
    assert_eq!(stack.work.sent().len(), 2);
    assert_eq!(stack.jobs.get(&id), before);
}

#[tokio::test]
async fn many_anonymous_callbacks_at_once_are_one_hint() {
    let stack = Stack::default();
    rendering(&stack, 1);
    let (auth, callback) = (CallbackAuth::Anonymous, says("succeeded"));
    futures_util::future::join_all((0..20).map(|_| call(&stack, &auth, &callback))).await;
    assert_eq!(stack.work.sent().len(), 1);
}

#[tokio::test]
async fn an_anonymous_callback_about_an_unknown_or_ended_render_does_nothing() {
    let stack = Stack::default();
    assert_eq!(call(&stack, &CallbackAuth::Anonymous, &says("succeeded")).await, Received::Hinted(None));
    assert_eq!(stack.jobs.parked_callback(&render()), None, "an anonymous callback is not parked");
    let id = rendering(&stack, 1);
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    assert_eq!(call(&stack, &CallbackAuth::Anonymous, &says("succeeded")).await, Received::Hinted(None));
    assert!(stack.work.sent().is_empty());
}

#[tokio::test]
async fn a_lost_hint_is_answered_like_any_other() {
    // Another response would reveal that a job waits for the render.
    for operation in ["jobs_of", "load", "may_hint"] {
        let stack = Stack::default();
        rendering(&stack, 1);
        stack.jobs.faults.busy(operation, 1);
        assert_eq!(
            call(&stack, &CallbackAuth::Anonymous, &says("succeeded")).await,
            Received::Hinted(None),
            "{operation}"
        );
    }
    let stack = Stack::default();
    rendering(&stack, 1);
    stack.work.faults.busy("send", 1);
    assert_eq!(call(&stack, &CallbackAuth::Anonymous, &says("succeeded")).await, Received::Hinted(None));
}

#[tokio::test]
async fn final_jobs_ignore_callbacks() {
    let stack = without_key();
    let id = rendering(&stack, 1);
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    let before = stack.jobs.get(&id);
    for auth in [by_token(&id), CallbackAuth::Operator] {
        for status in ["rendering", "succeeded", "failed"] {
            let seen = call(&stack, &auth, &says(status)).await;
            assert!(matches!(seen, Received::Reached(_)), "{seen:?}");
        }
    }
    assert_eq!(stack.jobs.get(&id), before);
}

#[tokio::test]
async fn a_render_that_starts_before_the_worker_is_done_changes_the_job() {
    let stack = Stack::default();
    let id = processing(&stack, 1);
    let report = reelhook_testkit::step(1, 7, reelhook_domain::StepStatus::Completed, Some("render_1"));
    stack.jobs.apply(&id, &report, NOON, &stack.policy);
    for (status, progress, shown) in [
        ("planned", 85, Status::Processing),
        ("waiting", 87, Status::Processing),
        ("transcribing", 88, Status::Processing),
        ("rendering", 90, Status::Rendering),
        ("planned", 90, Status::Rendering),
    ] {
        call(&stack, &by_token(&id), &says(status)).await;
        let job = stack.jobs.get(&id);
        assert_eq!((job.run.progress, job.status), (progress, shown), "{status}");
    }
}

#[tokio::test]
async fn conflicts_are_decided_again_and_each_job_notifies_once() {
    let stack = without_key();
    let id = rendering(&stack, 1);
    stack.jobs.conflict(&id, 3);
    let (auth, callback) = (by_token(&id), says("succeeded"));
    tokio::join!(call(&stack, &auth, &callback), call(&stack, &auth, &callback));
    let emitted = stack.jobs.get(&id).emitted;
    let completed: Vec<_> = emitted.iter().filter(|one| one.event == OutboundEvent::Completed).collect();
    assert_eq!(completed.len(), 1);
}
