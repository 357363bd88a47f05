//! The tasks of scenes and stitches: beginning them, with pieces for our own renderers, and abandoning them.

use super::change::Change;
use crate::pieces::Piece;
use crate::projects::effect::ProjectEffect;
use crate::projects::policy::Backend;
use crate::projects::project::ProjectPiece;
use crate::projects::scene::SceneState;
use crate::projects::stitch::NodeState;
use crate::projects::task::{Stage, Task, TaskState};
use crate::{SceneId, Timestamp};

/// The units of a piece: renderers report percent.
const PERCENT: u32 = 100;

/// Begins the next attempt of a scene; after failures it waits.
pub(super) fn begin_video(change: &mut Change<'_>, index: usize) {
    let (now, policy, removed) = (change.now, change.policy, change.project.removed_attempts);
    let scene = &mut change.project.scenes[index];
    let ready_at = if scene.failures == 0 { now } else { now.after(policy.retry_wait(scene.failures)) };
    let before = if scene.attempt == 0 { removed } else { scene.attempt };
    scene.attempt = before.saturating_add(1);
    scene.stale = false;
    scene.chosen = None;
    scene.state = SceneState::Generating(submission(policy.video.backend, 1, ready_at));
    let (scene, attempt) = (scene.id.clone(), scene.attempt);
    give_frame(change, index);
    match policy.video.backend {
        Backend::Own => open_piece(change, ProjectPiece::Card { scene, attempt }, ready_at),
        Backend::Service { .. } => change.start(ready_at),
    }
}

/// Notes which first frame the present attempt of a scene is given. A person may choose another take for the next one.
pub(super) fn give_frame(change: &mut Change<'_>, index: usize) {
    change.project.scenes[index].given = change.project.frame_giver(index);
}

/// Begins to extract the last frame of the newest take of a scene.
pub(super) fn begin_frame(change: &mut Change<'_>, index: usize, number: u32, ready_at: Timestamp) {
    let backend = change.policy.frame.backend;
    let scene = &mut change.project.scenes[index];
    scene.state = SceneState::Generated(submission(backend, number, ready_at));
    let (scene, attempt) = (scene.id.clone(), scene.attempt);
    if backend == Backend::Own {
        open_piece(change, ProjectPiece::LastFrame { scene, attempt }, ready_at);
    }
}

/// Extracts the last frame of a scene again if this failed for good or was abandoned. A round of attempts begins after a
/// multiple of them.
pub(super) fn restart_frame(change: &mut Change<'_>, index: usize) {
    let SceneState::FrameFailed { number } = change.project.scenes[index].state else { return };
    let (now, attempts) = (change.now, change.policy.frame.attempts.max(1));
    let number = number.div_ceil(attempts).saturating_mul(attempts).saturating_add(1);
    begin_frame(change, index, number, now);
}

/// Begins a node of the stitch.
pub(super) fn begin_node(change: &mut Change<'_>, node: usize, number: u32, ready_at: Timestamp) {
    let backend = change.policy.stitch.backend;
    let Some(stitch) = &mut change.project.stitch else { return };
    stitch.nodes[node].state = NodeState::Running(submission(backend, number, ready_at));
    let generation = stitch.generation;
    if backend == Backend::Own {
        open_piece(change, ProjectPiece::Concat { generation }, ready_at);
    }
}

fn submission(backend: Backend, number: u32, ready_at: Timestamp) -> Task {
    match backend {
        Backend::Own => Task { number, ..Task::own() },
        Backend::Service { .. } => Task { number, ..Task::waiting(ready_at) },
    }
}

/// Adds a piece; those that copy files come after all others.
pub(super) fn open_piece(change: &mut Change<'_>, task: ProjectPiece, ready_at: Timestamp) {
    let (now, policy) = (change.now, change.policy.pieces());
    let mut list = std::mem::take(&mut change.project.pieces.list);
    let copies = list.iter().position(|piece| piece.task.is_copy()).unwrap_or(list.len());
    let place = if task.is_copy() { list.len() } else { copies };
    let waits = (ready_at > now).then_some(ready_at);
    list.insert(place, Piece { ready_at: waits, ..Piece::new(task, PERCENT) });
    change.project.pieces.begin_stage(list, now, &policy);
    change.draw(ready_at);
}

/// Copies the files of a take into the bucket, unless there is nothing to copy or an open piece does it.
pub(super) fn open_copy(change: &mut Change<'_>, scene: &SceneId, attempt: u32) {
    let now = change.now;
    let take = change.project.scene(scene).and_then(|scene| scene.takes.iter().find(|take| take.attempt == attempt));
    let piece = ProjectPiece::Copy { scene: scene.clone(), attempt };
    let is_open = change.project.pieces.list.iter().any(|open| open.is_open() && open.task == piece);
    if take.is_some_and(|take| take.is_to_copy()) && !is_open {
        open_piece(change, piece, now);
    }
}

/// Gives up the task of a scene: the attempt if it was being generated, else the extraction of its last frame.
pub(super) fn abandon(change: &mut Change<'_>, index: usize) {
    let scene = &change.project.scenes[index];
    let (id, attempt) = (scene.id.clone(), scene.attempt);
    let (stage, task, left) = match &scene.state {
        SceneState::Generating(task) if scene.takes.is_empty() => (Stage::Video, task, SceneState::Ready),
        SceneState::Generating(task) => (Stage::Video, task, SceneState::Revision),
        SceneState::Generated(task) => (Stage::Frame, task, SceneState::FrameFailed { number: task.number }),
        SceneState::Draft
        | SceneState::Ready
        | SceneState::FrameFailed { .. }
        | SceneState::Verified
        | SceneState::Approved
        | SceneState::Rejected
        | SceneState::Revision => return,
    };
    let task = task.clone();
    // A claimed task that waits again was refused, or was never there: it is not paid for.
    if stage == Stage::Video && task.deadline.is_some() && task.ready_at().is_some() {
        refund(change, index);
    }
    change.project.scenes[index].state = left;
    let (card, frame) =
        (ProjectPiece::Card { scene: id.clone(), attempt }, ProjectPiece::LastFrame { scene: id, attempt });
    change.project.pieces.list.retain(|piece| piece.task != card && piece.task != frame);
    cancel(change, stage, &task);
}

/// Gives up the task of a node, which is blocked again.
pub(super) fn abandon_node(change: &mut Change<'_>, node: usize) {
    let Some(stitch) = &mut change.project.stitch else { return };
    if let NodeState::Running(task) = &stitch.nodes[node].state {
        let (task, concat) = (task.clone(), ProjectPiece::Concat { generation: stitch.generation });
        stitch.nodes[node].state = NodeState::Blocked;
        change.project.pieces.list.retain(|piece| piece.task != concat);
        cancel(change, Stage::Stitch, &task);
    }
}

/// Gives up all tasks, as many as the outbox has room for; the due sweep gives up the others.
pub(super) fn abandon_all(change: &mut Change<'_>) {
    let is_own = |task: &Task| task.state == TaskState::Own;
    for index in 0..change.project.scenes.len() {
        let scene = &change.project.scenes[index];
        let task = scene.task(Stage::Video).or_else(|| scene.task(Stage::Frame));
        if task.is_some_and(is_own) || change.has_room() {
            abandon(change, index);
        }
    }
    abandon_stitch(change);
}

/// Gives up the tasks of the stitch, as many as the outbox has room for. What is done of it stays.
pub(super) fn abandon_stitch(change: &mut Change<'_>) {
    let nodes = change.project.stitch.as_ref().map_or(0, |stitch| stitch.nodes.len());
    for node in 0..nodes {
        if !change.has_room() {
            return;
        }
        abandon_node(change, node);
    }
}

/// Takes back what the present attempt of a scene was charged: it is not paid for.
pub(super) fn refund(change: &mut Change<'_>, index: usize) {
    let cost = change.policy.video_cost(&change.project.scenes[index].spec);
    change.project.spent = change.project.spent.saturating_sub(cost);
}

/// Cancels a task at its service.
fn cancel(change: &mut Change<'_>, stage: Stage, task: &Task) {
    if let Some(id) = task.id() {
        change.then(ProjectEffect::CancelTask { stage, id: id.clone() });
    }
    if task.state != TaskState::Own {
        change.reserve();
    }
}
