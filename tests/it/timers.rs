//! Timeouts: the timers, shortened by settings.

use serde_json::json;

use crate::stack::Stack;

#[tokio::test]
async fn a_run_without_reports_times_out() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&stall=3").await;
    let failed = stack.until_status(&job, "failed").await;
    assert!(failed["error"].as_str().expect("an error").starts_with("Job timed out after"), "{failed:#}");
    assert!(failed["timeoutAt"].is_string());
    stack.webhook("main", &job, "job.timeout").await;
    stack
        .eventually("the worker receives the cancel", || async {
            let seen = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
            (seen["runs"][0]["phase"] == "cancelled").then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_run_without_reports_but_with_a_render_is_incomplete() {
    let stack = Stack::open().await;
    stack.control("creatomate", json!({ "webhook": false })).await;
    let job = stack.submit("step_ms=5&stall=7&render_ms=60000").await;
    let done = stack.until_status(&job, "completed").await;
    assert_eq!((&done["workflowIncomplete"], &done["videoUrl"]), (&json!(true), &json!(null)));
    stack.webhook("main", &job, "job.workflow_incomplete").await;
}

#[tokio::test]
async fn a_render_that_never_ends_times_out_and_a_late_success_still_counts() {
    let stack = Stack::open().await;
    stack.control("creatomate", json!({ "webhook": false })).await;
    let job = stack.submit("step_ms=5&render_ms=14000").await;
    let done = stack.until(&job, "timed out", |job| job["renderTimeout"] == true).await;
    assert_eq!((&done["status"], &done["videoUrl"]), (&json!("completed"), &json!(null)));
    stack.webhook("main", &job, "job.render_timeout").await;

    let render = done["creatomateId"].as_str().expect("an id").to_owned();
    stack
        .eventually("the render succeeds", || async {
            let renders = stack.studio("/control/creatomate").await;
            let found = renders["renders"].as_array()?.iter().find(|known| known["id"] == render.as_str())?.clone();
            (found["status"] == "succeeded").then_some(())
        })
        .await;
    let token = stack.aws.secret("OPERATOR_CALLBACK_TOKEN").await;
    let url = format!("{}/w/{token}/api/webhooks/creatomate", stack.api);
    let body = json!({ "id": render, "status": "succeeded", "url": "https://cdn.example/video.mp4" });
    let sent = stack.http.post(url).header("content-type", "application/json").body(body.to_string()).send().await;
    assert_eq!(sent.expect("an answer").status(), 200);
    let done = stack.until(&job, "with its video", |job| !job["videoUrl"].is_null()).await;
    assert_ne!(done["videoUrl"], "https://cdn.example/video.mp4", "the service's own word counts");
    stack.webhook("main", &job, "job.completed").await;
}
