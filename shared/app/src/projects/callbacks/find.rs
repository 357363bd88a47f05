//! Finds out what a callback is about: its token decides, then the ids of its body, those of its metadata, and the stored
//! id of the task. Ids that disagree mean nothing.

use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, Task, TaskRef};
use reelhook_domain::{ProjectId, SceneId};

use crate::projects::callbacks::ports::{CallbackPorts, Inbound, Submission};
use crate::projects::lookup::SceneOwner;
use crate::projects::services::report::Callback;
use crate::store::StoreError;

/// What a callback is about.
pub(super) enum Meant {
    /// A submission of a task of this project.
    Submission(Box<Project>, TaskRef),
    /// The present submission of a task of this project, or an earlier one: both may have the id, which is known of neither.
    Perhaps(Box<Project>, TaskRef),
    /// A scene of this project, or the project itself: no task of the callback's stage is under way for it.
    NoTask(Box<Project>, Option<SceneId>),
    /// A project that was deleted, or a scene of it that was.
    Deleted(ProjectId),
    /// Several things at once: the ids disagree.
    Disagreement,
    /// Nothing that is known.
    Nothing,
}

/// Finds out what a callback is about.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn find(ports: &CallbackPorts<'_>, inbound: &Inbound, said: &Callback) -> Result<Meant, StoreError> {
    if said.ids_disagree {
        return Ok(Meant::Disagreement);
    }
    match &inbound.token {
        Some(token) => by_token(ports, inbound.stage, token, said).await,
        None => by_ids(ports, inbound.stage, said).await,
    }
}

async fn by_token(
    ports: &CallbackPorts<'_>,
    stage: Stage,
    token: &Submission,
    said: &Callback,
) -> Result<Meant, StoreError> {
    let scene = token.task.scene();
    let other_project = said.project.as_ref().is_some_and(|named| *named != token.project);
    let other_scene = scene.is_some() && said.scene.is_some() && said.scene.as_ref() != scene;
    if other_project || other_scene {
        return Ok(Meant::Disagreement);
    }
    let Some(project) = ports.projects.load(&token.project).await? else { return Ok(Meant::Nothing) };
    if project.deleted_at.is_some() || scene.is_some_and(|scene| project.scene(scene).is_none()) {
        return Ok(Meant::Deleted(project.id));
    }
    if let Some(id) = &said.task_id {
        let agrees = match project.task(&token.task).and_then(Task::id) {
            Some(own) => own == id,
            None => {
                let stored = ports.lookups.of_task(stage, id).await?;
                stored.is_none_or(|(project, task)| project == token.project && task == token.task)
            }
        };
        if !agrees {
            return Ok(Meant::Disagreement);
        }
    }
    Ok(Meant::Submission(Box::new(project), token.task.clone()))
}

async fn by_ids(ports: &CallbackPorts<'_>, stage: Stage, said: &Callback) -> Result<Meant, StoreError> {
    let named = said.scene.as_ref().filter(|_| stage != Stage::Stitch);
    let stored = match &said.task_id {
        Some(id) => ports.lookups.of_task(stage, id).await?,
        None => None,
    };
    if let Some((project, task)) = &stored {
        let other_project = said.project.as_ref().is_some_and(|named| named != project);
        let other_scene = named.is_some() && named != task.scene();
        if other_project || other_scene {
            return Ok(Meant::Disagreement);
        }
    }
    let home = match (&stored, &said.project, named) {
        (Some((project, _)), _, _) | (None, Some(project), _) => Some(project.clone()),
        (None, None, Some(scene)) => match ports.lookups.of_scene(scene).await? {
            Some(SceneOwner::One(project)) => Some(project),
            // The id of the scene is one of several projects, and nothing else says which is meant.
            Some(SceneOwner::Several) => return Ok(Meant::Disagreement),
            None => None,
        },
        (None, None, None) => None,
    };
    let Some(home) = home else { return Ok(Meant::Nothing) };
    let Some(project) = ports.projects.load(&home).await? else { return elsewhere(ports, &home, named).await };
    if project.deleted_at.is_some() {
        return Ok(Meant::Deleted(home));
    }
    let stored = stored.map(|(_, task)| task);
    let scene = named.or_else(|| stored.as_ref().and_then(TaskRef::scene)).cloned();
    match &scene {
        Some(scene) if project.scene(scene).is_some() => {}
        Some(_) if stored.is_some() => return Ok(Meant::Deleted(home)),
        Some(_) => return elsewhere(ports, &home, named).await,
        None if stage == Stage::Stitch => {}
        None => return Ok(Meant::Nothing),
    }
    let submission = said.submission.as_deref().and_then(|text| submission_of(&project, text));
    let submission = submission.filter(|task| task.stage() == stage && task.scene() == scene.as_ref());
    if let Some(task) = stored.or(submission) {
        return Ok(Meant::Submission(Box::new(project), task));
    }
    let id = said.task_id.as_ref();
    let open = project.open_submission(stage, scene.as_ref(), id);
    Ok(match open {
        Some(task) if project.may_be_of_earlier(&task, id) => Meant::Perhaps(Box::new(project), task),
        Some(task) => Meant::Submission(Box::new(project), task),
        None => Meant::NoTask(Box::new(project), scene),
    })
}

/// What a callback means whose project has no such scene, or does not exist.
async fn elsewhere(
    ports: &CallbackPorts<'_>,
    project: &ProjectId,
    scene: Option<&SceneId>,
) -> Result<Meant, StoreError> {
    let Some(scene) = scene else { return Ok(Meant::Nothing) };
    Ok(match ports.lookups.of_scene(scene).await? {
        Some(SceneOwner::One(home)) if home == *project => Meant::Deleted(home),
        Some(_) => Meant::Disagreement,
        None => Meant::Nothing,
    })
}

/// Reads `<project>.<task>`, the text that we send with each submission.
fn submission_of(project: &Project, text: &str) -> Option<TaskRef> {
    TaskRef::parse(text.strip_prefix(project.id.as_str())?.strip_prefix('.')?)
}
