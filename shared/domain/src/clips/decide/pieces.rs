//! The work of our renderers: claims, heartbeats, results and failures of pieces.

use super::change::{AT_ONCE, Change, Outcome, Refusal};
use super::{charge, outcomes, own};
use crate::clips::event::PieceOutput;
use crate::clips::job::ClipPiece;
use crate::clips::reasons::Ignored;
use crate::clips::status::ClipStatus;
use crate::errors::cause::Cause;
use crate::outbox::effect::whole_seconds;
use crate::pieces::{AfterFailure, MAX_CRASHES, Swept};
use crate::projects::media::File;
use crate::{Effect, OutboundEvent, brief};

/// A renderer claims a piece, unless enough of them work for this job. The first one of an attempt of our own starts it.
pub(super) fn claim(change: &mut Change<'_>) -> Outcome {
    let (now, policy) = (change.now, change.policy.pieces());
    let held = change.job.pieces.list.iter().filter(|piece| piece.claim.is_some() && !piece.is_lost(now));
    if held.count() >= AT_ONCE {
        return Err(Ignored::NothingToDo.into());
    }
    if change.job.pieces.claim(now, &policy).is_none() {
        return Err(Ignored::NothingToDo.into());
    }
    if change.job.status == ClipStatus::Queued && change.job.run.engine.own().is_some() {
        change.begin_running();
        change.stage("Reading the source");
        change.notify(OutboundEvent::ClipsStarted, None);
    }
    Ok(())
}

/// A heartbeat of a renderer, with the units of its piece that are done.
pub(super) fn progressed(change: &mut Change<'_>, claim: u32, units: u32) -> Outcome {
    let index = claimed(change, claim)?;
    let (now, policy) = (change.now, change.policy.pieces());
    change.job.pieces.heartbeat(index, units, now, &policy);
    own::show_progress(change);
    Ok(())
}

/// A piece is done.
pub(super) fn done(change: &mut Change<'_>, claim: u32, output: &PieceOutput) -> Outcome {
    let index = claimed(change, claim)?;
    let (now, policy) = (change.now, change.policy.pieces());
    change.job.pieces.finish(index, now, &policy);
    match (change.job.pieces.list.remove(index).task, output) {
        (ClipPiece::Probe, PieceOutput::Probed(source)) => own::probed(change, source),
        (ClipPiece::Plan, PieceOutput::Planned { clips, plan }) => own::planned(change, clips, plan),
        (ClipPiece::Cut { index, cut }, PieceOutput::Cut { file, duration_ms, score }) => {
            own::cut(change, (index, cut), file, *duration_ms, score.as_ref())
        }
        (ClipPiece::CopyClip { index }, PieceOutput::Copied(copy)) => {
            store(change.job.clip_mut(index).and_then(|clip| clip.file.as_mut()), copy);
            Ok(())
        }
        (ClipPiece::CopyTranscript, PieceOutput::Copied(copy)) => {
            store(change.job.transcript.as_mut(), copy);
            Ok(())
        }
        (ClipPiece::CopyPlan, PieceOutput::Copied(copy)) => {
            store(change.job.plan.as_mut(), copy);
            Ok(())
        }
        (ClipPiece::Measure, PieceOutput::Measured(ms)) => {
            charge::measured(change, Some(*ms));
            Ok(())
        }
        (
            ClipPiece::Probe
            | ClipPiece::Plan
            | ClipPiece::Cut { .. }
            | ClipPiece::CopyClip { .. }
            | ClipPiece::CopyTranscript
            | ClipPiece::CopyPlan
            | ClipPiece::Measure,
            _,
        ) => Err(Ignored::Stale.into()),
    }
}

/// The source was probed, and the account has not the credits that its clips cost.
pub(super) fn not_covered(change: &mut Change<'_>, claim: u32, source_ms: u64, available: i64) -> Outcome {
    let index = claimed(change, claim)?;
    match change.job.pieces.list[index].task {
        ClipPiece::Probe => {}
        ClipPiece::Plan
        | ClipPiece::Cut { .. }
        | ClipPiece::CopyClip { .. }
        | ClipPiece::CopyTranscript
        | ClipPiece::CopyPlan
        | ClipPiece::Measure => return Err(Ignored::Stale.into()),
    }
    change.job.run.source_ms = Some(source_ms);
    let error = charge::insufficient(change, available);
    outcomes::fail(change, &error);
    Ok(())
}

/// A file of the worker is in the bucket.
fn store(file: Option<&mut File>, copy: &File) {
    if let Some(file) = file
        && copy.key.is_some()
    {
        file.key.clone_from(&copy.key);
        file.forget_source();
    }
}

/// A renderer failed; `permanent` says that another attempt would fail too.
pub(super) fn failed(change: &mut Change<'_>, claim: u32, error: &str, permanent: bool) -> Outcome {
    let index = claimed(change, claim)?;
    let (now, policy) = (change.now, change.policy.pieces());
    match change.job.pieces.fail(index, !permanent, now, &policy) {
        AfterFailure::Retried(wait) => change.then(Effect::Draw { hints: 1, delay_s: whole_seconds(wait) }),
        AfterFailure::Exhausted => exhausted(change, index, error),
    }
    Ok(())
}

/// What the due sweep does: pieces whose leases expired are open again, and open pieces get new hints.
pub(super) fn sweep(change: &mut Change<'_>) {
    let (now, policy) = (change.now, change.policy.pieces());
    // Each turn ends one piece for good.
    while change.job.pieces.due_at().is_some_and(|due| due <= now) {
        match change.job.pieces.sweep(now, &policy) {
            Swept::NotDue => return,
            Swept::Hint(hints) => {
                let hints = hints.min(u32::try_from(AT_ONCE).unwrap_or(1));
                return change.then(Effect::Draw { hints, delay_s: 0 });
            }
            Swept::Lost { hints, .. } => {
                for (hints, delay) in hints {
                    change.then(Effect::Draw { hints, delay_s: whole_seconds(delay) });
                }
                return;
            }
            Swept::Exhausted(index) => {
                exhausted(change, index, &format!("the renderer failed {MAX_CRASHES} times"));
            }
        }
    }
}

/// The index of the piece that a claim holds.
fn claimed(change: &Change<'_>, claim: u32) -> Result<usize, Refusal> {
    let reason = if change.is_active() { Ignored::Stale } else { Ignored::Ended };
    change.job.pieces.claimed(claim).ok_or(reason.into())
}

/// A piece can't be done. Without the source or the plan the attempt fails; a file that can't be copied stays where it is.
fn exhausted(change: &mut Change<'_>, index: usize, error: &str) {
    let task = change.job.pieces.list.remove(index).task;
    match task {
        ClipPiece::Probe => outcomes::fail(change, &format!("The source could not be read: {error}")),
        ClipPiece::Plan => outcomes::fail(change, &format!("The clips could not be chosen: {error}")),
        ClipPiece::Cut { index, .. } => own::cut_failed(change, index, error),
        ClipPiece::CopyClip { index } => not_copied(change, &format!("The file of clip {index}"), error),
        ClipPiece::CopyTranscript => not_copied(change, "The transcript", error),
        ClipPiece::CopyPlan => not_copied(change, "The plan", error),
        ClipPiece::Measure => charge::measured(change, None),
    }
}

fn not_copied(change: &mut Change<'_>, file: &str, error: &str) {
    let message = format!("{file} could not be copied and may disappear from the worker: {}", brief(error));
    change.raise(Cause::ClipFileUnusable, message, error);
}
