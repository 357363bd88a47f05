//! The run of our own renderers: the source is probed, clips are planned, and each is cut by itself.

use serde_json::Number;

use super::change::{Change, Outcome, PERCENT};
use super::{bounds, charge, outcomes};
use crate::Effect;
use crate::clips::clip::{Clip, ClipScore, PlannedClip, SourceFacts};
use crate::clips::job::ClipPiece;
use crate::clips::reasons::Ignored;
use crate::clips::request::MAX_CLIPS;
use crate::pieces::Piece;
use crate::projects::media::File;

/// The progress after the probe, in percent.
const PROBED: u32 = 10;
/// The progress after the plan, in percent.
const PLANNED: u32 = 30;
/// The progress before the end at most, in percent.
const UNFINISHED: u32 = 99;

/// The source is in the bucket.
pub(super) fn probed(change: &mut Change<'_>, source: &SourceFacts) -> Outcome {
    let Some(own) = change.job.run.engine.own_mut() else { return Err(Ignored::Stale.into()) };
    own.source = Some(source.clone());
    change.job.run.source_ms = Some(source.duration_ms);
    charge::raise(change);
    change.stage("Choosing the clips");
    change.open(ClipPiece::Plan);
    show_progress(change);
    Ok(())
}

/// The clips are chosen, the best ones first.
pub(super) fn planned(change: &mut Change<'_>, clips: &[PlannedClip], plan: &File) -> Outcome {
    let Some(own) = change.job.run.engine.own_mut() else { return Err(Ignored::Stale.into()) };
    own.planned = true;
    let cut = own.cuts.saturating_add(1);
    change.job.plan = Some(plan.clone());
    let most = change.job.request.most_clips().min(MAX_CLIPS);
    change.job.clips = (0..most).zip(clips).map(|(index, planned)| clip(index, cut, planned)).collect();
    change.job.run.total_clips = u32::try_from(change.job.clips.len()).ok();
    change.stage("Cutting the clips");
    let indexes: Vec<u32> = change.job.clips.iter().map(|clip| clip.index).collect();
    for index in indexes {
        change.open(ClipPiece::Cut { index, cut });
    }
    show_progress(change);
    end_if_cut(change);
    Ok(())
}

fn clip(index: u32, cut: u32, planned: &PlannedClip) -> Clip {
    Clip {
        range: Some(planned.range),
        duration_ms: Some(planned.range.length_ms()),
        score: Number::from_f64(planned.score),
        score_basis: bounds::score_basis(&planned.basis),
        layout: Some(planned.layout.name().to_owned()),
        ..Clip::new(index, cut)
    }
}

/// A clip is cut. The file of one that was cut again is replaced, and so is its score, which is that of another range.
pub(super) fn cut(
    change: &mut Change<'_>,
    (index, cut): (u32, u32),
    file: &File,
    duration_ms: u64,
    score: Option<&ClipScore>,
) -> Outcome {
    let is_again = !change.is_active();
    let clip = change.job.clip_mut(index).filter(|clip| clip.cuts == cut).ok_or(Ignored::Stale)?;
    let replaced = clip.file.replace(file.clone()).and_then(|replaced| replaced.key);
    clip.duration_ms = Some(duration_ms);
    clip.previous = None;
    if is_again {
        clip.score = score.and_then(|scored| Number::from_f64(scored.score));
        clip.score_basis = score.map(|scored| bounds::score_basis(&scored.basis)).unwrap_or_default();
    }
    change.publish(index);
    if let Some(key) = replaced.filter(|key| file.key.as_ref() != Some(key)) {
        change.then(Effect::RemoveFiles { keys: vec![key] });
    }
    change.count_clips();
    if change.is_active() {
        show_progress(change);
        end_if_cut(change);
    } else if change.job.ready_clips() == change.job.clips.len() {
        change.job.error = None;
    }
    Ok(())
}

/// A clip can't be cut: the others go on, and one that was cut before keeps its file.
pub(super) fn cut_failed(change: &mut Change<'_>, index: u32, error: &str) {
    let note = format!("Clip {index} could not be cut: {error}");
    if let Some(clip) = change.job.clip_mut(index)
        && clip.previous.is_some()
    {
        clip.range = clip.previous.take();
    }
    let notes = change.job.error.take().filter(|_| change.is_active());
    let notes: Vec<String> = notes.into_iter().chain([note]).collect();
    change.job.error = Some(bounds::text(&notes.join("; "), bounds::ERROR));
    if change.is_active() {
        show_progress(change);
        end_if_cut(change);
    }
}

/// Ends the attempt when all clips are cut, or could not be.
fn end_if_cut(change: &mut Change<'_>) {
    let is_cut = |piece: &Piece<ClipPiece>| matches!(piece.task, ClipPiece::Cut { .. });
    if change.job.pieces.list.iter().any(is_cut) {
        return;
    }
    match change.job.error.clone().filter(|_| change.job.ready_clips() == 0) {
        Some(errors) => outcomes::fail(change, &errors),
        None => {
            change.stage("Complete");
            outcomes::succeed(change);
        }
    }
}

/// Raises the progress to what the pieces have done.
pub(super) fn show_progress(change: &mut Change<'_>) {
    let Some(own) = change.job.run.engine.own().filter(|_| change.is_active()) else { return };
    let pieces = change.job.pieces.list.iter().filter(|piece| !piece.task.is_aftermath());
    let (left, units) = pieces.fold((0, 0), |(left, units), piece| (left + 1, units + piece.units.min(PERCENT)));
    let percent = if own.planned {
        let all = u32::try_from(change.job.clips.len()).unwrap_or(u32::MAX).max(1);
        let done = all.saturating_sub(left) * PERCENT + units;
        PLANNED + done * (UNFINISHED - PLANNED) / (all * PERCENT)
    } else if own.source.is_some() {
        PROBED + units * (PLANNED - PROBED) / PERCENT
    } else {
        units * PROBED / PERCENT
    };
    change.progress(u8::try_from(percent.min(UNFINISHED)).unwrap_or(0));
}
