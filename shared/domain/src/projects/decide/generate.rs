//! Commands that want scenes generated again: new attempts, with or without their dependants, and retries of what failed.

use std::collections::BTreeSet;

use super::change::{Change, Outcome, Refusal};
use super::commands::{resume, start};
use super::{budget, outcomes, pieces, tasks};
use crate::SceneId;
use crate::projects::graph;
use crate::projects::project::Phase;
use crate::projects::reasons::{Ignored, Rejected};
use crate::projects::scene::{Scene, SceneState};
use crate::projects::task::{Stage, Task, TaskState};

/// A person wants new attempts of these scenes (all that are ready, if there are none), and of those that depend on them
/// if `cascade`.
pub(super) fn generate(change: &mut Change<'_>, scenes: &[SceneId], cascade: bool) -> Outcome {
    if scenes.is_empty() {
        // What has failed would fail the project again at once: it is tried again, too.
        if matches!(change.project.phase, Phase::Failed(_) | Phase::Cancelled) {
            return start(change);
        }
        let is_ready = |scene: &Scene| matches!(scene.state, SceneState::Ready | SceneState::Revision);
        if !change.project.scenes.iter().any(is_ready) {
            return Err(Rejected::NothingReady.into());
        }
    }
    let targets = scenes.iter().map(|scene| change.index_of(scene)).collect::<Result<BTreeSet<usize>, Refusal>>()?;
    for index in &targets {
        renew(change, *index)?;
    }
    for index in &targets {
        let dependants = graph::dependants(&change.project.scenes, *index);
        for dependant in dependants.into_iter().filter(|dependant| !targets.contains(dependant)) {
            if cascade {
                generate_again(change, dependant)?;
            }
        }
        mark_stale(change, *index, &targets);
    }
    resume(change);
    if change.is_unchanged() {
        return Err(Ignored::Repeated.into());
    }
    budget::check(change)
}

/// A person wants a new attempt of a scene.
pub(super) fn renew(change: &mut Change<'_>, index: usize) -> Outcome {
    refuse_if_busy(change, index)?;
    tasks::abandon(change, index);
    let scene = &mut change.project.scenes[index];
    scene.failures = 0;
    scene.state = if scene.attempt == 0 { SceneState::Ready } else { SceneState::Revision };
    Ok(())
}

/// Refuses a command about a scene that is being generated.
pub(super) fn refuse_if_busy(change: &Change<'_>, index: usize) -> Outcome {
    let scene = &change.project.scenes[index];
    match scene.task(Stage::Video) {
        Some(_) => Err(Rejected::SceneBusy(scene.id.clone()).into()),
        None => Ok(()),
    }
}

/// A scene is generated again since one was that it depends on. What was never begun, or is a draft, stays as it is.
fn generate_again(change: &mut Change<'_>, index: usize) -> Outcome {
    let scene = &change.project.scenes[index];
    if scene.attempt == 0 || scene.state == SceneState::Draft {
        return Ok(());
    }
    let is_under_way = scene.task(Stage::Video).is_some() || scene.task(Stage::Frame).is_some();
    if is_under_way && !change.has_room() {
        return Err(Rejected::SceneBusy(scene.id.clone()).into());
    }
    tasks::abandon(change, index);
    let scene = &mut change.project.scenes[index];
    scene.failures = 0;
    scene.state = SceneState::Revision;
    Ok(())
}

/// The scenes that depend on a scene have first frames of an older attempt, except those that a person wants again too.
pub(super) fn mark_stale(change: &mut Change<'_>, index: usize, except: &BTreeSet<usize>) {
    for dependant in graph::dependants(&change.project.scenes, index) {
        let scene = &mut change.project.scenes[dependant];
        if scene.attempt > 0 && !except.contains(&dependant) {
            scene.stale = true;
        }
    }
}

/// A person retries what failed or is unclear: a scene or the copies of its files, or the stitch if none is named.
pub(super) fn retry(change: &mut Change<'_>, scene: Option<&SceneId>) -> Outcome {
    match scene {
        Some(scene) => {
            let index = change.index_of(scene)?;
            retry_scene(change, index)
        }
        None => retry_stitch(change),
    }
}

fn retry_scene(change: &mut Change<'_>, index: usize) -> Outcome {
    let scene = &change.project.scenes[index];
    match &scene.state {
        SceneState::Draft => return Err(Rejected::NothingReady.into()),
        SceneState::Verified | SceneState::Approved => {
            let id = scene.id.clone();
            pieces::reopen_copies(change, Some(&id));
            return if change.is_unchanged() { Err(Rejected::NothingReady.into()) } else { Ok(()) };
        }
        SceneState::Generating(task) if is_unclear(task) => {
            tasks::abandon(change, index);
            renew(change, index)?;
        }
        SceneState::Generated(task) if is_unclear(task) => tasks::abandon(change, index),
        SceneState::Generating(_) | SceneState::Generated(_) => {
            return Err(Rejected::SceneBusy(scene.id.clone()).into());
        }
        SceneState::Rejected if scene.late_take().is_some() => outcomes::use_late_take(change, index),
        SceneState::Ready | SceneState::Rejected | SceneState::Revision => renew(change, index)?,
        SceneState::FrameFailed { .. } => {}
    }
    resume(change);
    tasks::restart_frame(change, index);
    if change.is_unchanged() {
        return Err(Ignored::Repeated.into());
    }
    budget::check(change)
}

fn retry_stitch(change: &mut Change<'_>) -> Outcome {
    if change.project.verified_takes().is_none() {
        // What failed is a scene, or the budget.
        return if change.project.error().is_some() { start(change) } else { Err(Rejected::NotVerified.into()) };
    }
    match change.project.phase {
        Phase::Running => retry_unclear_stitches(change),
        Phase::Completed => {
            pieces::reopen_final(change);
            if change.is_unchanged() { Err(Rejected::Ended.into()) } else { Ok(()) }
        }
        Phase::Draft | Phase::Failed(_) | Phase::Cancelled => {
            resume(change);
            Ok(())
        }
    }
}

/// Submits the stitches again whose answers were lost: a person has seen that the service does not have them.
fn retry_unclear_stitches(change: &mut Change<'_>) -> Outcome {
    let now = change.now;
    let unclear: Vec<(usize, u32)> = match &change.project.stitch {
        Some(stitch) => {
            let nodes = (0_u16..).zip(&stitch.nodes).filter_map(|(node, _)| Some((node, stitch.task(node)?)));
            nodes.filter(|(_, task)| is_unclear(task)).map(|(node, task)| (node.into(), task.number)).collect()
        }
        None => Vec::new(),
    };
    if unclear.is_empty() {
        // They are under way.
        return Err(Ignored::Repeated.into());
    }
    for (node, number) in unclear {
        tasks::begin_node(change, node, number.saturating_add(1), now);
    }
    Ok(())
}

fn is_unclear(task: &Task) -> bool {
    matches!(task.state, TaskState::Unclear { .. })
}
