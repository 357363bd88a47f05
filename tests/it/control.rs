//! Commands to jobs and to the queue, and their results.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Stack, read};

async fn call(stack: &Stack, method: Method, path: &str) -> (u16, Value) {
    read(stack.request(method, path).send().await.expect("an answer")).await
}

#[tokio::test]
async fn a_cancel_reaches_the_worker_and_later_reports_are_absorbed() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=3").await;
    stack.until(&job, "done with step 3", |job| job["progress"] == 36).await;
    for (method, path) in
        [(Method::POST, format!("/api/job/{job}/cancel")), (Method::DELETE, format!("/api/queue/job/{job}"))]
    {
        let (status, answer) = call(&stack, method, &path).await;
        assert_eq!(
            (status, &answer["message"]),
            (200, &json!("Job cancelled successfully")),
            "a repeat has the same answer"
        );
        assert_eq!(answer["job"]["status"], "cancelled");
    }
    stack.webhook("main", &job, "job.cancelled").await;
    stack
        .eventually("the worker receives the cancel", || async {
            let seen = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
            (seen["runs"][0]["phase"] == "cancelled").then_some(())
        })
        .await;
    let late = json!({ "job_id": job, "step_number": 4, "status": "completed" });
    let (status, answer) = stack.post("/api/webhooks/step-update", &late).await;
    assert_eq!((status, &answer["reason"]), (200, &json!("job_is_final")));
    let (status, answer) = call(&stack, Method::POST, &format!("/api/job/{job}/retry")).await;
    assert_eq!((status, &answer["code"]), (400, &json!("cannot_retry")));
}

#[tokio::test]
async fn repeated_retry_requests_retry_a_failed_job_once() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&fail=1&fail_attempts=1&error=No%20movies%20found").await;
    stack.until_status(&job, "failed").await;
    for _ in 0..3 {
        let (status, answer) = call(&stack, Method::POST, &format!("/api/job/{job}/retry")).await;
        assert_eq!((status, &answer["message"]), (200, &json!("Job retry initiated (attempt 1)")), "{answer}");
    }
    let done = stack.until_status(&job, "completed").await;
    assert_eq!((&done["retryCount"], &done["error"]), (&json!(1), &json!(null)));
}

#[tokio::test]
async fn a_job_can_be_completed_with_a_video_url() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=3").await;
    stack.until(&job, "done with step 3", |job| job["progress"] == 36).await;
    let path = format!("/api/job/{job}/complete");
    for (body, code) in [(json!({}), "video_url_missing"), (json!({ "videoUrl": "javascript:alert(1)" }), "bad_field")]
    {
        let (status, answer) = stack.post(&path, &body).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)));
    }
    let body = json!({ "videoUrl": "https://cdn.example/video.mp4" });
    let (status, answer) = stack.post(&path, &body).await;
    assert_eq!((status, &answer["message"]), (200, &json!("Job updated with video URL")));
    assert_eq!(answer["job"]["videoUrl"], body["videoUrl"]);
    let (status, answer) = stack.post(&path, &body).await;
    assert_eq!((status, &answer["code"]), (409, &json!("cannot_complete")));
    stack.webhook("main", &job, "job.completed").await;
}

#[tokio::test]
async fn a_deleted_job_is_gone_with_its_log_and_its_files() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=3").await;
    stack.until(&job, "done with step 3", |job| job["progress"] == 36).await;
    let path = format!("/api/queue/job/{job}/delete");
    let (status, answer) = call(&stack, Method::DELETE, &path).await;
    let error = "Cannot delete job with status: processing. Only completed, failed, or cancelled jobs can be deleted.";
    assert_eq!((status, &answer["message"], &answer["error"]), (400, &json!("Job cannot be deleted"), &json!(error)));
    let large = json!({
        "job_id": job, "step_number": 4, "status": "completed", "details": { "text": "x".repeat(20_000) },
    });
    assert_eq!(stack.post("/api/webhooks/step-update", &large).await.0, 200);
    let stored = stack.job(&job).await["stepDetails"]["step_4"]["stored"].as_str().expect("a key").to_owned();
    assert!(stack.aws.has_object(&stored).await);

    call(&stack, Method::POST, &format!("/api/job/{job}/cancel")).await;
    let (status, answer) = call(&stack, Method::DELETE, &path).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["message"], format!("Job {} deleted permanently", &job[job.len() - 8..]));
    assert!(answer["deletedAt"].is_string());
    assert_eq!(call(&stack, Method::GET, &format!("/api/job/{job}")).await.0, 404);
    assert_eq!(call(&stack, Method::DELETE, &path).await.0, 404);
    stack
        .eventually("the log is empty and the file is gone", || async {
            let (_, log) = stack.get(&format!("/api/queue/job/{job}/logs")).await;
            let gone = log["data"]["count"] == 0 && !stack.aws.has_object(&stored).await;
            gone.then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_list_continues_at_its_cursor_and_shows_each_job_once() {
    let stack = Stack::open().await;
    stack.post("/api/queue/toggle", &json!({ "processing": false })).await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(stack.submit("step_ms=5").await);
    }
    made.reverse();
    stack
        .eventually("seven jobs in the list", || async {
            let (_, answer) = stack.get("/api/queue/jobs?status=pending").await;
            (answer["jobs"].as_array().map(Vec::len) == Some(7)).then_some(())
        })
        .await;
    for filter in ["status=pending&", ""] {
        let (mut seen, mut path) = (Vec::new(), format!("/api/queue/jobs?{filter}limit=3"));
        while seen.len() < 7 {
            let (status, answer) = stack.get(&path).await;
            assert_eq!(status, 200, "{answer}");
            for job in answer["jobs"].as_array().expect("jobs") {
                assert!(job["stepDetails"].is_null());
                seen.push(job["id"].as_str().expect("an id").to_owned());
            }
            let Some(cursor) = answer["nextCursor"].as_str() else { break };
            path = format!("/api/queue/jobs?{filter}limit=3&cursor={cursor}");
        }
        seen.truncate(7);
        assert_eq!(seen, made, "newest first");
    }
    for bad in ["status=gone", "limit=0", "limit=501", "cursor=x"] {
        let (status, answer) = stack.get(&format!("/api/queue/jobs?{bad}")).await;
        assert_eq!((status, &answer["code"]), (400, &json!("bad_field")), "{bad}");
    }
    let (_, answer) = stack.get("/api/queue/status").await;
    assert_eq!((&answer["stats"]["pending"], &answer["stats"]["isProcessing"]), (&json!(7), &json!(false)));
}

#[tokio::test]
async fn a_clear_hides_at_once_and_removes_in_the_background() {
    let stack = Stack::open().await;
    let failed = stack.submit("step_ms=5&fail=1&error=No%20movies%20found").await;
    stack.until_status(&failed, "failed").await;
    let running = stack.submit("step_ms=5&stall=3").await;
    stack.until(&running, "done with step 3", |job| job["progress"] == 36).await;
    stack.post("/api/queue/toggle", &json!({ "processing": false })).await;
    let waiting = stack.submit("step_ms=5").await;
    let stats = async || stack.get("/api/queue/status").await.1["stats"].clone();
    stack
        .eventually("the statistics are right", || async {
            let stats = stats().await;
            (stats["failed"].as_u64() >= Some(1) && stats["pending"] == 1 && stats["processing"] == 1).then_some(())
        })
        .await;

    let (status, answer) = stack.post("/api/queue/clear-failed", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let count = answer["clearedCount"].as_u64().expect("a number");
    assert!(count >= 1);
    assert_eq!(answer["message"], format!("Cleared {count} failed jobs"));
    assert_eq!(stats().await["failed"], 0, "the cleared jobs are not counted any more");
    let (status, answer) = stack.post("/api/queue/clear", &json!({})).await;
    assert_eq!((status, &answer["message"]), (200, &json!("All queues cleared successfully")));
    let now = stats().await;
    assert_eq!((&now["pending"], &now["completed"], &now["processing"]), (&json!(0), &json!(0), &json!(1)), "{now}");

    stack.until_status(&waiting, "cancelled").await;
    stack
        .eventually("the failed job is gone", || async {
            (stack.get(&format!("/api/job/{failed}")).await.0 == 404).then_some(())
        })
        .await;
    assert_eq!(stack.job(&running).await["status"], "processing", "running jobs stay");
    stack
        .eventually("nothing is hidden any more", || async {
            let admission = stack.aws.admission().await;
            admission.cleared.is_empty().then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_render_is_looked_up_and_monitored_again() {
    let stack = Stack::open().await;
    stack.control("creatomate", json!({ "webhook": false })).await;
    let job = stack.submit("step_ms=5&render_ms=100").await;
    let rendering = stack.until(&job, "with a render", |job| job["creatomateId"].is_string()).await;
    let render = rendering["creatomateId"].as_str().expect("an id").to_owned();
    let answer = stack
        .eventually("the render's end", || async {
            let (status, answer) = stack.get(&format!("/api/status/{render}")).await;
            assert_eq!(status, 200, "{answer}");
            (answer["status"] == "succeeded").then_some(answer)
        })
        .await;
    assert!(answer["data"]["webhook_url"].is_null() && answer["data"]["metadata"].is_null());
    let done = stack.until_status(&job, "completed").await;
    assert_eq!(done["videoUrl"], answer["videoUrl"]);
    let (status, answer) = stack.post(&format!("/api/queue/job/{job}/monitor-creatomate"), &json!({})).await;
    assert_eq!((status, &answer["code"]), (400, &json!("video_exists")));
    assert_eq!(stack.get("/api/status/unknown").await.0, 404);
}
