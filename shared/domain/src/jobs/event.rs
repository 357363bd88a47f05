//! What can happen to a job: callbacks, commands and timers, already parsed.

use std::time::Duration;

use serde_json::Value;

use crate::videos::render::{RenderPlan, Renderer, StoredVideo};
use crate::{RenderId, RenderState, Timestamp};

/// How a step stands, in the worker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepStatus {
    /// It began.
    Started,
    /// It is done.
    Completed,
    /// It failed, and with it the run.
    Failed,
    /// The render was submitted.
    RenderReady,
}

/// A worker's report of one step; step 0 opens a run, 1 to 7 are its work, 8 closes it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepUpdate {
    /// 0 to 8.
    pub number: u8,
    /// The step's name.
    pub name: String,
    /// How it stands.
    pub status: StepStatus,
    /// The worker's key for the step.
    pub key: Option<String>,
    /// Rises with each report of a run.
    pub sequence: i64,
    /// Seconds.
    pub duration: Option<f64>,
    /// What the worker tells about it, small enough to keep.
    pub details: Option<Value>,
    /// The render that the step submitted.
    pub render_id: Option<RenderId>,
    /// A finished video.
    pub video_url: Option<String>,
    /// The worker's word for where the workflow is.
    pub stage: Option<String>,
    /// What step 1 extracted, as text.
    pub extracted: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether the name says that the whole workflow failed.
    pub workflow_failed: bool,
}

/// Everything that can happen to a job after it was made.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The worker function takes the job to start it.
    Claim,
    /// The external worker accepted the run.
    Started {
        /// The run.
        attempt: u32,
        /// Which worker.
        worker_id: Option<String>,
        /// Where it wants to hear of a cancel.
        cancel_url: Option<String>,
    },
    /// The external worker was busy or could not be reached.
    StartDeferred {
        /// The run.
        attempt: u32,
        /// What it asked for.
        wait: Option<Duration>,
        /// In a few words.
        reason: String,
    },
    /// The run failed outside of its steps.
    RunFailed {
        /// The run.
        attempt: u32,
        /// Why.
        error: String,
    },
    /// A worker's report.
    Step {
        /// The run that its token names; `None` when a plain signature vouches for the call.
        attempt: Option<u32>,
        /// The report.
        update: StepUpdate,
    },
    /// A render callback that we believe as far as it goes.
    RenderReported {
        /// The render.
        render: RenderId,
        /// What it says.
        state: RenderState,
        /// Whether a final state can be confirmed at the service, and so has to be.
        confirmable: bool,
    },
    /// What the render service itself answered.
    RenderChecked {
        /// The render.
        render: RenderId,
        /// Its state; `None` when the service could not be asked.
        state: Option<RenderState>,
        /// Which scheduled check this was; 0 for one out of turn.
        check: u8,
    },
    /// A claimed job is run by ourselves.
    RunHere {
        /// The run.
        attempt: u32,
        /// Who draws what has to be found out first.
        renderer: Renderer,
    },
    /// A renderer takes a piece of a drawing.
    ClaimPiece {
        /// The run.
        attempt: u32,
    },
    /// What a film shows was found out.
    Composed {
        /// The run.
        attempt: u32,
        /// Of the piece.
        claim: u32,
        /// What it takes to draw it.
        film: RenderPlan,
    },
    /// A renderer is at work.
    PieceProgressed {
        /// The run.
        attempt: u32,
        /// Of the piece.
        claim: u32,
        /// Units of the piece that are done.
        units: u32,
    },
    /// A piece is drawn elsewhere, and looked at again later.
    PieceDeferred {
        /// The run.
        attempt: u32,
        /// Of the piece.
        claim: u32,
        /// The render.
        render: RenderId,
        /// How far it is, 0 to 100.
        percent: u8,
        /// How much later.
        wait: Duration,
    },
    /// A piece is done.
    PieceDone {
        /// The run.
        attempt: u32,
        /// Of the piece.
        claim: u32,
        /// The picture that it made, if it made one.
        video: Option<StoredVideo>,
    },
    /// A piece can't be done.
    PieceFailed {
        /// The run.
        attempt: u32,
        /// Of the piece.
        claim: u32,
        /// Why, in a sentence that names what.
        error: String,
        /// Whether trying again would fail again.
        permanent: bool,
    },
    /// A person cancels.
    Cancel,
    /// A person cleared the queue: what waited at that time is cancelled.
    Clear {
        /// When.
        until: Timestamp,
    },
    /// A person retries.
    Retry,
    /// A person hands in the video.
    Complete {
        /// http or https.
        video_url: String,
    },
    /// A person has the render watched again.
    Monitor,
    /// Its log was put into the archive.
    LogArchived,
    /// A person deletes the video, and not the job.
    DeleteVideo,
    /// A person deletes.
    Delete,
    /// The sweep found the job due.
    Tick,
}

impl StepUpdate {
    /// A report with nothing but its number, name, status and sequence.
    pub fn plain(number: u8, name: impl Into<String>, status: StepStatus, sequence: i64) -> Self {
        Self {
            number,
            name: name.into(),
            status,
            key: None,
            sequence,
            duration: None,
            details: None,
            render_id: None,
            video_url: None,
            stage: None,
            extracted: None,
            error: None,
            workflow_failed: false,
        }
    }

    /// What makes two reports of a run the same one.
    pub(crate) fn identity(&self) -> String {
        let status = match self.status {
            StepStatus::Started => 's',
            StepStatus::Completed => 'c',
            StepStatus::Failed => 'f',
            StepStatus::RenderReady => 'r',
        };
        let key: String = self.key.as_deref().unwrap_or_default().chars().take(64).collect();
        format!("{}{status}{}:{key}", self.number, self.sequence)
    }
}
