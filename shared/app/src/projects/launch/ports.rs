//! The ports of the launcher of projects.

use reelhook_domain::projects::policy::ProjectPolicy;

use crate::clock::ClockAndRandom;
use crate::projects::circuit::Circuits;
use crate::projects::services::ServiceClient;
use crate::projects::store::{EarlyCallbacks, ProjectFiles, ProjectStore, SceneSlots};

/// Requests to one service at the same time. Claims are made for as many: if the launcher crashes, no more answers are lost.
pub(super) const AT_ONCE: usize = 5;

/// The ports of the launcher of projects.
pub struct LaunchPorts<'a> {
    /// Projects.
    pub projects: &'a dyn ProjectStore,
    /// Slots for the videos of scenes.
    pub slots: &'a dyn SceneSlots,
    /// Callbacks that came before a project knew their task.
    pub early: &'a dyn EarlyCallbacks,
    /// The circuits of services.
    pub circuits: &'a dyn Circuits,
    /// Long prompts, and data that comes with videos.
    pub files: &'a dyn ProjectFiles,
    /// The services, and the guarded client.
    pub client: ServiceClient<'a>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The projects' timers.
    pub policy: &'a ProjectPolicy,
    /// SCENE_SLOTS: videos of scenes that services make at the same time.
    pub scene_slots: usize,
}
