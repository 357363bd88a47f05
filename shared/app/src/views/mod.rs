//! The dialects: views of a job in the words of its clients. The domain knows none of these names.

pub mod captions;
pub mod streamgank;
pub mod vidbuilder;

use reelhook_domain::{Job, JobKind, OutboundEvent, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// What a webhook tells of an event of a job, in the words of that job's clients.
pub(crate) fn webhook_data(job: &Job, event: OutboundEvent, at: Timestamp) -> Value {
    match job.kind {
        JobKind::Workflow => streamgank::webhook_data(job, event, at),
        JobKind::Video => vidbuilder::notification(job, event, at),
    }
}
