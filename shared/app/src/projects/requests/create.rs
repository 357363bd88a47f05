//! Creates projects: long prompts first, then the project, with its Idempotency-Key in one transaction.

use reelhook_domain::projects::decide::{NewProject, create};
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::{Project, ProjectSpec};
use reelhook_domain::projects::reasons::Rejected;
use reelhook_domain::{Origin, ProjectId};

use crate::clock::ClockAndRandom;
use crate::idempotency::{IdempotencyKey, KeyReused, first_answer};
use crate::projects::requests::scenes::{SceneFault, SceneRequest, read_new};
use crate::projects::requests::texts::Prompts;
use crate::projects::store::{NewProjects, ProjectFiles};
use crate::store::{Saved, StoreError};

/// A request for a project.
#[derive(Debug, Clone)]
pub struct ProjectRequest {
    /// The client's id for it.
    pub id: Option<ProjectId>,
    /// What the client says about the project as a whole.
    pub spec: ProjectSpec,
    /// Its scenes, in order.
    pub scenes: Vec<SceneRequest>,
    /// Where it comes from.
    pub origin: Origin,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

/// The ports of [`create_project`].
pub struct CreatePorts<'a> {
    /// Projects.
    pub projects: &'a dyn NewProjects,
    /// Long prompts.
    pub files: &'a dyn ProjectFiles,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The policy of projects.
    pub policy: &'a ProjectPolicy,
}

/// The outcome of a request for a project.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// The project, and sentences about what differs from the request.
    Project(Box<Project>, Vec<String>),
    /// The key made this project before; sentences as above.
    Repeated(ProjectId, Vec<String>),
    /// The key was used with another body.
    KeyReused,
    /// Another request made a project with this id.
    Exists,
    /// A member of a scene is wrong.
    Fault(SceneFault),
    /// The scenes form no valid project.
    Rejected(Rejected),
}

/// Creates a project.
///
/// # Errors
/// [`StoreError`]; then the project was either not created or created completely.
pub async fn create_project(ports: &CreatePorts<'_>, request: ProjectRequest) -> Result<Created, StoreError> {
    let now = ports.clock.now();
    let id = request.id.unwrap_or_else(|| ProjectId::timed(now, ports.clock.random()));
    let mut prompts = Prompts::default();
    let read = match read_new(&id, &[], request.scenes, &mut prompts, || ports.clock.random()) {
        Ok(read) => read,
        Err(fault) => return Ok(Created::Fault(fault)),
    };
    let warnings = read.warnings;
    if let Some(key) = &request.key
        && let Some(first) = first_answer(ports.projects, key, now).await?
    {
        return repeated(first, warnings);
    }
    let new = NewProject { id, spec: request.spec, scenes: read.scenes, origin: request.origin };
    let project = match create(new, now, ports.policy) {
        Ok(project) => project,
        Err(rejected) => return Ok(Created::Rejected(rejected)),
    };
    prompts.store(ports.files).await?;
    let Some(key) = request.key else {
        return Ok(match ports.projects.insert(&project).await? {
            Saved::Done => Created::Project(Box::new(project), warnings),
            Saved::Conflict(_) => Created::Exists,
        });
    };
    let record = key.record(project.id.to_string(), now);
    match ports.projects.insert_with_key(&project, &record, now).await? {
        Saved::Done => Ok(Created::Project(Box::new(project), warnings)),
        Saved::Conflict(Some(first)) => repeated(key.repeated(*first), warnings),
        Saved::Conflict(None) => Ok(Created::Exists),
    }
}

/// The project that the first request with a key made.
fn repeated(first: Result<String, KeyReused>, warnings: Vec<String>) -> Result<Created, StoreError> {
    let Ok(id) = first else { return Ok(Created::KeyReused) };
    let reason = || "the first answer of this key names no project".to_owned();
    let id = ProjectId::parse(&id).map_err(|_| StoreError::Unreadable { operation: "read key", reason: reason() })?;
    Ok(Created::Repeated(id, warnings))
}
