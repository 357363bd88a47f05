//! The ports of the launcher of clip jobs.

use reelhook_domain::ClipPolicy;

use crate::circuit::Circuits;
use crate::clips::store::ClipStore;
use crate::clips::worker::WorkerClient;
use crate::clock::ClockAndRandom;

/// The ports of the launcher of clip jobs.
pub struct ClipLaunchPorts<'a> {
    /// Clip jobs.
    pub jobs: &'a dyn ClipStore,
    /// The circuits of services.
    pub circuits: &'a dyn Circuits,
    /// The worker, and the guarded client.
    pub client: WorkerClient<'a>,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The timers of clip jobs.
    pub policy: &'a ClipPolicy,
}
