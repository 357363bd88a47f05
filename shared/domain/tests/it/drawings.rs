//! Runs in pieces: claims, progress, failures, and crashes of renderers.

use std::collections::BTreeSet;

use proptest::prelude::*;
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::{RenderTask, Renderer};
use reelhook_domain::*;

use crate::invariants::*;
use crate::story::*;

#[test]
fn a_video_is_drawn_scene_by_scene_joined_and_notified() {
    let mut story = Story::video().then(Event::Claim);
    story.apply(run_here());
    assert_eq!(story.notified(), [OutboundEvent::VideoStarted]);
    assert!(story.job.outbox.contains(&Effect::Draw { hints: 2, delay_s: 0 }));
    story.apply(claim_piece());
    let drawing = pieces_in(&story.job);
    assert_eq!(drawing.list[0].task, RenderTask::Draw { rendition: Rendition::Landscape, scene: 0 });
    story.apply(claim_piece());
    assert_eq!(story.ignored(claim_piece()), Ignored::NotReady, "no third scene");
    story.wait(5).apply(Event::PieceProgressed { attempt: 1, claim: 1, units: 45 });
    assert_eq!((story.job.run.caption.as_str(), story.job.run.progress), ("Rendering frames: 45/90", 50));
    story.apply(done(1));
    story.apply(done(2));
    assert_eq!((story.job.run.caption.as_str(), story.job.run.progress), ("Assembling the final video", 95));
    story.apply(claim_piece());
    assert_eq!(pieces_in(&story.job).list[0].task, RenderTask::Join { rendition: Rendition::Landscape });
    story.apply(Event::PieceDone { attempt: 1, claim: 3, video: Some(stored()) });
    assert_eq!(story.notified(), [OutboundEvent::VideoCompleted]);
    assert_eq!((story.job.status, story.job.run.progress), (Status::Completed, 100));
    assert_eq!(pieces_of(&story.job), None);
}

#[test]
fn a_dead_renderer_s_piece_is_free_within_two_minutes_and_the_others_keep_theirs() {
    let mut story = Story::drawing().then(claim_piece());
    let begun = story.now;
    // The second renderer continues its heartbeats, the first one has crashed.
    while story.job.due_at.unwrap() > story.now {
        story.wait(5).apply(Event::PieceProgressed { attempt: 1, claim: 2, units: 10 });
    }
    let waited = (story.now.0 - begun.0) / 1000;
    assert!(waited <= 60, "the sweep, which runs each minute, may act after {waited} s");
    story.apply(Event::Tick);
    let drawing = pieces_in(&story.job);
    assert!(drawing.list[0].is_open() && !drawing.list[1].is_open());
    assert!(story.job.outbox.contains(&Effect::Draw { hints: 1, delay_s: 0 }));
    assert_eq!(story.ignored(done(1)), Ignored::StaleAttempt, "the result of the crashed renderer is too late");
    story.apply(claim_piece());
    story.apply(done(3));
    assert!(pieces_in(&story.job).list[0].done);
}

#[test]
fn a_piece_that_crashes_its_renderers_fails_the_run_by_name() {
    let mut story = Story::drawing();
    for _ in 0..2 {
        story.sweep();
        story.apply(claim_piece());
    }
    story.sweep();
    assert_eq!((story.job.status, story.job.run.attempt), (Status::Pending, 2), "the run is retried");
    story.wait(60).apply(Event::Claim);
    story.apply(Event::RunHere { attempt: 2, renderer: Renderer::Own });
    for _ in 0..3 {
        story.apply(Event::ClaimPiece { attempt: 2 });
        story.sweep();
    }
    assert_eq!(story.job.status, Status::Failed);
    assert_eq!(story.job.run.error.as_deref(), Some("Scene 1 could not be made: its renderer failed 3 times"));
    assert_eq!(story.notified(), [OutboundEvent::VideoFailed]);
}

#[test]
fn a_crashed_renderer_s_piece_is_claimed_by_another_after_its_lease() {
    let mut story = Story::drawing().then(claim_piece());
    story.wait(44);
    assert_eq!(story.ignored(claim_piece()), Ignored::NotReady, "unexpired leases are kept");
    story.wait(1).apply(claim_piece());
    let drawing = pieces_in(&story.job);
    assert_eq!((drawing.claimed(3), drawing.list[0].crashes), (Some(0), 1), "it counts as a crash");
    let warnings =
        story.job.outbox.iter().filter(|effect| matches!(effect, Effect::Log { level: LogLevel::Warning, .. }));
    assert_eq!(warnings.count(), 1, "its log has a warning");
    assert_eq!(story.ignored(done(1)), Ignored::StaleAttempt, "the result of the crashed renderer is too late");
    story.apply(claim_piece());
    assert_eq!(pieces_in(&story.job).claimed(4), Some(1), "the piece of the other renderer is claimed again, too");
    assert_eq!(story.ignored(claim_piece()), Ignored::NotReady);
    story.apply(done(3));
    story.apply(done(4));
    assert_eq!(pieces_in(&story.job).list[0].task, RenderTask::Join { rendition: Rendition::Landscape });
}

#[test]
fn a_piece_with_too_many_crashes_is_left_to_the_sweep() {
    let mut story = Story::drawing();
    for crashes in 1..=2 {
        story.wait(45).apply(claim_piece());
        assert_eq!(pieces_in(&story.job).list[0].crashes, crashes);
    }
    story.wait(45).apply(claim_piece());
    assert_eq!(pieces_in(&story.job).claimed(4), Some(1), "the other piece is claimed");
    assert_eq!(story.ignored(claim_piece()), Ignored::NotReady, "it is not claimed a fourth time");
    story.sweep();
    assert_eq!((story.job.status, story.job.run.attempt), (Status::Pending, 2), "the run is retried");
}

/// The piece hints that the last change sends, as (number, delay in seconds).
fn draws(job: &Job) -> Vec<(u32, u32)> {
    let draws = job.outbox.iter().filter_map(|effect| match effect {
        Effect::Draw { hints, delay_s } => Some((*hints, *delay_s)),
        _ => None,
    });
    draws.collect()
}

#[test]
fn after_a_renderer_crash_the_sweep_sends_hints_for_the_ends_of_the_other_leases() {
    /// Renderers claim at these seconds; the sweep sends hints 50 s after the first.
    fn check(claims: &[u64], expected: &[(u32, u32)]) {
        let mut story = Story::video();
        let plan = videos::render::RenderPlan { scenes: vec![30; claims.len()], ..film() };
        story.job.run.engine = Engine::of(Some(plan));
        let mut story = story.then(Event::Claim).then(run_here());
        let begun = story.now;
        for after in claims {
            story.now = begun.after(std::time::Duration::from_secs(*after));
            story.apply(claim_piece());
        }
        story.now = begun.after(std::time::Duration::from_secs(50));
        story.apply(Event::Tick);
        assert_eq!(draws(&story.job), expected, "{claims:?}");
    }
    // Leases end at multiples of 15 s, 45 to 60 s after the claim.
    check(&[0], &[(1, 0)]);
    check(&[0, 5], &[(1, 0), (1, 10)]);
    check(&[0, 20, 25, 40], &[(1, 0), (2, 25), (1, 40)]);
    check(&[0, 0, 0, 44], &[(3, 0), (1, 40)]);
}

#[test]
fn a_lease_that_ends_after_the_next_sweep_gets_no_hint_of_its_own() {
    let mut story = Story::drawing();
    story.policy.piece_lease = std::time::Duration::from_secs(300);
    story.apply(claim_piece());
    story.wait(50).apply(Event::Tick);
    assert_eq!(draws(&story.job), [(1, 0)]);
}

/// Two renderers crash after these numbers of seconds, with a heartbeat each 5 s; the sweep runs `sweeps` seconds after each
/// full minute. Returns the time from the last crash to the completion of the video.
fn made_after(deaths: [u64; 2], sweeps: u64) -> u64 {
    let mut story = Story::drawing().then(claim_piece());
    let begun = story.now;
    let mut hints: Vec<Timestamp> = Vec::new();
    for second in 1..600 {
        story.now = begun.after(std::time::Duration::from_secs(second));
        for (claim, death) in (1..).zip(deaths) {
            if second < death && second % 5 == 0 {
                story.apply(Event::PieceProgressed { attempt: 1, claim, units: 1 });
            }
        }
        if second % 60 == sweeps
            && let Decision::Apply(job) = story.decide(&Event::Tick)
        {
            for (count, delay_s) in draws(&job) {
                let at = story.now.after(std::time::Duration::from_secs(u64::from(delay_s)));
                hints.extend(std::iter::repeat_n(at, count as usize));
            }
            story.job = *job;
        }
        let arrived = hints.iter().filter(|at| **at <= story.now).count();
        hints.retain(|at| *at > story.now);
        for _ in 0..arrived {
            process_all(&mut story);
        }
        if story.job.status == Status::Completed {
            return second - deaths[0].max(deaths[1]);
        }
    }
    panic!("{deaths:?}, {sweeps}: {:?}", story.job);
}

/// A renderer that needs no time and continues while a piece is open.
fn process_all(story: &mut Story) {
    while let Decision::Apply(job) = story.decide(&claim_piece()) {
        story.job = *job;
        let drawing = pieces_in(&story.job);
        let (claim, joins) = (drawing.claims, matches!(drawing.list[0].task, RenderTask::Join { .. }));
        story.apply(Event::PieceDone { attempt: 1, claim, video: joins.then(stored) });
    }
}

#[test]
fn two_renderer_crashes_at_any_time_cost_two_minutes_at_most() {
    for deaths in [[1, 1], [1, 5], [6, 1], [3, 33], [31, 4], [1, 58], [59, 61], [44, 46], [100, 20]] {
        for sweeps in 0..60 {
            let after = made_after(deaths, sweeps);
            assert!(after <= 120, "{deaths:?}, with sweeps {sweeps} s after the minute: {after} s");
        }
    }
}

#[test]
fn hints_that_were_lost_are_sent_again() {
    let mut story = Story::video().then(Event::Claim).then(run_here());
    story.sweep();
    assert!(story.job.outbox.contains(&Effect::Draw { hints: 2, delay_s: 0 }));
}

#[test]
fn cancelling_stops_renderers_and_notifies_the_client() {
    let mut story = Story::drawing();
    story.apply(Event::Cancel);
    assert_eq!(story.notified(), [OutboundEvent::VideoFailed]);
    assert_eq!(story.ignored(Event::PieceProgressed { attempt: 1, claim: 1, units: 1 }), Ignored::FinalJob);
}

#[test]
fn bad_input_fails_immediately_and_a_renderer_failure_is_retried() {
    let failed = Story::drawing().then(piece_failed(1, true));
    assert_eq!((failed.job.status, failed.job.retries.used), (Status::Failed, 0));
    assert_eq!(failed.job.run.error.as_deref(), Some("Scene 1: boom"));
    let mut again = Story::drawing().then(piece_failed(1, false));
    assert_eq!((again.job.status, again.job.run.attempt), (Status::Processing, 1), "the run continues");
    assert!(again.job.outbox.contains(&Effect::Draw { hints: 1, delay_s: 30 }));
    fail_again(&mut again, 2);
    assert_eq!((again.job.status, again.job.retries.used), (Status::Pending, 1));
    assert_eq!(again.job.plan(), Some(&film()), "the film is the client's");
}

#[test]
fn a_job_without_a_worker_is_composed_drawn_and_completed() {
    let mut story = Story::composing();
    assert_eq!(pieces_in(&story.job).list[0].task, RenderTask::Compose);
    story.apply(composed(1));
    assert_eq!(story.job.status, Status::Rendering);
    for claim in 2..=4 {
        story.apply(claim_piece());
        let video = (claim == 4).then(stored);
        story.apply(Event::PieceDone { attempt: 1, claim, video });
    }
    assert_eq!(story.notified(), [OutboundEvent::Completed]);
    assert_eq!(story.job.run.video_url.as_deref(), Some(VIDEO));
    // Another run composes the film again.
    let mut again = Story::composing().then(composed(1)).then(claim_piece()).then(piece_failed(2, false));
    fail_again(&mut again, 2);
    assert_eq!((again.job.run.attempt, &again.job.plan()), (2, &None));
}

#[test]
fn a_worker_that_names_a_render_does_not_end_a_run_of_our_own_renderers() {
    let mut story = Story::composing().then(composed(1)).then(claim_piece());
    let report = |sequence| Report::of(8, StepStatus::Completed, sequence).render("render_1").by(1);
    story.apply(report(1000));
    assert_eq!((story.job.status, story.notified()), (Status::Rendering, vec![OutboundEvent::ScriptCompleted]));
    story.apply(report(1001));
    assert!(story.notified().is_empty(), "notified once");
    story.apply(done(2));
    assert!(pieces_in(&story.job).list[0].done, "rendering continues");
}

/// Claims the failed piece at its due time and fails it again, `times` times.
fn fail_again(story: &mut Story, times: u32) {
    for _ in 0..times {
        // The other pieces are claimed first, and stay claimed.
        story.wait(30);
        let mut claim = 0;
        while let Decision::Apply(job) = story.decide(&Event::ClaimPiece { attempt: 1 }) {
            let drawing = pieces_in(&job);
            let taken = drawing.claimed(drawing.claims).expect("a piece");
            if drawing.list[taken].crashes > 0 {
                claim = drawing.claims;
            }
            story.job = *job;
            if claim > 0 {
                break;
            }
        }
        story.apply(piece_failed(claim, false));
    }
}

#[test]
fn a_drawing_that_takes_too_long_times_out() {
    let mut story = Story::composing().then(composed(1)).then(claim_piece());
    let mut beats = 0;
    while !story.job.status.is_final() {
        beats += 1;
        assert!(beats < 200, "it never ends");
        if story.wait(20).job.due_at.unwrap() <= story.now {
            story.apply(Event::Tick);
        }
        if !story.job.status.is_final() {
            story.apply(Event::PieceProgressed { attempt: 1, claim: 2, units: 1 });
        }
    }
    assert_eq!(story.notified(), [OutboundEvent::Timeout]);
}

#[test]
fn a_render_at_an_outside_service_is_polled() {
    let mut story = Story::video();
    let plan = videos::render::RenderPlan { renderer: Renderer::Creatomate, ..film() };
    story.job.run.engine = Engine::of(Some(plan));
    let mut story = story.then(Event::Claim).then(run_here()).then(claim_piece());
    let wait = std::time::Duration::from_secs(10);
    story.apply(Event::PieceDeferred { attempt: 1, claim: 1, render: render("render_1"), percent: 50, wait });
    assert!(story.job.outbox.contains(&Effect::Draw { hints: 1, delay_s: 10 }));
    assert_eq!(story.ignored(claim_piece()), Ignored::NotReady, "not before its due time");
    story.wait(10).apply(claim_piece());
    let task = &pieces_in(&story.job).list[0].task;
    let known = Some(ExternalTask::new(Service::Creatomate, render("render_1")));
    assert_eq!(*task, RenderTask::Remote { rendition: Rendition::Landscape, task: known });
    story.apply(Event::PieceDone { attempt: 1, claim: 2, video: Some(stored()) });
    assert_eq!(story.notified(), [OutboundEvent::VideoCompleted]);
}

#[test]
fn deleting_the_video_keeps_the_job_and_removes_the_file_once() {
    let mut story = Story::filmed();
    story.apply(Event::DeleteVideo);
    assert!(story.job.outbox.contains(&Effect::RemoveFiles { keys: vec![stored().key] }));
    assert_eq!((story.job.status, &story.job.run.video_url), (Status::Completed, &None));
    assert_eq!(story.rejected(Event::DeleteVideo), Rejected::NoVideo);
}

/// The actions of renderers, people and the sweep on a run in pieces, in any order.
#[derive(Debug, Clone, Copy)]
enum Move {
    Start,
    Take,
    Beat(u32),
    Hand(u32),
    Fail(u32, bool),
    Cancel,
    Retry,
    Sweep,
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => Just(Move::Start),
        8 => Just(Move::Take),
        6 => (0_u32..8).prop_map(Move::Beat),
        10 => (0_u32..8).prop_map(Move::Hand),
        1 => ((0_u32..8), any::<bool>()).prop_map(|(claim, permanent)| Move::Fail(claim, permanent)),
        1 => Just(Move::Cancel),
        2 => Just(Move::Retry),
        4 => Just(Move::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_run_in_pieces_keeps_the_invariants(
        of_client in any::<bool>(),
        moves in prop::collection::vec((0_i64..40_000, a_move()), 1..60),
    ) {
        let mut story = if of_client { Story::video() } else { Story::waiting() };
        let mut ends = BTreeSet::new();
        for (wait_ms, happens) in moves {
            story.now = Timestamp(story.now.0 + wait_ms);
            for event in events(&mut story, happens) {
                let decision = story.decide(&event);
                invariant_an_older_attempt_changes_nothing(&story.job, &event, &decision);
                let Decision::Apply(after) = decision else { continue };
                let before = std::mem::replace(&mut story.job, *after);
                invariant_a_final_state_absorbs_every_callback(&before, &event, &story.job);
                invariant_progress_never_falls_within_an_attempt(&before, &story.job);
                invariant_each_change_is_one_version(&before, &story.job, story.now);
                invariant_the_history_is_whole_until_it_is_packed(&before, &story.job);
                invariant_attempt_and_retries_rise_together(&before, &story.job);
                invariant_emitted_matches_the_notifications(&before, &story.job, story.now);
                invariant_the_video_is_notified_once(&before, &story.job);
                invariant_times_and_error_fit_the_status(&story.job);
                invariant_no_text_names_an_earlier_step(&story.job);
                invariant_what_is_not_final_is_due(&story.job);
                prop_assert_eq!(story.job.status.is_final() && pieces_of(&story.job).is_some(), false);
                let pieces = pieces_of(&story.job);
                let pieces = pieces.iter().flat_map(|pieces| &pieces.list);
                let claims: Vec<u32> = pieces.filter_map(|piece| Some(piece.claim.as_ref()?.number)).collect();
                prop_assert_eq!(claims.iter().collect::<BTreeSet<_>>().len(), claims.len(), "claims are unique");
                for event in notified(&story.job) {
                    if event != OutboundEvent::VideoStarted {
                        ends.insert((story.job.run.attempt, event));
                    }
                }
            }
        }
        let attempts: BTreeSet<u32> = ends.iter().map(|(attempt, _)| *attempt).collect();
        prop_assert!(attempts.len() == ends.len(), "a run ends once: {:?}", ends);
        // The sweep ends every run without any renderer.
        for _ in 0..400 {
            if story.job.status.is_final() {
                break;
            }
            let due = story.job.due_at.unwrap();
            story.now = story.now.max(due);
            let ready = story.job.run.start.ready_at <= story.now && story.job.run.start.claim.is_none();
            if story.job.status == Status::Pending && ready {
                let attempt = story.job.run.attempt;
                story.apply(Event::Claim);
                story.apply(Event::RunHere { attempt, renderer: Renderer::Own });
            } else {
                story.apply(Event::Tick);
            }
        }
        prop_assert!(story.job.status.is_final(), "a run without renderers never ends");
    }
}

fn events(story: &mut Story, happens: Move) -> Vec<Event> {
    let attempt = story.job.run.attempt;
    // A claim is numbered by its distance from the newest one.
    let claims = pieces_of(&story.job).as_ref().map_or(0, |drawing| drawing.claims);
    let claim = |behind: u32| claims.saturating_sub(behind);
    match happens {
        Move::Start => vec![Event::Claim, Event::RunHere { attempt, renderer: Renderer::Own }],
        Move::Take => vec![Event::ClaimPiece { attempt }],
        Move::Beat(behind) => vec![Event::PieceProgressed { attempt, claim: claim(behind), units: 20 + behind }],
        Move::Hand(behind) => {
            let task = pieces_of(&story.job).map(|pieces| pieces.list[0].task.clone());
            let claim = claim(behind);
            match task {
                Some(RenderTask::Compose) => vec![Event::Composed { attempt, claim, plan: film() }],
                Some(RenderTask::Join { .. }) => vec![Event::PieceDone { attempt, claim, video: Some(stored()) }],
                Some(RenderTask::Draw { .. } | RenderTask::Remote { .. }) | None => {
                    vec![Event::PieceDone { attempt, claim, video: None }]
                }
            }
        }
        Move::Fail(behind, permanent) => {
            let error = "Scene 1: boom".to_owned();
            vec![Event::PieceFailed { attempt, claim: claim(behind), error, permanent }]
        }
        Move::Cancel => vec![Event::Cancel],
        Move::Retry => vec![Event::Retry],
        Move::Sweep => {
            story.now = story.now.max(story.job.due_at.unwrap_or(story.now));
            vec![Event::Tick]
        }
    }
}
