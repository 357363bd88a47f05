//! The dialects: how one family's clients see rows and answers.

use reelhook_domain::JobKind;
use serde::{Deserialize, Serialize};

/// The form in which clients of a family see a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Seeds 000 and 001.
    #[default]
    StreamGank,
    /// Seed 002.
    VidBuilder,
}

impl Dialect {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::StreamGank => "streamgank",
            Self::VidBuilder => "vidbuilder",
        }
    }

    /// The dialect of the clients of such jobs.
    pub fn of(kind: JobKind) -> Self {
        match kind {
            JobKind::Workflow => Self::StreamGank,
            JobKind::Video => Self::VidBuilder,
        }
    }
}
