//! A callback as it arrives, and the ports of its use case.

use reelhook_domain::ProjectId;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::task::{Stage, TaskRef};
use serde_json::Value;

use crate::clock::ClockAndRandom;
use crate::errors::steps::ErrorSteps;
use crate::outbox::messages::{Hints, WorkMessage};
use crate::projects::store::{EarlyCallbacks, Lookups, ProjectFiles, ProjectStore};

/// One submission of a task, as a token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The project.
    pub project: ProjectId,
    /// The submission in the project.
    pub task: TaskRef,
}

/// A callback whose sender is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The stage of the webhook.
    pub stage: Stage,
    /// The submission that the token names; none for a callback that was signed.
    pub token: Option<Submission>,
    /// The body.
    pub body: Value,
    /// The gateway's id of the call.
    pub request_id: String,
}

/// The ports of callbacks.
pub struct CallbackPorts<'a> {
    /// Projects.
    pub projects: &'a dyn ProjectStore,
    /// Projects by the ids of their scenes and tasks.
    pub lookups: &'a dyn Lookups,
    /// Callbacks about what no project has yet.
    pub early: &'a dyn EarlyCallbacks,
    /// The bucket, for large data that comes with videos.
    pub files: &'a dyn ProjectFiles,
    /// Errors that people see.
    pub errors: &'a dyn ErrorSteps,
    /// The Work queue: the launcher cancels tasks that nobody waits for.
    pub work: &'a dyn Hints<WorkMessage>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// What projects keep to.
    pub policy: &'a ProjectPolicy,
    /// Whether a service is notified about each completed project.
    pub notifies: bool,
}
