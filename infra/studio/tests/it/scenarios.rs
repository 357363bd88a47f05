//! The faults of the external worker, as a job or a test configures them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::http::{get, put, try_send};
use crate::support::{FakeApi, job, run_in, studio, submit};

#[tokio::test]
async fn a_step_fails_with_its_error_on_the_first_attempt_only() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let template = "studio:step_ms=0&fail=3&fail_attempts=1&error=network%20down";
    submit(&studio, &job(&api, "job_f", 1, template)).await;
    run_in(&studio, "job_f", "failed").await;
    let last = api.steps().pop().unwrap().body;
    assert_eq!(last["step_number"], 3);
    assert_eq!(last["status"], "failed");
    assert_eq!(last["details"], json!({"error": "network down"}));

    submit(&studio, &job(&api, "job_f", 2, template)).await;
    run_in(&studio, "job_f", "completed").await;
}

#[tokio::test]
async fn a_whole_workflow_fails() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    submit(&studio, &job(&api, "job_w", 1, "studio:step_ms=0&fail=8")).await;
    run_in(&studio, "job_w", "failed").await;
    let last = api.steps().pop().unwrap().body;
    assert_eq!(last["step_name"], "Workflow Failed");
    assert_eq!(last["details"]["error"], "workflow failed");
}

#[tokio::test]
async fn a_busy_worker_refuses_a_few_times() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let settings = json!({"answer": 503, "answer_times": 2, "retry_after": 7, "error": "busy", "step_ms": 0});
    let url = format!("{}/control/worker", studio.url());
    let answer = put(&url, &settings).await;
    assert_eq!((answer.status, answer.json()), (200, settings));

    let job = job(&api, "job_b", 1, "auto");
    for _ in 0..2 {
        let (status, answer) = submit(&studio, &job).await;
        assert_eq!((status, &answer["error"]), (503, &json!("busy")));
    }
    assert_eq!(submit(&studio, &job).await.0, 200);
    run_in(&studio, "job_b", "completed").await;
    let seen = studio.worker().snapshot(None);
    let statuses: Vec<&Value> = seen["posts"].as_array().unwrap().iter().map(|post| &post["status"]).collect();
    assert_eq!(statuses, [503, 503, 200]);
}

#[tokio::test]
async fn an_unknown_option_is_refused() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let (status, answer) = submit(&studio, &job(&api, "job_t", 1, "studio:fial=3")).await;
    assert_eq!(status, 400);
    assert!(answer["error"].as_str().unwrap().contains("`fial`"));
    let answer = put(&format!("{}/control/worker", studio.url()), &json!({"late": 3})).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_vanished_worker_sends_no_response_or_no_callbacks() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let post = async |job_id: &str, template: &str| {
        let url = format!("{}/worker/jobs", studio.url());
        let key = format!("{job_id}.1");
        let body = job(&api, job_id, 1, template).to_string();
        let headers = [("idempotency-key", key.as_str())];
        try_send(Method::POST, &url, &headers, &body, Duration::from_secs(20)).await
    };
    let error = post("job_v1", "studio:vanish=post").await.unwrap_err();
    assert!(!error.is_timeout(), "{error}");
    assert_eq!(studio.worker().snapshot(Some("job_v1"))["runs"], json!([]));
    assert_eq!(studio.worker().snapshot(Some("job_v1"))["posts"][0]["status"], Value::Null);

    assert_eq!(post("job_v2", "studio:vanish").await.unwrap().status, 200);
    run_in(&studio, "job_v2", "vanished").await;
    assert_eq!(api.steps().len(), 0);

    assert!(post("job_v3", "studio:vanish=answer&step_ms=0").await.is_err());
    assert_eq!(post("job_v3", "studio:vanish=answer&step_ms=0").await.unwrap().status, 200);
    run_in(&studio, "job_v3", "completed").await;
}

#[tokio::test]
async fn callbacks_are_repeated_malformed_and_late() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let template = "studio:step_ms=0&no_render&stall=2&repeat=2&garbage";
    submit(&studio, &job(&api, "job_g", 1, template)).await;
    let run = run_in(&studio, "job_g", "stalled").await;
    let kinds: Vec<&str> =
        run["callbacks"].as_array().unwrap().iter().map(|sent| sent["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["step", "repeat", "garbage"].repeat(5));
    let steps = api.steps();
    assert_eq!(steps[0].raw, steps[1].raw);
    assert!(steps[2].body.is_null());

    submit(&studio, &job(&api, "job_l", 1, "studio:step_ms=0&no_render&late=2,0")).await;
    run_in(&studio, "job_l", "completed").await;
    let reported = api.reported();
    assert_eq!(reported[reported.len() - 4..], ["8 completed", "2 started", "2 completed", "0 started"]);
    assert_eq!(api.steps()[15 + 15].body["details"], json!({}));
}

#[tokio::test]
async fn callbacks_are_shuffled_the_same_way_for_the_same_seed() {
    let studio = studio().await;
    let mut orders = Vec::new();
    for (number, seed) in [1, 1, 2].into_iter().enumerate() {
        let api = FakeApi::start().await;
        let job_id = format!("job_r{number}");
        let template = format!("studio:step_ms=0&no_render&reorder=6&seed={seed}");
        submit(&studio, &job(&api, &job_id, 1, &template)).await;
        run_in(&studio, &job_id, "completed").await;
        orders.push(api.reported());
    }
    assert_eq!(orders[0], orders[1]);
    assert_ne!(orders[0], orders[2]);
    let sorted = |order: &[String]| {
        let mut order = order.to_vec();
        order.sort();
        order
    };
    assert_eq!(orders[0].len(), 16);
    assert_eq!(sorted(&orders[0]), sorted(&orders[2]));
}

#[tokio::test]
async fn the_render_can_end_before_its_id_is_reported() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let template = "studio:step_ms=0&before_id&render_fail&error=no clip";
    submit(&studio, &job(&api, "job_e", 1, template)).await;
    let run = run_in(&studio, "job_e", "completed").await;
    let paths: Vec<String> = api.requests().into_iter().map(|request| request.path).collect();
    let render = paths.iter().position(|path| path.ends_with("/creatomate")).unwrap();
    assert_eq!(render, 14, "right before step 7 is completed");
    let render = api.renders().pop().unwrap().body;
    assert_eq!(render["status"], "failed");
    assert_eq!(render["error_message"], "no clip");
    assert_eq!(render["id"], run["creatomate_id"]);
}

#[tokio::test]
async fn a_refused_render_fails_the_run() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    studio.creatomate().set(json!({"post_status": 402})).unwrap();
    submit(&studio, &job(&api, "job_p", 1, "studio:step_ms=0")).await;
    run_in(&studio, "job_p", "failed").await;
    let last = api.steps().pop().unwrap().body;
    assert_eq!(last["step_number"], 7);
    let error = last["details"]["error"].as_str().unwrap();
    assert!(error.starts_with("Creatomate refused the render"), "{error}");
}

#[tokio::test]
async fn a_callback_without_a_response_is_recorded() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let mut lost = job(&api, "job_n", 1, "studio:step_ms=0&no_render&stall=0");
    // Nothing listens on port 9 (discard).
    lost["webhook_base_url"] = json!("http://127.0.0.1:9/w/t0ken");
    submit(&studio, &lost).await;
    let run = run_in(&studio, "job_n", "stalled").await;
    assert_eq!(run["callbacks"][0]["http_status"], Value::Null);
    let error = run["callbacks"][0]["error"].as_str().unwrap();
    assert!(!error.contains("t0ken"), "{error}");
    let page = get(studio.url(), &[]).await;
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("job_n · attempt 1") && page.contains("stalled"), "{page}");
}
