//! Callbacks before their render is recorded: parked for an hour, and applied in either order of events.

use reelhook_app::change::Changed;
use reelhook_app::jobs::renders::{Callback, CallbackAuth, Received, Run, apply_parked, receive};
use reelhook_domain::{Event, JobId, RenderId, Status, StepStatus};
use reelhook_testkit::{MemoryJobs, NOON, Stack, policy, response, step};

use super::{VIDEO, call, processing, render, says, without_key};

/// The worker's report that names its render.
fn naming_render() -> Event {
    step(1, 7, StepStatus::RenderReady, Some("render_1"))
}

/// The report that names the render is saved, and nothing follows.
fn record_render(jobs: &MemoryJobs, id: &JobId) {
    assert!(jobs.apply(id, &naming_render(), NOON, &policy()));
}

/// The worker reports its render.
async fn report_render(stack: &Stack, id: &JobId) {
    let changed = stack.report_step(id, &naming_render()).await.unwrap();
    assert!(matches!(changed, Changed::Applied(_)), "{changed:?}");
}

fn auths(id: &JobId) -> [CallbackAuth; 2] {
    [CallbackAuth::Run(id.clone(), 1), CallbackAuth::Operator]
}

#[tokio::test]
async fn a_parked_callback_is_applied_when_its_render_is_recorded() {
    for which in [0, 1] {
        let stack = without_key();
        let id = processing(&stack, 1);
        let seen = call(&stack, &auths(&id)[which], &says("succeeded")).await;
        let expected = if which == 0 { "reached" } else { "unknown" };
        let shown = if matches!(seen, Received::Reached(_)) { "reached" } else { "unknown" };
        assert_eq!(shown, expected, "a run's token names its job, the operator's token names none");
        let run = (which == 0).then(|| Run { job_id: id.clone(), attempt: 1 });
        assert_eq!(stack.jobs.parked_callback(&render()), Some(Callback { run, ..says("succeeded") }));
        assert_eq!(stack.jobs.get(&id).status, Status::Processing);

        report_render(&stack, &id).await;
        assert_eq!(stack.jobs.get(&id).status, Status::Rendering, "the launcher decides whether the end is believed");
        stack.settle().await;
        let job = stack.jobs.get(&id);
        assert_eq!((job.status, job.run.video_url.as_deref()), (Status::Completed, Some(VIDEO)));
    }
}

#[tokio::test]
async fn a_callback_is_applied_immediately_if_its_render_is_recorded_during_parking() {
    for which in [0, 1] {
        let stack = without_key();
        let id = processing(&stack, 1);
        // The report looks for a parked callback too, before this one is parked: it finds nothing.
        let recorded = id.clone();
        stack.jobs.before("park", move |jobs| record_render(jobs, &recorded));
        let seen = call(&stack, &auths(&id)[which], &says("succeeded")).await;
        assert!(matches!(&seen, Received::Reached(job) if job.status == Status::Completed), "{seen:?}");
        assert_eq!(stack.jobs.get(&id).status, Status::Completed);
    }
}

#[tokio::test]
async fn an_early_end_is_confirmed_like_any_other() {
    let stack = Stack::default();
    let id = processing(&stack, 1);
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    let answer = format!(r#"{{"id": "render_1", "status": "succeeded", "url": "{VIDEO}"}}"#);
    stack.http.script(move |_| Ok(response(200, answer.clone())));
    report_render(&stack, &id).await;
    assert_eq!(stack.jobs.get(&id).status, Status::Rendering, "the callback alone ends nothing");
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}

#[tokio::test]
async fn an_early_callback_is_parked_for_an_hour() {
    let stack = without_key();
    let id = processing(&stack, 1);
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    stack.world.advance_s(3600);
    record_render(&stack.jobs, &id);
    apply_parked(&stack.render_ports(), &id, &render()).await.unwrap();
    assert_eq!(stack.jobs.get(&id).status, Status::Rendering);
    stack.world.set(NOON.after(std::time::Duration::from_secs(3599)));
    apply_parked(&stack.render_ports(), &id, &render()).await.unwrap();
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}

#[tokio::test]
async fn applying_a_parked_callback_twice_changes_nothing() {
    let stack = without_key();
    let id = processing(&stack, 1);
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    record_render(&stack.jobs, &id);
    apply_parked(&stack.render_ports(), &id, &render()).await.unwrap();
    let once = stack.jobs.get(&id);
    apply_parked(&stack.render_ports(), &id, &render()).await.unwrap();
    assert_eq!(stack.jobs.get(&id), once);
}

#[tokio::test]
async fn without_a_parked_callback_or_a_job_nothing_happens() {
    let stack = without_key();
    let id = processing(&stack, 1);
    apply_parked(&stack.render_ports(), &id, &render()).await.unwrap();
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    stack.jobs.remove(&id);
    apply_parked(&stack.render_ports(), &id, &render()).await.unwrap();
}

#[tokio::test]
async fn a_parked_callback_of_a_cancelled_job_is_ignored() {
    let stack = without_key();
    let id = processing(&stack, 1);
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    record_render(&stack.jobs, &id);
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Cancelled);
}

#[tokio::test]
async fn a_callback_that_can_t_be_parked_is_an_error() {
    let stack = without_key();
    let id = processing(&stack, 1);
    for auth in auths(&id) {
        stack.jobs.faults.busy("park", 1);
        assert!(receive(&stack.callback_ports(), &auth, &render(), &says("succeeded")).await.is_err());
    }
}

#[tokio::test]
async fn a_run_s_token_is_not_valid_for_another_job_s_render() {
    let stack = without_key();
    let (mine, other) = (processing(&stack, 1), processing(&stack, 2));
    // The bearer of the first job's token guesses a render that the second job is about to record.
    call(&stack, &CallbackAuth::Run(mine.clone(), 1), &says("failed")).await;
    report_render(&stack, &other).await;
    stack.settle().await;
    let job = stack.jobs.get(&other);
    assert_eq!((job.status, job.run.error), (Status::Rendering, None), "a token is bound to its job");
}

#[tokio::test]
async fn two_renders_are_parked_independently() {
    let stack = without_key();
    let id = processing(&stack, 1);
    let other = RenderId::parse("render_2").unwrap();
    receive(&stack.callback_ports(), &CallbackAuth::Operator, &other, &says("failed")).await.unwrap();
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    report_render(&stack, &id).await;
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}

#[tokio::test]
async fn an_early_status_is_shown_as_soon_as_its_render_is_named() {
    let stack = Stack::default();
    let id = processing(&stack, 1);
    call(&stack, &CallbackAuth::Run(id.clone(), 1), &says("transcribing")).await;
    let named = step(1, 7, StepStatus::Completed, Some("render_1"));
    stack.report_step(&id, &named).await.unwrap();
    let job = stack.jobs.get(&id);
    assert_eq!((job.run.progress, job.status), (88, Status::Processing));
}

#[tokio::test]
async fn an_early_callback_that_its_report_could_not_read_is_applied_by_the_next_poll() {
    let stack = without_key();
    let id = processing(&stack, 1);
    call(&stack, &CallbackAuth::Operator, &says("succeeded")).await;
    stack.jobs.faults.busy("parked", 1);
    report_render(&stack, &id).await;
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Rendering, "the report was taken, and nothing else is known");
    stack.world.set(stack.jobs.get(&id).due_at.unwrap());
    stack.sweep().await;
    stack.settle().await;
    assert_eq!(stack.jobs.get(&id).status, Status::Completed);
}

#[tokio::test]
async fn only_the_first_report_that_names_a_render_looks_for_an_early_callback() {
    let stack = Stack::default();
    let id = processing(&stack, 1);
    stack.report_step(&id, &step(1, 4, StepStatus::Started, None)).await.unwrap();
    assert_eq!(stack.jobs.faults.calls("parked"), 0);
    report_render(&stack, &id).await;
    stack.report_step(&id, &step(1, 8, StepStatus::Completed, Some("render_1"))).await.unwrap();
    assert_eq!(stack.jobs.faults.calls("parked"), 1);
}
