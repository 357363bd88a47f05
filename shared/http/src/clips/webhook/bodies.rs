//! Describes the bodies of reports; [`reelhook_app::clips::reports::read`] reads them. Null means absent, other members
//! are ignored, and a value that can't be used counts as absent.

use schemars::JsonSchema;
use serde_json::{Map, Value};

/// A report of the clipping worker on a job. It has an `event`, or the id of a job.
#[derive(Debug, JsonSchema)]
pub struct ClipReport {
    /// `job.started`, `job.progress`, `job.completed`, `job.failed`, `job.queued` or `job.canceled`: it decides what is
    /// reported.
    pub event: Option<String>,
    /// When it happened, for the sender's own records.
    pub timestamp: Option<String>,
    /// The worker's id of the job: a text or a whole number.
    pub job_id: Option<Value>,
    /// The id that the worker got with the submission. A token in the path decides instead.
    pub external_job_id: Option<String>,
    /// The owner, for the sender's own records.
    pub owner_user_id: Option<String>,
    /// The worker's status. It decides only where the `event` is not known.
    pub status: Option<String>,
    /// The progress, 0 to 100.
    pub progress_percent: Option<f64>,
    /// What the worker does, for people; cut at 200 bytes.
    pub current_step: Option<String>,
    /// Clips that are finished.
    pub clips_completed: Option<f64>,
    /// Clips that there will be.
    pub total_clips: Option<f64>,
    /// Why it failed: a text, or an object with a `message`; cut at 2,048 bytes.
    pub error: Option<Value>,
    /// What the worker made: all of it with the completion, or clips as they are finished.
    pub output: Option<ReportedOutput>,
}

/// What the worker made.
#[derive(Debug, JsonSchema)]
pub struct ReportedOutput {
    /// The clips: the first 50.
    pub clips: Option<Vec<ReportedClip>>,
    /// Clips that there are.
    pub total_clips: Option<f64>,
    /// The title of the source, for the sender's own records.
    pub source_video_title: Option<String>,
    /// The length of the source in seconds. Credits are charged by it where no range was asked for.
    pub source_video_duration_seconds: Option<f64>,
    /// How long it took, for the sender's own records.
    pub processing_time_seconds: Option<f64>,
    /// The transcript, named as a clip's `s3_url`.
    pub transcript_url: Option<String>,
    /// The plan, named as a clip's `s3_url`.
    pub plan_url: Option<String>,
}

/// A clip.
#[derive(Debug, JsonSchema)]
pub struct ReportedClip {
    /// Its number, from 0; without it, its place in the list.
    pub clip_index: Option<f64>,
    /// Its file: a path of the worker with `/outputs/` or `/output/`, an `s3://` URL or a link of our bucket below
    /// `clips/`, or another http or https URL; at most 2,048 bytes.
    pub s3_url: Option<String>,
    /// Its length in milliseconds.
    pub duration_ms: Option<f64>,
    /// Where it starts in the source, in milliseconds; or `start_time_seconds`.
    pub start_ms: Option<f64>,
    /// Where it ends in the source, in milliseconds; or `end_time_seconds`.
    pub end_ms: Option<f64>,
    /// Its score, 0 to 1; kept as it is sent.
    pub virality_score: Option<f64>,
    /// The parts of the score by name.
    pub score_basis: Option<Map<String, Value>>,
    /// What it is about.
    pub summary: Option<String>,
    /// Words about it.
    pub tags: Option<Vec<String>>,
    /// Its shape, in the worker's words.
    pub layout: Option<String>,
}
