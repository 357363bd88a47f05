//! Names that requests and answers of StreamGank's API share.

use reelhook_domain::{LogLevel, StepStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened to a step: `creatomate_ready` says that it submitted a render.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StepStatus")]
pub enum StepStatusName {
    /// The step started.
    Started,
    /// The step is done.
    Completed,
    /// The step failed, and so did the run.
    Failed,
    /// The step submitted a render.
    CreatomateReady,
}

impl From<StepStatusName> for StepStatus {
    fn from(name: StepStatusName) -> Self {
        match name {
            StepStatusName::Started => Self::Started,
            StepStatusName::Completed => Self::Completed,
            StepStatusName::Failed => Self::Failed,
            StepStatusName::CreatomateReady => Self::RenderReady,
        }
    }
}

/// The importance of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "LogLevel")]
pub enum LogLevelName {
    /// Something happened.
    Info,
    /// Something went well.
    Success,
    /// Something went wrong and was handled.
    Warning,
    /// Something failed.
    Error,
}

impl From<LogLevelName> for LogLevel {
    fn from(name: LogLevelName) -> Self {
        match name {
            LogLevelName::Info => Self::Info,
            LogLevelName::Success => Self::Success,
            LogLevelName::Warning => Self::Warning,
            LogLevelName::Error => Self::Error,
        }
    }
}
