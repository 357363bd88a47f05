//! The journey of a job from submit to a verified webhook, and its other possible ends.

use serde_json::json;

use crate::stack::Stack;

#[tokio::test]
async fn a_job_goes_from_submit_to_a_video_and_a_verified_webhook() {
    let stack = Stack::open().await;
    let job = stack
        .submit_with(
            json!({ "country": "FR", "genre": "Horreur 🎬", "contentType": "Serie", "template": "studio:step_ms=20" }),
        )
        .await;
    let done = stack.until_status(&job, "completed").await;
    assert_eq!((done["progress"].as_u64(), &done["error"]), (Some(100), &json!(null)));
    assert_eq!(done["parameters"]["contentType"], "Série");
    assert_eq!(done["parameters"]["platform"], "Netflix");
    for step in 1..=7 {
        assert!(done["stepDetails"][format!("step_{step}")].is_object(), "{done:#}");
        assert!(done["stepDuration"][format!("step_{step}")].is_number(), "{done:#}");
    }
    assert!(done["extractedMovies"].is_string());

    // The job's link plays the video.
    let video = stack.http.get(done["videoUrl"].as_str().expect("a URL")).send().await.expect("the file");
    let bytes = video.bytes().await.expect("the file");
    assert_eq!(&bytes[4..8], b"ftyp", "an MP4");

    let webhook = stack.webhook("main", &job, "job.completed").await;
    let data = &webhook["body"]["data"];
    assert_eq!((&data["video_url"], &data["status"]), (&done["videoUrl"], &json!("completed")));
    assert_eq!(data["metadata"], json!({ "country": "FR", "platform": "Netflix" }));
    assert_eq!(webhook["body"]["source"], "streamgank");
    assert_eq!(webhook["headers"]["x-streamgank-event"], "job.completed");
    let verification = &webhook["verification"];
    for verifier in ["streamgank", "standard_webhooks", "node"] {
        assert_eq!(verification[verifier]["ok"], true, "{verifier}: {verification:#}");
    }
    // Seed 001's Python sample verifies only ASCII text; the Python libraries verify any text.
    assert_eq!(verification["python"]["checks"]["standardwebhooks"], true, "{verification:#}");

    // The log has the events of the job, oldest first.
    let (_, log) = stack.get(&format!("/api/queue/job/{job}/logs")).await;
    let lines = log["data"]["logs"].as_array().expect("lines");
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["event_type"].as_str()).collect();
    assert_eq!((kinds[0], *kinds.last().expect("a line")), ("job_queued", "job_completed"), "{kinds:?}");
    assert!(lines.iter().any(|line| line["details"]["step_number"] == 7), "{lines:#?}");
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn every_verifier_accepts_a_webhook_whose_text_is_ascii() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    let webhook = stack.webhook("main", &job, "job.completed").await;
    for verifier in ["streamgank", "standard_webhooks", "node", "python"] {
        assert_eq!(webhook["verification"][verifier]["ok"], true, "{:#}", webhook["verification"]);
    }
}

#[tokio::test]
async fn a_poller_gets_304_until_something_changes() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5").await;
    stack.until_status(&job, "completed").await;
    let path = format!("/api/job/{job}");
    let first = stack.request(reqwest::Method::GET, &path).send().await.expect("an answer");
    let tag = first.headers()["etag"].to_str().expect("ASCII").to_owned();
    let again =
        stack.request(reqwest::Method::GET, &path).header("if-none-match", &tag).send().await.expect("an answer");
    assert_eq!(again.status(), 304);
    let other =
        stack.request(reqwest::Method::GET, &path).header("if-none-match", "\"x\"").send().await.expect("an answer");
    assert_eq!(other.status(), 200);
    let (_, details) = stack.get(&format!("{path}/details")).await;
    assert_eq!(
        (&details["job"]["isActive"], &details["job"]["detailsUrl"]),
        (&json!(false), &json!(format!("/job/{job}")))
    );
    assert!(details["job"]["duration"].is_i64());
}

#[tokio::test]
async fn a_job_with_a_pause_ends_after_extraction() {
    let stack = Stack::open().await;
    let job = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=10" })).await;
    let done = stack.until_status(&job, "completed").await;
    assert_eq!(done["pausedAfterExtraction"], true);
    assert!(done["extractedMovies"].is_string());
    assert_eq!(done["videoUrl"], json!(null));
    stack.webhook("main", &job, "job.extraction_completed").await;
}

#[tokio::test]
async fn a_worker_without_video_and_render_completes_with_issues() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&no_render").await;
    let done = stack.until_status(&job, "completed").await;
    assert_eq!(done["currentStep"], "No video URL or Creatomate ID returned");
    stack.webhook("main", &job, "job.completed_with_issues").await;
}

#[tokio::test]
async fn a_failed_step_is_retried_and_late_callbacks_of_the_first_attempt_change_nothing() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=20&fail=4&fail_attempts=1&error=socket%20closed&late=2,3").await;
    let waiting = stack.until(&job, "in its second attempt", |job| job["retryCount"] == 1).await;
    assert_ne!(waiting["status"], "failed", "`failed` is never shown before a retry");
    let done = stack.until_status(&job, "completed").await;
    assert_eq!((&done["retryCount"], &done["error"]), (&json!(1), &json!(null)));
    let runs = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
    let first = runs["runs"].as_array().expect("runs").iter().find(|run| run["attempt"] == 1).expect("the first run");
    let late: Vec<&str> = first["callbacks"]
        .as_array()
        .expect("callbacks")
        .iter()
        .filter_map(|callback| callback["answer"].as_str().filter(|answer| answer.contains("stale_attempt")))
        .collect();
    assert!(!late.is_empty(), "late callbacks are recognized as stale: {first:#}");
    stack.webhook("main", &job, "job.completed").await;
    assert_eq!(stack.webhooks("main", &job).await.iter().filter(|hook| hook["event"] == "job.completed").count(), 1);
}

#[tokio::test]
async fn a_permanent_failure_ends_the_job_and_shows_its_reason() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&fail=1&error=No%20movies%20found").await;
    let failed = stack.until_status(&job, "failed").await;
    assert_eq!((&failed["error"], &failed["retryCount"]), (&json!("No movies found"), &json!(0)));
    assert!(failed["noRetryReason"].is_string() && failed["suggestedSolution"].is_string());
    let webhook = stack.webhook("main", &job, "job.failed_no_retry").await;
    assert_eq!(webhook["body"]["data"]["no_retry_reason"], failed["noRetryReason"]);
}

#[tokio::test]
async fn a_job_whose_retries_fail_stays_failed() {
    let stack = Stack::open().await;
    let job = stack.submit("step_ms=5&fail=2&error=boom").await;
    let failed = stack.until_status(&job, "failed").await;
    assert_eq!((&failed["error"], &failed["retryCount"]), (&json!("boom"), &json!(1)));
    stack.webhook("main", &job, "job.failed").await;
}
