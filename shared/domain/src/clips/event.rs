//! What can happen to a clip job: commands of people, reports of the worker, results of our renderers, and time.

use std::time::Duration;

use serde_json::{Map, Number, Value};

use crate::RenderId;
use crate::clips::clip::{ClipScore, PlannedClip, SourceFacts};
use crate::clips::request::Range;
use crate::projects::media::File;

/// A clip as a worker reports it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReportedClip {
    /// Its number, from 0.
    pub index: u32,
    /// Its file, if what the worker named can be used.
    pub file: Option<File>,
    /// Where it is in the source.
    pub range: Option<Range>,
    /// Its length in milliseconds.
    pub duration_ms: Option<u64>,
    /// Its score, as sent.
    pub score: Option<Number>,
    /// The parts of the score, as sent and bounded.
    pub score_basis: Map<String, Value>,
    /// What it is about.
    pub summary: Option<String>,
    /// Words about it.
    pub tags: Vec<String>,
    /// Its shape.
    pub layout: Option<String>,
}

/// What a worker made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkerOutput {
    /// The clips, each index once.
    pub clips: Vec<ReportedClip>,
    /// The length of the source in milliseconds.
    pub source_ms: Option<u64>,
    /// The transcript, if what the worker named can be used.
    pub transcript: Option<File>,
    /// The plan, if what the worker named can be used.
    pub plan: Option<File>,
    /// Names of the worker's files that can't be used, for a warning: bounded, for people.
    pub unusable: Vec<String>,
}

/// What kind of report it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// The worker has it in its queue.
    Queued,
    /// It is under way.
    Running,
    /// It ended.
    Completed,
    /// It failed.
    Failed,
    /// The worker canceled it.
    Canceled,
}

/// What a worker says about a submission, by webhook or when polled. Absent values leave what is known.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerReport {
    /// What kind of report it is.
    pub kind: ReportKind,
    /// The progress, 0 to 100.
    pub progress: Option<u8>,
    /// What the worker does, for people.
    pub stage: Option<String>,
    /// Clips that are finished.
    pub clips_completed: Option<u32>,
    /// Clips that there will be.
    pub total_clips: Option<u32>,
    /// Why it failed.
    pub error: Option<String>,
    /// What it made: all of it at the end, and clips as they are finished where the worker reports them.
    pub output: Option<Box<WorkerOutput>>,
}

impl WorkerReport {
    /// A report that says nothing but its kind.
    pub fn of(kind: ReportKind) -> Self {
        Self { kind, progress: None, stage: None, clips_completed: None, total_clips: None, error: None, output: None }
    }
}

/// The answer to a look-up of a submission whose answer was lost.
#[derive(Debug, Clone, PartialEq)]
pub enum LookedUp {
    /// The worker has it under this id.
    Found(RenderId),
    /// The worker does not have it: it was never accepted.
    Missing,
    /// The worker did not answer.
    Unanswered,
}

/// The result of a piece of our renderers.
#[derive(Debug, Clone, PartialEq)]
pub enum PieceOutput {
    /// The source was probed.
    Probed(SourceFacts),
    /// The source was analysed.
    Planned {
        /// The clips, the best one first.
        clips: Vec<PlannedClip>,
        /// The file that says what they were chosen from.
        plan: File,
    },
    /// A clip was cut.
    Cut {
        /// Its file.
        file: File,
        /// Its length in milliseconds.
        duration_ms: u64,
        /// Its score, if it was cut again: that of the first cut is in the plan.
        score: Option<ClipScore>,
    },
    /// A file of the worker was copied.
    Copied(File),
    /// The length of the source in milliseconds.
    Measured(u64),
}

/// What happens to a clip job.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A person cancels it.
    Cancel,
    /// A person deletes it; one that is under way is canceled instead.
    Delete,
    /// A person retries it: a new attempt, for which so many credits are reserved.
    Retry {
        /// The credits.
        reserved: u64,
    },
    /// A person cuts one clip of a job of our own renderers again.
    Recut {
        /// The clip.
        index: u32,
        /// Where it is in the source now.
        range: Range,
    },
    /// The launcher claims the waiting submission before it sends it.
    ClaimSubmission,
    /// The worker accepted a submission.
    Submitted {
        /// The submission's number.
        number: u32,
        /// The worker's id for it.
        id: RenderId,
    },
    /// The worker refused a submission.
    SubmissionRefused {
        /// The submission's number.
        number: u32,
        /// The reason.
        error: String,
        /// The time that the worker asked to wait.
        wait: Option<Duration>,
        /// Whether the same submission is always refused (400, 401, 422).
        permanent: bool,
    },
    /// The answer to a submission was lost.
    SubmissionLost {
        /// The submission's number.
        number: u32,
    },
    /// The worker did not confirm the cancellation of a submission that is not needed.
    CancelUnconfirmed {
        /// The submission's number.
        number: u32,
    },
    /// A submission whose answer was lost was looked up.
    LookedUp {
        /// The submission's number.
        number: u32,
        /// The answer.
        found: LookedUp,
    },
    /// The worker reports on a submission.
    Reported {
        /// The submission's number.
        number: u32,
        /// The worker's id for it, as far as the report has one.
        id: Option<RenderId>,
        /// The report.
        report: Box<WorkerReport>,
        /// Whether it answers a poll of ours.
        polled: bool,
    },
    /// A poll had no usable answer.
    PollFailed {
        /// The submission's number.
        number: u32,
        /// Whether the worker answered that it does not have it (404).
        missing: bool,
    },
    /// A renderer claims a piece.
    ClaimPiece,
    /// A renderer sends a heartbeat.
    PieceProgressed {
        /// The number of its claim.
        claim: u32,
        /// Units done.
        units: u32,
    },
    /// A piece is done.
    PieceDone {
        /// The number of its claim.
        claim: u32,
        /// Its result.
        output: Box<PieceOutput>,
    },
    /// A renderer probed the source, and the account has not the credits that its clips cost: nothing is cut.
    NotCovered {
        /// The number of its claim.
        claim: u32,
        /// The length of the source in milliseconds.
        source_ms: u64,
        /// The credits of the account that are not reserved.
        available: i64,
    },
    /// A renderer failed.
    PieceFailed {
        /// The number of its claim.
        claim: u32,
        /// The reason.
        error: String,
        /// Whether another attempt would fail too.
        permanent: bool,
    },
    /// The due sweep found it due.
    Tick,
}
