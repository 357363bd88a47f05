//! A run in pieces: claims, heartbeats, results and failures of its pieces, and the stages that follow.

use std::time::Duration;

use super::change::{Change, whole_seconds};
use super::starts::cut;
use crate::jobs::activity::Activity;
use crate::jobs::reasons::Ignored;
use crate::jobs::run::{Engine, NoRetry, PiecesRun};
use crate::jobs::status::Status;
use crate::jobs::task::ExternalTask;
use crate::pieces::{AfterFailure, MAX_CRASHES, Piece, Pieces, Swept};
use crate::videos::film::Rendition;
use crate::videos::render::{RenderPlan, RenderTask, Renderer, StoredVideo};
use crate::{Advice, Decision, Effect, FailureClass, Live, LogEvent, LogLevel, OutboundEvent, RenderId, classify};

/// The minimum time between two live events about the progress.
const SHOWN_EVERY: Duration = Duration::from_secs(2);
/// The progress at which drawing starts in a run without steps, in percent.
const FIRST_PERCENT: u32 = 5;
/// The progress at which drawing starts after the steps of a workflow, in percent.
const STEPS_PERCENT: u32 = 85;
/// The progress at which all frames are drawn, in percent.
const DRAWN_PERCENT: u32 = 95;

/// Our own renderers run a claimed job: opens the first pieces.
pub(super) fn run_here(mut change: Change<'_>, attempt: u32, renderer: Renderer) -> Decision {
    if attempt != change.job.run.attempt {
        return change.ignore(Ignored::StaleAttempt);
    }
    if change.job.status != Status::Pending {
        return change.ignore(Ignored::Duplicate);
    }
    change.begin_run();
    let mut run = match &mut change.job.run.engine {
        Engine::Pieces(run) => std::mem::take(run),
        // The built-in workflow reports its steps as an external worker would.
        Engine::External(external) => {
            PiecesRun { steps: Some(std::mem::take(&mut external.steps)), ..PiecesRun::default() }
        }
    };
    run.renderer = renderer;
    match run.plan.clone() {
        Some(plan) => draw(&mut change, &mut run, plan),
        None => begin_stage(&mut change, &mut run, vec![Piece::new(RenderTask::Compose, 0)]),
    }
    let composed = run.steps.is_some();
    change.job.run.engine = Engine::Pieces(run);
    if !composed && !change.job.was_notified(OutboundEvent::VideoStarted) {
        change.notify(OutboundEvent::VideoStarted);
    }
    change.apply()
}

/// The film is composed: its drawing starts.
pub(super) fn composed(change: Change<'_>, attempt: u32, claim: u32, plan: &RenderPlan) -> Decision {
    with_piece(change, attempt, claim, |change, run, _| {
        if change.job.status == Status::Processing {
            change.job.status = Status::Rendering;
            change.live(Live::Render { status: "planned".to_owned() });
        }
        draw(change, run, plan.clone());
    })
}

/// Starts to draw a film.
fn draw(change: &mut Change<'_>, run: &mut PiecesRun, plan: RenderPlan) {
    let first = plan.first_pieces();
    run.plan = Some(plan);
    begin_stage(change, run, first);
    show_progress(change, run);
}

fn begin_stage(change: &mut Change<'_>, run: &mut PiecesRun, list: Vec<Piece<RenderTask>>) {
    let hints = u32::try_from(list.len()).unwrap_or(u32::MAX);
    match &mut run.pieces {
        Some(pieces) => pieces.begin_stage(list, change.now, &change.policy.pieces()),
        None => run.pieces = Some(Pieces::new(list, change.now, &change.policy.pieces())),
    }
    change.then(Effect::Draw { hints, delay_s: 0 });
}

/// A renderer claims a piece.
pub(super) fn claim_piece(mut change: Change<'_>, attempt: u32) -> Decision {
    if let Some(ignored) = not_in_pieces(&change, attempt) {
        return change.ignore(ignored);
    }
    let (now, policy) = (change.now, change.policy.pieces());
    let pieces = change.job.run.engine.pieces_mut().and_then(|run| run.pieces.as_mut());
    let Some(taken_over) = pieces.and_then(|pieces| pieces.claim(now, &policy)) else {
        return change.ignore(Ignored::NotReady);
    };
    if taken_over {
        change.log(LogEvent::Note, LogLevel::Warning, "A renderer lost its lease; another one continues its piece");
    }
    change.apply()
}

/// A heartbeat of a renderer, with the units of its piece that are done.
pub(super) fn piece_progressed(change: Change<'_>, attempt: u32, claim: u32, units: u32) -> Decision {
    with_piece(change, attempt, claim, |change, run, index| {
        let (now, policy) = (change.now, change.policy.pieces());
        pieces(run).heartbeat(index, units, now, &policy);
        show_progress(change, run);
    })
}

/// An outside service renders a piece: it is polled again later.
pub(super) fn piece_deferred(
    change: Change<'_>,
    attempt: u32,
    claim: u32,
    render: &RenderId,
    percent: u8,
    wait: Duration,
) -> Decision {
    with_piece(change, attempt, claim, |change, run, index| {
        let (now, policy) = (change.now, change.policy.pieces());
        let all = run.plan.as_ref().map_or(0, RenderPlan::frames);
        let pieces = pieces(run);
        pieces.defer(index, all * u32::from(percent.min(100)) / 100, wait, now, &policy);
        if let RenderTask::Remote { task, .. } = &mut pieces.list[index].task {
            *task = Some(ExternalTask::new(Default::default(), render.clone()));
        }
        change.then(Effect::Draw { hints: 1, delay_s: whole_seconds(wait) });
        show_progress(change, run);
    })
}

/// A piece is done; the last one of a stage begins the next stage, or ends the job.
pub(super) fn piece_done(change: Change<'_>, attempt: u32, claim: u32, video: Option<&StoredVideo>) -> Decision {
    with_piece(change, attempt, claim, |change, run, index| {
        let (now, policy) = (change.now, change.policy.pieces());
        pieces(run).finish(index, now, &policy);
        if let Some(video) = video {
            run.videos.retain(|known| known.rendition != video.rendition);
            run.videos.push(video.clone());
        }
        show_progress(change, run);
        let pieces = pieces(run);
        if !pieces.all_done() {
            return;
        }
        match pieces.list[index].task {
            RenderTask::Compose => {}
            RenderTask::Draw { .. } => {
                let joins = run.plan.as_ref().map(RenderPlan::join_pieces).unwrap_or_default();
                begin_stage(change, run, joins);
                change.progress(95);
                change.show(&Activity::Assembling);
                change.live(Live::Job);
            }
            RenderTask::Join { .. } | RenderTask::Remote { .. } => finish(change, run),
        }
    })
}

/// Completes the run: all renditions are stored.
fn finish(change: &mut Change<'_>, run: &mut PiecesRun) {
    run.videos.sort_by_key(|video| video.rendition);
    let landscape = run.videos.iter().find(|video| video.rendition == Rendition::Landscape);
    if run.steps.is_some() {
        change.live(Live::Step {
            number: 7,
            name: (change.policy.captions.step_name)(7).to_owned(),
            status: "completed".to_owned(),
            key: None,
            sequence: change.now.millis(),
            stage: None,
            details: false,
        });
    }
    match landscape.map(|video| video.link.clone()) {
        Some(link) => change.complete(link),
        None => change.end_completed(&Activity::Completed, OutboundEvent::Completed),
    }
}

/// A piece cannot be done; `permanent` says that another attempt would fail again.
pub(super) fn piece_failed(mut change: Change<'_>, attempt: u32, claim: u32, error: &str, permanent: bool) -> Decision {
    if let Some(ignored) = not_in_pieces(&change, attempt) {
        return change.ignore(ignored);
    }
    let (now, policy) = (change.now, change.policy.pieces());
    let pieces = change.job.run.engine.pieces_mut().and_then(|run| run.pieces.as_mut());
    let Some((pieces, index)) = pieces.and_then(|pieces| pieces.claimed(claim).map(|index| (pieces, index))) else {
        return change.ignore(Ignored::StaleAttempt);
    };
    if permanent {
        change.live(Live::RenderFailed);
        change.job.run.no_retry = Some(NoRetry {
            reason: "The video can't be made from this input".to_owned(),
            solution: "Change what the error names, and submit a new job".to_owned(),
        });
        change.fail(cut(error), OutboundEvent::FailedNoRetry);
        return change.apply();
    }
    // Errors of our own renderer contain names that clients chose, so only errors of another service are classified.
    let class = match pieces.list[index].task {
        RenderTask::Remote { .. } => classify(error),
        RenderTask::Compose | RenderTask::Draw { .. } | RenderTask::Join { .. } => FailureClass::Other,
    };
    let can_improve = match class.advice(0) {
        Advice::Retry { .. } => true,
        Advice::Never { .. } => false,
    };
    let error = cut(error);
    match pieces.fail(index, can_improve, now, &policy) {
        AfterFailure::Retried(wait) => {
            change.then(Effect::Draw { hints: 1, delay_s: whole_seconds(wait) });
            let seconds = wait.as_secs_f64();
            change.log(LogEvent::Note, LogLevel::Warning, format!("Trying again in {seconds:.0} s: {error}"));
        }
        AfterFailure::Exhausted => {
            change.fail_run_of(class, error);
            if change.job.run.attempt == attempt {
                change.live(Live::RenderFailed);
            }
        }
    }
    change.apply()
}

/// What the due sweep does: pieces whose leases expired are open again, and open pieces get new hints.
pub(super) fn sweep(mut change: Change<'_>) -> Decision {
    let (now, policy) = (change.now, change.policy.pieces());
    let Some(pieces) = change.job.run.engine.pieces_mut().and_then(|run| run.pieces.as_mut()) else {
        return change.ignore(Ignored::NotDue);
    };
    match pieces.sweep(now, &policy) {
        Swept::NotDue => return change.ignore(Ignored::NotDue),
        Swept::Hint(hints) => change.then(Effect::Draw { hints, delay_s: 0 }),
        Swept::Lost { count, hints } => {
            let sentence = format!("{count} renderers lost their leases; their pieces are open again");
            change.log(LogEvent::Note, LogLevel::Warning, sentence);
            for (hints, delay) in hints {
                change.then(Effect::Draw { hints, delay_s: whole_seconds(delay) });
            }
        }
        Swept::Exhausted(index) => {
            let title = pieces.list[index].task.title();
            let error = format!("{title} could not be made: its renderer failed {MAX_CRASHES} times");
            change.fail_run_of(FailureClass::Other, &error);
        }
    }
    change.apply()
}

/// Why an event about pieces is ignored, if it is.
fn not_in_pieces(change: &Change<'_>, attempt: u32) -> Option<Ignored> {
    if attempt != change.job.run.attempt {
        return Some(Ignored::StaleAttempt);
    }
    match change.job.status {
        Status::Completed | Status::Failed | Status::Cancelled => Some(Ignored::FinalJob),
        Status::Pending => Some(Ignored::NotReady),
        Status::Processing | Status::Rendering => {
            let in_pieces = change.job.run.engine.pieces().is_some_and(|run| run.pieces.is_some());
            (!in_pieces).then_some(Ignored::NotReady)
        }
    }
}

/// Changes the piece of a claim. A piece that another renderer has claimed since stays unchanged.
fn with_piece(
    mut change: Change<'_>,
    attempt: u32,
    claim: u32,
    act: impl FnOnce(&mut Change<'_>, &mut PiecesRun, usize),
) -> Decision {
    if let Some(ignored) = not_in_pieces(&change, attempt) {
        return change.ignore(ignored);
    }
    let Some(run) = change.job.run.engine.pieces_mut() else { return change.ignore(Ignored::NotReady) };
    let Some(index) = run.pieces.as_ref().and_then(|pieces| pieces.claimed(claim)) else {
        return change.ignore(Ignored::StaleAttempt);
    };
    let mut run = std::mem::take(run);
    act(&mut change, &mut run, index);
    change.job.run.engine = Engine::Pieces(run);
    change.apply()
}

/// The pieces of a run; [`not_in_pieces`] has checked that they exist.
fn pieces(run: &mut PiecesRun) -> &mut Pieces<RenderTask> {
    run.pieces.as_mut().expect("a run in pieces that is under way has pieces")
}

/// Shows the progress of the drawing; viewers get it at intervals.
fn show_progress(change: &mut Change<'_>, run: &mut PiecesRun) {
    let (Some(plan), Some(pieces)) = (&run.plan, &mut run.pieces) else { return };
    if !pieces.list.iter().all(|piece| piece.task.draws()) {
        return;
    }
    let (all, done) = (plan.all_frames().max(1), pieces.units().min(plan.all_frames()));
    let first = match change.job.status {
        Status::Rendering => STEPS_PERCENT,
        Status::Pending | Status::Processing | Status::Completed | Status::Failed | Status::Cancelled => FIRST_PERCENT,
    };
    let percent = first + (DRAWN_PERCENT - first) * done / all;
    change.progress(u8::try_from(percent).unwrap_or(95));
    change.show(&Activity::Frames { done, all });
    if change.now.since(pieces.shown_at) >= SHOWN_EVERY {
        pieces.shown_at = change.now;
        change.live(Live::Job);
    }
}
