//! Time limits of a job: thirty minutes of processing, four render checks, and no limit on waiting.

use reelhook_domain::*;

use crate::story::*;

const MINUTE: u64 = 60;

#[test]
fn processing_times_out_thirty_minutes_after_its_start() {
    let mut story = Story::waiting();
    // Waiting time does not count.
    story.wait(50 * MINUTE).apply(Event::Claim);
    story.wait(20).apply(started(1));
    story.wait(29 * MINUTE).apply(step(6, StepStatus::Started, 160));
    story.wait(59);
    assert_eq!(story.ignored(Event::Tick), Ignored::NotDue, "reports do not extend the time limit, which has not come");

    story.wait(1).apply(Event::Tick);
    assert_eq!(story.job.status, Status::Failed);
    assert_eq!(story.job.run.error.as_deref(), Some("Job timed out after 30 minutes"));
    assert_eq!((story.job.run.times.timed_out_at, story.job.run.times.failed_at), (Some(story.now), Some(story.now)));
    assert_eq!((story.notified(), story.freed()), (vec![OutboundEvent::Timeout], vec!["1.1".to_owned()]));
    let stop = Effect::Job(JobEffect::CancelWorker { attempt: 1, url: web_url(CANCEL_URL) });
    assert!(story.job.outbox.contains(&stop), "the run is cancelled at the worker");
    assert_eq!(story.ignored(Report::of(8, StepStatus::Completed, 180).video().by(1)), Ignored::FinalJob);
}

#[test]
fn a_timed_out_run_is_not_retried_by_itself() {
    let mut story = Story::processing();
    story.sweep();
    assert_eq!((story.job.status, story.job.run.attempt, story.hints()), (Status::Failed, 1, vec![]));
    story.apply(Event::Retry);
    assert_eq!((story.job.status, story.job.run.attempt, story.job.run.times.timed_out_at), (Status::Pending, 2, None));
}

#[test]
fn a_run_with_a_render_but_no_step_8_ends_as_workflow_incomplete() {
    let mut story = Story::submitted();
    assert_eq!(story.due_in(), Some(1800));
    story.sweep();
    assert_eq!(story.job.status, Status::Completed);
    assert!(workflow_incomplete(&story.job) && !story.job.run.render_timed_out());
    assert_eq!((&story.job.run.video_url, story.job.run.times.timed_out_at), (&None, Some(story.now)));
    assert_eq!(story.notified(), [OutboundEvent::WorkflowIncomplete]);
    // Only a render timeout has the exception.
    assert_eq!(story.ignored(checked(succeeded(), 0)), Ignored::FinalJob);
    assert_eq!(story.ignored(reported(succeeded(), true)), Ignored::FinalJob);
}

#[test]
fn a_render_is_checked_at_2_12_22_and_32_minutes_and_then_timed_out() {
    let mut story = Story::rendering();
    let began = story.now;
    let mut checks = Vec::new();
    for check in 1..=4 {
        story.sweep();
        checks.push((story.now.0 - began.0) / 60_000);
        assert_eq!((story.job.status, story.checks()), (Status::Rendering, vec![(check, 0)]));
        if check < 4 {
            story.wait(3);
            assert_eq!(story.ignored(checked(with_status(RenderStatus::Rendering), check)), Ignored::Duplicate);
            assert_eq!(story.ignored(unanswered(check)), Ignored::AlreadySo, "the schedule continues");
        }
    }
    assert_eq!(checks, [2, 12, 22, 32]);

    story.wait(3).apply(checked(with_status(RenderStatus::Rendering), 4));
    assert_eq!((story.job.status, story.job.run.progress), (Status::Completed, 100));
    assert!(story.job.run.render_timed_out());
    assert_eq!((&story.job.run.video_url, story.notified()), (&None, vec![OutboundEvent::RenderTimeout]));
}

#[test]
fn a_lost_last_check_is_timed_out_by_the_sweep() {
    let mut story = Story::rendering();
    for _ in 1..=4 {
        story.sweep();
    }
    assert_eq!(story.due_in(), Some(30));
    story.sweep();
    assert!(story.job.run.render_timed_out());
    assert_eq!(story.notified(), [OutboundEvent::RenderTimeout]);
}

#[test]
fn a_confirmed_success_after_a_render_timeout_still_brings_the_video() {
    let mut story = Story::render_timed_out();
    story.wait(3 * 60 * MINUTE);

    // The callback alone is not trusted: it causes a check.
    story.apply(reported(succeeded(), true));
    assert_eq!((story.checks(), story.notified()), (vec![(0, 0)], vec![]));
    assert!(story.job.run.render_timed_out() && story.job.run.video_url.is_none());

    story.wait(2).apply(checked(succeeded(), 0));
    assert_eq!((story.job.status, story.job.run.video_url.as_deref()), (Status::Completed, Some(VIDEO)));
    assert_eq!((story.job.run.render_timed_out(), story.job.run.times.completed_at), (false, Some(story.now)));
    assert_eq!(story.notified(), [OutboundEvent::Completed]);
    let counts = story.job.outbox.iter().filter(|effect| matches!(effect, Effect::Count { .. })).count();
    assert_eq!(counts, 0, "it was completed before and is counted once");

    assert_eq!(story.ignored(checked(succeeded(), 0)), Ignored::FinalJob, "the video is stored once");
    assert_eq!(story.ignored(reported(succeeded(), true)), Ignored::FinalJob);
}

#[test]
fn nothing_but_a_success_changes_a_render_timeout() {
    let story = Story::render_timed_out();
    assert_eq!(story.ignored(checked(failed(), 0)), Ignored::FinalJob);
    assert_eq!(story.ignored(reported(failed(), true)), Ignored::FinalJob);
    assert_eq!(
        story.ignored(checked(with_status(RenderStatus::Succeeded), 0)),
        Ignored::FinalJob,
        "a success has a URL"
    );
    assert_eq!(story.ignored(checked(with_status(RenderStatus::Rendering), 0)), Ignored::FinalJob);
    assert_eq!(story.ignored(unanswered(0)), Ignored::FinalJob);
}

#[test]
fn a_failure_after_a_render_timeout_changes_nothing_even_with_a_url() {
    let failed_with_url = RenderState { url: Some(web_url(VIDEO)), ..failed() };
    assert_eq!(Story::render_timed_out().ignored(checked(failed_with_url, 0)), Ignored::FinalJob);
}

#[test]
fn rendering_without_a_render_id_ends_by_the_sweep() {
    let mut story = Story::processing().then(Report::of(7, StepStatus::RenderReady, 175).by(1));
    for _ in 0..10 {
        if story.job.status.is_final() {
            return;
        }
        story.sweep();
    }
    panic!("the sweep does not end this job: {:#?}", story.job);
}

#[test]
fn rendering_may_take_longer_than_processing_may() {
    let mut story = Story::processing();
    story.wait(29 * MINUTE).apply(Report::of(7, StepStatus::RenderReady, 175).render("render_1").by(1));
    for _ in 1..=3 {
        story.sweep();
    }
    assert_eq!((story.job.status, story.now.millis_since(NOON)), (Status::Rendering, 51 * 60_000));
}

#[test]
fn a_waiting_job_never_times_out_and_gets_a_hint_at_least_every_15_minutes() {
    let mut story = Story::waiting();
    let mut waits = Vec::new();
    while story.now.millis_since(NOON) < 3 * 24 * 3600 * 1000 {
        let before = story.now;
        story.sweep();
        assert_eq!((story.job.status, story.hints(), story.notified()), (Status::Pending, vec![0], vec![]));
        waits.push((story.now.0 - before.0) / 1000);
    }
    assert_eq!(waits[..6], [60, 60, 120, 240, 480, 900]);
    assert!(waits[6..].iter().all(|wait| *wait == 900));
    assert_eq!((story.job.run.attempt, story.job.retries.used, story.job.run.start.claims), (1, 0, 0));
    story.apply(Event::Claim);
}

#[test]
fn a_late_sweep_still_checks_the_render_before_the_timeout() {
    let mut story = Story::rendering();
    story.wait(10 * 60 * MINUTE);
    let mut checks = Vec::new();
    while story.job.due_at.is_some_and(|due| due <= story.now) {
        story.apply(Event::Tick);
        checks.extend(story.checks().into_iter().map(|(check, _)| check));
    }
    assert_eq!((checks, story.job.status), (vec![1, 2, 3, 4], Status::Rendering));
    story.apply(checked(succeeded(), 4));
    assert_eq!(story.notified(), [OutboundEvent::Completed]);
}
