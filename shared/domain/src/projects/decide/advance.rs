//! What a running project does by itself after each change: it starts the scenes that may start, stitches them, completes,
//! or fails.

use super::change::{Change, Facts};
use super::{budget, outcomes, tasks};
use crate::errors::cause::Cause;
use crate::projects::graph;
use crate::projects::money::dollars;
use crate::projects::policy::Backend;
use crate::projects::project::{Phase, ProjectPiece};
use crate::projects::scene::{Scene, SceneState};
use crate::projects::stitch::{Stitch, Takes};
use crate::projects::task::{Stage, TaskState};

/// Does what follows from the new state of a project.
pub(super) fn advance(change: &mut Change<'_>) {
    drop_outdated_stitch(change);
    if change.project.phase != Phase::Running {
        return;
    }
    withdraw_what_is_over_budget(change);
    withdraw_what_lacks_its_frame(change);
    let blocked = start_scenes(change);
    if let Some(takes) = change.project.verified_takes() {
        return stitch(change, takes);
    }
    // What is under way ends before the project fails: it is paid for, and its results are kept.
    if change.project.tasks().next().is_some() {
        return;
    }
    if let Some(failed) = change.project.scenes.iter().find(|scene| needs_person(scene)) {
        let reason = outcomes::reason(failed);
        change.fail(reason);
    } else if let Some(index) = blocked {
        fail_over_budget(change, index);
    }
}

/// Whether a scene has failed for good, with the attempts that the policy allowed then: only a person continues it.
fn needs_person(scene: &Scene) -> bool {
    scene.has_failed() || matches!(scene.state, SceneState::FrameFailed { .. })
}

/// Drops a stitch whose takes no longer are those that count, and a tree for a service that is not used any more: our own
/// renderers join all takes at once.
fn drop_outdated_stitch(change: &mut Change<'_>) {
    let is_own = change.policy.stitch.backend == Backend::Own;
    let outdated = match &change.project.stitch {
        Some(stitch) => {
            (is_own && stitch.nodes.len() > 1) || change.project.verified_takes().as_ref() != Some(&stitch.takes)
        }
        None => false,
    };
    if outdated {
        let nodes = change.project.stitch.as_ref().map_or(0, |stitch| stitch.nodes.len());
        for node in 0..nodes {
            tasks::abandon_node(change, node);
        }
        change.project.stitch = None;
        change.project.pieces.list.retain(|piece| !matches!(piece.task, ProjectPiece::Concat { .. }));
    }
}

/// Takes back waiting videos that the budget does not allow any more, since a person or the prices changed it.
fn withdraw_what_is_over_budget(change: &mut Change<'_>) {
    for index in 0..change.project.scenes.len() {
        let scene = &change.project.scenes[index];
        let unpaid = scene
            .task(Stage::Video)
            .is_some_and(|task| task.deadline.is_none() && matches!(task.state, TaskState::Waiting { .. }));
        if unpaid && !change.project.can_pay(change.policy.video_cost(&scene.spec)) {
            tasks::abandon(change, index);
        }
    }
}

/// Takes back the videos that no service has yet and whose first frame is not there any more: a person generates the scene
/// again from which they start, or made them start from another one.
fn withdraw_what_lacks_its_frame(change: &mut Change<'_>) {
    for index in 0..change.project.scenes.len() {
        let scenes = &change.project.scenes;
        let is_ours = scenes[index].task(Stage::Video).is_some_and(|task| match task.state {
            TaskState::Waiting { .. } | TaskState::Own => true,
            TaskState::Submitting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } => false,
        });
        if is_ours && graph::dependency(scenes, index).is_some_and(|before| !scenes[before].is_verified()) {
            tasks::abandon(change, index);
        }
    }
}

/// Starts the scenes that may start, as far as the budget allows; the index of the first that it does not allow.
fn start_scenes(change: &mut Change<'_>) -> Option<usize> {
    for index in graph::startable(&change.project.scenes) {
        let cost = change.policy.video_cost(&change.project.scenes[index].spec);
        if cost > 0 && !change.project.can_pay(cost.saturating_add(budget::reserved(change))) {
            return Some(index);
        }
        tasks::begin_video(change, index);
    }
    None
}

/// Nothing is under way, and the budget does not allow the next scene.
fn fail_over_budget(change: &mut Change<'_>, index: usize) {
    let scene = &change.project.scenes[index];
    let (id, cost) = (scene.id.clone(), dollars(change.policy.video_cost(&scene.spec)));
    let error = format!("it would cost {cost}, and {} of the budget is left", dollars(budget::left(change)));
    let message = format!("The next scene, {}, was not started: {error}", outcomes::name(scene));
    let facts = Facts { scene: Some(&id), error: &error, ..Facts::default() };
    change.raise(Cause::NextSceneBlocked, None, message.clone(), facts);
    change.fail(message);
}

/// All scenes are verified: stitches these takes, or completes with what is made of them already.
fn stitch(change: &mut Change<'_>, takes: Takes) {
    if change.project.stitch.is_none() {
        if let Some(made) = change.project.video.clone().filter(|made| made.takes == takes) {
            return outcomes::complete(change, made.video, takes);
        }
        begin_stitch(change, takes);
    }
    continue_stitch(change);
}

/// Begins the stitch of a new generation; one scene is the whole video, and completes the project.
pub(super) fn begin_stitch(change: &mut Change<'_>, takes: Takes) {
    change.project.generations += 1;
    if let [scene] = change.project.scenes.as_slice() {
        if let Some(video) = scene.take().map(|take| take.video.clone()) {
            outcomes::complete(change, video, takes);
        }
        return;
    }
    let most = change.policy.stitch.backend.max_inputs();
    change.project.stitch = Some(Stitch::new(change.project.generations, takes, most));
}

/// Begins the nodes of the stitch whose inputs are there.
fn continue_stitch(change: &mut Change<'_>) {
    let now = change.now;
    for node in change.project.stitch.as_ref().map(Stitch::ready).unwrap_or_default() {
        tasks::begin_node(change, node, 1, now);
    }
}
