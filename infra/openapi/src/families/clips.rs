//! Clip jobs: the jobs and their files, and the webhooks about them. Each operation of a job has two paths.

use reelhook_app::views::clips::{ClipData, ClipJobData, ClipJobIdText, ClipJobView};
use reelhook_http::clips::answers::{ClipJobList, CreditEstimate};
use reelhook_http::clips::bodies::{ClipJobBody, EstimateBody, RangeBody};
use reelhook_http::clips::routes::{ClipListQuery, ClipQuery};
use reelhook_http::typed::fields::{Text, Whole};

use super::jobs::{ONCE, SAME_VERSION, TAGGED, VERSIONS};
use crate::operation::{Access, Operation, Webhook, operation, schema_of};

/// The operations about clip jobs.
pub fn operations() -> Vec<Operation> {
    [jobs(), commands(), files()].into_iter().flatten().collect()
}

/// An operation at both of its paths, each with its route and its id.
pub(super) fn at_both(
    routes: [(&'static str, &'static str); 2],
    make: impl Fn(&'static str, &'static str) -> Operation,
) -> [Operation; 2] {
    routes.map(|(route, id)| make(route, id))
}

/// Creating, listing, reading and deleting jobs, and what they would cost.
fn jobs() -> Vec<Operation> {
    let create = at_both(
        [
            ("POST /ai-clipping-agent/jobs", "createClipJob"),
            ("POST /api/ai-clipping-agent/jobs", "createClipJobUnderApi"),
        ],
        |route, id| {
            of_clips(route, id, "Cut clips out of a video")
                .about(CREATE)
                .idempotent(ONCE)
                .body::<ClipJobBody>()
                .answer_with::<ClipJobView>(201, "The job", "application/json", &["Location", "ETag"])
                .answer_with::<ClipJobView>(
                    200,
                    "With `reuse`, the job that does the same",
                    "application/json",
                    &["ETag"],
                )
                .codes(&["daily_limit", "insufficient_credits", "source_unreadable"])
        },
    );
    let list = at_both(
        [("GET /ai-clipping-agent/jobs", "listClipJobs"), ("GET /api/ai-clipping-agent/jobs", "listClipJobsUnderApi")],
        |route, id| {
            of_clips(route, id, "List clip jobs, newest first")
                .about("An owner's own jobs; an operator sees all.")
                .query::<ClipListQuery>()
                .answer::<ClipJobList>(200, "A page of clip jobs")
        },
    );
    let read = at_both(
        [
            ("GET /ai-clipping-agent/jobs/{id}", "getClipJob"),
            ("GET /api/ai-clipping-agent/jobs/{id}", "getClipJobUnderApi"),
        ],
        |route, id| {
            of_one(route, id, "Get a clip job")
                .about("Its clips appear as they are finished. Links to them are valid for 7 days.")
                .query::<ClipQuery>()
                .header::<Text<1024>>("If-None-Match", VERSIONS)
                .answer_with::<ClipJobView>(200, "The job", "application/json", TAGGED)
                .empty_answer(304, SAME_VERSION, TAGGED)
        },
    );
    let delete = at_both(
        [
            ("DELETE /ai-clipping-agent/jobs/{id}", "deleteClipJob"),
            ("DELETE /api/ai-clipping-agent/jobs/{id}", "deleteClipJobUnderApi"),
        ],
        |route, id| {
            of_one(route, id, "Cancel a clip job, or delete one that has ended")
                .about(
                    "A job that is under way is canceled: it stays with the clips that are finished, and its credits \
                     are released. One that has ended is deleted with its files, so a second call deletes what the \
                     first one canceled.",
                )
                .empty_answer(204, "The job is canceled or deleted", &[])
        },
    );
    let estimate = at_both(
        [
            ("POST /ai-clipping-agent/jobs/estimate", "estimateClipJob"),
            ("POST /api/ai-clipping-agent/jobs/estimate", "estimateClipJobUnderApi"),
        ],
        |route, id| {
            of_clips(route, id, "Get the credits that a clip job reserves")
                .optional_body::<EstimateBody>()
                .answer::<CreditEstimate>(200, "The credits")
        },
    );
    [create, list, read, delete, estimate].into_iter().flatten().collect()
}

/// The commands of a job.
fn commands() -> Vec<Operation> {
    let cancel = at_both(
        [
            ("POST /ai-clipping-agent/jobs/{id}/cancel", "cancelClipJob"),
            ("POST /api/ai-clipping-agent/jobs/{id}/cancel", "cancelClipJobUnderApi"),
        ],
        |route, id| {
            with_job(of_one(route, id, "Cancel a clip job"), 200)
                .about("Its credits are released. A job that is canceled already stays so.")
                .codes(&["clip_job_ended"])
        },
    );
    let retry = at_both(
        [
            ("POST /ai-clipping-agent/jobs/{id}/retry", "retryClipJob"),
            ("POST /api/ai-clipping-agent/jobs/{id}/retry", "retryClipJobUnderApi"),
        ],
        |route, id| {
            with_job(of_one(route, id, "Retry a clip job that failed or was canceled"), 200)
                .about(
                    "A new attempt, which reserves credits anew. Errors of the errors API about a failed attempt name this \
                     call as their `action`.",
                )
                .codes(&["clip_job_under_way", "clip_job_succeeded", "insufficient_credits", "source_unreadable"])
        },
    );
    let recut = at_both(
        [
            ("POST /ai-clipping-agent/jobs/{id}/clips/{index}", "cutClip"),
            ("POST /api/ai-clipping-agent/jobs/{id}/clips/{index}", "cutClipUnderApi"),
        ],
        |route, id| {
            with_job(of_one(route, id, "Cut one clip again"), 202)
                .about("Only this clip is cut, to 1 to 120 s. Its file stays until the new one is there. It costs no credits.")
                .path::<Whole<0, 49>>("index", "The clip's number, from 0")
                .body::<RangeBody>()
                .codes(&["clip_not_found", "clip_job_not_succeeded", "cut_by_worker", "clip_busy", "too_many_cuts"])
        },
    );
    [cancel, retry, recut].into_iter().flatten().collect()
}

/// The files of jobs, and uploads.
fn files() -> Vec<Operation> {
    let file = |route, id, summary| {
        of_clips(route, id, summary)
            .access(Access::Link)
            .empty_answer(302, "A redirect to a link of S3, which is valid for an hour", &["Location", "Cache-Control"])
            .codes(&["file_not_found"])
    };
    vec![
        file("GET /api/v1/files/clips/{job}/{name}", "getClipFile", "Get a clip, a transcript or a plan")
            .path::<Text<41>>("job", "The job as in the link; `-` where a worker chose the name of the file")
            .path::<Text<1400>>("name", "The file, such as `0-0.mp4`"),
        file("GET /api/v1/files/uploads/{name}", "getUploadedVideo", "Get a video that was uploaded")
            .path::<Text<40>>("name", "The last part of the upload's `key`"),
    ]
}

/// The webhooks about clip jobs.
pub fn webhooks() -> Vec<Webhook> {
    let of_jobs = [
        ("clips.started", "A clip job was started"),
        ("clips.completed", "A clip job ended with its clips, or without any"),
        ("clips.failed", "A clip job failed"),
        ("clips.canceled", "A clip job was canceled"),
    ];
    let of_jobs = of_jobs.map(|(event, about)| Webhook { event, about, data: schema_of::<ClipJobData> });
    let of_clip = Webhook { event: "clips.clip_ready", about: "A clip is there", data: schema_of::<ClipData> };
    of_jobs.into_iter().chain([of_clip]).collect()
}

/// An operation with errors in the form of clip jobs.
fn of_clips(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("clips", route, id, summary).clips()
}

/// An operation about one job.
fn of_one(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    of_clips(route, id, summary).path::<ClipJobIdText>("id", "The clip job").codes(&["clip_job_not_found"])
}

/// An operation that answers with the job.
fn with_job(of: Operation, status: u16) -> Operation {
    of.answer_with::<ClipJobView>(status, "The job", "application/json", &["ETag"])
}

/// Creating a job.
const CREATE: &str = "Credits are reserved for it, and charged once when it succeeds. A clipping worker cuts the clips \
                      if the stack has one, else Reelhook itself; then the source must be a video file. Once Reelhook \
                      has probed it, the job reserves what it costs, and fails if the account has less.";
