//! Jobs of StreamGank's API: one that a worker makes, others that end in other ways, the queue, logs, and live events.

use serde_json::json;

use super::recorder::{Recorder, text};
use super::runs::{Run, finished_render, movies};

/// A job from its submission to its video.
pub async fn made_by_a_worker(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    let render = finished_render(stack).await;
    let order = json!({
        "country": "US", "platform": "netflix", "genre": "Horror", "contentType": "Film", "template": "studio:vanish",
        "metadata": { "order": "A-1001" },
    });
    let made = recorder.send("generateVideo", &[], &order).await;
    let run = Run::of(stack, text(&made["jobId"])).await;
    let job = run.job.clone();
    for (number, status) in [(0, "started"), (0, "completed"), (1, "started")] {
        run.reported(stack, number, status, json!({})).await;
    }

    // The live events of these two reports, and no earlier ones.
    let seen = stack.stored(&job).await.version;
    recorder.send("reportStepWithToken", &[&run.token], &run.report(1, "completed", movies())).await;
    recorder.send("reportStep", &[], &run.report(2, "started", json!({}))).await;
    stack
        .eventually("two live events", || async {
            let events = stack.aws.live_events(&job).await;
            let version = |id: &str| id.split('.').next().and_then(|version| version.parse::<u64>().ok());
            let later = events.iter().filter(|(id, _)| version(id) > Some(seen)).count();
            (later >= 2).then_some(())
        })
        .await;
    recorder.get("streamJob", &[&job], &format!("lastEventId={seen}")).await;
    recorder.send("makeStreamToken", &[], &json!({ "jobId": job })).await;
    recorder.get("getJobDetails", &[&job], "").await;
    recorder.get("getQueueStatus", &[], "").await;
    recorder.get("streamQueue", &[], "").await;

    for number in 2..=6 {
        run.reported(stack, number, "completed", json!({})).await;
    }
    // While Creatomate does not answer, the job goes on rendering.
    stack.control("creatomate", json!({ "status": 500 })).await;
    for number in [7, 8] {
        run.reported(stack, number, "completed", json!({ "creatomate_id": render })).await;
    }
    recorder.post("monitorRender", &[&job]).await;
    recorder.send("hintRender", &[], &json!({ "id": render, "status": "rendering" })).await;
    let url = format!("{}/files/{render}.mp4", stack.studio);
    let ended = json!({ "id": render, "status": "succeeded", "url": url });
    recorder.send("reportRenderWithToken", &[&run.token], &ended).await;
    stack.control("creatomate", json!({})).await;
    recorder.get("getRenderStatus", &[&render], "").await;
    stack.until_status(&job, "completed").await;
    recorder.get("getJob", &[&job], "").await;
    for event in ["job.script_completed", "job.completed"] {
        recorder.webhook(event, &job).await;
    }
}

/// Jobs that end without a worker's video.
pub async fn ended(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    let paused = Run::begin(stack, json!({ "pauseAfterExtraction": true })).await;
    paused.reported(stack, 1, "completed", movies()).await;
    recorder.webhook("job.extraction_completed", &paused.job).await;

    let empty = Run::begin(stack, json!({})).await;
    empty.reported(stack, 8, "completed", json!({})).await;
    recorder.webhook("job.completed_with_issues", &empty.job).await;

    let broken = stack.submit("step_ms=5&fail=2&error=The%20script%20is%20too%20long").await;
    stack.until_status(&broken, "failed").await;
    recorder.webhook("job.failed", &broken).await;

    let helped = Run::begin(stack, json!({})).await;
    helped.reported(stack, 3, "completed", json!({ "posters": 3, "clips": 3 })).await;
    recorder.send("completeJob", &[&helped.job], &json!({ "videoUrl": "https://cdn.example/video.mp4" })).await;
}

/// Jobs that wait while the queue is stopped, so that commands find them as they are; and logs.
pub async fn in_a_stopped_queue(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    let failed = Run::begin(stack, json!({})).await;
    failed.reported(stack, 1, "failed", json!({ "error": "No movies found for these parameters" })).await;
    recorder.webhook("job.failed_no_retry", &failed.job).await;
    recorder.send("toggleQueue", &[], &json!({ "processing": false })).await;
    recorder.post("retryJob", &[&failed.job]).await;
    recorder.post("cancelJob", &[&failed.job]).await;

    let waiting = stack.submit("vanish").await;
    recorder.post("cancelQueuedJob", &[&waiting]).await;
    recorder.webhook("job.cancelled", &waiting).await;
    stack
        .eventually("both lines of the log", || async {
            let (_, log) = stack.get(&format!("/api/queue/job/{waiting}/logs")).await;
            (log["data"]["logs"].as_array()?.last()?["message"] == "Job cancelled").then_some(())
        })
        .await;
    recorder.get("getJobLog", &[&waiting], "").await;
    recorder.get("getPersistentJobLog", &[&waiting], "limit=1").await;
    recorder.get("searchLogs", &[], &format!("jobId={waiting}&limit=1")).await;
    recorder.post("archiveJobLog", &[&waiting]).await;
    recorder.get("getLogStats", &[], "").await;

    // The newest cancelled job, and the cursor of the one before.
    let query = "status=cancelled&limit=1";
    stack
        .eventually("the job in the list", || async {
            let (_, list) = stack.get(&format!("/api/queue/jobs?{query}")).await;
            (list["jobs"][0]["id"] == waiting.as_str() && list["nextCursor"].is_string()).then_some(())
        })
        .await;
    recorder.get("listJobs", &[], query).await;
    recorder.post("deleteJob", &[&failed.job]).await;
    recorder.webhook("job.deleted", &failed.job).await;
    let (status, answer) = stack.post("/api/queue/toggle", &json!({ "processing": true })).await;
    assert_eq!((status, &answer["isProcessing"]), (200, &json!(true)), "{answer}");
}

/// Clears the queue, which removes the jobs of this walk.
pub async fn cleared(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    recorder.post("clearFailedJobs", &[]).await;
    recorder.post("cleanUpQueue", &[]).await;
    recorder.post("clearQueue", &[]).await;
    stack
        .eventually("the cleared jobs are removed", || async {
            stack.aws.admission().await.cleared.is_empty().then_some(())
        })
        .await;
}
