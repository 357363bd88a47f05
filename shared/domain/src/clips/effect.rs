//! Effects that only clip jobs have, beside those that all aggregates share.

use serde::{Deserialize, Serialize};

use crate::RenderId;

/// An effect of a change of a clip job. The stored `kind` names it and the version of its form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum ClipEffect {
    /// Send the launcher a hint that the job is to be submitted, looked up or polled at the worker.
    #[serde(rename = "clip_work.v1")]
    Work {
        /// Not before so many seconds.
        delay_s: u32,
    },
    /// Remember which job the worker's id or an external id names.
    #[serde(rename = "index_clip_job.v1")]
    Index {
        /// The submission's number.
        number: u32,
        /// The worker's id; none for the external id of the submission alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker_id: Option<RenderId>,
    },
    /// Cancel a submission at the worker: best effort.
    #[serde(rename = "cancel_clip_work.v1")]
    CancelWork {
        /// The submission's number.
        number: u32,
    },
}

impl ClipEffect {
    /// The stored kinds.
    pub(crate) const KINDS: [&str; 3] = ["clip_work.v1", "index_clip_job.v1", "cancel_clip_work.v1"];
}
