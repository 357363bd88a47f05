//! What an attempt costs, and that its reservation ends once.

use reelhook_domain::clips::event::{Event, PieceOutput, ReportKind, WorkerOutput};
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::clips::reasons::Ignored;
use reelhook_domain::clips::request::{ClipRequest, Source};
use reelhook_domain::credits::price::{Basis, CreditPrice};
use reelhook_domain::*;

use super::story::*;

/// A worker ends a job with this output.
fn ended(request: ClipRequest, output: WorkerOutput) -> Story {
    let mut story = Story::new(request, worker());
    story.submit();
    story.report(with_output(ReportKind::Completed, output));
    story
}

#[test]
fn an_estimate_is_the_price_of_the_ranges_or_the_minimum() {
    let price = CreditPrice::default();
    assert_eq!(request().estimate(price), (10, Basis::Minimum));
    let ranges = ClipRequest { ranges: vec![range(0, 120), range(180, 300)], ..request() };
    assert_eq!(ranges.estimate(price), (40, Basis::Ranges));
    let short = ClipRequest { ranges: vec![range(0, 30)], ..request() };
    assert_eq!(short.estimate(price), (10, Basis::Minimum));
}

#[test]
fn a_declared_length_is_reserved_unless_there_are_ranges() {
    let price = CreditPrice::default();
    let declared = ClipRequest { declared_ms: Some(7_200_000), ..request() };
    assert_eq!(declared.estimate(price), (1200, Basis::Declared));
    let ranges = ClipRequest { ranges: vec![range(0, 120)], ..declared };
    assert_eq!(ranges.estimate(price), (20, Basis::Ranges));
}

#[test]
fn the_length_that_was_probed_raises_what_is_reserved() {
    let mut story = Story::own();
    assert_eq!(story.job.credits.reserved, RESERVED);
    story.perform();
    assert_eq!((story.job.credits.reserved, story.credits(), story.pieces()), (100, vec![], vec![ClipPiece::Plan]));
    let of_ranges = ClipRequest { ranges: vec![range(0, 30)], ..request() };
    let mut story = Story::new(of_ranges, own());
    story.perform();
    assert_eq!(story.job.credits.reserved, RESERVED, "ranges cost no more than was known before");
    let declared = ClipRequest { declared_ms: Some(SOURCE_MS * 2), ..request() };
    let mut story = Story::new(declared, own());
    story.job.credits.reserved = 200;
    story.perform();
    assert_eq!(story.job.credits.reserved, 200, "what was declared stays reserved");
}

#[test]
fn a_source_for_which_the_account_has_not_the_credits_is_not_cut() {
    let mut story = Story::own();
    story.claim();
    let claim = story.job.pieces.claims;
    let not_covered = Event::NotCovered { claim, source_ms: SOURCE_MS, available: 30 };
    story.apply(not_covered.clone());
    let error = "Insufficient credits: the clips of this source cost 100, and the account has 40";
    assert_eq!((story.job.status, story.job.error.as_deref()), (ClipStatus::Failed, Some(error)));
    assert_eq!((story.credits(), story.pieces(), story.job.due_at), (vec![released(1)], vec![], None));
    assert_eq!(story.ignored(not_covered), Ignored::Ended);
    assert_eq!(story.job.estimate(CreditPrice::default()), 100, "a retry needs what the source costs");

    let mut story = Story::own();
    story.perform();
    story.claim();
    let claim = story.job.pieces.claims;
    let late = Event::NotCovered { claim, source_ms: SOURCE_MS, available: 0 };
    assert_eq!(story.ignored(late), Ignored::Stale, "the plan was claimed, and no probe");
}

#[test]
fn ranges_are_charged_as_far_as_they_are_within_the_source() {
    let ranges = ClipRequest { ranges: vec![range(0, 120), range(540, 900)], ..request() };
    let output = WorkerOutput { source_ms: Some(SOURCE_MS), ..made_clips(1) };
    assert_eq!(ended(ranges.clone(), output).credits(), [settled(1, 30, Basis::Ranges)]);
    assert_eq!(ended(ranges, made_clips(1)).credits(), [settled(1, 80, Basis::Ranges)]);
}

#[test]
fn the_length_that_the_worker_reports_is_charged() {
    let output = WorkerOutput { source_ms: Some(SOURCE_MS), ..made_clips(1) };
    let story = ended(request(), output);
    assert_eq!(story.credits(), [settled(1, 100, Basis::Reported)]);
    let credits = story.job.credits;
    assert_eq!((credits.reserved, credits.charged, credits.settled_attempt), (0, 100, 1));
    assert!(!story.job.has_reservation());
}

#[test]
fn a_file_of_unknown_length_is_measured_before_it_is_charged() {
    for source in [Source::File(url("talk.mp4")), Source::Upload("uploads/talk.mp4".to_owned())] {
        let mut story = ended(ClipRequest { source, ..request() }, made_clips(1));
        assert_eq!((story.job.status, story.credits()), (ClipStatus::Succeeded, vec![]));
        assert_eq!(story.pieces(), [ClipPiece::CopyClip { index: 0 }, ClipPiece::Measure]);
        assert!(story.job.has_reservation());
        assert_eq!(story.job.credits.reserved, RESERVED);
        story.perform();
        let mut failing = story.clone();
        assert_eq!(story.perform(), ClipPiece::Measure);
        assert_eq!(story.credits(), [settled(1, 100, Basis::Probed)]);
        assert_eq!((story.job.credits.charged, story.job.due_at), (100, None));

        failing.claim();
        failing.fail("no such file");
        assert_eq!(failing.credits(), [settled(1, 10, Basis::Minimum)], "half a minute costs the minimum");
    }
}

#[test]
fn a_measurement_whose_renderers_are_lost_ends_all_the_same() {
    let mut story = ended(request(), made_clips(1));
    story.perform();
    while story.job.has_reservation() {
        if matches!(story.decide(&Event::ClaimPiece), Decision::Apply(_)) {
            story.apply(Event::ClaimPiece);
        }
        story.sweep();
    }
    assert_eq!(story.credits(), [settled(1, 10, Basis::Minimum)]);
}

#[test]
fn a_page_is_charged_by_the_sum_of_its_clips() {
    let request = ClipRequest { source: Source::Page(url("watch")), ..request() };
    let mut clips = made_clips(5).clips;
    (clips[0].duration_ms, clips[0].range) = (None, Some(range(10, 40)));
    (clips[1].duration_ms, clips[1].range) = (None, None);
    let story = ended(request, WorkerOutput { clips, ..WorkerOutput::default() });
    assert_eq!(story.credits(), [settled(1, 20, Basis::Clips)]);
}

#[test]
fn our_own_run_is_charged_by_what_it_probed() {
    let story = Story::cut(3);
    assert_eq!(story.credits(), [settled(1, 100, Basis::Probed)]);
}

#[test]
fn a_retry_reserves_anew_and_what_both_attempts_cost_is_counted() {
    let mut story = Story::submitted();
    story.apply(Event::Cancel);
    assert_eq!((story.credits(), story.job.credits.reserved), (vec![released(1)], 0));
    story.apply(Event::Retry { reserved: 25 });
    assert_eq!((story.credits(), story.job.credits.reserved), (vec![], 25));
    assert!(story.job.has_reservation());
    assert_eq!(story.job.reservation(), reservation(2));
    story.submit();
    story.report(completed(1));
    assert_eq!(story.credits(), [settled(2, 100, Basis::Reported)]);
    let credits = story.job.credits;
    assert_eq!((credits.reserved, credits.charged, credits.settled_attempt), (0, 100, 2));
}

#[test]
fn a_job_that_is_deleted_while_it_is_measured_is_charged_by_its_clips() {
    let mut story = ended(request(), made_clips(3));
    story.apply(Event::Delete);
    assert_eq!(story.credits(), [settled(1, 15, Basis::Clips)]);
    assert_eq!((story.pieces(), story.job.due_at), (vec![], None));
}

#[test]
fn a_measurement_after_the_charge_does_not_exist() {
    let mut story = ended(request(), made_clips(1));
    story.perform();
    story.claim();
    story.done(PieceOutput::Measured(60_000));
    assert_eq!(story.credits(), [settled(1, 10, Basis::Probed)]);
    let again = WorkerOutput { source_ms: Some(SOURCE_MS), ..made_clips(1) };
    assert!(matches!(story.decide(&webhook(1, with_output(ReportKind::Completed, again))), Decision::Ignore(_)));
}

#[test]
fn a_source_that_is_shorter_than_its_clips_show_is_charged_by_them() {
    let mut late = made_clips(1);
    late.clips[0].range = Some(range(1200, 1230));
    for (output, credits) in [(late, 205), (made_clips(4), 20)] {
        let mut story = ended(request(), output);
        while story.claim() != ClipPiece::Measure {
            story.done(PieceOutput::Copied(stored("copy.mp4")));
        }
        story.done(PieceOutput::Measured(1000));
        assert_eq!(story.credits(), [settled(1, credits, Basis::Clips)]);
        assert_eq!(story.job.run.source_ms, Some(1000));
    }
    let request = ClipRequest { source: Source::Page(url("watch")), ..request() };
    let mut late = made_clips(2);
    late.clips[1].range = Some(range(570, 600));
    assert_eq!(ended(request, late).credits(), [settled(1, 100, Basis::Clips)]);
}

#[test]
fn a_job_remembers_how_its_reservations_ended() {
    let mut story = Story::submitted();
    let remembered = |story: &Story| story.job.ended_reservations().collect::<Vec<CreditEffect>>();
    assert_eq!(remembered(&story), []);
    story.apply(Event::Cancel);
    story.apply(Event::Retry { reserved: 25 });
    assert_eq!(remembered(&story), [released(1)], "the second one is open");
    story.submit();
    story.report(completed(1));
    assert_eq!(remembered(&story), [settled(2, 100, Basis::Reported), released(1)]);
}
