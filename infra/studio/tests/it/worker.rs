//! The external worker: a successful run, and what it refuses.

use reelhook_signing::{SigningKeys, standard, streamgank};
use reelhook_studio::Config;
use serde_json::{Value, json};

use crate::http::post;
use crate::support::{FakeApi, config, eventually, job, run_in, start, studio, submit};

#[tokio::test]
async fn a_job_runs_through_all_steps() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let (status, answer) = submit(&studio, &job(&api, "job_1_a", 1, "studio:step_ms=1")).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(true)));
    assert!(answer["worker_id"].is_string());
    let cancel_url = format!("{}/worker/jobs/job_1_a.1/cancel", studio.url());
    assert_eq!(answer["cancel_url"], cancel_url);

    let run = run_in(&studio, "job_1_a", "completed").await;
    let mut expected = vec!["0 started".to_owned()];
    for step in 1..=7 {
        expected.extend([format!("{step} started"), format!("{step} completed")]);
    }
    expected.push("8 completed".to_owned());
    assert_eq!(api.reported(), expected);

    let steps = api.steps();
    let mut last_sequence = 0;
    for step in &steps {
        let body = &step.body;
        assert_eq!(step.path, "/w/tok3n/api/webhooks/step-update");
        assert_eq!(body["job_id"], "job_1_a");
        assert!(body["timestamp"].is_f64(), "{body}");
        assert!(body["step_key"].as_str().unwrap().starts_with("step_"));
        let sequence = body["sequence"].as_u64().unwrap();
        assert!(sequence > last_sequence, "{body}");
        last_sequence = sequence;
        assert_eq!(body["duration"].is_null(), body["status"] == "started");
        for name in ["authorization", "x-streamgank-signature", "webhook-signature"] {
            assert!(!step.headers.contains_key(name), "{name}");
        }
    }
    assert_eq!(steps[3].body["step_name"], "Script Generation");
    assert!(steps[2].body["details"]["extracted_movies"].is_string());
    let creatomate_id = &run["creatomate_id"];
    assert!(creatomate_id.is_string());
    assert_eq!(&steps[14].body["details"]["creatomate_id"], creatomate_id);
    assert_eq!(&steps[15].body["details"]["creatomate_id"], creatomate_id);

    let callbacks = run["callbacks"].as_array().unwrap();
    assert_eq!(callbacks.len(), 16);
    assert!(callbacks.iter().all(|sent| sent["http_status"] == 200));

    let render = eventually("the render's webhook", || api.renders().pop()).await;
    assert_eq!(&render.body["id"], creatomate_id);
    assert_eq!(render.body["metadata"], "job_1_a");
}

#[tokio::test]
async fn a_repeated_key_starts_nothing() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let job = job(&api, "job_2_a", 1, "studio:step_ms=0");
    let (_, first) = submit(&studio, &job).await;
    run_in(&studio, "job_2_a", "completed").await;
    let (status, second) = submit(&studio, &job).await;
    assert_eq!((status, &second), (200, &first));

    let seen = studio.worker().snapshot(Some("job_2_a"));
    assert_eq!(seen["counts"], json!({"job_2_a.1": 2}));
    assert_eq!(seen["runs"].as_array().unwrap().len(), 1);
    assert_eq!(seen["posts"][0]["repeat"], false);
    assert_eq!(seen["posts"][1]["repeat"], true);
    assert_eq!(seen["posts"][1]["idempotency_key"], "job_2_a.1");
    assert_eq!(api.steps().len(), 16);
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let url = format!("{}/worker/jobs", studio.url());
    let job = job(&api, "job_3_a", 2, "auto").to_string();
    let answer = post(&url, &[("idempotency-key", "job_3_a.1")], &job).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"], "header Idempotency-Key must be `job_3_a.2`");
    assert_eq!(post(&url, &[], &job).await.status, 400);
    let answer = post(&url, &[("idempotency-key", "job_3_a.1")], "{}").await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["error"].as_str().unwrap().contains("job_id"));
    assert_eq!(studio.worker().snapshot(None)["posts"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn only_signed_jobs_are_accepted_if_a_secret_is_configured() {
    let config = Config { webhook_secret_key: Some("s3cret".into()), ..config() };
    let (studio, api) = (start(config).await, FakeApi::start().await);
    let body = job(&api, "job_4_a", 1, "studio:vanish").to_string();

    let send = async |secret: &str| {
        let keys = SigningKeys::parse(secret).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.unwrap().as_secs() as i64;
        let headers = [
            ("idempotency-key", "job_4_a.1"),
            ("x-streamgank-signature", &streamgank::signature(body.as_bytes(), &keys)),
            ("webhook-id", "msg_4"),
            ("webhook-timestamp", &now.to_string()),
            ("webhook-signature", &standard::sign("msg_4", now, body.as_bytes(), &keys)),
        ];
        post(&format!("{}/worker/jobs", studio.url()), &headers, &body).await
    };
    let answer = send("other").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["error"], "invalid signature");
    assert_eq!(send("s3cret").await.status, 200);

    let (status, _) = submit(&studio, &job(&api, "job_4_b", 1, "studio:vanish")).await;
    assert_eq!(status, 401);
    let verifications: Vec<Value> = studio.worker().snapshot(None)["posts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|post| post["verification"]["streamgank"]["ok"].clone())
        .collect();
    assert_eq!(verifications, [false, true, false]);
}

#[tokio::test]
async fn cancelling_stops_a_run() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let (_, answer) = submit(&studio, &job(&api, "job_5_a", 1, "studio:step_ms=60000")).await;
    eventually("step 1", || api.reported().get(1).cloned()).await;
    let cancel_url = answer["cancel_url"].as_str().unwrap();
    let body = json!({"job_id": "job_5_a", "attempt": 1});
    assert_eq!(post(cancel_url, &[], &body.to_string()).await.status, 200);

    let run = run_in(&studio, "job_5_a", "cancelled").await;
    assert_eq!(run["cancels"][0]["body"], body);
    assert_eq!(api.reported(), ["0 started", "1 started"]);
    let unknown = format!("{}/worker/jobs/job_5_a.9/cancel", studio.url());
    assert_eq!(post(&unknown, &[], "{}").await.status, 404);
}

#[tokio::test]
async fn a_job_can_end_after_the_extraction() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    let mut paused = job(&api, "job_6_a", 1, "studio:step_ms=0");
    paused["parameters"]["pauseAfterExtraction"] = json!(true);
    submit(&studio, &paused).await;
    run_in(&studio, "job_6_a", "paused").await;
    assert_eq!(api.reported(), ["0 started", "1 started", "1 completed"]);
}
