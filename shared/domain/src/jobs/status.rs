//! The status of a job, and of a step of its workflow.

use serde::{Deserialize, Serialize};

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waiting for its turn, or for the time of a retry.
    Pending,
    /// Work is under way.
    Processing,
    /// The worker is done; the video renders.
    Rendering,
    /// Done.
    Completed,
    /// Failed for good.
    Failed,
    /// A person cancelled it.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Rendering, Self::Completed, Self::Failed, Self::Cancelled];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Rendering => "rendering",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether only a command can leave it.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Processing | Self::Rendering => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// The status of a step in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepStatus {
    /// The step started.
    Started,
    /// The step is done.
    Completed,
    /// The step failed, and so did the run.
    Failed,
    /// The step submitted a render.
    RenderReady,
}

impl StepStatus {
    /// A plain name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::RenderReady => "render ready",
        }
    }
}
