//! Callbacks and checks of a render.

use reelhook_domain::*;

use crate::story::*;

#[test]
fn the_states_of_a_render_raise_the_progress() {
    use RenderStatus::{Other, Planned, Rendering, Transcribing, Waiting};
    let mut story = Story::submitted();
    for (said, progress, status) in [
        (Planned, 85, Status::Processing),
        (Waiting, 87, Status::Processing),
        (Transcribing, 88, Status::Processing),
        (Rendering, 90, Status::Rendering),
        (Other("transmogrifying".to_owned()), 90, Status::Rendering),
    ] {
        story.apply(reported(with_status(said), true));
        assert_eq!((story.job.run.progress, story.job.status), (progress, status), "{}", story.job.run.caption);
    }
    assert_eq!(story.job.run.caption, "Render status: transmogrifying", "an unknown status is only displayed");
    assert_eq!(
        story.ignored(reported(with_status(Planned), true)),
        Ignored::Duplicate,
        "a late status does not lower the progress"
    );
    assert_eq!(story.freed(), Vec::<String>::new());
}

#[test]
fn a_reported_success_is_confirmed_before_it_counts() {
    let mut story = Story::rendering();
    story.apply(reported(succeeded(), true));
    assert_eq!((story.job.status, story.checks(), story.due_in()), (Status::Rendering, vec![(0, 0)], Some(30)));
    assert_eq!(story.job.run.video_url, None);
    assert_eq!(story.ignored(reported(succeeded(), true)), Ignored::Duplicate);

    story.wait(1).apply(checked(succeeded(), 0));
    assert_eq!((story.job.status, story.job.run.progress), (Status::Completed, 100));
    assert_eq!((story.job.run.video_url.as_deref(), story.notified()), (Some(VIDEO), vec![OutboundEvent::Completed]));
}

#[test]
fn a_success_that_can_not_be_confirmed_counts() {
    let story = Story::rendering().then(reported(succeeded(), false));
    assert_eq!((story.job.status, notified(&story.job)), (Status::Completed, vec![OutboundEvent::Completed]));
}

#[test]
fn a_success_without_a_url_is_not_a_success() {
    let story = Story::submitted().then(reported(with_status(RenderStatus::Succeeded), false));
    assert!(!story.job.status.is_final());
    let checked_so = Story::submitted().then(checked(with_status(RenderStatus::Succeeded), 0));
    assert!(!checked_so.job.status.is_final());
}

#[test]
fn a_confirmation_is_retried_and_the_schedule_continues_in_the_end() {
    let mut story = Story::rendering().then(reported(succeeded(), true));
    let began = story.now;
    let mut waits = Vec::new();
    loop {
        story.wait(1).apply(unanswered(0));
        let [(0, wait)] = story.checks()[..] else { break };
        waits.push(wait);
        story.wait(u64::from(wait));
    }
    assert_eq!(waits, [4, 8, 16, 32, 64, 64, 64]);
    assert_eq!(story.job.status, Status::Rendering);
    assert_eq!(polls_of(&story.job).as_ref().map(|watch| (watch.made, watch.confirming)), Some((0, 0)));
    assert!(story.now.millis_since(began) > 120_000 && story.due_in() == Some(30), "the missed check at 2 min is made");
    story.sweep();
    assert_eq!((story.checks(), story.due_in().unwrap() + story.now.millis_since(began) / 1000), (vec![(1, 0)], 720));
}

#[test]
fn a_lost_confirmation_is_repeated_by_the_sweep() {
    let mut story = Story::rendering().then(reported(succeeded(), true));
    story.sweep();
    assert_eq!((story.now.millis_since(NOON), story.checks()), (30_000, vec![(0, 0)]));
    story.apply(checked(succeeded(), 0));
    assert_eq!(story.notified(), [OutboundEvent::Completed]);
}

#[test]
fn an_unconfirmed_end_does_not_stop_the_worker() {
    let mut story = Story::submitted().then(reported(failed(), true));
    while polls_of(&story.job).is_some() {
        story.sweep();
    }
    assert_eq!(
        (story.job.status, story.due_in().unwrap() + story.now.millis_since(NOON) / 1000),
        (Status::Processing, 1800)
    );
}

#[test]
fn a_failed_render_fails_the_job_and_is_not_retried() {
    let check = |state: RenderState, expected: &str| {
        let story = Story::rendering().then(reported(state.clone(), true)).then(checked(state, 0));
        assert_eq!((story.job.status, story.job.run.error.as_deref()), (Status::Failed, Some(expected)));
        assert_eq!(
            (notified(&story.job), story.job.run.attempt, story.hints()),
            (vec![OutboundEvent::Failed], 1, vec![])
        );
    };
    check(failed(), "source image is gone");
    check(with_status(RenderStatus::Failed), "the render failed");
    // Even with the message of a retriable error.
    check(RenderState { error: Some("connection timeout".to_owned()), ..failed() }, "connection timeout");
}

#[test]
fn a_report_of_another_render_is_ignored() {
    let other = || render("render_9");
    for story in [Story::waiting(), Story::processing(), Story::rendering(), Story::render_timed_out()] {
        let said = Event::RenderReported { render: other(), state: succeeded(), confirmable: false };
        assert_eq!(story.ignored(said), Ignored::OtherRender);
        let found = Event::RenderChecked { render: other(), state: Some(succeeded()), check: 0 };
        assert_eq!(story.ignored(found), Ignored::OtherRender);
    }
}

#[test]
fn an_older_attempts_render_changes_nothing() {
    let story = Story::submitted().then(run_failed(1, "boom"));
    assert_eq!(story.job.render_id(), None);
    assert_eq!(story.ignored(checked(succeeded(), 0)), Ignored::OtherRender);
    assert_eq!(story.ignored(reported(succeeded(), false)), Ignored::OtherRender);
}
