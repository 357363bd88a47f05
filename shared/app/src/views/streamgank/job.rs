//! A job as StreamGank's API shows it.

use reelhook_domain::{Incomplete, Job, Metadata, Status, StepRecord, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::render;
use crate::views::wire::{JobIdText, MetadataText, Time, Yes};

/// The status of a job: `pending` waits for its turn or for a retry, `processing` is at a worker, `rendering` at
/// Creatomate; the others are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// It waits for its turn or for a retry.
    Pending,
    /// A worker runs it.
    Processing,
    /// Its video renders.
    Rendering,
    /// It ended with success.
    Completed,
    /// It ended with an error.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl From<Status> for JobStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Processing => Self::Processing,
            Status::Rendering => Self::Rendering,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// The request of a job, with its defaults: as in `POST /api/generate`, or the main parameters of a video from scenes.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum JobParameters {
    /// Of `POST /api/generate`.
    Workflow(WorkflowParameters),
    /// Of a video from scenes.
    Video(VideoParameters),
}

/// The request of a job, with its defaults.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowParameters {
    /// The country, such as `US`.
    pub country: String,
    /// The platform, after aliases: `netflix` becomes `Netflix`.
    pub platform: String,
    /// The genre.
    pub genre: String,
    /// `Film`, `Série`, or null for both.
    pub content_type: Option<String>,
    /// The template.
    pub template: String,
    /// Whether the job ends after step 1.
    pub pause_after_extraction: bool,
}

/// The main parameters of a video from scenes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoParameters {
    /// The title.
    pub title: Option<String>,
    /// The type that the request names.
    pub r#type: String,
    /// The theme.
    pub theme: String,
    /// The quality.
    pub quality: String,
    /// The id of the music track.
    pub music: Option<String>,
    /// Whether there is a vertical rendition.
    pub generate_reels: bool,
    /// The number of scenes.
    pub scenes: usize,
}

/// Values by step, under `step_0` to `step_8`.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct BySteps(Map<String, Value>);

impl BySteps {
    fn of(job: &Job, pick: impl Fn(&StepRecord) -> Option<Value>) -> Self {
        let steps = job.run.engine.steps();
        let records = steps.into_iter().flat_map(|steps| &steps.records);
        Self(records.filter_map(|(number, step)| Some((format!("step_{number}"), pick(step)?))).collect())
    }
}

impl JsonSchema for BySteps {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BySteps".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "patternProperties": { "^step_[0-8]$": {} } })
    }
}

/// What every view of a job has.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Job")]
pub struct JobView<'a> {
    /// The job's id.
    pub id: JobIdText,
    /// The job's status.
    pub status: JobStatus,
    /// The request, with its defaults.
    #[schemars(with = "JobParameters")]
    pub parameters: &'a Value,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    pub metadata: &'a Metadata,
    /// When it was submitted.
    pub created_at: Time,
    /// When its run started.
    pub started_at: Option<Time>,
    /// When it completed.
    pub completed_at: Option<Time>,
    /// When it failed.
    pub failed_at: Option<Time>,
    /// When it was cancelled.
    pub cancelled_at: Option<Time>,
    /// The id of the render; null once the job has failed.
    pub creatomate_id: Option<&'a str>,
    /// The URL of the video, once there is one.
    pub video_url: Option<String>,
    /// Retries so far.
    pub retry_count: u32,
    /// The maximum number of automatic retries.
    pub max_retries: u32,
    /// Why it failed, or that it was cancelled.
    pub error: Option<&'a str>,
    /// Per cent, 0 to 100; it never falls within a run.
    #[schemars(range(min = 0, max = 100))]
    pub progress: u8,
    /// The current step, in ASCII: a step ends in ` - started` or ` - completed`, a failure begins with `FAILED` and
    /// names its step if it has one.
    pub current_step: String,
    /// The number of the current step, 0 to 8.
    #[schemars(range(min = 0, max = 8))]
    pub current_step_number: u8,
    /// The sequence of the newest step report.
    pub last_step_sequence: Option<i64>,
    /// When it last changed.
    pub last_update: Time,
    /// The worker's details by step; absent in lists. Details over 16 KiB, or over 64 KiB together, are stored
    /// elsewhere: `{stored, bytes}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_details: Option<BySteps>,
    /// Seconds by step.
    pub step_duration: BySteps,
    /// The id of the worker.
    pub worker_id: Option<&'a str>,
    /// Whether it ended after step 1, as requested.
    pub paused_after_extraction: bool,
    /// The movies that step 1 extracted, as text.
    pub extracted_movies: Option<&'a str>,
    /// Only if the run timed out with a render under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_incomplete: Option<Yes>,
    /// Only if the render never ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render_timeout: Option<Yes>,
    /// Only if the run timed out: when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_at: Option<Time>,
    /// Only if a retry can't help: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_retry_reason: Option<&'a str>,
    /// Only if a retry can't help: what would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_solution: Option<&'a str>,
    /// Only while it waits for an automatic retry: when that starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Time>,
}

/// A job with the members that only the details page needs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDetails<'a> {
    #[serde(flatten)]
    job: JobView<'a>,
    /// Milliseconds from the start to the end, or to now; null before the start.
    duration: Option<i64>,
    /// The path of the job's page.
    details_url: String,
    /// Whether it has not ended.
    is_active: bool,
}

/// A job as the API shows it.
pub fn job(job: &Job) -> JobView<'_> {
    let (steps, worker) = (job.run.engine.steps(), job.run.engine.external().map(|external| &external.worker));
    let is = |why: Incomplete| job.run.incomplete == Some(why);
    let no_retry = job.run.no_retry.as_ref();
    JobView {
        id: JobIdText::from(&job.id),
        status: job.status.into(),
        parameters: &job.request.input,
        metadata: &job.request.metadata,
        created_at: job.created_at.into(),
        started_at: job.run.times.started_at.map(Time),
        completed_at: job.run.times.completed_at.map(Time),
        failed_at: job.run.times.failed_at.map(Time),
        cancelled_at: job.run.times.cancelled_at.map(Time),
        creatomate_id: render(job),
        video_url: job.run.video_url.as_ref().map(ToString::to_string),
        retry_count: job.retries.used,
        max_retries: job.retries.max,
        error: job.run.error.as_deref(),
        progress: job.run.progress,
        current_step: job.run.caption.to_string(),
        current_step_number: steps.map_or(0, |steps| steps.current),
        last_step_sequence: steps.and_then(|steps| steps.last_sequence),
        last_update: job.updated_at.into(),
        step_details: Some(BySteps::of(job, |step| step.details.clone())),
        step_duration: BySteps::of(job, |step| step.duration.map(|seconds| json!(seconds))),
        worker_id: worker.and_then(|worker| worker.id.as_deref()),
        paused_after_extraction: is(Incomplete::PausedAfterExtraction),
        extracted_movies: steps.and_then(|steps| steps.extracted.as_deref()),
        workflow_incomplete: is(Incomplete::WorkflowIncomplete).then_some(Yes),
        render_timeout: is(Incomplete::RenderTimeout).then_some(Yes),
        timeout_at: job.run.times.timed_out_at.map(Time),
        no_retry_reason: no_retry.map(|no_retry| no_retry.reason.as_str()),
        suggested_solution: no_retry.map(|no_retry| no_retry.solution.as_str()),
        retry_after: job.run.retry_after.map(Time),
    }
}

/// A job in a list, without the details of its steps.
pub fn job_summary(of: &Job) -> JobView<'_> {
    JobView { step_details: None, ..job(of) }
}

/// A job with the members that only the details page needs.
pub fn job_details(of: &Job, now: Timestamp) -> JobDetails<'_> {
    JobDetails {
        job: job(of),
        duration: of.duration_ms(now),
        details_url: format!("/job/{}", of.id),
        is_active: !of.status.is_final(),
    }
}
