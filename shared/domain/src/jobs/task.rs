//! Tasks that an outside service works on for a job.

use serde::{Deserialize, Serialize};

/// An outside service that works on tasks of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Creatomate, which renders videos.
    Creatomate,
}

impl Service {
    /// The name in logs and in stored keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creatomate => "creatomate",
        }
    }
}
