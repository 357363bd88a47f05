//! Effects that only jobs have, beside those that all aggregates share.

use serde::{Deserialize, Serialize};

use crate::{RenderId, WebUrl};

/// An effect of a change of a job. The stored `kind` names it and the version of its form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum JobEffect {
    /// Read the state of a render from the render service.
    #[serde(rename = "check_render.v1")]
    CheckRender {
        /// The render.
        render: RenderId,
        /// The number of the scheduled check; 0 for an unscheduled one.
        check: u8,
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// The job knows its render's id from now on: apply a callback that came earlier. Only versions of 0.2 and older have
    /// it; since then the report that names the render applies it (docs/adr/0052-fewer-runs-per-job.md).
    #[serde(rename = "apply_parked.v1")]
    ApplyParked {
        /// The render.
        render: RenderId,
    },
    /// Cancel a run at the external worker.
    #[serde(rename = "cancel_worker.v1")]
    CancelWorker {
        /// The run attempt.
        attempt: u32,
        /// The worker's URL for cancellations.
        url: WebUrl,
    },
}

impl JobEffect {
    /// The stored kinds.
    pub(crate) const KINDS: [&str; 3] = ["check_render.v1", "apply_parked.v1", "cancel_worker.v1"];
}
