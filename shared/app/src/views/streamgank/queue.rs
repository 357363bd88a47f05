//! The number of jobs by status, as StreamGank's answers show it.

use reelhook_domain::Status;
use schemars::JsonSchema;
use serde::Serialize;

/// The numbers of jobs by status, for answers about the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct QueueCounts {
    /// Jobs that wait for a start.
    pub pending: u64,
    /// Jobs that a worker runs.
    pub processing: u64,
    /// Jobs whose video renders.
    pub rendering: u64,
    /// Completed jobs.
    pub completed: u64,
    /// Failed jobs.
    pub failed: u64,
    /// Cancelled jobs.
    pub cancelled: u64,
}

impl QueueCounts {
    /// The number of jobs with one status.
    pub fn of(&self, status: Status) -> u64 {
        match status {
            Status::Pending => self.pending,
            Status::Processing => self.processing,
            Status::Rendering => self.rendering,
            Status::Completed => self.completed,
            Status::Failed => self.failed,
            Status::Cancelled => self.cancelled,
        }
    }

    /// The number of all jobs.
    pub fn total(&self) -> u64 {
        self.pending + self.processing + self.rendering + self.completed + self.failed + self.cancelled
    }
}

/// The number of jobs, in the answer to a new job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct QueueStatusShort {
    /// Jobs that wait for a start.
    pending: u64,
    /// Jobs that a worker runs.
    processing: u64,
    /// Completed jobs.
    completed: u64,
    /// Failed jobs.
    failed: u64,
    /// All jobs, also those that render or are cancelled.
    total: u64,
}

/// The member `queueStatus` of the answer to a new job.
pub fn queue_status(counts: &QueueCounts) -> QueueStatusShort {
    QueueStatusShort {
        pending: counts.pending,
        processing: counts.processing,
        completed: counts.completed,
        failed: counts.failed,
        total: counts.total(),
    }
}
