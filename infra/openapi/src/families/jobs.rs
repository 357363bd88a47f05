//! StreamGank's jobs, and the webhooks about them.

use reelhook_app::views::streamgank::WebhookData;
use reelhook_app::views::wire::JobIdText;
use reelhook_http::jobs::control::{CompleteRequest, JobDeleted, JobDone};
use reelhook_http::jobs::generate::{GenerateRequest, Generated};
use reelhook_http::jobs::status::{JobAnswer, JobDetailsAnswer};

use crate::operation::{Operation, Webhook, operation, schema_of};

/// The operations about jobs.
pub fn operations() -> Vec<Operation> {
    vec![
        operation("jobs", "POST /api/generate", "generateVideo", "Submit a job")
            .idempotent(ONCE)
            .body::<GenerateRequest>()
            .answer::<Generated>(200, "The job waits in the queue")
            .codes(&["daily_limit", "missing_parameters"]),
        of_job("GET /api/job/{id}", "getJob", "Get a job")
            .header::<String>("If-None-Match", VERSIONS)
            .answer_with::<JobAnswer>(200, "The job", "application/json", TAGGED)
            .empty_answer(304, SAME_VERSION, TAGGED),
        of_job("GET /api/job/{id}/details", "getJobDetails", "Get a job with its duration")
            .header::<String>("If-None-Match", VERSIONS)
            .answer_with::<JobDetailsAnswer>(
                200,
                "The job. It has an ETag only once it has ended, because the duration of a running job changes",
                "application/json",
                TAGGED,
            )
            .empty_answer(304, SAME_VERSION, TAGGED),
        of_job("POST /api/job/{id}/cancel", "cancelJob", "Cancel a job")
            .about(CANCEL)
            .answer::<JobDone>(200, "The job is cancelled")
            .codes(&["cannot_cancel"]),
        of_job("DELETE /api/queue/job/{id}", "cancelQueuedJob", "Cancel a job, by the route of StreamGank's page")
            .about(CANCEL)
            .answer::<JobDone>(200, "The job is cancelled")
            .codes(&["cannot_cancel"]),
        of_job("POST /api/job/{id}/retry", "retryJob", "Run a failed job again")
            .about("A second retry within 10 s changes nothing and gets the same answer.")
            .answer::<JobDone>(200, "The job waits in the queue for a new run")
            .codes(&["cannot_retry"]),
        of_job("POST /api/job/{id}/complete", "completeJob", "Complete a job with a video that was made elsewhere")
            .about("The job must be processing or rendering, or completed without a video.")
            .body::<CompleteRequest>()
            .answer::<JobDone>(200, "The job is completed")
            .codes(&["video_url_missing", "cannot_complete"]),
        of_job(
            "DELETE /api/queue/job/{id}/delete",
            "deleteJob",
            "Delete a job that has ended, with its log and its files",
        )
        .answer::<JobDeleted>(200, "The job is deleted")
        .codes(&["cannot_delete"]),
    ]
}

/// The webhooks about jobs.
pub fn webhooks() -> Vec<Webhook> {
    let all = [
        ("job.completed", "The video is ready"),
        ("job.failed", "The job failed, and no automatic retry is left"),
        ("job.cancelled", "The job was cancelled: `data.cancelled_at`"),
        (
            "job.extraction_completed",
            "The job ended after step 1, as `pauseAfterExtraction` requested: `data.extracted_movies`",
        ),
        ("job.script_completed", "The worker is done, and the video still renders"),
        ("job.completed_with_issues", "The worker is done, and there is neither a video nor a render"),
        (
            "job.failed_no_retry",
            "The job failed for a reason that a retry does not repair: `data.no_retry_reason` and \
             `data.suggested_solution`",
        ),
        ("job.timeout", "The run exceeded its time limit"),
        ("job.workflow_incomplete", "The run exceeded its time limit while a render was under way"),
        (
            "job.render_timeout",
            "The render did not end in time; if Creatomate confirms a success later, `job.completed` follows",
        ),
        ("job.deleted", "The job was deleted: `data.deleted_at`"),
    ];
    all.map(|(event, about)| Webhook { event, about, data: schema_of::<WebhookData> }).into()
}

/// An operation about one job.
fn of_job(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("jobs", route, id, summary).path::<JobIdText>("id", "The job").codes(&["job_not_found"])
}

/// How long an idempotency key of a job counts.
pub(super) const ONCE: &str = "Within 24 h, the same key and body of a caller get the first answer; another body gets \
                               422. Bodies are compared by value: spaces, the order of members, `1.0` for `1`, \
                               escapes, and a form's boundary make no difference";
/// What a cancellation does.
const CANCEL: &str = "A job that is cancelled already stays so. Reelhook notifies the worker at its `cancel_url`.";
/// The header `If-None-Match`.
pub(super) const VERSIONS: &str = "The ETags of versions that the caller has";
/// The headers of an answer that the caller may store, and of 304.
pub(super) const TAGGED: &[&str] = &["ETag", "Cache-Control"];
/// The answer 304.
pub(super) const SAME_VERSION: &str = "The caller has this version";
