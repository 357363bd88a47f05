//! Changes of what the client said: of the project, its order, and its scenes.

use std::collections::BTreeSet;

use super::change::{Change, Outcome};
use super::{budget, commands, generate, outcomes, tasks};
use crate::SceneId;
use crate::projects::effect::ProjectEffect;
use crate::projects::event::{NewScene, ProjectPatch, ScenePatch};
use crate::projects::graph::{self, GraphError};
use crate::projects::project::{MAX_SCENES, Phase, ProjectPiece};
use crate::projects::reasons::{Ignored, Rejected};
use crate::projects::scene::{Scene, SceneState, SceneStatus};

/// Adds a scene: at the natural place of its number if the scenes are in natural order, else at the end. A scene without a
/// number gets its place as its number.
pub(super) fn insert(scenes: &mut Vec<Scene>, new: NewScene) {
    let mut spec = new.spec;
    if spec.number.is_empty() {
        let is_free = |number: &String| scenes.iter().all(|scene| scene.spec.number != *number);
        spec.number = (scenes.len() + 1..).map(|number| number.to_string()).find(is_free).unwrap_or_default();
    }
    let after = |scene: &Scene| graph::natural(&scene.spec.number, &spec.number).is_gt();
    let is_natural = scenes.is_sorted_by(|one, next| graph::natural(&one.spec.number, &next.spec.number).is_le());
    let place = if is_natural { scenes.iter().position(after) } else { None };
    let scene = Scene {
        id: new.id,
        spec,
        notes: new.notes,
        attempt: 0,
        failures: 0,
        state: if new.draft { SceneState::Draft } else { SceneState::Ready },
        takes: Vec::new(),
        chosen: None,
        stale: false,
        given: None,
    };
    scenes.insert(place.unwrap_or(scenes.len()), scene);
}

/// A person changes the project.
pub(super) fn edit(change: &mut Change<'_>, patch: &ProjectPatch) -> Outcome {
    let spec = &mut change.project.spec;
    replace(&mut spec.name, patch.name.as_ref());
    replace(&mut spec.kind, patch.kind.as_ref());
    replace(&mut spec.user, patch.user.as_ref());
    replace(&mut spec.budget, patch.budget.as_ref());
    replace(&mut spec.metadata, patch.metadata.as_ref());
    if let Some(order) = &patch.order {
        reorder(change, order)?;
    }
    refuse_repeated(change)
}

fn replace<T: Clone>(value: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        value.clone_from(new);
    }
}

fn refuse_repeated(change: &Change<'_>) -> Outcome {
    if change.is_unchanged() { Err(Ignored::Repeated.into()) } else { Ok(()) }
}

/// Puts the scenes in this order, which names each exactly once.
fn reorder(change: &mut Change<'_>, order: &[SceneId]) -> Outcome {
    let mut left = std::mem::take(&mut change.project.scenes);
    for id in order {
        let Some(index) = left.iter().position(|scene| scene.id == *id) else {
            return Err(Rejected::Graph(GraphError::Order).into());
        };
        change.project.scenes.push(left.remove(index));
    }
    if !left.is_empty() {
        return Err(Rejected::Graph(GraphError::Order).into());
    }
    check(change)
}

/// Refuses scenes that form no graph or lack an image, and marks those that depend on another scene than before.
fn check(change: &mut Change<'_>) -> Outcome {
    graph::check(&change.project.scenes).map_err(Rejected::Graph)?;
    graph::check_images(&change.project.scenes).map_err(Rejected::Graph)?;
    let on = |scenes: &[Scene], index: usize| graph::dependency(scenes, index).map(|on| scenes[on].id.clone());
    for index in 0..change.project.scenes.len() {
        let scene = &change.project.scenes[index];
        let Some(before) = change.before.index_of(&scene.id).filter(|_| scene.attempt > 0) else { continue };
        if on(&change.project.scenes, index) != on(&change.before.scenes, before) {
            change.project.scenes[index].stale = true;
        }
    }
    Ok(())
}

/// Refuses what a running project cannot pay.
fn check_budget(change: &Change<'_>) -> Outcome {
    if change.project.phase == Phase::Running { budget::check(change) } else { Ok(()) }
}

/// A person adds scenes.
pub(super) fn add_scenes(change: &mut Change<'_>, new: &[NewScene]) -> Outcome {
    if new.is_empty() {
        return Err(Ignored::Repeated.into());
    }
    if change.project.scenes.len() + new.len() > MAX_SCENES {
        return Err(Rejected::TooManyScenes.into());
    }
    for scene in new {
        insert(&mut change.project.scenes, scene.clone());
    }
    check(change)?;
    change.then(ProjectEffect::IndexScenes { scenes: new.iter().map(|scene| scene.id.to_string()).collect() });
    check_budget(change)
}

/// A person changes a scene.
pub(super) fn edit_scene(change: &mut Change<'_>, id: &SceneId, patch: &ScenePatch) -> Outcome {
    let index = change.index_of(id)?;
    if let Some(spec) = patch.spec.as_ref().filter(|spec| **spec != change.project.scenes[index].spec) {
        generate::refuse_if_busy(change, index)?;
        change.project.scenes[index].spec = spec.clone();
        check(change)?;
    }
    replace(&mut change.project.scenes[index].notes, patch.notes.as_ref());
    if let Some(attempt) = patch.take {
        choose(change, index, attempt)?;
    }
    if let Some(status) = patch.status {
        set_status(change, index, status)?;
    }
    refuse_repeated(change)?;
    if patch.spec.is_some() || patch.status.is_some() { check_budget(change) } else { Ok(()) }
}

/// A person chooses the take that counts: one whose last frame is there, or a late one.
fn choose(change: &mut Change<'_>, index: usize, attempt: u32) -> Outcome {
    let scene = &change.project.scenes[index];
    if scene.late_take().is_some_and(|take| take.attempt == attempt) {
        outcomes::use_late_take(change, index);
        return Ok(());
    }
    if !scene.takes.iter().any(|take| take.attempt == attempt && take.last_frame.is_some()) {
        return Err(Rejected::NoTake(attempt).into());
    }
    let counts = scene.take().is_some_and(|take| take.attempt == attempt);
    if counts && scene.is_verified() {
        return Ok(());
    }
    generate::refuse_if_busy(change, index)?;
    resolve_errors(change, index);
    tasks::abandon(change, index);
    let scene = &mut change.project.scenes[index];
    scene.chosen = Some(attempt);
    scene.state = SceneState::Verified;
    scene.failures = 0;
    if !counts {
        generate::mark_stale(change, index, &BTreeSet::new());
    }
    Ok(())
}

/// A person is content with a take of a scene: what failed of its attempts needs nobody any more.
fn resolve_errors(change: &mut Change<'_>, index: usize) {
    let scene = &change.project.scenes[index];
    if scene.attempt > 1 || commands::has_error(scene) {
        let id = scene.id.clone();
        commands::resolve_errors_of(change, &id);
    }
}

/// A person sets the status of a scene.
fn set_status(change: &mut Change<'_>, index: usize, status: SceneStatus) -> Outcome {
    let scene = &change.project.scenes[index];
    if scene.status() == status {
        return Ok(());
    }
    let state = match status {
        SceneStatus::Draft => SceneState::Draft,
        SceneStatus::Ready => SceneState::Ready,
        SceneStatus::Approved if scene.is_verified() => SceneState::Approved,
        SceneStatus::Rejected => SceneState::Rejected,
        SceneStatus::Revision => SceneState::Revision,
        SceneStatus::Approved | SceneStatus::Generating | SceneStatus::Generated | SceneStatus::Verified => {
            return Err(Rejected::BadStatus.into());
        }
    };
    generate::refuse_if_busy(change, index)?;
    if status == SceneStatus::Approved {
        resolve_errors(change, index);
    }
    tasks::abandon(change, index);
    let scene = &mut change.project.scenes[index];
    scene.state = state;
    scene.failures = 0;
    Ok(())
}

/// A person removes a scene.
pub(super) fn remove_scene(change: &mut Change<'_>, id: &SceneId) -> Outcome {
    let index = change.index_of(id)?;
    generate::refuse_if_busy(change, index)?;
    tasks::abandon(change, index);
    let scene = change.project.scenes.remove(index);
    change.project.removed_attempts = change.project.removed_attempts.max(scene.attempt);
    change.project.pieces.list.retain(|piece| !matches!(&piece.task, ProjectPiece::Copy { scene, .. } if scene == id));
    check(change)?;
    commands::resolve_errors_of_removed(change, &scene);
    Ok(())
}
