//! Why an event does not change a job.

use crate::jobs::status::Status;

/// Why an event is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// It belongs to an older run.
    StaleAttempt,
    /// The same event was applied before.
    Duplicate,
    /// The job has ended.
    FinalJob,
    /// A newer report was applied before.
    OutOfSequence,
    /// A later step is under way.
    BackwardStep,
    /// The job, or the piece, is not ready for this event.
    NotReady,
    /// No run is under way that a report without a token could belong to.
    NotStarted,
    /// It is about another render.
    OtherRender,
    /// The job already is in the requested state.
    AlreadySo,
    /// The job is not due.
    NotDue,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// A job in this state can't be cancelled.
    CannotCancel(Status),
    /// Only failed jobs can be retried.
    CannotRetry(Status),
    /// A job in this state can't be completed manually.
    CannotComplete(Status),
    /// Only final jobs can be deleted.
    CannotDelete(Status),
    /// The job has no render that can be monitored.
    NoRender,
    /// The job already has its video.
    VideoExists,
    /// The workflow did not reach its end.
    WorkflowIncomplete,
    /// The render of a job in this state can't be monitored.
    CannotMonitor(Status),
    /// The job has no stored video.
    NoVideo,
    /// The job was deleted.
    Deleted,
}
