//! The ports of projects: their store, their lists, slots for scenes, look-ups by other ids, and early callbacks.

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{Admission, ProjectId, RenderId, SceneId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::AggregateStore;
use crate::idempotency::{IdempotencyRecord, IdempotencyStore};
use crate::jobs::admission::AdmissionStore;
use crate::jobs::claims::Claimed;
use crate::projects::lookup::{Lookup, SceneOwner};
use crate::store::{Saved, StoreError};

/// Stores projects.
pub trait ProjectStore: AggregateStore<Project> {}

impl<S: AggregateStore<Project> + ?Sized> ProjectStore for S {}

/// Creates projects.
#[async_trait]
pub trait NewProjects: IdempotencyStore {
    /// Stores a new project; a conflict has the project that has this id already.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert(&self, project: &Project) -> Result<Saved<Project>, StoreError>;

    /// Stores a new project with its idempotency record, in one transaction; a conflict has the record that is there, and
    /// none if only a project with this id is.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert_with_key(
        &self,
        project: &Project,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError>;
}

/// One page of a list of projects.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectPage {
    /// The projects, the newest first, perhaps [abridged](Project::abridged).
    pub projects: Vec<Project>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Lists projects.
#[async_trait]
pub trait ProjectList: Send + Sync {
    /// A page of at most `limit` projects after a cursor, the newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<ProjectPage, StoreError>;

    /// The page with this number, from 1; it reads the ids of the pages before.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn page_at(&self, number: usize, limit: usize) -> Result<ProjectPage, StoreError>;

    /// The number of projects, and whether it is only a lower bound since counting ended at a limit.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count(&self) -> Result<(usize, bool), StoreError>;
}

/// Slots for the videos of scenes: an admission item of their own.
#[async_trait]
pub trait SceneSlots: AdmissionStore {
    /// Projects with a scene that waits for a slot, the one first that was served longest ago.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn waiting(&self, limit: usize) -> Result<Vec<ProjectId>, StoreError>;

    /// Saves a project whose scene claims a slot together with the admission item, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn claim(&self, project: &Project, admission: &Admission) -> Result<Claimed, StoreError>;
}

/// Finds projects by the ids of their scenes and tasks.
#[async_trait]
pub trait Lookups: Send + Sync {
    /// Stores what finds a project; storing it again does nothing. If two projects have a scene with one id, the id finds
    /// neither.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remember(&self, lookups: &[Lookup]) -> Result<(), StoreError>;

    /// The project that has a scene, or that several do.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_scene(&self, scene: &SceneId) -> Result<Option<SceneOwner>, StoreError>;

    /// The project and the task that a service's id names.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn of_task(&self, stage: Stage, id: &RenderId) -> Result<Option<(ProjectId, TaskRef)>, StoreError>;
}

/// A callback that came before a project knew its scene or its task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyCallback {
    /// The stage of the webhook.
    pub stage: Stage,
    /// The scene that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<SceneId>,
    /// The project that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// The service's id that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<RenderId>,
    /// The body.
    pub body: Value,
    /// When it came.
    pub at: Timestamp,
}

/// Keeps early callbacks for an hour.
#[async_trait]
pub trait EarlyCallbacks: Send + Sync {
    /// Keeps a callback under each id that it names: its task, and its scene or, for a stitch, its project. A callback that
    /// ends a task is not replaced by one that does not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn park(&self, callback: &EarlyCallback, ends: bool) -> Result<(), StoreError>;

    /// The callbacks that are kept for the stitch of a project, and for these scenes and tasks, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn parked(
        &self,
        stitch: Option<&ProjectId>,
        scenes: &[SceneId],
        tasks: &[(Stage, RenderId)],
        now: Timestamp,
    ) -> Result<Vec<EarlyCallback>, StoreError>;
}

/// Texts of projects that are too long for the item, and files of projects.
#[async_trait]
pub trait ProjectFiles: Send + Sync {
    /// Stores a text under this key.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_text(&self, key: &str, text: Bytes) -> Result<(), StoreError>;

    /// Reads a text.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn text(&self, key: &str) -> Result<Option<String>, StoreError>;
}
