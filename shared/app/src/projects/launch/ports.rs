//! The ports of the launcher of projects, and the time that it has.

use std::time::Duration;

use reelhook_domain::Timestamp;
use reelhook_domain::projects::policy::ProjectPolicy;

use crate::circuit::Circuits;
use crate::clock::ClockAndRandom;
use crate::projects::services::ServiceClient;
use crate::projects::store::{EarlyCallbacks, Lookups, ProjectFiles, ProjectStore, SceneSlots};
use crate::store::StoreError;

/// Requests to one service at the same time. Claims are made for as many: if the launcher crashes, no more answers are lost.
pub(super) const AT_ONCE: usize = 5;
/// The time that must be left for a claim or a request: a request of 20 s may be followed by another one, such as a
/// cancellation, and what they yield is recorded.
const LEAST_LEFT: Duration = Duration::from_secs(45);

/// The time after which an invocation that Lambda ends at `deadline` claims nothing and sends nothing.
pub fn last_start(deadline: Timestamp) -> Timestamp {
    deadline.before(LEAST_LEFT)
}

/// The ports of the launcher of projects.
pub struct LaunchPorts<'a> {
    /// Projects.
    pub projects: &'a dyn ProjectStore,
    /// Slots for the videos of scenes.
    pub slots: &'a dyn SceneSlots,
    /// Callbacks that came before a project knew their task.
    pub early: &'a dyn EarlyCallbacks,
    /// The tasks that services' ids name.
    pub lookups: &'a dyn Lookups,
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
    /// The time after which this invocation claims nothing and sends nothing ([`last_start`]): it could be ended before it
    /// has recorded the answer.
    pub last_start: Timestamp,
}

impl LaunchPorts<'_> {
    /// Whether enough time is left for a claim or a request.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if not, so that the hint comes again.
    pub(crate) fn in_time(&self) -> Result<(), StoreError> {
        if self.clock.now() <= self.last_start {
            return Ok(());
        }
        let source = "too little time is left in this invocation".into();
        Err(StoreError::Busy { operation: "work on hint", source })
    }
}
