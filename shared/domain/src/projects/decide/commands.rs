//! Commands about a project as a whole: start, cancel, stitch again, delete.

use super::change::{Change, Outcome};
use super::{advance, budget, outcomes, pieces, tasks};
use crate::errors::cause::Cause;
use crate::projects::media::File;
use crate::projects::project::{FinalVideo, Phase, Project};
use crate::projects::reasons::{Ignored, Rejected};
use crate::projects::scene::{Scene, SceneState, Take};
use crate::{Effect, OutboundEvent, SceneId};

/// The scenes whose errors a deletion resolves at most: an outbox has no room for those of 200 scenes.
const RESOLVED: usize = 20;

/// A person starts a project, or continues it where it stood. One that runs stays as it is.
pub(super) fn start(change: &mut Change<'_>) -> Outcome {
    match change.project.phase {
        Phase::Running => return Err(Ignored::Repeated.into()),
        Phase::Completed if is_up_to_date(&change.project) => return Err(Rejected::Ended.into()),
        Phase::Draft | Phase::Completed | Phase::Failed(_) | Phase::Cancelled => {}
    }
    for index in 0..change.project.scenes.len() {
        let scene = &mut change.project.scenes[index];
        if scene.late_take().is_some() {
            // Those that the outbox has no room for are left to the next start: they are paid for.
            if change.has_room() {
                outcomes::use_late_take(change, index);
            }
            continue;
        }
        if scene.state == SceneState::Rejected && scene.failures > 0 {
            scene.state = SceneState::Revision;
        }
        scene.failures = 0;
    }
    if !has_work(&change.project) {
        return Err(Rejected::NothingReady.into());
    }
    resume(change);
    budget::check(change)
}

/// Whether all scenes are verified and its video is made of their takes.
fn is_up_to_date(project: &Project) -> bool {
    let takes = project.verified_takes();
    takes.is_some() && takes.as_ref() == project.video.as_ref().map(|made| &made.takes)
}

/// Whether a project that runs would do something.
fn has_work(project: &Project) -> bool {
    let is_work = |state: &SceneState| match state {
        SceneState::Ready
        | SceneState::Revision
        | SceneState::Generating(_)
        | SceneState::Generated(_)
        | SceneState::FrameFailed { .. } => true,
        SceneState::Draft | SceneState::Verified | SceneState::Approved | SceneState::Rejected => false,
    };
    project.scenes.iter().any(|scene| is_work(&scene.state)) || project.verified_takes().is_some()
}

/// The project runs again, and does what it has left: frames that failed, the stitch, copies.
pub(super) fn resume(change: &mut Change<'_>) {
    if change.project.phase == Phase::Running {
        return;
    }
    if change.project.error().is_some() {
        change.resolve(Cause::NextSceneBlocked, None);
    }
    change.project.phase = Phase::Running;
    change.project.started_at = Some(change.now);
    change.project.ended_at = None;
    for index in 0..change.project.scenes.len() {
        tasks::restart_frame(change, index);
    }
    // What is done of a stitch that failed or was cancelled stays; its other submissions belong to a new generation.
    if let Some(stitch) = &mut change.project.stitch {
        change.project.generations += 1;
        stitch.generation = change.project.generations;
    }
    pieces::reopen_copies(change, None);
    change.notify(OutboundEvent::ProjectStarted, None);
}

/// A person cancels a project; one that has ended stays as it is. Copies of what is there go on, since links of services
/// expire.
pub(super) fn cancel(change: &mut Change<'_>) -> Outcome {
    match change.project.phase {
        Phase::Running => {}
        Phase::Draft => return Err(Rejected::NotRunning.into()),
        Phase::Completed | Phase::Failed(_) | Phase::Cancelled => return Err(Ignored::FinalProject.into()),
    }
    end_cancelled(change);
    Ok(())
}

fn end_cancelled(change: &mut Change<'_>) {
    change.project.phase = Phase::Cancelled;
    change.project.ended_at = Some(change.now);
    change.notify(OutboundEvent::ProjectCancelled, None);
    tasks::abandon_all(change);
}

/// A person wants a project stitched again.
pub(super) fn stitch(change: &mut Change<'_>) -> Outcome {
    let Some(takes) = change.project.verified_takes() else { return Err(Rejected::NotVerified.into()) };
    if change.project.phase == Phase::Running {
        // It is being stitched.
        return Err(Ignored::Repeated.into());
    }
    change.project.stitch = None;
    resume(change);
    advance::begin_stitch(change, takes);
    Ok(())
}

/// A person deletes a project.
pub(super) fn delete(change: &mut Change<'_>) -> Outcome {
    resolve_errors(change);
    if change.project.phase == Phase::Running {
        end_cancelled(change);
    } else {
        // What a cancellation had no room for.
        tasks::abandon_all(change);
    }
    change.project.pieces.list.clear();
    change.project.deleted_at = Some(change.now);
    change.then(Effect::Purge);
    Ok(())
}

/// Nobody can act on the errors of a deleted project any more.
fn resolve_errors(change: &mut Change<'_>) {
    for scene in first_scenes(change, has_error) {
        resolve_errors_of(change, &scene);
    }
    for scene in first_scenes(change, lacks_copies) {
        change.resolve(Cause::CopyFailed, Some(&scene));
    }
    let lacks_copy =
        |made: &FinalVideo| made.video.file.is_to_copy() || made.video.thumbnail.as_ref().is_some_and(File::is_to_copy);
    if change.project.video.as_ref().is_some_and(lacks_copy) {
        change.resolve(Cause::CopyFailed, None);
    }
    if change.project.error().is_some() {
        change.resolve(Cause::StitchFailed, None);
        change.resolve(Cause::NextSceneBlocked, None);
        change.resolve(Cause::SubmissionUnclear, None);
    }
}

/// The first scenes of which this is true, as many as a deletion resolves errors of.
fn first_scenes(change: &Change<'_>, is_meant: fn(&Scene) -> bool) -> Vec<SceneId> {
    let scenes = change.project.scenes.iter().filter(|scene| is_meant(scene));
    scenes.map(|scene| scene.id.clone()).take(RESOLVED).collect()
}

/// Whether a scene has failed, as far as its state shows.
pub(super) fn has_error(scene: &Scene) -> bool {
    scene.failures > 0 || matches!(scene.state, SceneState::FrameFailed { .. })
}

/// Whether files of a scene are still at their service, perhaps since they could not be copied.
fn lacks_copies(scene: &Scene) -> bool {
    scene.takes.iter().any(Take::is_to_copy)
}

/// Resolves the errors about a scene that is no longer there.
pub(super) fn resolve_errors_of_removed(change: &mut Change<'_>, scene: &Scene) {
    if has_error(scene) {
        resolve_errors_of(change, &scene.id);
    }
    if lacks_copies(scene) {
        change.resolve(Cause::CopyFailed, Some(&scene.id));
    }
}

/// Resolves the errors about the attempts of a scene.
pub(super) fn resolve_errors_of(change: &mut Change<'_>, scene: &SceneId) {
    for cause in [Cause::VideoFailed, Cause::FrameFailed, Cause::SubmissionUnclear] {
        change.resolve(cause, Some(scene));
    }
}
