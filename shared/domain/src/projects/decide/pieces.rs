//! The work of our own renderers: claims, heartbeats, results and failures of pieces.

use super::change::{Change, Facts, Outcome, Refusal};
use super::outcomes::{self, Why};
use super::tasks;
use crate::SceneId;
use crate::errors::cause::Cause;
use crate::outbox::effect::whole_seconds;
use crate::pieces::{AfterFailure, MAX_CRASHES, Piece, Swept};
use crate::projects::event::{PieceOutput, TaskOutput};
use crate::projects::media::File;
use crate::projects::project::{Phase, ProjectPiece};
use crate::projects::reasons::Ignored;
use crate::{Effect, brief};

/// A renderer claims a piece.
pub(super) fn claim(change: &mut Change<'_>) -> Outcome {
    let (now, policy) = (change.now, change.policy.pieces());
    if change.project.pieces.claim(now, &policy).is_none() {
        return Err(Ignored::NothingToDo.into());
    }
    let card = match change.project.claimed_piece(change.project.pieces.claims) {
        Some(ProjectPiece::Card { scene, attempt }) => {
            change.project.index_of(scene).filter(|index| change.project.scenes[*index].attempt == *attempt)
        }
        _ => None,
    };
    if let Some(index) = card {
        tasks::give_frame(change, index);
    }
    Ok(())
}

/// A heartbeat of a renderer, with the units of its piece that are done.
pub(super) fn progressed(change: &mut Change<'_>, claim: u32, units: u32) -> Outcome {
    let index = claimed(change, claim)?;
    let (now, policy) = (change.now, change.policy.pieces());
    change.project.pieces.heartbeat(index, units, now, &policy);
    let piece = &change.project.pieces.list[index];
    let percent = u8::try_from(u64::from(piece.units) * 99 / u64::from(piece.size.max(1))).unwrap_or(99).min(99);
    if let Some(task) = change.project.task_of_piece(&piece.task)
        && let Some(found) = change.project.task_mut(&task)
    {
        found.progress = found.progress.max(percent);
    }
    Ok(())
}

/// A piece is done.
pub(super) fn done(change: &mut Change<'_>, claim: u32, output: &PieceOutput) -> Outcome {
    let index = claimed(change, claim)?;
    let (now, policy) = (change.now, change.policy.pieces());
    change.project.pieces.finish(index, now, &policy);
    let piece = change.project.pieces.list.remove(index).task;
    let made = match (&piece, output) {
        (ProjectPiece::Copy { scene, attempt }, PieceOutput::Copied { video, thumbnail, frame }) => {
            copied(change, scene, *attempt, [video.as_ref(), thumbnail.as_ref(), frame.as_ref()]);
            return Ok(());
        }
        (ProjectPiece::CopyFinal { .. }, PieceOutput::Copied { video, thumbnail, .. }) => {
            copied_final(change, video.as_ref(), thumbnail.as_ref());
            return Ok(());
        }
        (_, PieceOutput::Video(video)) => TaskOutput::Video(Box::new(video.clone())),
        (_, PieceOutput::Frame(frame)) => TaskOutput::Frame(frame.clone()),
        (_, PieceOutput::Copied { .. }) => return Err(Ignored::Stale.into()),
    };
    if change.project.phase != Phase::Running {
        return Err(Ignored::FinalProject.into());
    }
    let Some(task) = change.project.task_of_piece(&piece) else { return Err(Ignored::Stale.into()) };
    outcomes::completed(change, &task, &made)
}

/// A renderer failed; `permanent` says that another attempt would fail too.
pub(super) fn failed(change: &mut Change<'_>, claim: u32, error: &str, permanent: bool) -> Outcome {
    let index = claimed(change, claim)?;
    let (now, policy) = (change.now, change.policy.pieces());
    match change.project.pieces.fail(index, !permanent, now, &policy) {
        AfterFailure::Retried(wait) => change.then(Effect::Draw { hints: 1, delay_s: whole_seconds(wait) }),
        AfterFailure::Exhausted => exhausted(change, index, error),
    }
    Ok(())
}

/// What the due sweep does: pieces whose leases expired are open again, and open pieces get new hints.
pub(super) fn sweep(change: &mut Change<'_>) {
    let (now, policy) = (change.now, change.policy.pieces());
    let is_due = |change: &Change<'_>| change.project.pieces.due_at().is_some_and(|due| due <= now);
    // Each turn ends one piece for good, as many as the outbox has room for. Without pieces no renderer starts.
    while change.has_room() && is_due(change) {
        match change.project.pieces.sweep(now, &policy) {
            Swept::NotDue => return,
            Swept::Hint(hints) => return change.then(Effect::Draw { hints, delay_s: 0 }),
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
    let is_final = change.project.status().is_final();
    let reason = if is_final { Ignored::FinalProject } else { Ignored::Stale };
    change.project.pieces.claimed(claim).ok_or(reason.into())
}

/// A piece cannot be done: its task fails. A file that cannot be copied stays where it is.
fn exhausted(change: &mut Change<'_>, index: usize, error: &str) {
    let piece = change.project.pieces.list.remove(index).task;
    let error = brief(error);
    let facts = Facts { error: &error, ..Facts::default() };
    match &piece {
        ProjectPiece::Copy { scene, .. } => {
            let name = change.project.scene(scene).map_or_else(|| format!("scene `{scene}`"), outcomes::name);
            let message = format!("The files of {name} could not be copied and may expire at their service: {error}");
            change.raise(Cause::CopyFailed, Some(scene), message, facts);
        }
        ProjectPiece::CopyFinal { .. } => {
            let name = brief(&change.project.spec.name);
            let message = format!("The video of project `{name}` could not be copied and may expire: {error}");
            change.raise(Cause::CopyFailed, None, message, facts);
        }
        ProjectPiece::Card { .. } | ProjectPiece::LastFrame { .. } | ProjectPiece::Concat { .. } => {
            let running = change.project.phase == Phase::Running;
            if let Some(task) = change.project.task_of_piece(&piece).filter(|_| running) {
                outcomes::failed(change, &task, Why::Exhausted, &error);
            }
        }
    }
}

/// Files of a take are in the bucket: its video, its image and its last frame, as far as they could be copied.
fn copied(change: &mut Change<'_>, scene: &SceneId, attempt: u32, [video, thumbnail, frame]: [Option<&File>; 3]) {
    let Some(index) = change.project.index_of(scene) else { return };
    let takes = &mut change.project.scenes[index].takes;
    let Some(take) = takes.iter_mut().find(|take| take.attempt == attempt) else { return };
    store(&mut take.video.file, video);
    if thumbnail.is_some() {
        store(take.video.thumbnail.get_or_insert_default(), thumbnail);
    }
    if let Some(last) = &mut take.last_frame {
        store(last, frame);
    }
    for file in [Some(&mut take.video.file), take.video.thumbnail.as_mut()].into_iter().flatten() {
        file.forget_source();
    }
    let (copy, at, last) = (take.video.clone(), take.at, take.last_frame.clone());
    if let Some(last) = last {
        name_first_frames(change, &last);
    }
    // The video of a project of one scene is its take's.
    if let Some(made) = &mut change.project.video
        && matches!(made.takes.as_slice(), [(only, of)] if only == scene && *of == attempt)
    {
        made.video = copy;
    }
    // The copy of a take that is older than the last start, or of a project that has ended, may have failed before.
    if change.project.phase != Phase::Running || change.project.started_at.is_some_and(|started| started > at) {
        change.resolve(Cause::CopyFailed, Some(scene));
    }
}

/// The project's video is in the bucket.
fn copied_final(change: &mut Change<'_>, video: Option<&File>, thumbnail: Option<&File>) {
    let Some(made) = &mut change.project.video else { return };
    store(&mut made.video.file, video);
    if thumbnail.is_some() {
        store(made.video.thumbnail.get_or_insert_default(), thumbnail);
    }
    change.resolve(Cause::CopyFailed, None);
}

/// The takes that started from this frame before it was copied know its copy.
fn name_first_frames(change: &mut Change<'_>, copied: &File) {
    let takes = change.project.scenes.iter_mut().flat_map(|scene| &mut scene.takes);
    for first in takes.filter_map(|take| take.first_frame.as_mut()) {
        if first.is_to_copy() && first.source == copied.source {
            first.key.clone_from(&copied.key);
        }
    }
}

fn store(file: &mut File, copy: Option<&File>) {
    if let Some(key) = copy.and_then(|copy| copy.key.clone()) {
        file.key = Some(key);
    }
}

/// Opens the copies of takes that are missing again, of this scene or of all.
pub(super) fn reopen_copies(change: &mut Change<'_>, of: Option<&SceneId>) {
    let takes: Vec<(SceneId, u32)> = change
        .project
        .scenes
        .iter()
        .filter(|scene| of.is_none_or(|of| scene.id == *of))
        .flat_map(|scene| {
            scene.takes.iter().filter(|take| take.is_to_copy()).map(|take| (scene.id.clone(), take.attempt))
        })
        .collect();
    for (scene, attempt) in takes {
        tasks::open_copy(change, &scene, attempt);
    }
}

/// Opens the copy of the project's video again if it is missing. The video of a single scene is that of its take.
pub(super) fn reopen_final(change: &mut Change<'_>) {
    let (now, generation) = (change.now, change.project.generations);
    let Some(made) = &change.project.video else { return };
    let is_missing = made.takes.len() > 1 && made.video.file.is_to_copy();
    let copies = |piece: &Piece<ProjectPiece>| matches!(piece.task, ProjectPiece::CopyFinal { .. });
    if is_missing && !change.project.pieces.list.iter().any(copies) {
        tasks::open_piece(change, ProjectPiece::CopyFinal { generation }, now);
    }
}
