//! Live events: what viewers see of a version, and the state that these events show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{RenderId, Status};

/// An event that viewers see; the state that it shows is in the version's [`LiveSnapshot`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Live {
    /// A worker reported on a step.
    Step {
        /// 0 to 8.
        number: u8,
        /// The step's name.
        name: String,
        /// The step's status in the worker's words.
        status: String,
        /// The worker's key for the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The report's sequence.
        sequence: i64,
        /// The stage of the workflow in the worker's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<String>,
        /// Whether the report had details.
        details: bool,
    },
    /// A render is under way: planned, waiting, transcribing, rendering.
    Render {
        /// The render's status in the service's words.
        #[serde(rename = "word")]
        status: String,
    },
    /// The video exists.
    RenderCompleted,
    /// The render failed.
    RenderFailed,
    /// Anything else.
    Job,
}

impl Live {
    /// Whether the aggregate ends with this event; `status` is the status of the event's version.
    pub fn ends(&self, status: Status) -> bool {
        match self {
            Self::RenderCompleted | Self::RenderFailed => true,
            Self::Job => status.is_final(),
            Self::Step { .. } | Self::Render { .. } => false,
        }
    }
}

/// The state of an aggregate in one version, as far as the version's live events show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveSnapshot {
    /// Its status.
    pub status: Status,
    /// Its progress, 0 to 100.
    pub progress: u8,
    /// What it does at present.
    pub current_step: String,
    /// Its video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_url: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Its render at the render service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_id: Option<RenderId>,
    /// The details of steps, by the step's number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub step_details: BTreeMap<u8, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_render_s_end_and_a_final_status_end_a_job() {
        let render = Live::Render { status: "rendering".to_owned() };
        let step = Live::Step {
            number: 8,
            name: "Workflow Completed".to_owned(),
            status: "completed".to_owned(),
            key: None,
            sequence: 1,
            stage: None,
            details: false,
        };
        for &status in Status::ALL {
            assert!(Live::RenderCompleted.ends(status) && Live::RenderFailed.ends(status), "{status:?}");
            assert_eq!(Live::Job.ends(status), status.is_final(), "{status:?}");
            assert!(!render.ends(status) && !step.ends(status), "{status:?}");
        }
    }
}
