//! Clip jobs and credits: each operation under both of its paths, clips of a worker, and a clip of our own renderers that
//! is cut again.

use serde_json::json;

use super::recorder::{Recorder, text};
use crate::clips::backends::Backends;
use crate::clips::film;
use crate::clips::job::{
    CREDITS, JOBS, at_worker, begin, behave, clips, delete, fast, is_ours, succeeded, until, until_at_worker,
    until_status,
};
use crate::clips::tokens::Owner;
use crate::scenes::project::unique;

/// The ends of the ids of operations: those of both paths.
const PATHS: [&str; 2] = ["", "UnderApi"];
/// The page of the jobs at the worker.
const PAGE: &str = "https://youtu.be/dQw4w9WgXcQ";

/// Everything that is done with jobs of a worker, and with credits.
pub async fn of_a_worker(recorder: &mut Recorder<'_>) {
    Backends::Worker.choose(recorder.stack).await;
    let stack = recorder.stack;
    let refused = json!({ "submit": { "status": 422, "detail": "The page is private" } });
    let (failed, _) = begin(stack, fast(refused)).await;
    until_status(stack, &failed, "failed").await;
    recorder.webhook("clips.failed", &failed).await;
    for path in PATHS {
        a_job(recorder, path).await;
        an_account(recorder, path).await;
    }
}

/// A job that is canceled, retried, and completed by the worker.
async fn a_job(recorder: &mut Recorder<'_>, path: &str) {
    let stack = recorder.stack;
    let named = |operation: &str| format!("{operation}{path}");
    // The worker keeps it in its queue until this test lets it go on.
    behave(stack, PAGE, fast(json!({ "job": { "queued_ms": 600_000 }, "report": { "silent": true } }))).await;
    let before = at_worker(stack, PAGE).await.len();
    let mut body = json!({
        "youtubeUrl": PAGE, "requestedClipCount": 1, "ranges": [{ "start": 0, "end": 90 }],
        "clipDurations": ["15-30"], "captions": true, "metadata": { "order": "A-1042" },
    });
    let created = recorder.send(&named("createClipJob"), &[], &body).await;
    body["reuse"] = json!(true);
    let again = recorder.send(&named("createClipJob"), &[], &body).await;
    assert_eq!(again["id"], created["id"]);
    let id = text(&created["id"]);
    until_at_worker(stack, PAGE, before + 1).await;
    recorder.webhook("clips.started", &id).await;
    recorder.post(&named("cancelClipJob"), &[&id]).await;
    recorder.webhook("clips.canceled", &id).await;
    recorder.post(&named("retryClipJob"), &[&id]).await;
    let accepted = until_at_worker(stack, PAGE, before + 2).await;
    let newest = text(&accepted.last().expect("a job")["job_id"]);
    let url = format!("{}/control/genesis/jobs/{newest}/report?finish=true", stack.studio);
    let reported = stack.http.post(url).body("{}").send().await.expect("an answer");
    assert_eq!(reported.status(), 200);
    succeeded(stack, &id).await;
    until(stack, &id, "copied", |job| ["transcriptUrl", "planUrl"].iter().all(|name| is_ours(&job["output"][name])))
        .await;
    recorder.webhook("clips.completed", &id).await;
    recorder.get(&named("getClipJob"), &[&id], "").await;
    recorder.get(&named("listClipJobs"), &[], "limit=1").await;
    recorder.get(&named("streamClipJob"), &[&id], "").await;
    delete(stack, &id).await;
}

/// An owner who gets credits, and pays for a job.
async fn an_account(recorder: &mut Recorder<'_>, path: &str) {
    let stack = recorder.stack;
    let named = |operation: &str| format!("{operation}{path}");
    // In examples, all texts of this form are the same.
    let owner =
        Owner::called(stack, format!("{:08x}-0000-4000-8000-{:012x}", unique() >> 48, unique() & 0xffff_ffff)).await;
    let credits = json!({ "userId": owner.id, "amount": 100, "description": "Credits purchased" });
    recorder.send(&named("addCredits"), &[], &credits).await;
    let ranges = json!({ "ranges": [{ "start": 0, "end": 90 }] });
    recorder.send(&named("estimateClipJob"), &[], &ranges).await;
    let mut body = ranges;
    body["youtubeUrl"] = json!(format!("https://youtu.be/{}", unique()));
    let (status, job) = owner.post(stack, JOBS, &body).await;
    assert_eq!(status, 201, "{job}");
    let query = format!("userId={}", owner.id);
    stack
        .eventually("the job is charged", || async {
            let (_, account) = stack.get(&format!("{CREDITS}?{query}")).await;
            (account["totalSpent"] == 15).then_some(())
        })
        .await;
    recorder.get(&named("getCredits"), &[], &query).await;
}

/// A clip that our own renderers cut, and cut again.
pub async fn of_our_own_renderers(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    Backends::Own.choose(stack).await;
    let body = json!({ "requestedClipCount": 1, "clipDurations": ["15-30"], "ranges": [{ "start": 20, "end": 37 }] });
    let id = film::begin(stack, body).await;
    succeeded(stack, &id).await;
    recorder.webhook("clips.clip_ready", &id).await;
    for (path, start) in PATHS.into_iter().zip([21, 22]) {
        let range = json!({ "start": start, "end": 36.5 });
        recorder.send(&format!("cutClip{path}"), &[&id, "0"], &range).await;
        until(stack, &id, "cut again", |job| clips(job)[0]["startMs"] == start * 1000).await;
    }
}
