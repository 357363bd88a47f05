//! Callbacks that came before a project knew their scene or their task: they are applied once it does.

use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, Task, TaskRef, TaskState};
use reelhook_domain::{ProjectId, RenderId, SceneId};

use crate::change::ChangeError;
use crate::projects::callbacks;
use crate::projects::launch::outcome;
use crate::projects::launch::ports::LaunchPorts;
use crate::projects::metadata::with_metadata;
use crate::projects::services::report::{Callback, read};
use crate::projects::services::submission_name;
use crate::projects::store::EarlyCallback;

/// Applies the early callbacks of a project's tasks. Applying one again changes nothing.
///
/// # Errors
/// [`ChangeError`].
pub async fn apply_early(ports: &LaunchPorts<'_>, id: &ProjectId) -> Result<(), ChangeError> {
    let Some(project) = ports.projects.load(id).await?.filter(|project| project.deleted_at.is_none()) else {
        return Ok(());
    };
    let live: Vec<(TaskRef, &Task)> = project.tasks().filter(|(_, task)| may_be_at_service(task)).collect();
    if live.is_empty() {
        return Ok(());
    }
    let scenes: Vec<SceneId> = live.iter().filter_map(|(task, _)| task.scene().cloned()).collect();
    let ids: Vec<(Stage, RenderId)> =
        live.iter().filter_map(|(name, task)| Some((name.stage(), task.id()?.clone()))).collect();
    let is_stitched = live.iter().any(|(task, _)| task.stage() == Stage::Stitch);
    let stitch = is_stitched.then_some(&project.id);
    for parked in ports.early.parked(stitch, &scenes, &ids, ports.clock.now()).await? {
        let callback = read(parked.stage, &parked.body);
        let about = live.iter().find(|(name, task)| is_about(&project, name, task, &parked, &callback, ports.policy));
        let Some((task, _)) = about else { continue };
        let task_id = parked.task.as_ref().map(RenderId::as_str);
        let early = Some(callbacks::about(parked.project.as_ref(), parked.scene.as_ref(), task_id));
        let id = parked.task.or(callback.task_id);
        let report = with_metadata(ports.files, &project, task, &parked.body, callback.report).await?;
        let event = Event::Reported { task: task.clone(), id, report, polled: false, early };
        let changed = outcome::apply(ports, &project.id, &event).await?;
        tracing::info!(project_id = %project.id, %task, changed = changed.name(), "applied an early callback");
    }
    Ok(())
}

/// Whether a service has, or may have, the task.
fn may_be_at_service(task: &Task) -> bool {
    match task.state {
        TaskState::Submitting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } => true,
        TaskState::Waiting { .. } | TaskState::Own => false,
    }
}

/// Whether a callback is about the present submission of a task. Callbacks without our name for the submission or the
/// service's id are only about a task whose id is still unknown, and only if they came after its claim.
fn is_about(
    project: &Project,
    name: &TaskRef,
    task: &Task,
    parked: &EarlyCallback,
    callback: &Callback,
    policy: &ProjectPolicy,
) -> bool {
    let names_other = parked.project.as_ref().is_some_and(|named| *named != project.id);
    if parked.stage != name.stage() || callback.ids_disagree || names_other {
        return false;
    }
    if let Some(submission) = &callback.submission {
        return *submission == submission_name(&project.id, name);
    }
    let id = parked.task.as_ref().or(callback.task_id.as_ref());
    if let Some(known) = task.id() {
        return id == Some(known);
    }
    let claimed_at = task.deadline.map(|deadline| deadline.before(policy.stage(name.stage()).deadline));
    let is_later = claimed_at.is_some_and(|claimed_at| parked.at >= claimed_at);
    let (scene, is_named) = match parked.stage {
        Stage::Video | Stage::Frame => (parked.scene.as_ref(), parked.scene.is_some()),
        Stage::Stitch => (None, parked.project.is_some()),
    };
    let is_meant = is_named && project.open_submission(parked.stage, scene, id).as_ref() == Some(name);
    is_meant && is_later && !is_of_take(project, name, id) && !project.may_be_of_earlier(name, id)
}

/// Whether the service's id is that of a task that made an earlier take of the scene.
pub(super) fn is_of_take(project: &Project, name: &TaskRef, id: Option<&RenderId>) -> bool {
    let takes = name.scene().and_then(|scene| project.scene(scene)).map(|scene| scene.takes.as_slice());
    let mut ids = takes.unwrap_or_default().iter().filter_map(|take| take.task_id.as_deref());
    id.is_some_and(|id| ids.any(|known| known == id.as_str()))
}
