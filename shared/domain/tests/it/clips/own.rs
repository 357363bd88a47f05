//! The run of our own renderers: probe, plan and cuts.

use reelhook_domain::clips::event::{Event, PieceOutput};
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::reasons::Ignored;
use reelhook_domain::clips::request::{ClipRequest, MAX_CLIPS};
use reelhook_domain::errors::cause::Cause;
use reelhook_domain::*;

use super::story::*;

#[test]
fn a_job_is_queued_until_a_renderer_claims_its_probe() {
    let mut story = Story::own();
    assert_eq!((story.job.status, story.pieces()), (ClipStatus::Queued, vec![ClipPiece::Probe]));
    assert_eq!((story.draws(), story.effects(), story.work()), (vec![(1, 0)], vec![], None));
    assert!(story.job.due_at.is_some());
    assert_eq!(story.claim(), ClipPiece::Probe);
    assert_eq!((story.job.status, story.job.started_at), (ClipStatus::Running, Some(START)));
    assert_eq!(story.notified(), [(OutboundEvent::ClipsStarted, None)]);
    assert_eq!(story.ignored(Event::ClaimPiece), Ignored::NothingToDo);
    story.done(made(&ClipPiece::Probe));
    assert_eq!((story.pieces(), story.job.run.progress), (vec![ClipPiece::Plan], 10));
    assert_eq!(story.job.run.source_ms, Some(SOURCE_MS));
    story.claim();
    assert_eq!(story.notified(), [], "it has started before");
}

#[test]
fn each_cut_publishes_its_clip_and_the_last_one_ends_the_job() {
    let mut story = Story::planned(3);
    let cuts = [0, 1, 2].map(|index| ClipPiece::Cut { index, cut: 1 });
    assert_eq!((story.pieces(), story.draws()), (cuts.to_vec(), vec![(3, 0)]));
    assert_eq!((story.job.run.total_clips, story.job.run.progress), (Some(3), 30));
    assert_eq!((story.job.clips[2].range, story.job.plan.clone()), (Some(range(40, 60)), Some(stored("plan.json"))));
    for (index, progress) in [(0, 53), (1, 76)] {
        assert_eq!(story.perform(), cuts[index]);
        let about = index.to_string();
        assert_eq!(story.notified(), [(OutboundEvent::ClipReady, Some(about.as_str()))]);
        assert_eq!((story.job.status, story.job.run.progress), (ClipStatus::Running, progress));
        assert_eq!(story.job.clips[index].file, Some(stored(&format!("{index}-1.mp4"))));
    }
    assert_eq!(story.job.run.clips_completed, 2);
    story.perform();
    assert_eq!(
        (story.job.status, story.job.run.progress, story.job.error.as_deref()),
        (ClipStatus::Succeeded, 100, None)
    );
    let events = [(OutboundEvent::ClipReady, Some("2")), (OutboundEvent::ClipsCompleted, None)];
    assert_eq!(story.notified(), events);
    assert_eq!((story.pieces(), story.job.due_at), (vec![], None));
}

#[test]
fn progress_follows_the_units_of_the_pieces_and_never_falls() {
    let mut story = Story::own();
    let mut seen = Vec::new();
    let mut beat = |story: &mut Story, units: u32| {
        let claim = story.job.pieces.claims;
        story.apply(Event::PieceProgressed { claim, units });
        seen.push(story.job.run.progress);
    };
    story.claim();
    beat(&mut story, 50);
    beat(&mut story, 20);
    story.done(made(&ClipPiece::Probe));
    story.claim();
    beat(&mut story, 50);
    story.done(plan(2));
    story.claim();
    beat(&mut story, 50);
    beat(&mut story, 900);
    assert_eq!(seen, [5, 5, 20, 47, 64]);
}

#[test]
fn a_plan_has_as_many_clips_as_were_asked_for() {
    let check = |count: Option<u32>, planned: u32, expected: u32| {
        let mut story = Story::new(ClipRequest { count, ..request() }, own());
        story.perform();
        story.claim();
        story.done(plan(planned));
        assert_eq!(story.job.run.total_clips, Some(expected), "{count:?} {planned}");
    };
    check(Some(2), 5, 2);
    check(Some(5), 2, 2);
    check(None, 60, 10);
    check(Some(100), 60, MAX_CLIPS);
}

#[test]
fn a_source_without_clips_costs_nothing() {
    let story = Story::planned(0);
    assert_eq!((story.job.status, story.job.run.progress), (ClipStatus::Succeeded, 100));
    assert_eq!(story.job.error.as_deref(), Some("No clips were found in the source"));
    assert_eq!((story.credits(), story.pieces()), (vec![released(1)], vec![]));
    assert_eq!(story.notified(), [(OutboundEvent::ClipsCompleted, None)]);
}

#[test]
fn a_job_without_its_source_or_its_plan_fails() {
    let mut story = Story::own();
    story.claim();
    story.fail("no video stream");
    assert_eq!(story.job.error.as_deref(), Some("The source could not be read: no video stream"));
    assert_eq!((story.job.status, story.pieces(), story.job.due_at), (ClipStatus::Failed, vec![], None));
    assert_eq!((story.credits(), story.raised()), (vec![released(1)], vec![Cause::ClipsFailed]));
    assert_eq!(story.ignored(Event::PieceProgressed { claim: 1, units: 1 }), Ignored::Ended);

    let mut story = Story::own();
    story.perform();
    story.claim();
    story.fail("no frames");
    assert_eq!(story.job.error.as_deref(), Some("The clips could not be chosen: no frames"));
}

#[test]
fn a_clip_that_cannot_be_cut_fails_alone() {
    let mut story = Story::planned(3);
    story.claim();
    story.fail("boom");
    assert_eq!(story.job.status, ClipStatus::Running);
    assert_eq!(story.job.error.as_deref(), Some("Clip 0 could not be cut: boom"));
    story.perform();
    story.claim();
    story.fail("bang");
    assert_eq!((story.job.status, story.ready()), (ClipStatus::Succeeded, vec![false, true, false]));
    let note = "Clip 0 could not be cut: boom; Clip 2 could not be cut: bang";
    assert_eq!(story.job.error.as_deref(), Some(note));
    assert_eq!(story.credits().len(), 1);
    assert_eq!((story.job.run.clips_completed, story.job.run.total_clips), (1, Some(3)));
}

#[test]
fn a_job_whose_clips_all_fail_fails() {
    let mut story = Story::planned(2);
    for _ in 0..2 {
        story.claim();
        story.fail("boom");
    }
    let error = "Clip 0 could not be cut: boom; Clip 1 could not be cut: boom";
    assert_eq!((story.job.status, story.job.error.as_deref()), (ClipStatus::Failed, Some(error)));
    assert_eq!(story.credits(), [released(1)]);
}

#[test]
fn a_lost_renderer_costs_its_piece_three_times_at_most() {
    let mut story = Story::planned(2);
    story.perform();
    for crash in 1..=3 {
        assert_eq!(story.claim(), ClipPiece::Cut { index: 1, cut: 1 }, "{crash}");
        story.sweep();
    }
    assert_eq!((story.job.status, story.ready()), (ClipStatus::Succeeded, vec![true, false]));
    let note = "Clip 1 could not be cut: the renderer failed 3 times";
    assert_eq!(story.job.error.as_deref(), Some(note));

    let mut story = Story::planned(1);
    story.claim();
    let claim = story.job.pieces.claims;
    story.apply(Event::PieceFailed { claim, error: "timeout".to_owned(), permanent: false });
    assert_eq!((story.draws(), story.pieces().len()), (vec![(1, 30)], 1));
    assert_eq!(story.ignored(Event::ClaimPiece), Ignored::NothingToDo);
    story.wait(30).perform();
    assert_eq!(story.job.status, ClipStatus::Succeeded);
}

#[test]
fn a_result_of_another_kind_is_ignored() {
    let mut story = Story::planned(1);
    story.claim();
    let claim = story.job.pieces.claims;
    let output = Box::new(PieceOutput::Measured(1));
    assert_eq!(story.ignored(Event::PieceDone { claim, output }), Ignored::Stale);
}

#[test]
fn a_job_that_is_not_cut_in_time_fails() {
    let mut story = Story::planned(1);
    story.now = START.after(story.policy.deadline);
    story.apply(Event::Tick);
    assert_eq!((story.job.status, story.pieces()), (ClipStatus::Failed, vec![]));
    assert_eq!(story.job.error.as_deref(), Some("The clips were not cut within 480 min"));
    assert_eq!(story.credits(), [released(1)]);
}

#[test]
fn renderers_work_on_eight_pieces_of_a_job_at_once() {
    let mut story = Story::planned(10);
    assert_eq!((story.pieces().len(), story.draws()), (10, vec![(8, 0)]));
    for _ in 0..8 {
        story.claim();
    }
    assert_eq!(story.ignored(Event::ClaimPiece), Ignored::NothingToDo);
    let mut claims = story.job.pieces.claims - 7..;
    let mut cut = |story: &mut Story| {
        let claim = claims.next().unwrap();
        let output = Box::new(made(story.job.claimed_piece(claim).unwrap()));
        story.apply(Event::PieceDone { claim, output });
        story.draws()
    };
    assert_eq!(cut(&mut story), [(1, 0)], "one more for one that is done");
    story.claim();
    assert_eq!(story.ignored(Event::ClaimPiece), Ignored::NothingToDo);
    assert_eq!(cut(&mut story), [(1, 0)]);
    assert_eq!(cut(&mut story), [], "each piece has had its hint");
    story.claim();
    assert_eq!(story.ignored(Event::ClaimPiece), Ignored::NothingToDo, "all seven are claimed");
}

#[test]
fn lost_renderers_keep_no_others_away() {
    let mut story = Story::planned(10);
    for _ in 0..8 {
        story.claim();
    }
    story.wait(600).claim();

    let mut story = Story::planned(10);
    story.sweep();
    assert_eq!(story.draws(), [(8, 0)], "hints that were lost are sent again, no more than at first");
}
