//! A job as StreamGank's API shows it.

use std::borrow::Cow;

use reelhook_domain::videos::film::{Quality, Theme};
use reelhook_domain::{Incomplete, Job, Metadata, RenderId, Status, StepRecord, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::views::usage::UsageView;
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
    #[schemars(with = "String")]
    pub theme: Theme,
    /// The quality.
    #[schemars(with = "String", extend("enum" = ["720p", "1080p", "4k"]))]
    pub quality: Quality,
    /// The id of the music track.
    pub music: Option<String>,
    /// Whether there is a vertical rendition.
    pub generate_reels: bool,
    /// The number of scenes.
    #[schemars(range(min = 1))]
    pub scenes: usize,
}

/// Values by step, under `step_0` to `step_8`.
#[derive(Debug)]
pub struct BySteps<T>(Vec<(u8, T)>);

impl<T> BySteps<T> {
    fn of<'a>(job: &'a Job, pick: impl Fn(&'a StepRecord) -> Option<T>) -> Self {
        let steps = job.run.engine.steps();
        let records = steps.into_iter().flat_map(|steps| &steps.records);
        Self(records.filter_map(|(number, step)| Some((*number, pick(step)?))).collect())
    }
}

impl<T: Serialize> Serialize for BySteps<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(number, value)| (format!("step_{number}"), value)))
    }
}

impl<T: JsonSchema> JsonSchema for BySteps<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("BySteps_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            "patternProperties": { "^step_[0-8]$": value },
            "additionalProperties": false,
        })
    }
}

/// A job: its request, its state, and what the present run has shown so far.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Job")]
pub struct JobView<'a> {
    /// The job's id.
    id: JobIdText,
    /// The job's status.
    status: JobStatus,
    /// The request, with its defaults.
    #[schemars(with = "JobParameters")]
    parameters: &'a Value,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// When it was submitted.
    created_at: Time,
    /// When its run started.
    started_at: Option<Time>,
    /// When it completed.
    completed_at: Option<Time>,
    /// When it failed.
    failed_at: Option<Time>,
    /// When it was cancelled.
    cancelled_at: Option<Time>,
    /// The id of the render; null once the job has failed.
    creatomate_id: Option<&'a str>,
    /// The URL of the video, once there is one.
    #[schemars(url)]
    video_url: Option<&'a str>,
    /// Retries so far.
    retry_count: u32,
    /// The maximum number of automatic retries.
    max_retries: u32,
    /// Why it failed, or that it was cancelled.
    error: Option<&'a str>,
    /// Per cent, 0 to 100; it never falls within a run.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The current step, in ASCII: a step ends in ` - started` or ` - completed`, a failure begins with `FAILED` and
    /// names its step if it has one.
    current_step: &'a str,
    /// The number of the current step, 0 to 8.
    #[schemars(range(min = 0, max = 8))]
    current_step_number: u8,
    /// The sequence of the newest step report.
    last_step_sequence: Option<i64>,
    /// When the job last changed.
    last_update: Time,
    /// The worker's details by step; absent in lists. Details over 16 KiB, or over 64 KiB together, are stored
    /// elsewhere: `{stored, bytes}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    step_details: Option<BySteps<&'a Value>>,
    /// Seconds by step.
    step_duration: BySteps<f64>,
    /// The id of the worker.
    worker_id: Option<&'a str>,
    /// Whether it ended after step 1, as requested.
    paused_after_extraction: bool,
    /// The movies that step 1 extracted, as text.
    extracted_movies: Option<&'a str>,
    /// Only if the run timed out with a render under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_incomplete: Option<Yes>,
    /// Only if the render never ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    render_timeout: Option<Yes>,
    /// Only if the run timed out: when.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_at: Option<Time>,
    /// Only if a retry can't help: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_retry_reason: Option<&'a str>,
    /// Only if a retry can't help: what would.
    #[serde(skip_serializing_if = "Option::is_none")]
    suggested_solution: Option<&'a str>,
    /// Only while it waits for an automatic retry: when that starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<Time>,
    /// Only after its end, and if its request has `usage`: what it has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageView>,
}

/// A job with the members that only the details page needs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDetails<'a> {
    #[serde(flatten)]
    job: JobView<'a>,
    /// Milliseconds from the start to the end, or to now; null before the start.
    #[schemars(range(min = 0))]
    duration: Option<i64>,
    /// The path of the job's page.
    #[schemars(regex(pattern = "^/job/"))]
    details_url: String,
    /// Whether it has not ended.
    is_active: bool,
}

/// A job as the API shows it.
pub fn job(job: &Job) -> JobView<'_> {
    let (steps, worker) = (job.run.engine.steps(), job.run.engine.external().map(|external| &external.worker));
    let is = |why: Incomplete| job.run.incomplete == Some(why);
    let (times, no_retry) = (&job.run.times, job.run.no_retry.as_ref());
    JobView {
        id: JobIdText::from(&job.id),
        status: job.status.into(),
        parameters: &job.request.input,
        metadata: &job.request.metadata,
        created_at: job.created_at.into(),
        started_at: times.started_at.map(Time),
        completed_at: times.completed_at.map(Time),
        failed_at: times.failed_at.map(Time),
        cancelled_at: times.cancelled_at.map(Time),
        creatomate_id: render(job),
        video_url: job.run.video_url.as_deref(),
        retry_count: job.retries.used,
        max_retries: job.retries.max,
        error: job.run.error.as_deref(),
        progress: job.run.progress,
        current_step: &job.run.caption,
        current_step_number: steps.map_or(0, |steps| steps.current),
        last_step_sequence: steps.and_then(|steps| steps.last_sequence),
        last_update: job.updated_at.into(),
        step_details: Some(BySteps::of(job, |step| step.details.as_ref())),
        step_duration: BySteps::of(job, |step| step.duration),
        worker_id: worker.and_then(|worker| worker.id.as_deref()),
        paused_after_extraction: is(Incomplete::PausedAfterExtraction),
        extracted_movies: steps.and_then(|steps| steps.extracted.as_deref()),
        workflow_incomplete: is(Incomplete::WorkflowIncomplete).then_some(Yes),
        render_timeout: is(Incomplete::RenderTimeout).then_some(Yes),
        timeout_at: times.timed_out_at.map(Time),
        no_retry_reason: no_retry.map(|no_retry| no_retry.reason.as_str()),
        suggested_solution: no_retry.map(|no_retry| no_retry.solution.as_str()),
        retry_after: job.run.retry_after.map(Time),
        usage: UsageView::of(job),
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

/// The render of a job as clients see it.
pub(super) fn render(of: &Job) -> Option<&str> {
    shown_render(of.render_id(), of.status)
}

/// A failed job shows no render: pages read the render's status, and would show the job as completed.
pub(super) fn shown_render(render: Option<&RenderId>, status: Status) -> Option<&str> {
    render.filter(|_| status != Status::Failed).map(RenderId::as_str)
}

#[cfg(test)]
mod tests {
    use reelhook_domain::OutboundEvent;
    use serde_json::json;

    use super::*;
    use crate::jobs::examples;

    /// The names of a view's members, in their order.
    fn names(view: &Value) -> Vec<&str> {
        view.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn the_members_of_a_job_are_in_the_order_of_the_contract() {
        let job = |event| examples::job(event, Timestamp(1_704_110_400_000));
        let usual = "id status parameters metadata createdAt startedAt completedAt failedAt cancelledAt creatomateId \
                     videoUrl retryCount maxRetries error progress currentStep currentStepNumber lastStepSequence \
                     lastUpdate stepDetails stepDuration workerId pausedAfterExtraction extractedMovies";
        let usual: Vec<&str> = usual.split(' ').collect();
        let completed = job(OutboundEvent::Completed);
        assert_eq!(names(&json!(super::job(&completed))), usual);
        let summary: Vec<&str> = usual.iter().copied().filter(|name| *name != "stepDetails").collect();
        assert_eq!(names(&json!(job_summary(&completed))), summary);
        let of = |more: &[&'static str]| [usual.as_slice(), more].concat();
        let details = of(&["duration", "detailsUrl", "isActive"]);
        assert_eq!(names(&json!(job_details(&completed, completed.updated_at))), details);
        for (event, more) in [
            (OutboundEvent::FailedNoRetry, of(&["noRetryReason", "suggestedSolution"])),
            (OutboundEvent::RenderTimeout, of(&["renderTimeout"])),
            (OutboundEvent::WorkflowIncomplete, of(&["workflowIncomplete", "timeoutAt"])),
        ] {
            assert_eq!(names(&json!(super::job(&job(event)))), more, "{event:?}");
        }
    }
}
