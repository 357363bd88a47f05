//! Why an event changes nothing, and why a command is refused.

use strum::IntoStaticStr;

/// Why an event changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Ignored {
    /// The job has ended or is deleted.
    Ended,
    /// The report is about an older submission or an older cut.
    Stale,
    /// The job has seen this before.
    Repeated,
    /// Nothing is due, and nothing can be claimed.
    NothingToDo,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// The job is deleted.
    Deleted,
    /// The job has ended, so that it can't be canceled.
    Ended,
    /// The job is under way, so that it can't be retried.
    UnderWay,
    /// The job has succeeded: there is nothing to retry.
    Succeeded,
    /// The job has no clip of this index.
    NoClip(u32),
    /// The job has not succeeded: only clips of a job that has succeeded are cut again.
    NotSucceeded,
    /// A worker cut the clips: only clips of our own renderers are cut again.
    NotOwn,
    /// The clip is being cut.
    ClipBusy(u32),
    /// The range ends after the source, which has so many milliseconds.
    OutOfSource(u64),
    /// A clip that is cut again can't have so many milliseconds.
    BadLength(u64),
    /// The range is in none of the ranges that the job was asked for.
    OutOfRanges,
    /// The clip was cut again as often as it may be.
    TooManyCuts(u32),
}
