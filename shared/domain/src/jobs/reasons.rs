//! Why an event does not change a job.

use crate::jobs::status::Status;

/// Why an event changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// It belongs to an older run.
    StaleAttempt,
    /// It came before.
    Duplicate,
    /// The job has ended.
    FinalJob,
    /// A newer report came before.
    OutOfSequence,
    /// A later step is under way.
    BackwardStep,
    /// The job is not waiting to be started, or not yet.
    NotReady,
    /// No run is under way that a report without a token could belong to.
    NotStarted,
    /// It is about another render.
    OtherRender,
    /// The job is as asked already.
    AlreadySo,
    /// Nothing is due.
    NotDue,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejected {
    /// A job in this state can't be cancelled.
    CannotCancel(Status),
    /// Only failed jobs can be retried.
    CannotRetry(Status),
    /// A job in this state takes no video.
    CannotComplete(Status),
    /// Only final jobs can be deleted.
    CannotDelete(Status),
    /// There is no render to watch.
    NoRender,
    /// The video is there.
    VideoExists,
    /// The workflow was not brought to its end.
    WorkflowIncomplete,
    /// The render of a job in this state can't be watched.
    CannotMonitor(Status),
    /// There is no video of ours to delete.
    NoVideo,
    /// The job was deleted.
    Deleted,
}
