//! A report as it arrives by webhook, and the ports of its use case.

use reelhook_domain::{ClipJobId, ClipPolicy};
use serde_json::Value;

use super::files::WorkerFiles;
use crate::clips::store::{ClipLookups, ClipStore};
use crate::clock::ClockAndRandom;
use crate::errors::steps::ErrorSteps;

/// One submission of a job to the worker, as a token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The job.
    pub job: ClipJobId,
    /// The submission's number.
    pub number: u32,
}

/// A report whose sender is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The submission that the token names; none for a report that was signed.
    pub token: Option<Submission>,
    /// The body.
    pub body: Value,
    /// The gateway's id of the call.
    pub request_id: String,
}

/// The ports of reports.
pub struct ReportPorts<'a> {
    /// Clip jobs.
    pub jobs: &'a dyn ClipStore,
    /// Clip jobs by the worker's ids.
    pub lookups: &'a dyn ClipLookups,
    /// Errors that people see.
    pub errors: &'a dyn ErrorSteps,
    /// Clock and random source.
    pub clock: &'a dyn ClockAndRandom,
    /// The timers and limits of clip jobs.
    pub policy: &'a ClipPolicy,
    /// Where the worker's files are.
    pub files: &'a WorkerFiles,
}
