//! The dialects: how one family's clients see rows and answers.

use reelhook_domain::JobKind;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// The form in which clients of a family see jobs, projects or clip jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Dialect {
    /// Seeds 000 and 001.
    #[default]
    StreamGank,
    /// Seed 002.
    VidBuilder,
    /// Seed 003: projects of scenes.
    Scenes,
    /// Seed 004: clip jobs.
    Clips,
}

impl Dialect {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The dialect of the clients of such jobs.
    pub fn of(kind: JobKind) -> Self {
        match kind {
            JobKind::Workflow => Self::StreamGank,
            JobKind::Video => Self::VidBuilder,
        }
    }
}
