//! What a worker made: its clips and files, without those that are known already.

use super::bounds;
use super::change::Change;
use crate::clips::clip::Clip;
use crate::clips::event::{ReportedClip, WorkerOutput};
use crate::clips::job::ClipPiece;
use crate::clips::request::MAX_CLIPS;
use crate::projects::media::File;

/// Adds what a worker reports. What is known already stays; what was empty is filled; new clips are added if `may_add`.
/// Files at the worker are copied into our bucket. Returns the clips that are there since then.
pub(super) fn merge(change: &mut Change<'_>, output: &WorkerOutput, may_add: bool) -> Vec<u32> {
    let mut ready = Vec::new();
    let number = change.job.run.engine.worker().map_or(0, |run| run.number);
    let mut room = bounds::room(&change.job.clips);
    let mut reported: Vec<&ReportedClip> = output.clips.iter().collect();
    reported.sort_by_key(|clip| clip.index);
    for reported in reported {
        let index = reported.index;
        let has_room = change.job.clips.len() < usize::try_from(MAX_CLIPS).unwrap_or(usize::MAX);
        let clip = match change.job.clips.iter().position(|clip| clip.index >= index) {
            Some(place) if change.job.clips[place].index == index => &mut change.job.clips[place],
            _ if !may_add || !has_room => continue,
            place => {
                let place = place.unwrap_or(change.job.clips.len());
                let clip = Clip::new(index, number);
                room = room.saturating_sub(bounds::size(&clip));
                change.job.clips.insert(place, clip);
                &mut change.job.clips[place]
            }
        };
        let was_ready = clip.is_ready();
        fill(clip, reported, &mut room);
        if clip.is_ready() && !was_ready {
            let is_to_copy = clip.file.as_ref().is_some_and(File::is_to_copy);
            ready.push(index);
            if is_to_copy {
                change.open(ClipPiece::CopyClip { index });
            }
        }
    }
    if takes(&mut change.job.transcript, output.transcript.as_ref()) {
        change.open(ClipPiece::CopyTranscript);
    }
    if takes(&mut change.job.plan, output.plan.as_ref()) {
        change.open(ClipPiece::CopyPlan);
    }
    change.job.run.source_ms = change.job.run.source_ms.or(output.source_ms);
    ready
}

/// Fills what is empty of a clip: its texts only if there is room for all of them. What is known is never removed, so a
/// report that comes again changes nothing more.
fn fill(clip: &mut Clip, reported: &ReportedClip, room: &mut usize) {
    let ReportedClip { index: _, file, range, duration_ms, score, score_basis, summary, tags, layout } = reported;
    let before = bounds::size(clip);
    if clip.file.is_none() {
        clip.file.clone_from(file);
    }
    clip.range = clip.range.or(*range);
    clip.duration_ms = clip.duration_ms.or(*duration_ms);
    if clip.score.is_none() {
        clip.score.clone_from(score);
    }
    if clip.layout.is_none() {
        clip.layout = layout.as_deref().map(bounds::layout);
    }
    let mut whole = clip.clone();
    if whole.score_basis.is_empty() {
        whole.score_basis = bounds::score_basis(score_basis);
    }
    if whole.summary.is_none() {
        whole.summary = summary.as_deref().map(bounds::summary);
    }
    if whole.tags.is_empty() {
        whole.tags = bounds::tags(tags);
    }
    if bounds::size(&whole) <= before + *room {
        *clip = whole;
    }
    *room = room.saturating_sub(bounds::size(clip).saturating_sub(before));
}

/// Takes a file where there is none; whether it has to be copied.
fn takes(known: &mut Option<File>, reported: Option<&File>) -> bool {
    if known.is_some() {
        return false;
    }
    *known = reported.cloned();
    known.as_ref().is_some_and(File::is_to_copy)
}
