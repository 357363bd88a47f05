//! Finding a project by the id of a scene, or of a task at a service; and callbacks that came before these were known.

use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{ProjectId, RenderId, SceneId};

/// The projects that have a scene with an id. Clients choose ids, so that several projects may have the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SceneOwner {
    /// Only this project.
    One(ProjectId),
    /// Several projects: the id alone does not say which scene is meant.
    Several,
}

/// What finds a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The id of a scene.
    Scene {
        /// The scene.
        scene: SceneId,
        /// Its project.
        project: ProjectId,
    },
    /// The id that a service gave a task.
    Task {
        /// The stage, which says which service.
        stage: Stage,
        /// The service's id.
        id: RenderId,
        /// The project.
        project: ProjectId,
        /// The task.
        task: TaskRef,
    },
}
