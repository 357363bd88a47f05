//! The status of a job, and of a step of its workflow.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// The status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
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
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum StepStatus {
    /// The step started.
    Started,
    /// The step is done.
    Completed,
    /// The step failed, and so did the run.
    Failed,
    /// The step submitted a render.
    #[strum(serialize = "render ready")]
    RenderReady,
}

impl StepStatus {
    /// A plain name.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
