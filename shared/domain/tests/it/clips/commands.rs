//! Commands of people: cancel, delete, retry, and cutting a clip again.

use reelhook_domain::clips::clip::ClipScore;
use reelhook_domain::clips::event::{Event, PieceOutput, ReportKind};
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::queries::ClipWork;
use reelhook_domain::clips::reasons::{Ignored, Rejected};
use reelhook_domain::clips::request::{ClipRequest, MAX_RECUTS, Range};
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::*;
use serde_json::json;

use super::story::*;

const RETRY: Event = Event::Retry { reserved: RESERVED };

fn recut(index: u32, start_s: u64, end_s: u64) -> Event {
    Event::Recut { index, range: range(start_s, end_s) }
}

#[test]
fn a_canceled_job_is_canceled_at_the_worker_as_far_as_the_worker_may_have_it() {
    let mut claimed = Story::waiting();
    claimed.apply(Event::ClaimSubmission);
    for (mut story, is_there) in
        [(Story::waiting(), false), (claimed, true), (Story::unclear(), true), (Story::submitted(), true)]
    {
        story.apply(Event::Cancel);
        let expected = if is_there { vec![ClipEffect::CancelWork { number: 1 }] } else { vec![] };
        assert_eq!((story.effects(), story.job.status), (expected, ClipStatus::Canceled));
        assert_eq!(story.notified(), [(OutboundEvent::ClipsCanceled, None)]);
        assert_eq!((story.credits(), story.job.due_at), (vec![released(1)], None));
        assert_eq!(story.shown(), [Live::Clips]);
        assert_eq!(story.ignored(Event::Cancel), Ignored::Repeated);
        assert_eq!(story.ignored(Event::Submitted { number: 1, id: worker_id(1) }), Ignored::Ended);
        assert_eq!(story.ignored(webhook(1, completed(2))), Ignored::Ended);
        assert!(story.job.is_unwanted(1));
    }
}

#[test]
fn copies_go_on_after_a_cancellation_and_cuts_do_not() {
    let mut story = Story::submitted();
    story.report(with_output(ReportKind::Running, made_clips(1)));
    story.apply(Event::Cancel);
    assert_eq!(story.perform(), ClipPiece::CopyClip { index: 0 });
    assert_eq!((story.job.status, story.job.due_at), (ClipStatus::Canceled, None));

    let mut story = Story::planned(3);
    story.perform();
    story.claim();
    let claim = story.job.pieces.claims;
    story.apply(Event::Cancel);
    assert_eq!((story.pieces(), story.ready()), (vec![], vec![true, false, false]));
    assert_eq!(story.ignored(Event::PieceProgressed { claim, units: 1 }), Ignored::Ended);
}

#[test]
fn a_job_that_has_ended_cannot_be_canceled() {
    let mut story = Story::submitted();
    story.report(completed(1));
    assert_eq!(story.rejected(Event::Cancel), Rejected::Ended);
    let mut story = Story::submitted();
    story.report(failed("boom"));
    assert_eq!(story.rejected(Event::Cancel), Rejected::Ended);
}

#[test]
fn the_deletion_of_a_job_that_is_under_way_cancels_it_and_keeps_its_files() {
    let mut story = Story::submitted();
    story.report(with_output(ReportKind::Running, made_clips(1)));
    story.perform();
    story.apply(Event::Delete);
    assert_eq!((story.job.status, story.job.is_deleted()), (ClipStatus::Canceled, false));
    assert_eq!(story.effects(), [ClipEffect::CancelWork { number: 1 }]);
    assert_eq!(story.notified(), [(OutboundEvent::ClipsCanceled, None)]);
    assert_eq!((story.credits(), story.job.due_at), (vec![released(1)], None));
    assert!(!story.job.outbox.contains(&Effect::Purge));
    assert_eq!(story.ready(), [true]);
    let mut retried = story.clone();
    retried.apply(RETRY);
    assert_eq!(retried.job.status, ClipStatus::Queued);
    story.apply(Event::Delete);
    assert!(story.job.outbox.contains(&Effect::Purge) && story.job.is_deleted());
    assert_eq!((story.notified(), story.credits(), story.effects()), (vec![], vec![], vec![]));
}

#[test]
fn a_deleted_job_refuses_everything() {
    let mut story = Story::submitted();
    story.apply(Event::Cancel);
    story.apply(Event::Delete);
    assert!(story.job.outbox.contains(&Effect::Purge) && story.job.is_deleted());
    for command in [Event::Cancel, Event::Delete, RETRY, recut(0, 0, 1)] {
        assert_eq!(story.rejected(command), Rejected::Deleted);
    }
    for event in [webhook(1, completed(1)), Event::ClaimSubmission, Event::ClaimPiece, Event::Tick] {
        assert_eq!(story.ignored(event), Ignored::Ended);
    }
}

#[test]
fn a_failed_job_is_resolved_by_its_deletion_and_by_a_retry() {
    let mut story = Story::own();
    story.claim();
    story.fail("boom");
    let mut deleted = story.clone();
    deleted.apply(Event::Delete);
    assert_eq!((deleted.resolved(), deleted.notified(), deleted.credits()), (vec![Cause::ClipsFailed], vec![], vec![]));
    story.apply(RETRY);
    assert_eq!(story.resolved(), [Cause::ClipsFailed]);
}

#[test]
fn a_retry_is_a_new_attempt_under_a_new_number() {
    let mut story = Story::submitted();
    story.report(running(50));
    assert_eq!(story.rejected(RETRY), Rejected::UnderWay);
    story.report(failed("boom"));
    story.wait(10).apply(RETRY);
    let job = &story.job;
    assert_eq!((job.status, job.run.attempt, job.run.progress), (ClipStatus::Queued, 2, 0));
    assert_eq!((job.started_at, job.ended_at, job.error.as_deref()), (None, None, None));
    let index = ClipEffect::Index { number: 2, worker_id: None };
    assert_eq!(story.effects(), [index, ClipEffect::Work { delay_s: 0 }]);
    assert_eq!(story.work(), Some((2, ClipWork::Submit)));
    assert_eq!(story.shown(), [Live::Clips]);
    assert_eq!(story.ignored(webhook(1, completed(2))), Ignored::Stale);
    story.submit();
    assert_eq!(story.notified(), [(OutboundEvent::ClipsStarted, None)]);
    story.report(completed(1));
    assert_eq!(story.rejected(RETRY), Rejected::Succeeded);
}

#[test]
fn numbers_of_cuts_claims_and_submissions_go_on_over_attempts_and_engines() {
    let mut story = Story::planned(2);
    story.perform();
    let claims = story.job.pieces.claims;
    story.apply(Event::Cancel);
    story.apply(RETRY);
    assert_eq!((story.job.clips.len(), story.pieces()), (0, vec![ClipPiece::Probe]));
    story.perform();
    assert_eq!(story.job.pieces.claims, claims + 1);
    story.claim();
    story.done(plan(1));
    assert_eq!(story.pieces(), [ClipPiece::Cut { index: 0, cut: 2 }]);

    let mut story = Story::submitted();
    story.report(with_output(ReportKind::Running, made_clips(1)));
    assert_eq!(story.job.clips[0].cuts, 1);
    story.apply(Event::Cancel);
    story.apply(RETRY);
    story.submit();
    story.report(with_output(ReportKind::Running, made_clips(1)));
    assert_eq!(story.job.clips[0].cuts, 2, "the copy of the clip has another name");

    let mut story = Story::submitted();
    for (policy, number) in [(own(), None), (own(), None), (worker(), Some(2)), (worker(), Some(3))] {
        story.apply(Event::Cancel);
        story.policy = policy;
        story.apply(RETRY);
        assert_eq!(story.job.run.engine.worker().map(|run| run.number), number);
    }
}

#[test]
fn a_clip_that_is_cut_again_keeps_its_file_until_the_new_one_is_there() {
    let mut story = Story::cut(2);
    let ended_at = story.job.ended_at;
    story.wait(60).apply(recut(1, 30, 45));
    assert_eq!((story.job.status, story.job.run.progress), (ClipStatus::Succeeded, 100));
    assert_eq!((story.pieces(), story.draws()), (vec![ClipPiece::Cut { index: 1, cut: 2 }], vec![(1, 0)]));
    let clip = &story.job.clips[1];
    assert_eq!((clip.file.clone(), clip.shown_range()), (Some(stored("1-1.mp4")), Some(range(20, 40))));
    assert_eq!(clip.range, Some(range(30, 45)));
    assert_eq!(story.rejected(recut(1, 0, 10)), Rejected::ClipBusy(1));
    story.claim();
    assert_eq!((story.job.status, story.notified()), (ClipStatus::Succeeded, vec![]));
    story.done(made(&ClipPiece::Cut { index: 1, cut: 2 }));
    assert_eq!(story.notified(), [(OutboundEvent::ClipReady, Some("1"))]);
    assert_eq!(story.shown(), [Live::Clip { index: 1 }]);
    let clip = &story.job.clips[1];
    assert_eq!((clip.file.clone(), clip.shown_range()), (Some(stored("1-2.mp4")), Some(range(30, 45))));
    assert_eq!((story.job.ended_at, story.job.due_at, story.credits()), (ended_at, None, vec![]));
}

#[test]
fn a_clip_that_is_cut_again_has_the_score_of_its_new_range() {
    let mut story = Story::cut(2);
    let parts = |story: &Story| {
        let clip = &story.job.clips[1];
        (clip.score.as_ref().and_then(serde_json::Number::as_f64), clip.score_basis.clone())
    };
    let basis = |energy: f64| [("energy".to_owned(), json!(energy))].into_iter().collect::<serde_json::Map<_, _>>();
    let planned = parts(&story);
    assert_eq!(planned.0, Some(0.5), "the first cut has the score of the plan");
    let cut = |story: &mut Story, score: Option<ClipScore>| {
        story.apply(recut(1, 30, 45));
        story.claim();
        story.done(PieceOutput::Cut { file: stored("again.mp4"), duration_ms: 15_000, score });
    };
    let mut failing = story.clone();
    failing.apply(recut(1, 30, 45));
    assert_eq!(parts(&failing), planned, "it is that of its file");
    failing.claim();
    failing.fail("boom");
    assert_eq!(parts(&failing), planned);
    cut(&mut story, Some(ClipScore { score: 0.25, basis: basis(0.1) }));
    assert_eq!(parts(&story), (Some(0.25), basis(0.1)));
    cut(&mut story, None);
    assert_eq!(parts(&story), (None, serde_json::Map::new()), "no score is better than that of another range");
}

#[test]
fn a_clip_that_cannot_be_cut_again_stays_as_it_was() {
    let mut story = Story::cut(2);
    story.apply(recut(0, 5, 10));
    story.claim();
    story.fail("boom");
    let clip = &story.job.clips[0];
    assert_eq!((clip.file.clone(), clip.range, clip.previous), (Some(stored("0-1.mp4")), Some(range(0, 20)), None));
    assert_eq!(
        (story.job.status, story.job.error.as_deref()),
        (ClipStatus::Succeeded, Some("Clip 0 could not be cut: boom"))
    );
    story.apply(recut(0, 5, 10));
    assert_eq!(story.pieces(), [ClipPiece::Cut { index: 0, cut: 3 }], "no file is written twice");
    story.perform();
    assert_eq!(story.job.error, None);
}

#[test]
fn a_clip_that_failed_can_be_cut_again() {
    let mut story = Story::planned(2);
    story.claim();
    story.fail("boom");
    story.perform();
    assert_eq!(story.ready(), [false, true]);
    story.apply(recut(0, 1, 2));
    story.perform();
    assert_eq!((story.ready(), story.job.error.as_deref()), (vec![true, true], None));
    assert_eq!(story.job.run.clips_completed, 2);
}

#[test]
fn only_clips_of_our_own_that_exist_within_the_source_are_cut_again() {
    let mut of_worker = Story::submitted();
    of_worker.report(completed(2));
    assert_eq!(of_worker.rejected(recut(0, 0, 10)), Rejected::NotOwn);
    assert_eq!(Story::planned(2).rejected(recut(0, 0, 10)), Rejected::NotSucceeded);
    let story = Story::cut(2);
    assert_eq!(story.rejected(recut(2, 0, 10)), Rejected::NoClip(2));
    assert_eq!(story.rejected(recut(0, 0, 601)), Rejected::OutOfSource(SOURCE_MS));
    assert!(matches!(story.decide(&recut(0, 590, 600)), Decision::Apply(_)));
}

#[test]
fn a_clip_that_is_cut_again_has_the_length_of_a_clip_and_is_in_the_ranges_of_the_request() {
    let story = Story::cut(1);
    let cut = |start_ms: u64, end_ms: u64| Event::Recut { index: 0, range: Range { start_ms, end_ms } };
    for (start_ms, end_ms) in [(0, 999), (0, 120_001), (100, 600_000)] {
        assert_eq!(story.rejected(cut(start_ms, end_ms)), Rejected::BadLength(end_ms - start_ms));
    }
    assert!([cut(0, 1000), cut(100, 120_100)].iter().all(|cut| matches!(story.decide(cut), Decision::Apply(_))));

    let ranges = vec![range(0, 60), range(90, 300)];
    let mut story = Story::new(ClipRequest { ranges, ..request() }, own());
    story.perform();
    story.claim();
    story.done(plan(1));
    story.perform();
    for (start_s, end_s) in [(50, 70), (60, 90), (70, 80), (299, 301)] {
        assert_eq!(story.rejected(recut(0, start_s, end_s)), Rejected::OutOfRanges, "{start_s} {end_s}");
    }
    assert!([recut(0, 0, 60), recut(0, 180, 300)].iter().all(|cut| matches!(story.decide(cut), Decision::Apply(_))));
}

#[test]
fn a_clip_is_cut_again_twenty_times_at_most() {
    let mut story = Story::planned(2);
    story.perform();
    story.claim();
    story.fail("boom");
    for made in 0..MAX_RECUTS {
        story.apply(recut(0, 5, 10));
        if made % 2 == 0 {
            story.perform();
        } else {
            story.claim();
            story.fail("boom");
        }
    }
    assert_eq!(story.rejected(recut(0, 5, 10)), Rejected::TooManyCuts(0));
    story.apply(recut(1, 5, 10));

    // The cuts of earlier attempts do not count.
    let mut story = Story::planned(1);
    story.apply(Event::Cancel);
    story.apply(RETRY);
    story.perform();
    story.claim();
    story.done(plan(1));
    story.perform();
    for _ in 0..MAX_RECUTS {
        story.apply(recut(0, 5, 10));
        story.perform();
    }
    assert_eq!(story.rejected(recut(0, 5, 10)), Rejected::TooManyCuts(0));
}

#[test]
fn the_file_of_a_clip_is_removed_once_another_one_replaces_it() {
    let removed = |story: &Story| {
        let keys = story.job.outbox.iter().filter_map(|effect| match effect {
            Effect::RemoveFiles { keys } => Some(keys.clone()),
            _ => None,
        });
        keys.flatten().collect::<Vec<String>>()
    };
    let mut story = Story::cut(2);
    assert!(removed(&story).is_empty());
    story.apply(recut(1, 30, 45));
    story.claim();
    assert!(removed(&story).is_empty(), "people may play it");
    story.done(made(&ClipPiece::Cut { index: 1, cut: 2 }));
    assert_eq!(removed(&story), [format!("clips/{UUID}/1-1.mp4")]);
}

#[test]
fn a_client_with_a_callback_is_notified_too() {
    let request = ClipRequest { callback: Some(url("hook")), ..request() };
    let mut story = Story::new(request, worker());
    story.submit();
    let to = story.job.outbox.iter().find_map(|effect| match effect {
        Effect::Notify { to, .. } => *to,
        _ => None,
    });
    assert_eq!(to, Some(Recipients::SubscribersAndCallback));
}
