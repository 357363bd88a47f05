//! Commands of people: cancel, retry, complete, delete.

use reelhook_domain::*;

use crate::story::*;

fn failed_job() -> Story {
    Story::processing().then(run_failed(1, "insufficient credits"))
}

fn paused() -> Story {
    let story = Story::with(policy(), true).then(Event::Claim);
    story.then(step(1, StepStatus::Completed, 115))
}

#[test]
fn a_cancel_stops_the_worker_and_frees_its_slot() {
    let mut story = Story::processing();
    story.wait(5).apply(Event::Cancel);
    assert_eq!((story.job.status, story.job.run.times.cancelled_at), (Status::Cancelled, Some(story.now)));
    assert_eq!(story.job.run.error.as_deref(), Some("Process stopped by user request"));
    assert!(story.job.outbox.contains(&JobEffect::CancelWorker { attempt: 1, url: web_url(CANCEL_URL) }.into()));
    assert_eq!((story.notified(), story.freed()), (vec![OutboundEvent::Cancelled], vec!["1.1".to_owned()]));
    assert_eq!(story.job.due_at, None);

    assert_eq!(story.ignored(Event::Cancel), Ignored::AlreadySo, "a repeat has the same response and no notification");
    assert_eq!(story.ignored(step(4, StepStatus::Started, 140)), Ignored::FinalJob);
    assert_eq!(story.ignored(started(1)), Ignored::FinalJob);
}

#[test]
fn a_job_can_be_cancelled_until_it_ends() {
    for story in [Story::waiting(), Story::claimed(), Story::processing(), Story::submitted(), Story::rendering()] {
        assert_eq!(notified(&story.then(Event::Cancel).job), [OutboundEvent::Cancelled]);
    }
    assert_eq!(Story::completed().rejected(Event::Cancel), Rejected::CannotCancel(Status::Completed));
    assert_eq!(failed_job().rejected(Event::Cancel), Rejected::CannotCancel(Status::Failed));
}

#[test]
fn a_retry_starts_immediately_and_a_repetition_within_10_seconds_has_the_same_result() {
    let mut story = failed_job();
    story.wait(100).apply(Event::Retry);
    assert_eq!((story.job.status, story.job.run.attempt, story.job.retries.used), (Status::Pending, 2, 1));
    assert_eq!((story.hints(), story.job.run.retry_after), (vec![0], None));

    story.wait(9);
    assert_eq!(story.ignored(Event::Retry), Ignored::AlreadySo);
    story.apply(Event::Claim);
    story.apply(started(2));
    assert_eq!(story.ignored(Event::Retry), Ignored::AlreadySo, "even when the new run has started");
    story.wait(1);
    assert_eq!(story.rejected(Event::Retry), Rejected::CannotRetry(Status::Processing));
}

#[test]
fn only_failed_jobs_can_be_retried() {
    for (story, status) in [
        (Story::waiting(), Status::Pending),
        (Story::processing(), Status::Processing),
        (Story::rendering(), Status::Rendering),
        (Story::completed(), Status::Completed),
        (Story::render_timed_out(), Status::Completed),
        (Story::processing().then(Event::Cancel), Status::Cancelled),
    ] {
        assert_eq!(story.rejected(Event::Retry), Rejected::CannotRetry(status));
    }
}

#[test]
fn a_person_may_retry_as_often_as_they_like() {
    let mut story = failed_job();
    for attempt in 2..=5 {
        story.wait(60).apply(Event::Retry);
        assert_eq!((story.job.run.attempt, story.job.retries.used), (attempt, attempt - 1));
        story.apply(Event::Claim);
        // The automatic retries are used up in either case.
        story.apply(run_failed(attempt, "boom"));
        assert_eq!((story.job.status, story.notified()), (Status::Failed, vec![OutboundEvent::Failed]));
    }
}

#[test]
fn a_supplied_video_completes_a_job() {
    let mut story = Story::processing();
    story.wait(5).apply(complete());
    assert_eq!((story.job.status, story.job.run.progress), (Status::Completed, 100));
    assert_eq!(story.job.run.video_url.as_deref(), Some("https://example.com/handed-in.mp4"));
    assert_eq!((story.notified(), story.freed()), (vec![OutboundEvent::Completed], vec!["1.1".to_owned()]));
    assert_eq!(notified(&Story::rendering().then(complete()).job), [OutboundEvent::Completed]);
}

#[test]
fn a_completed_job_accepts_a_video_only_if_it_has_none() {
    let issues = Story::processing().then(step(8, StepStatus::Completed, 180));
    let mut incomplete = Story::submitted();
    incomplete.sweep();
    for story in [paused(), issues, incomplete, Story::render_timed_out()] {
        let story = story.then(complete());
        assert_eq!((story.job.status, notified(&story.job)), (Status::Completed, vec![OutboundEvent::Completed]));
        assert!(
            story.job.run.video_url.is_some() && !story.job.run.render_timed_out() && !workflow_incomplete(&story.job)
        );
        assert_eq!(story.rejected(complete()), Rejected::CannotComplete(Status::Completed));
        assert_eq!(story.ignored(step(8, StepStatus::Completed, 999)), Ignored::FinalJob);
    }
}

#[test]
fn no_other_job_accepts_a_video() {
    assert_eq!(Story::waiting().rejected(complete()), Rejected::CannotComplete(Status::Pending));
    assert_eq!(Story::completed().rejected(complete()), Rejected::CannotComplete(Status::Completed));
    assert_eq!(failed_job().rejected(complete()), Rejected::CannotComplete(Status::Failed));
    let cancelled = Story::waiting().then(Event::Cancel);
    assert_eq!(cancelled.rejected(complete()), Rejected::CannotComplete(Status::Cancelled));
}

#[test]
fn deleting_leaves_a_tombstone_that_never_changes() {
    let mut story = Story::completed();
    story.wait(5).apply(Event::Delete);
    assert_eq!((story.job.deleted_at, story.notified()), (Some(story.now), vec![OutboundEvent::Deleted]));
    for command in [Event::Delete, Event::Retry, Event::Cancel, complete()] {
        assert_eq!(story.rejected(command), Rejected::Deleted);
    }
    for callback in [started(1), step(3, StepStatus::Started, 130), checked(succeeded(), 0), Event::Tick, Event::Claim]
    {
        assert_eq!(story.ignored(callback), Ignored::FinalJob);
    }
    assert_eq!(Story::rendering().rejected(Event::Delete), Rejected::CannotDelete(Status::Rendering));
}

#[test]
fn the_duration_runs_from_start_to_end() {
    let mut story = Story::claimed();
    assert_eq!(story.job.duration_ms(story.now), None);
    story.wait(10).apply(started(1));
    story.wait(154);
    assert_eq!(story.job.duration_ms(story.now), Some(154_000));
    story.apply(complete());
    story.wait(1000);
    assert_eq!(story.job.duration_ms(story.now), Some(154_000));
}
