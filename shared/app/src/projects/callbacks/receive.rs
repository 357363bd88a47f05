//! Receives a callback: applies it to the task that it means, or keeps it until a project knows its scene.

use reelhook_domain::errors::cause::{Cause, Raise};
use reelhook_domain::projects::event::{Event, TaskReport};
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{EventId, ProjectId, RenderId, SceneId};
use serde_json::{Map, Value};

use crate::change::{ChangeError, Changed, change_loaded};
use crate::digest::sha256_hex;
use crate::errors::steps::{ErrorChange, ErrorStep};
use crate::outbox::messages::{Delayed, WorkMessage, send_all};
use crate::projects::callbacks::find::{Meant, find};
use crate::projects::callbacks::kept::kept;
use crate::projects::callbacks::outcome::Received;
use crate::projects::callbacks::ports::{CallbackPorts, Inbound};
use crate::projects::metadata::with_metadata;
use crate::projects::services::report::{Callback, read};
use crate::projects::services::webhook;
use crate::projects::store::EarlyCallback;
use crate::projects::unwanted::unwanted;
use crate::store::StoreError;

/// Receives a callback. What it says is applied or kept, and the error about it is raised, before there is an answer.
///
/// # Errors
/// [`ChangeError`]; the sender may repeat the callback.
pub async fn receive(ports: &CallbackPorts<'_>, inbound: &Inbound) -> Result<Received, ChangeError> {
    let stage = inbound.stage;
    let said = read(stage, &inbound.body);
    let named = Named::of(inbound, &said);
    let mut meant = find(ports, inbound, &said).await?;
    if matches!(meant, Meant::Nothing) {
        park(ports, inbound, &said, &named).await?;
        // A project may have got the scene or the task meanwhile.
        meant = find(ports, inbound, &said).await?;
    }
    let received = match meant {
        Meant::Submission(project, task) => report(ports, *project, &task, &said, &inbound.body).await?,
        Meant::Perhaps(project, task) => poll_soon(ports, *project, &task, &said).await?,
        Meant::NoTask(project, scene) => outcome(ports, &project, stage, scene.as_ref(), None, &said.report),
        Meant::Deleted(project) => {
            cancel_deleted(ports, &project, stage, &said).await?;
            Received::NotFound(stage)
        }
        Meant::Disagreement => {
            raise(ports, inbound, Cause::IdsDisagree, named.disagreement(stage), &named).await?;
            Received::IdsDisagree
        }
        Meant::Nothing => {
            raise(ports, inbound, Cause::UnknownScene, named.unknown(stage), &named).await?;
            Received::NotFound(stage)
        }
    };
    let (project_id, scene_id) = (named.project.map(ProjectId::as_str), named.scene.map(SceneId::as_str));
    let (stage, task_id, outcome) = (stage.name(), named.task.as_deref(), received.name());
    tracing::info!(project_id, scene_id, stage, task_id, outcome, "received a callback about a task");
    Ok(received)
}

/// Applies a report to a submission of a project.
async fn report(
    ports: &CallbackPorts<'_>,
    project: Project,
    task: &TaskRef,
    said: &Callback,
    body: &Value,
) -> Result<Received, ChangeError> {
    let (project_id, id) = (project.id.clone(), said.task_id.clone());
    let report = with_metadata(ports.files, &project, task, body, said.report.clone()).await?;
    let event = Event::Reported { task: task.clone(), id, report, polled: false, early: None };
    let changed = change_loaded(ports.projects, ports.clock, ports.policy, project, &event).await?;
    if let Some((stage, id)) = unwanted(&event, &changed) {
        cancel(ports, &project_id, stage, id).await?;
    }
    Ok(received(ports, &changed, task, said))
}

/// What a callback about a task led to.
fn received(ports: &CallbackPorts<'_>, changed: &Changed<Project>, task: &TaskRef, said: &Callback) -> Received {
    match changed {
        Changed::Applied(project) | Changed::Ignored(_, project) | Changed::Rejected(_, project) => {
            outcome(ports, project, task.stage(), task.scene(), Some(task), &said.report)
        }
        Changed::NotFound => Received::NotFound(task.stage()),
    }
}

/// Has the task that a callback perhaps means polled soon, once its id is known. What the callback reports may be about an
/// earlier submission, and changes nothing.
async fn poll_soon(
    ports: &CallbackPorts<'_>,
    project: Project,
    task: &TaskRef,
    said: &Callback,
) -> Result<Received, ChangeError> {
    let event =
        Event::Reported { task: task.clone(), id: None, report: TaskReport::Unusable, polled: false, early: None };
    let changed = change_loaded(ports.projects, ports.clock, ports.policy, project, &event).await?;
    Ok(received(ports, &changed, task, said))
}

/// Cancels the task of a scene or a project that was deleted, unless it has ended or is known as that of another project.
async fn cancel_deleted(
    ports: &CallbackPorts<'_>,
    project: &ProjectId,
    stage: Stage,
    said: &Callback,
) -> Result<(), StoreError> {
    let Some(id) = said.task_id.as_ref().filter(|_| !said.report.is_end()) else { return Ok(()) };
    let owner = ports.lookups.of_task(stage, id).await?;
    if owner.is_none_or(|(owner, _)| owner == *project) { cancel(ports, project, stage, id).await } else { Ok(()) }
}

/// Has the launcher cancel a task at its service.
async fn cancel(ports: &CallbackPorts<'_>, project: &ProjectId, stage: Stage, id: &RenderId) -> Result<(), StoreError> {
    let message = WorkMessage::CancelTask { project_id: project.clone(), stage, id: id.clone() };
    send_all(ports.work, vec![Delayed::now(message)]).await
}

fn outcome(
    ports: &CallbackPorts<'_>,
    project: &Project,
    stage: Stage,
    scene: Option<&SceneId>,
    task: Option<&TaskRef>,
    report: &TaskReport,
) -> Received {
    match report {
        TaskReport::Completed(_) => Received::completed(project, stage, scene, task, ports.notifies),
        TaskReport::Failed(error) => Received::Failed(error.clone()),
        TaskReport::UnderWay(_) => Received::UnderWay,
        TaskReport::Unknown | TaskReport::Unusable => Received::UnknownStatus,
    }
}

/// Keeps a callback until there is a project that has what it names.
async fn park(
    ports: &CallbackPorts<'_>,
    inbound: &Inbound,
    said: &Callback,
    named: &Named<'_>,
) -> Result<(), StoreError> {
    let callback = EarlyCallback {
        stage: inbound.stage,
        scene: named.scene.cloned(),
        project: named.project.cloned(),
        task: said.task_id.clone(),
        body: kept(&inbound.body),
        at: ports.clock.now(),
    };
    ports.early.park(&callback, said.report.is_end()).await
}

/// Raises an error about what a callback names. Each call is an occurrence of its own, also a repeated one with the same body.
/// The id of the step follows from the call, so that one call raises once, however often it is processed. No outbox carries
/// the step: if it fails, the callback is refused, so that its sender repeats it.
async fn raise(
    ports: &CallbackPorts<'_>,
    inbound: &Inbound,
    cause: Cause,
    message: String,
    named: &Named<'_>,
) -> Result<(), StoreError> {
    let (about, context) = (named.about(), named.context(&inbound.body));
    let digest = sha256_hex(format!("{}\n{}\n{about}", inbound.request_id, cause.name()));
    let id = EventId::parse(&format!("callback_{digest}")).expect("hexadecimal digits are an id");
    let change = ErrorChange::Raise(Raise { cause, about, message, context });
    ports.errors.apply(&ErrorStep { id, at: ports.clock.now(), change }).await
}

/// What an error about a callback that names these ids is about: the same ids are one error.
pub(in crate::projects) fn about(project: Option<&ProjectId>, scene: Option<&SceneId>, task: Option<&str>) -> String {
    match (project, scene, task) {
        (Some(project), Some(scene), _) => format!("{project}/{scene}"),
        (Some(project), None, _) => project.to_string(),
        (None, Some(scene), _) => scene.to_string(),
        (None, None, Some(task)) => task.to_owned(),
        (None, None, None) => "callback".to_owned(),
    }
}

/// What a callback names: the token first, then its body.
struct Named<'a> {
    project: Option<&'a ProjectId>,
    scene: Option<&'a SceneId>,
    task: Option<String>,
}

impl<'a> Named<'a> {
    fn of(inbound: &'a Inbound, said: &'a Callback) -> Self {
        let token = inbound.token.as_ref();
        Self {
            project: token.map(|token| &token.project).or(said.project.as_ref()),
            scene: token.map_or(said.scene.as_ref(), |token| token.task.scene()),
            task: said.task_id.as_ref().map(ToString::to_string),
        }
    }

    fn about(&self) -> String {
        about(self.project, self.scene, self.task.as_deref())
    }

    fn unknown(&self, stage: Stage) -> String {
        let webhook = webhook(stage);
        match (self.project, self.scene, &self.task) {
            (Some(project), Some(scene), _) => {
                format!("{webhook} was called for scene `{scene}` of project `{project}`, which does not exist")
            }
            (Some(project), None, _) => format!("{webhook} was called for project `{project}`, which does not exist"),
            (None, Some(scene), _) => format!("{webhook} was called for scene `{scene}`, which does not exist"),
            (None, None, Some(task)) => format!("{webhook} was called for task `{task}`, which no project has"),
            (None, None, None) => format!("{webhook} was called without the id of a scene, a project or a task"),
        }
    }

    fn disagreement(&self, stage: Stage) -> String {
        format!("{} was called with ids that disagree: nothing was changed for `{}`", webhook(stage), self.about())
    }

    /// The ids, with those of the body as its sender wrote them.
    fn context(&self, body: &Value) -> Map<String, Value> {
        let mut context = Map::new();
        let ids = [
            ("project_id", self.project.map(ProjectId::as_str)),
            ("scene_id", self.scene.map(SceneId::as_str)),
            ("task_id", self.task.as_deref()),
            ("named_project_id", id_in(body, "project_id")),
            ("named_scene_id", id_in(body, "scene_id")),
            ("metadata_project_id", id_in(&body["metadata"], "project_id")),
            ("metadata_scene_id", id_in(&body["metadata"], "scene_id")),
        ];
        for (name, id) in ids {
            context.extend(id.map(|id| (name.to_owned(), Value::from(id))));
        }
        context
    }
}

/// An id as it was sent, if it could be one.
fn id_in<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object[name].as_str().filter(|text| SceneId::parse(text).is_ok())
}
