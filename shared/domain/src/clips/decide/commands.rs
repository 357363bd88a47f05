//! Commands of people: cancel, delete, retry, and cutting a clip again.

use super::change::{Change, Outcome};
use super::{attempts, charge, outcomes};
use crate::Effect;
use crate::clips::job::{ClipJob, ClipPiece};
use crate::clips::reasons::{Ignored, Rejected};
use crate::clips::request::{LONGEST_CLIP_MS, MAX_RECUTS, Range, SHORTEST_CUT_MS};
use crate::clips::status::ClipStatus;
use crate::errors::cause::Cause;

/// A person cancels a job. Copies of files that are there go on, since the worker removes its files.
pub(super) fn cancel(change: &mut Change<'_>) -> Outcome {
    match change.job.status {
        ClipStatus::Queued | ClipStatus::Running => {}
        ClipStatus::Succeeded | ClipStatus::Failed => return Err(Rejected::Ended.into()),
        ClipStatus::Canceled => return Err(Ignored::Repeated.into()),
    }
    outcomes::cancel(change);
    Ok(())
}

/// A person deletes a job that has ended. One that is under way is canceled, and stays with its files.
pub(super) fn delete(change: &mut Change<'_>) -> Outcome {
    if change.is_active() {
        outcomes::cancel(change);
        return Ok(());
    }
    resolve_errors(change);
    charge::without_measurement(change);
    change.job.pieces.list.clear();
    change.job.deleted_at = Some(change.now);
    change.then(Effect::Purge);
    Ok(())
}

/// A person retries a job, for which so many credits are reserved.
pub(super) fn retry(change: &mut Change<'_>, reserved: u64) -> Outcome {
    match change.job.status {
        ClipStatus::Failed | ClipStatus::Canceled => {}
        ClipStatus::Queued | ClipStatus::Running => return Err(Rejected::UnderWay.into()),
        ClipStatus::Succeeded => return Err(Rejected::Succeeded.into()),
    }
    resolve_errors(change);
    attempts::begin(change, reserved);
    Ok(())
}

/// A person cuts one clip again. Its file stays until the new one is there.
pub(super) fn recut(change: &mut Change<'_>, index: u32, range: Range) -> Outcome {
    let own = change.job.run.engine.own().ok_or(Rejected::NotOwn)?;
    if change.job.status != ClipStatus::Succeeded {
        return Err(Rejected::NotSucceeded.into());
    }
    let (refused, cuts_before) = (misfit(&change.job, range), own.cuts);
    let is_busy = change
        .job
        .pieces
        .list
        .iter()
        .any(|piece| matches!(piece.task, ClipPiece::Cut { index: busy, .. } if busy == index));
    let clip = change.job.clip_mut(index).ok_or(Rejected::NoClip(index))?;
    if is_busy {
        return Err(Rejected::ClipBusy(index).into());
    }
    if let Some(reason) = refused {
        return Err(reason.into());
    }
    // The first one was the clip's own cut.
    if clip.cuts.saturating_sub(cuts_before) > MAX_RECUTS {
        return Err(Rejected::TooManyCuts(index).into());
    }
    clip.previous = clip.range.filter(|_| clip.is_ready());
    clip.range = Some(range);
    clip.cuts = clip.cuts.saturating_add(1);
    let cut = clip.cuts;
    change.open(ClipPiece::Cut { index, cut });
    Ok(())
}

/// Why no clip of a job is cut at this range: it is not in the source, not in the ranges of the request, too short or too
/// long.
fn misfit(job: &ClipJob, range: Range) -> Option<Rejected> {
    let source = job.run.engine.own().and_then(|own| own.source.as_ref());
    let source_ms = source.map_or(u64::MAX, |source| source.duration_ms);
    let ranges = &job.request.ranges;
    if range.end_ms > source_ms {
        Some(Rejected::OutOfSource(source_ms))
    } else if !(SHORTEST_CUT_MS..=LONGEST_CLIP_MS).contains(&range.length_ms()) {
        Some(Rejected::BadLength(range.length_ms()))
    } else if !ranges.is_empty() && !ranges.iter().any(|allowed| allowed.contains(range)) {
        Some(Rejected::OutOfRanges)
    } else {
        None
    }
}

/// There is nothing more to do about the errors of an attempt that is replaced, or of a deleted job.
fn resolve_errors(change: &mut Change<'_>) {
    if change.job.status == ClipStatus::Failed {
        change.resolve(Cause::ClipsFailed);
    }
    if change.job.run.engine.worker().is_some() {
        change.resolve(Cause::ClipFileUnusable);
    }
}
