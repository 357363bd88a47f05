//! The dialects, by the kinds of jobs that their clients submit.

use reelhook_domain::JobKind;
use serde::{Deserialize, Serialize};

/// The words that clients of a family speak.
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
    /// Every dialect.
    pub const ALL: [Self; 2] = [Self::StreamGank, Self::VidBuilder];

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

    /// The kind of jobs that its clients submit.
    pub fn kind(self) -> JobKind {
        match self {
            Self::StreamGank => JobKind::Workflow,
            Self::VidBuilder => JobKind::Video,
        }
    }
}
