//! Events of jobs: callbacks, commands and timers, parsed.

use std::time::Duration;

use serde_json::Value;

use crate::videos::render::{RenderPlan, Renderer, StoredVideo};
use crate::{RenderId, RenderState, StepStatus, Timestamp, WebUrl};

/// A worker's report of one step. Step 0 starts a run, steps 1 to 7 are its work, and step 8 ends it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepUpdate {
    /// 0 to 8.
    pub number: u8,
    /// The step's name.
    pub name: String,
    /// The status of the step.
    pub status: StepStatus,
    /// The worker's key for the step.
    pub key: Option<String>,
    /// A number that rises with each report of a run.
    pub sequence: i64,
    /// The duration of the step, in seconds.
    pub duration: Option<f64>,
    /// The worker's details of the step, small enough to be stored.
    pub details: Option<Value>,
    /// The id of the render that the step submitted.
    pub render_id: Option<RenderId>,
    /// The URL of the finished video.
    pub video_url: Option<WebUrl>,
    /// The worker's name for the stage of the workflow.
    pub stage: Option<String>,
    /// The text that step 1 extracted.
    pub extracted: Option<String>,
    /// Why the step failed.
    pub error: Option<String>,
    /// Whether the name says that the whole workflow failed.
    pub workflow_failed: bool,
}

/// Everything that can happen to a job after its creation.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The launcher claims the job.
    Claim,
    /// The external worker accepted the run.
    Started {
        /// The run attempt.
        attempt: u32,
        /// The worker's own name.
        worker_id: Option<String>,
        /// The URL that the worker wants cancellations sent to.
        cancel_url: Option<WebUrl>,
    },
    /// The external worker was busy or could not be reached.
    StartDeferred {
        /// The run attempt.
        attempt: u32,
        /// The wait that the worker requested.
        wait: Option<Duration>,
        /// Why, in a few words.
        reason: String,
    },
    /// The run failed outside of its steps.
    RunFailed {
        /// The run attempt.
        attempt: u32,
        /// Why.
        error: String,
    },
    /// A worker's report.
    Step {
        /// The run attempt of the token; `None` if a signature without a token authenticated the call.
        attempt: Option<u32>,
        /// The report.
        update: StepUpdate,
    },
    /// An authenticated callback reported the state of a render.
    RenderReported {
        /// The render.
        render: RenderId,
        /// The reported state.
        state: RenderState,
        /// Whether the service can confirm a final state; then a confirmation is required.
        confirmable: bool,
    },
    /// The state of a render was checked at the render service.
    RenderChecked {
        /// The render.
        render: RenderId,
        /// The state; `None` if the check failed.
        state: Option<RenderState>,
        /// The number of the scheduled check; 0 for an unscheduled one.
        check: u8,
    },
    /// Our own renderers run a claimed job.
    RunHere {
        /// The run attempt.
        attempt: u32,
        /// What renders the film.
        renderer: Renderer,
    },
    /// A renderer claims a piece.
    ClaimPiece {
        /// The run attempt.
        attempt: u32,
    },
    /// The film is composed.
    Composed {
        /// The run attempt.
        attempt: u32,
        /// The number of the claim on the piece.
        claim: u32,
        /// The plan of the film.
        plan: RenderPlan,
    },
    /// A heartbeat of a renderer.
    PieceProgressed {
        /// The run attempt.
        attempt: u32,
        /// The number of the claim on the piece.
        claim: u32,
        /// Units of the piece that are done.
        units: u32,
    },
    /// An outside service renders a piece, which is polled again later.
    PieceDeferred {
        /// The run attempt.
        attempt: u32,
        /// The number of the claim on the piece.
        claim: u32,
        /// The render.
        render: RenderId,
        /// The progress of the render, 0 to 100.
        percent: u8,
        /// The time until the next poll.
        wait: Duration,
    },
    /// A piece is done.
    PieceDone {
        /// The run attempt.
        attempt: u32,
        /// The number of the claim on the piece.
        claim: u32,
        /// The rendition that the piece finished, if it finished one.
        video: Option<StoredVideo>,
    },
    /// A piece failed.
    PieceFailed {
        /// The run attempt.
        attempt: u32,
        /// The number of the claim on the piece.
        claim: u32,
        /// Why, in a sentence that names the piece.
        error: String,
        /// Whether a retry would fail again.
        permanent: bool,
    },
    /// A person cancels the job.
    Cancel,
    /// A person cleared the queue: a job that was waiting at that time is cancelled.
    Clear {
        /// The time of the clear.
        until: Timestamp,
    },
    /// A person retries the job.
    Retry,
    /// A person supplies the video.
    Complete {
        /// The URL of the video, http or https.
        video_url: WebUrl,
    },
    /// A person starts the polling of the render again.
    Monitor,
    /// The log of the job was archived.
    LogArchived,
    /// A person deletes the video but keeps the job.
    DeleteVideo,
    /// A person deletes the job.
    Delete,
    /// The due sweep found the job.
    Tick,
}

impl StepUpdate {
    /// A report with only a number, a name, a status and a sequence.
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

    /// The identity of a report: two reports of a run with the same identity are duplicates.
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
