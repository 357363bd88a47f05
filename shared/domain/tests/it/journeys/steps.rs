//! A worker's reports: their progress, their order, their repeats, and the pause after extraction.

use reelhook_domain::*;
use serde_json::json;

use crate::story::*;
use StepStatus::{Completed, RenderReady, Started};

#[test]
fn progress_follows_the_steps() {
    let check = |number, status, expected| {
        let story = Story::claimed().then(Report::of(number, status, 100).render("render_1").by(1));
        assert_eq!(story.job.run.progress, expected, "step {number} {status:?}");
    };
    check(0, Started, 5);
    for (number, began, done) in
        [(1, 0, 12), (2, 12, 24), (3, 24, 36), (4, 36, 49), (5, 49, 61), (6, 61, 73), (7, 73, 85)]
    {
        check(number, Started, began);
        check(number, Completed, done);
    }
    check(7, RenderReady, 85);
    check(8, Completed, 95);
}

#[test]
fn progress_never_falls_within_a_run() {
    let story = Story::claimed().then(step(0, Started, 100)).then(step(1, Started, 110));
    assert_eq!(story.job.run.progress, 5, "step 1 begins at 0 %, but 5 % were shown");
}

#[test]
fn a_repeated_report_changes_nothing() {
    let story = Story::processing();
    assert_eq!(story.ignored(step(3, Started, 130)), Ignored::Duplicate);
    assert_eq!(
        story.ignored(step(0, Started, 100)),
        Ignored::Duplicate,
        "a repeat is recognized before its sequence is compared"
    );
    let done = Story::completed();
    assert_eq!(done.ignored(step(3, Started, 130)), Ignored::Duplicate, "and also on an ended job");
}

#[test]
fn a_report_is_another_one_when_any_part_of_its_identity_differs() {
    let story = Story::claimed().then(Report::of(3, Started, 130).key("step_3_asset_prep").by(1));
    assert_eq!(story.ignored(Report::of(3, Started, 130).key("step_3_asset_prep").by(1)), Ignored::Duplicate);
    for other in [
        Report::of(3, Started, 130).key("step_3_again"),
        Report::of(3, Started, 130),
        Report::of(3, Completed, 130).key("step_3_asset_prep"),
        Report::of(3, Started, 131).key("step_3_asset_prep"),
        Report::of(4, Started, 130).key("step_3_asset_prep"),
    ] {
        story.clone().then(other.by(1));
    }
}

#[test]
fn the_last_64_reports_are_kept() {
    let report = |n: i64| Report::of(1, Started, 100).key(&format!("key_{n}")).by(1);
    let mut story = Story::claimed();
    for n in 1..=64 {
        story.apply(report(n));
    }
    assert_eq!(story.ignored(report(1)), Ignored::Duplicate, "the oldest of the 64 known reports");
    story.apply(report(65));
    assert_eq!(story.ignored(report(2)), Ignored::Duplicate);
    story.apply(report(1));
}

#[test]
fn an_out_of_order_report_is_refused() {
    let story = Story::processing();
    assert_eq!(story.ignored(step(5, Completed, 129)), Ignored::OutOfSequence);
    story.clone().then(step(3, Completed, 130));
    story.then(step(3, Completed, 131));
}

#[test]
fn a_step_can_not_start_below_the_current_one() {
    let mut story = Story::processing();
    assert_eq!(story.ignored(step(2, Started, 140)), Ignored::BackwardStep);
    // An earlier step may still end, and a step may start again.
    story.apply(step(3, Started, 140));
    story.apply(step(2, Completed, 141));
    assert_eq!((steps_of(&story.job).current, story.job.run.progress), (3, 24));
}

#[test]
fn a_refused_report_leaves_no_trace() {
    let story = Story::processing();
    assert_eq!(story.ignored(step(2, Started, 999)), Ignored::BackwardStep);
    // Its sequence was not stored: 140 is below 999 and is accepted.
    story.then(step(4, Started, 140));
}

#[test]
fn details_and_durations_are_kept_per_step() {
    let mut story = Story::processing();
    let mut update = plain(3, Completed, 140);
    update.details = Some(json!({ "assets": 3 }));
    update.duration = Some(1.5);
    story.apply(Event::Step { attempt: Some(1), update });
    // A later report of the step without these values removes nothing.
    story.apply(step(3, Completed, 141));
    let record = &steps_of(&story.job).records[&3];
    assert_eq!((record.details.as_ref(), record.duration), (Some(&json!({ "assets": 3 })), Some(1.5)));
}

#[test]
fn a_job_with_a_pause_ends_after_extraction() {
    let mut story = Story::with(policy(), true).then(Event::Claim).then(started(1));
    story.apply(step(1, Started, 110));
    assert_eq!(story.job.status, Status::Processing);
    let mut update = plain(1, Completed, 115);
    update.extracted = Some("[{\"title\": \"Lupin\"}]".to_owned());
    story.apply(Event::Step { attempt: Some(1), update });
    assert_eq!(story.job.status, Status::Completed);
    assert!(
        paused_after_extraction(&story.job)
            && steps_of(&story.job).extracted.is_some()
            && story.job.run.video_url.is_none()
    );
    assert_eq!((story.notified(), story.freed()), (vec![OutboundEvent::ExtractionCompleted], vec!["1.1".to_owned()]));
    assert_eq!(story.ignored(step(2, Started, 120)), Ignored::FinalJob);
}

#[test]
fn a_job_without_a_pause_continues_after_extraction() {
    let story = Story::claimed().then(step(1, Completed, 115));
    assert_eq!((story.job.status, paused_after_extraction(&story.job)), (Status::Processing, false));
}

#[test]
fn step_8_ends_the_work_of_the_worker() {
    let mut with_id = Story::submitted().then(Report::of(8, Completed, 180).by(1));
    assert_eq!((with_id.job.status, with_id.job.run.progress), (Status::Rendering, 95));
    assert_eq!((with_id.notified(), with_id.freed()), (vec![OutboundEvent::ScriptCompleted], vec!["1.1".to_owned()]));
    assert_eq!(with_id.due_in(), Some(120), "the polling of the render begins");
    with_id.wait(60);
    assert_eq!(with_id.ignored(Event::Tick), Ignored::NotDue);

    let nothing = Story::processing().then(Report::of(8, Completed, 180).by(1));
    assert_eq!((nothing.job.status, nothing.job.run.progress), (Status::Completed, 100));
    assert_eq!(nothing.job.run.caption, "No video URL or Creatomate ID returned");
    assert_eq!((nothing.notified(), nothing.job.run.video_url), (vec![OutboundEvent::CompletedWithIssues], None));

    let video = Story::processing().then(Report::of(8, Completed, 180).video().by(1));
    assert_eq!((video.job.status, video.job.run.video_url.as_deref()), (Status::Completed, Some(VIDEO)));
    assert_eq!(notified(&video.job), [OutboundEvent::Completed]);
}

#[test]
fn step_7_reports_the_render_and_render_ready_starts_the_polling() {
    let named = Story::processing().then(Report::of(7, Completed, 175).render("render_1").by(1));
    assert_eq!((named.job.status, named.due_in()), (Status::Processing, Some(1800)));
    assert_eq!(named.job.render_id(), Some(&render("render_1")));

    let mut ready = Story::processing().then(Report::of(7, RenderReady, 175).render("render_1").by(1));
    assert_eq!((ready.job.status, ready.due_in()), (Status::Rendering, Some(120)));
    // Step 8 comes later and does not restart the polling.
    ready.wait(60).apply(Report::of(8, Completed, 180).render("render_1").by(1));
    assert_eq!((ready.notified(), ready.due_in()), (vec![OutboundEvent::ScriptCompleted], Some(60)));
}

#[test]
fn captions_are_ascii() {
    let mut update = plain(3, Completed, 140);
    update.name = "Poster télé\u{7}".to_owned();
    let story = Story::processing().then(Event::Step { attempt: Some(1), update });
    assert_eq!(story.job.run.caption, "Poster t?l?? - completed");
}

/// The facts of the log line about the last report.
fn logged(story: &Story) -> serde_json::Value {
    let line = story.job.outbox.iter().find_map(|effect| match effect {
        Effect::Log { event: LogEvent::Reported, details, .. } => Some(details.clone()),
        _ => None,
    });
    line.expect("a report is logged")
}

#[test]
fn the_line_of_a_report_has_the_names_that_pages_of_streamgank_know() {
    let line = logged(&Story::processing());
    let time = NOON.to_string();
    let names = json!({
        "step_number": 3, "step_name": "Asset Preparation", "step_status": "started", "webhook_time": time,
    });
    assert_eq!(line, names, "no `status`, which would look like a running step");
    for (report, word) in [
        (Report::of(4, Completed, 140), "completed"),
        (Report::of(4, StepStatus::Failed, 140).error("no movies found"), "failed"),
        (Report::of(8, Completed, 180).error("no movies found").workflow_failed(), "failed"),
        (Report::of(7, RenderReady, 175), "creatomate_ready"),
    ] {
        let line = logged(&Story::processing().then(report.by(1)));
        assert_eq!((&line["step_status"], &line["status"]), (&json!(word), &json!(null)));
        let error = if word == "failed" { json!("no movies found") } else { json!(null) };
        assert_eq!(line["error"], error);
    }
}

#[test]
fn the_log_keeps_the_render_of_a_job_and_little_of_a_long_error() {
    let reported = Story::processing().then(Report::of(7, Completed, 175).render("render_1").by(1));
    assert_eq!(logged(&reported)["render_id"], "render_1");
    let failed = Story::rendering().then(checked(failed(), 1));
    let line = failed.job.outbox.iter().find_map(|effect| match effect {
        Effect::Log { event: LogEvent::Failed, details, .. } => Some(details.clone()),
        _ => None,
    });
    assert_eq!(line, Some(json!({ "render_id": "render_1" })), "clients see no render of a failed job");

    let error = format!("no movies found {}", "é".repeat(2000));
    let long = Story::processing().then(Report::of(4, StepStatus::Failed, 140).error(&error).by(1));
    let kept = logged(&long)["error"].as_str().map(str::len);
    assert!(kept.is_some_and(|kept| (198..=200).contains(&kept)), "{kept:?}");
}
