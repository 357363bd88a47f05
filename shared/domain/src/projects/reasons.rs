//! Why an event changes nothing, and why a command is refused.

use strum::IntoStaticStr;

use crate::SceneId;
use crate::projects::graph::GraphError;

/// Why an event changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Ignored {
    /// The project has ended or is deleted.
    FinalProject,
    /// The report is about an older attempt, generation or submission, or about something that was removed.
    Stale,
    /// The project has seen this before.
    Repeated,
    /// Nothing is due, and nothing can be claimed.
    NothingToDo,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// The project is deleted.
    Deleted,
    /// The project has no such scene.
    NoScene(SceneId),
    /// The scene has no take of this attempt.
    NoTake(u32),
    /// The project has no scenes, or none that is ready.
    NothingReady,
    /// The project is not running.
    NotRunning,
    /// The project is completed: nothing of it is left to do.
    Ended,
    /// Not all scenes are verified, so that nothing can be stitched.
    NotVerified,
    /// The scene is being generated.
    SceneBusy(SceneId),
    /// A person cannot set this status in the scene's state.
    BadStatus,
    /// The scenes would form no valid graph.
    Graph(GraphError),
    /// The project would have more than [`crate::projects::project::MAX_SCENES`] scenes.
    TooManyScenes,
    /// The project would have more than [`crate::projects::project::MAX_BYTES`] of texts and URLs, or it has
    /// [`crate::projects::project::MAX_TAKES`] takes.
    TooLarge,
    /// The command would exceed the project's budget.
    OverBudget {
        /// What it would cost, in millionths of a dollar.
        cost: u64,
        /// What is left.
        left: u64,
    },
}
