//! Reports of the worker: numbers that never fall, clips as they are finished, ends that absorb, and copies of files.

use reelhook_domain::clips::event::{Event, ReportKind, ReportedClip, WorkerOutput, WorkerReport};
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::reasons::Ignored;
use reelhook_domain::clips::request::{ClipRequest, MAX_CLIPS, Source};
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::*;
use serde_json::json;

use super::story::*;

#[test]
fn progress_and_counts_never_fall_and_absent_values_stay() {
    let mut story = Story::submitted();
    story.report(WorkerReport {
        stage: Some("Rendering clip 3/5...".to_owned()),
        clips_completed: Some(2),
        total_clips: Some(5),
        ..running(50)
    });
    story.report(WorkerReport { clips_completed: Some(1), ..running(30) });
    let run = &story.job.run;
    assert_eq!((run.progress, run.clips_completed, run.total_clips), (50, 2, Some(5)));
    assert_eq!(run.stage, "Rendering clip 3/5...");
    story.report(WorkerReport { progress: Some(0), ..failed("Failed to download video: Video is unavailable") });
    let run = &story.job.run;
    assert_eq!((run.progress, run.clips_completed, run.total_clips), (50, 2, Some(5)));
    assert_eq!(story.job.error.as_deref(), Some("Failed to download video: Video is unavailable"));
    assert_eq!((story.job.status, story.job.ended_at), (ClipStatus::Failed, Some(story.now)));
    assert_eq!(story.notified(), [(OutboundEvent::ClipsFailed, None)]);
    assert_eq!(story.raised(), [Cause::ClipsFailed]);
    assert_eq!((story.credits(), story.effects()), (vec![released(1)], vec![]));
}

#[test]
fn a_queued_job_stays_queued_until_the_worker_begins_and_never_returns_to_the_queue() {
    let mut story = Story::submitted();
    story.report(report(ReportKind::Queued));
    assert_eq!((story.job.status, story.job.started_at), (ClipStatus::Queued, None));
    let began = story.wait(5).now;
    story.report(running(5));
    story.wait(5).report(report(ReportKind::Queued));
    assert_eq!((story.job.status, story.job.started_at), (ClipStatus::Running, Some(began)));
}

#[test]
fn a_job_whose_start_was_never_reported_ends_all_the_same() {
    let mut story = Story::submitted();
    story.report(completed(2));
    assert_eq!((story.job.status, story.job.run.progress), (ClipStatus::Succeeded, 100));
    assert_eq!((story.job.started_at, story.job.ended_at), (Some(story.now), Some(story.now)));
    assert_eq!((story.job.run.clips_completed, story.job.run.total_clips), (2, Some(2)));
    assert_eq!(story.notified(), [(OutboundEvent::ClipsCompleted, None)]);
    assert_eq!((story.job.error.as_deref(), story.effects()), (None, vec![]));
    assert_eq!(story.credits().len(), 1);
}

#[test]
fn an_end_absorbs_every_later_report() {
    let mut story = Story::submitted();
    story.report(completed(2));
    for late in [running(90), report(ReportKind::Queued), failed("boom"), report(ReportKind::Canceled)] {
        assert_eq!(story.ignored(webhook(1, late)), Ignored::Ended);
    }
    assert_eq!(story.ignored(webhook(1, completed(2))), Ignored::Repeated);
    assert_eq!(story.ignored(polled(1, completed(2))), Ignored::Repeated);
    assert_eq!(story.ignored(webhook(1, report(ReportKind::Completed))), Ignored::Ended);
    assert_eq!(story.ignored(webhook(2, completed(2))), Ignored::Stale);

    let mut failed_job = Story::submitted();
    failed_job.report(failed("boom"));
    for late in [running(90), completed(2), failed("boom")] {
        assert_eq!(failed_job.ignored(webhook(1, late)), Ignored::Ended);
    }
}

#[test]
fn a_second_completion_fills_what_was_empty_and_charges_nothing() {
    let mut story = Story::submitted();
    let without = |index| ReportedClip { file: None, summary: None, ..reported_clip(index) };
    let first = WorkerOutput {
        clips: vec![reported_clip(0), without(1)],
        source_ms: Some(SOURCE_MS),
        unusable: vec!["/outputs/../../etc/x".to_owned()],
        ..WorkerOutput::default()
    };
    story.report(with_output(ReportKind::Completed, first));
    assert_eq!((story.ready(), story.raised()), (vec![true, false], vec![Cause::ClipFileUnusable]));
    assert_eq!(story.credits().len(), 1);
    let charged = story.job.credits;

    let second = WorkerOutput { transcript: Some(outside("transcript.json")), ..made_clips(3) };
    let renamed = ReportedClip { summary: Some("other".to_owned()), ..reported_clip(0) };
    let second = WorkerOutput { clips: [renamed].into_iter().chain(second.clips.clone()).collect(), ..second };
    story.report(with_output(ReportKind::Completed, second));
    assert_eq!((story.ready(), story.job.credits), (vec![true, true], charged));
    let summaries: Vec<_> = story.job.clips.iter().map(|clip| clip.summary.as_deref()).collect();
    assert_eq!(summaries, [Some("Clip 0"), Some("Clip 1")]);
    assert_eq!(story.shown(), [Live::Clip { index: 1 }]);
    assert_eq!((story.notified(), story.credits()), (vec![], vec![]));
    assert_eq!(story.resolved(), [Cause::ClipFileUnusable]);
    let copies = [ClipPiece::CopyClip { index: 0 }, ClipPiece::CopyClip { index: 1 }, ClipPiece::CopyTranscript];
    assert_eq!(story.pieces(), copies);
}

#[test]
fn a_completion_without_clips_costs_nothing_and_a_second_one_may_have_them() {
    for empty in [report(ReportKind::Completed), completed(0)] {
        let mut story = Story::submitted();
        story.report(empty);
        assert_eq!((story.job.status, story.job.run.progress), (ClipStatus::Succeeded, 100));
        assert_eq!(story.job.error.as_deref(), Some("No clips were found in the source"));
        assert_eq!((story.credits(), story.job.credits.charged), (vec![released(1)], 0));
        assert_eq!(story.notified(), [(OutboundEvent::ClipsCompleted, None)]);
        story.report(completed(2));
        assert_eq!((story.ready(), story.job.error.as_deref()), (vec![true, true], None));
        assert_eq!((story.job.run.clips_completed, story.job.run.total_clips), (2, Some(2)));
        assert_eq!((story.credits(), story.job.credits.charged), (vec![], 0));
    }
}

#[test]
fn clips_that_nobody_can_play_cost_nothing() {
    let mut story = Story::submitted();
    let clips = vec![ReportedClip { file: None, ..reported_clip(0) }];
    let unusable = vec!["/outputs/../../etc/x".to_owned()];
    story.report(with_output(ReportKind::Completed, WorkerOutput { clips, unusable, ..WorkerOutput::default() }));
    assert_eq!((story.job.status, story.ready()), (ClipStatus::Succeeded, vec![false]));
    assert_eq!(story.job.error.as_deref(), Some("No file of the clips can be used"));
    assert_eq!(story.credits(), [released(1)]);
}

#[test]
fn clips_are_there_as_they_are_finished_each_once() {
    let mut story = Story::submitted();
    story.report(with_output(ReportKind::Running, made_clips(1)));
    assert_eq!(story.notified(), [(OutboundEvent::ClipReady, Some("0"))]);
    assert_eq!(story.shown(), [Live::Clip { index: 0 }, Live::Clips]);
    assert_eq!((story.job.run.clips_completed, story.pieces()), (1, vec![ClipPiece::CopyClip { index: 0 }]));
    assert_eq!(story.draws(), [(1, 0)]);
    assert_eq!(story.perform(), ClipPiece::CopyClip { index: 0 });
    assert_eq!(story.job.clips[0].file, Some(stored("0.mp4")));
    assert_eq!(story.job.status, ClipStatus::Running, "a copy begins nothing");
    story.report(with_output(ReportKind::Running, made_clips(2)));
    assert_eq!(story.notified(), [(OutboundEvent::ClipReady, Some("1"))]);
    assert_eq!(story.job.clips[0].file, Some(stored("0.mp4")));
    story.report(completed(3));
    assert_eq!(story.notified(), [(OutboundEvent::ClipsCompleted, None)]);
    assert_eq!(story.shown(), [Live::Clip { index: 2 }, Live::Clips]);
    assert_eq!(story.pieces(), [ClipPiece::CopyClip { index: 1 }, ClipPiece::CopyClip { index: 2 }]);
}

#[test]
fn files_in_our_bucket_are_not_copied_and_one_that_cannot_be_copied_stays_where_it_is() {
    let mut story = Story::submitted();
    let mut clips = made_clips(2).clips;
    clips[0].file = Some(stored("there.mp4"));
    let plan = Some(outside("plan.json"));
    let output = WorkerOutput { clips, plan, source_ms: Some(SOURCE_MS), ..WorkerOutput::default() };
    story.report(with_output(ReportKind::Completed, output));
    assert_eq!(story.pieces(), [ClipPiece::CopyClip { index: 1 }, ClipPiece::CopyPlan]);
    assert!(story.job.due_at.is_some(), "copies are under way");
    assert_eq!(story.claim(), ClipPiece::CopyClip { index: 1 });
    story.fail("404 Not Found");
    assert_eq!(story.raised(), [Cause::ClipFileUnusable]);
    assert_eq!(story.job.clips[1].file, Some(outside("clip_01.mp4")));
    assert_eq!((story.job.status, story.notified()), (ClipStatus::Succeeded, vec![]));
    story.perform();
    assert_eq!(story.job.plan, Some(stored("plan.json")));
    assert_eq!((story.pieces(), story.job.due_at), (vec![], None));
}

#[test]
fn a_report_under_another_id_is_of_another_submission() {
    let mut story = Story::submitted();
    let other = Event::Reported { number: 1, id: Some(worker_id(7)), report: Box::new(completed(1)), polled: false };
    assert_eq!(story.ignored(other), Ignored::Stale);
    let nameless = Event::Reported { number: 1, id: None, report: Box::new(completed(1)), polled: false };
    story.apply(nameless);
    assert_eq!(story.job.status, ClipStatus::Succeeded);
}

#[test]
fn a_worker_may_cancel_a_job() {
    let mut story = Story::submitted();
    story.report(report(ReportKind::Canceled));
    assert_eq!((story.job.status, story.effects()), (ClipStatus::Canceled, vec![]));
    assert_eq!(story.notified(), [(OutboundEvent::ClipsCanceled, None)]);
    assert_eq!(story.credits(), [released(1)]);
}

#[test]
fn what_a_worker_says_is_bounded() {
    let mut story = Story::new(ClipRequest { source: Source::Page(url("watch")), ..request() }, worker());
    story.submit();
    let clip = |index: u32| ReportedClip {
        summary: Some("é".repeat(5000)),
        tags: vec!["x".repeat(90); 40],
        layout: Some("l".repeat(90)),
        score_basis: (0..100).map(|n| (format!("part{n}"), json!("y".repeat(100)))).collect(),
        ..reported_clip(index)
    };
    let clips: Vec<ReportedClip> = (0..80).rev().map(clip).collect();
    let output = WorkerOutput { clips, ..WorkerOutput::default() };
    let stage = Some("s".repeat(900));
    story.report(WorkerReport { stage, ..with_output(ReportKind::Completed, output) });
    let job = &story.job;
    assert_eq!(job.run.stage.len(), 200);
    assert_eq!(job.clips.len(), usize::try_from(MAX_CLIPS).unwrap());
    assert!(job.clips.is_sorted_by_key(|clip| clip.index));
    assert!(serde_json::to_string(&job.clips).unwrap().len() < 300 * 1024);
    let first = &job.clips[0];
    let summary = first.summary.as_deref().unwrap();
    assert_eq!((summary.chars().count(), first.tags.len(), first.tags[0].len()), (2000, 20, 50));
    assert!(serde_json::to_string(&first.score_basis).unwrap().len() <= 2048);
    assert_eq!(job.clips.last().unwrap().summary, None, "there is no room for the texts of all");

    let mut story = Story::submitted();
    story.report(failed(&"é".repeat(3000)));
    assert_eq!(story.job.error.unwrap().chars().count(), 1000);
}

#[test]
fn a_completion_that_comes_again_changes_nothing_where_texts_have_no_room() {
    let clips = |summary: usize, tags: usize| -> WorkerOutput {
        let clip = |index: u32| ReportedClip {
            summary: Some("é".repeat(summary)),
            tags: vec!["x".repeat(50); tags],
            ..reported_clip(index)
        };
        WorkerOutput { clips: (0..MAX_CLIPS).map(clip).collect(), ..WorkerOutput::default() }
    };
    let mut story = Story::submitted();
    story.report(with_output(ReportKind::Completed, clips(1900, 0)));
    let before = story.job.clips.clone();
    let second = with_output(ReportKind::Completed, clips(5, 20));
    story.report(second.clone());
    for (clip, before) in story.job.clips.iter().zip(&before) {
        assert!(before.summary.is_none() || clip.summary == before.summary, "what is known stays");
    }
    assert_eq!(story.ignored(webhook(1, second)), Ignored::Repeated);
}
