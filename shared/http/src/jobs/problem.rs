//! Problems of jobs, their renders and the catalogue that they choose from.

use reelhook_domain::Status;
use serde_json::Value;

use crate::problem::problems;

problems! {
    /// A problem of a job.
    pub enum JobProblem {
        /// Country, platform or genre is missing; the answer echoes the input.
        MissingParameters(_received: Value) = 400 "missing_parameters" "Missing required parameters";
        /// The preview request has no country, platforms or genre.
        PreviewParametersMissing = 400 "missing_parameters"
            "Missing required parameters: country, platforms, and genre are required";
        /// The job does not exist, or it is not the caller's.
        NotFound = 404 "job_not_found" "Job not found";
        /// A job with this status can't be cancelled.
        CannotCancel(status: Status) = 409 "cannot_cancel" format!("Cannot cancel job with status: {}", status.name());
        /// A job with this status can't be retried: only failed jobs can.
        CannotRetry(status: Status) = 400 "cannot_retry"
            format!("Cannot retry job with status: {}. Only failed jobs can be retried.", status.name());
        /// A job with this status accepts no video.
        CannotComplete(status: Status) = 409 "cannot_complete"
            format!("Cannot complete job with status: {}", status.name());
        /// A job with this status can't be deleted: only final jobs can.
        CannotDelete(_status: Status) = 400 "cannot_delete" "Job cannot be deleted";
        /// The request that completes a job has no video URL.
        VideoUrlMissing = 400 "video_url_missing" "Video URL is required";
        /// The job has no render to monitor.
        NoRender = 400 "no_render" "Job has no Creatomate ID";
        /// The job already has its video.
        VideoExists = 400 "video_exists" "Job already has video URL";
        /// The workflow of the job did not complete.
        WorkflowIncomplete = 400 "workflow_incomplete"
            "Job workflow was incomplete - manual verification needed before monitoring";
        /// The render of a job with this status can't be monitored.
        CannotMonitor(status: Status) = 400 "cannot_monitor"
            format!("Cannot monitor job with status: {}", status.name());
        /// The render callback has no id.
        RenderIdMissing = 400 "render_id_missing" "Invalid webhook: missing render_id";
        /// The render callback has no status.
        RenderStatusMissing = 400 "render_status_missing" "Invalid webhook: missing status";
        /// No job has the render with this id.
        RenderUnknown(id: String) = 404 "render_unknown" format!("Job not found for render ID: {id}");
        /// The render service did not answer with a render.
        RenderCheckFailed = 502 "render_check_failed" "Failed to check Creatomate status";
        /// The render service did not answer in time.
        RenderCheckTimeout = 504 "render_check_timeout" "Failed to check Creatomate status";
    }
}
