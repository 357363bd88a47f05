//! Jobs: starts, retries, freed slots, and renders at an outside service.

use std::sync::atomic::{AtomicUsize, Ordering};

use reelhook_app::jobs::renders::{Callback, CallbackAuth, receive};
use reelhook_domain::{Event, JobId, RenderId, Status, StepStatus, WebUrl};
use reelhook_testkit::{ScriptedHttp, Stack, response, run, step};
use serde_json::json;

use super::{Hint, report, run_on_hints};

const VIDEO: &str = "https://cdn.creatomate.example/renders/render_1.mp4";
/// Settings without an endpoint.
const QUIET: (&str, &str) = ("WEBHOOK_URLS", "");

fn status(stack: &Stack, id: &JobId) -> Status {
    stack.jobs.get(id).status
}

/// A job that the external worker runs.
async fn processing(stack: &Stack) -> JobId {
    let id = stack.submit(1);
    run_on_hints(stack).await;
    assert_eq!(status(stack, &id), Status::Processing);
    id
}

/// The worker reports a whole run of a job, which completes by that.
async fn complete(stack: &Stack, id: &JobId, attempt: u32) {
    report(stack, id, &run(attempt, None));
    run_on_hints(stack).await;
    assert_eq!(status(stack, id), Status::Completed);
}

async fn job_at_a_worker(hint: Hint) {
    let stack = Stack::default();
    let id = stack.submit(1);
    hint.carry_on(&stack).await;
    assert_eq!(status(&stack, &id), Status::Processing);
    complete(&stack, &id, 1).await;
    assert!(stack.jobs.admission_item().active.is_empty(), "a slot is still taken");
    assert!(!stack.deliveries.all().is_empty());
    assert_eq!(stack.deliveries.unfinished(), 0);
    hint.check_end(&stack);
}

#[tokio::test]
async fn a_job_goes_from_its_submission_to_its_end() {
    job_at_a_worker(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_submitted_job_waits_for_the_sweep() {
    job_at_a_worker(Hint::IsLost).await;
}

async fn busy_worker(hint: Hint) {
    let mut stack = Stack::with(&[QUIET], 3);
    stack.http = ScriptedHttp::each([Ok(response(503, "")), Ok(response(200, r#"{"accepted": true}"#))]);
    let id = stack.submit(1);
    stack.settle().await;
    assert_eq!((status(&stack, &id), stack.http.requests().len()), (Status::Pending, 1));
    hint.carry_on(&stack).await;
    assert_eq!((status(&stack, &id), stack.http.requests().len()), (Status::Processing, 2));
    complete(&stack, &id, 1).await;
    hint.check_end(&stack);
}

#[tokio::test]
async fn a_start_that_the_worker_deferred_is_made_after_its_wait() {
    busy_worker(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_deferred_start_waits_for_the_sweep() {
    busy_worker(Hint::IsLost).await;
}

async fn failed_run(hint: Hint) {
    let stack = Stack::default();
    let id = processing(&stack).await;
    report(&stack, &id, &[Event::RunFailed { attempt: 1, error: "browser crashed".to_owned() }]);
    stack.settle().await;
    assert_eq!(status(&stack, &id), Status::Pending, "the retry has a delay");
    hint.carry_on(&stack).await;
    let retried = stack.jobs.get(&id);
    assert_eq!((retried.status, retried.run.attempt), (Status::Processing, 2));
    complete(&stack, &id, 2).await;
    hint.check_end(&stack);
}

#[tokio::test]
async fn a_failed_run_is_retried_after_its_delay() {
    failed_run(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_retry_waits_for_the_sweep() {
    failed_run(Hint::IsLost).await;
}

#[tokio::test]
async fn while_the_index_of_waiting_jobs_lags_no_job_waits_for_the_sweep() {
    let stack = Stack::default();
    stack.jobs.let_index_lag(true);
    let id = processing(&stack).await;
    report(&stack, &id, &[Event::RunFailed { attempt: 1, error: "browser crashed".to_owned() }]);
    run_on_hints(&stack).await;
    let retried = stack.jobs.get(&id);
    assert_eq!((retried.status, retried.run.attempt), (Status::Processing, 2));
    complete(&stack, &id, 2).await;
    Hint::Arrives.check_end(&stack);
}

async fn freed_slot(hint: Hint) {
    let stack = Stack::with(&[QUIET], 1);
    let first = stack.submit(1);
    stack.world.advance_s(1);
    let second = stack.submit(2);
    run_on_hints(&stack).await;
    assert_eq!((status(&stack, &first), status(&stack, &second)), (Status::Processing, Status::Pending));
    report(&stack, &first, &run(1, None));
    hint.carry_on(&stack).await;
    assert_eq!((status(&stack, &first), status(&stack, &second)), (Status::Completed, Status::Processing));
    complete(&stack, &second, 1).await;
    hint.check_end(&stack);
}

#[tokio::test]
async fn a_freed_slot_starts_the_next_job() {
    freed_slot(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_freed_slot_waits_for_the_sweep() {
    freed_slot(Hint::IsLost).await;
}

#[tokio::test]
async fn a_freed_slot_that_nobody_waits_for_causes_no_hint() {
    let stack = Stack::with(&[QUIET], 2);
    let id = processing(&stack).await;
    report(&stack, &id, &run(1, None));
    stack.follow_stream().await.expect("fanout processes the stream");
    assert!(stack.jobs.admission_item().active.is_empty(), "the slot is freed");
    assert!(stack.work.waiting().is_empty(), "a hint was sent");
}

#[tokio::test]
async fn jobs_beyond_what_one_hint_starts_are_started_by_freed_slots() {
    let stack = Stack::with(&[QUIET], 200);
    let ids: Vec<JobId> = (0..150).map(|n| stack.submit(n)).collect();
    // All hints but one were lost.
    stack.follow_stream().await.expect("fanout processes the stream");
    let hint = stack.work.receive().swap_remove(0);
    stack.work_on(&hint).await.expect("jobs start");
    let running = || ids.iter().filter(|id| status(&stack, id) == Status::Processing).count();
    assert_eq!(running(), 64);
    let first = ids.iter().find(|id| status(&stack, id) == Status::Processing).expect("a running job").clone();
    report(&stack, &first, &run(1, None));
    run_on_hints(&stack).await;
    assert_eq!(running(), 127, "the freed slot's hint starts as many more");
}

/// A stack whose render service answers `rendering` to the first `unfinished` checks, and `succeeded` to later ones.
fn with_render_service(unfinished: usize) -> Stack {
    let stack = Stack::with(&[QUIET], 3);
    let checks = AtomicUsize::new(0);
    stack.http.script(move |request| match request.url.host_str() {
        Some("api.creatomate.example") if checks.fetch_add(1, Ordering::Relaxed) < unfinished => {
            Ok(response(200, json!({ "id": "render_1", "status": "rendering" }).to_string()))
        }
        Some("api.creatomate.example") => {
            Ok(response(200, json!({ "id": "render_1", "status": "succeeded", "url": VIDEO }).to_string()))
        }
        _ => Ok(response(200, r#"{"accepted": true}"#)),
    });
    stack
}

/// The render service calls back with the token of a job's run: the render succeeded.
async fn call_back(stack: &Stack, id: &JobId) {
    let render = RenderId::parse("render_1").expect("a render id");
    let auth = CallbackAuth::Run(id.clone(), 1);
    let callback = Callback { status: "succeeded".to_owned(), url: WebUrl::parse(VIDEO), error: None, run: None };
    receive(&stack.callback_ports(), &auth, &render, &callback).await.expect("the callback is processed");
}

fn assert_has_video(stack: &Stack, id: &JobId) {
    let job = stack.jobs.get(id);
    assert_eq!((job.status, job.run.video_url.as_deref()), (Status::Completed, Some(VIDEO)));
}

async fn reported_render(hint: Hint) {
    let stack = with_render_service(2);
    let id = processing(&stack).await;
    report(&stack, &id, &run(1, Some("render_1")));
    run_on_hints(&stack).await;
    assert_eq!(status(&stack, &id), Status::Rendering);
    call_back(&stack, &id).await;
    hint.carry_on(&stack).await;
    assert_has_video(&stack, &id);
    hint.check_end(&stack);
}

#[tokio::test]
async fn the_reported_end_of_a_render_needs_no_hint_if_creatomate_confirms_it() {
    let stack = with_render_service(0);
    let id = processing(&stack).await;
    report(&stack, &id, &run(1, Some("render_1")));
    run_on_hints(&stack).await;
    call_back(&stack, &id).await;
    assert_has_video(&stack, &id);
    stack.follow_stream().await.expect("fanout processes the stream");
    assert!(stack.work.waiting().is_empty(), "a hint was sent");
}

#[tokio::test]
async fn the_reported_end_of_a_render_is_confirmed() {
    reported_render(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_confirmation_waits_for_the_sweep() {
    reported_render(Hint::IsLost).await;
}

async fn early_callback(hint: Hint) {
    let stack = with_render_service(0);
    let id = processing(&stack).await;
    report(&stack, &id, &[step(1, 3, StepStatus::Started, None)]);
    call_back(&stack, &id).await;
    run_on_hints(&stack).await;
    assert_eq!(status(&stack, &id), Status::Processing, "no job has the render yet");
    let named = step(1, 7, StepStatus::RenderReady, Some("render_1"));
    stack.report_step(&id, &named).await.expect("the report is taken");
    hint.carry_on(&stack).await;
    assert_has_video(&stack, &id);
    hint.check_end(&stack);
}

#[tokio::test]
async fn an_early_callback_is_applied_once_its_render_is_known() {
    early_callback(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_an_early_callback_waits_for_the_sweep() {
    early_callback(Hint::IsLost).await;
}
