//! The clipping worker, as Reelhook calls it, and its faults.

use reelhook_signing::{SigningKeys, streamgank};
use reelhook_studio::{ClippingKeys, Config, Studio};
use serde_json::{Value, json};

use crate::http::{Response, delete, get, post, put, try_send};
use crate::support::{FakeApi, RecordedRequest, config, config_with_video, eventually, start, studio};

const EXTERNAL: &str = "550e8400-e29b-41d4-a716-446655440000";

/// Settings for prepared files at once.
fn fast(more: Value) -> Value {
    let mut settings = json!({"job": {"ms": 0}, "clip": {"fast": true}});
    for (group, options) in more.as_object().unwrap() {
        for (name, value) in options.as_object().unwrap() {
            settings[group][name] = value.clone();
        }
    }
    settings
}

async fn set(studio: &Studio, settings: &Value) {
    let answer = put(&format!("{}/control/genesis", studio.url()), settings).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
}

/// The body of a submission.
fn job(api: &FakeApi, source: &str, external: &str) -> Value {
    json!({
        "video_url": source,
        "callback_url": format!("{}/api/webhooks/ai-clipping", api.url()),
        "external_job_id": external,
        "owner_user_id": "user_789",
        "max_clips": 2,
        "auto_clip_count": false,
    })
}

async fn submit(studio: &Studio, body: &Value) -> Response {
    post(&format!("{}/genesis/ai-clipping/jobs", studio.url()), &[], &body.to_string()).await
}

async fn control(studio: &Studio, path: &str) -> Value {
    get(&format!("{}/control/genesis/{path}", studio.url()), &[]).await.json()
}

async fn read(studio: &Studio, id: &str) -> Response {
    get(&format!("{}/genesis/ai-clipping/jobs/{id}", studio.url()), &[]).await
}

/// Waits for this many reports of an event, and returns all reports.
async fn reports(api: &FakeApi, event: &str, count: usize) -> Vec<RecordedRequest> {
    eventually(&format!("{count} reports of {event}"), || {
        let requests = api.requests();
        let found = requests.iter().filter(|request| request.body["event"] == event).count();
        (found >= count).then_some(requests)
    })
    .await
}

#[tokio::test]
async fn a_job_is_cut_and_reported_as_seed_004_describes_it() {
    let clipping = ClippingKeys { genesis_api_key: Some("k3y".into()), clipping_webhook_secret: Some("s3cret".into()) };
    let (studio, api) = (start(Config { clipping, ..config() }).await, FakeApi::start().await);
    set(&studio, &fast(json!({"job": {"source_seconds": 120.5}}))).await;
    let body = job(&api, "https://a.example/1.mp4", EXTERNAL);
    assert_eq!(submit(&studio, &body).await.status, 401);
    let url = format!("{}/genesis/ai-clipping/jobs", studio.url());
    let key = [("x-genesis-api-key", "k3y")];
    let answer = post(&url, &key, &body.to_string()).await;
    assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("pending")));
    let id = answer.json()["job_id"].as_str().unwrap().to_owned();

    let sent = reports(&api, "job.completed", 1).await;
    let completed = sent.iter().find(|request| request.body["event"] == "job.completed").unwrap();
    assert_eq!(completed.path, "/w/tok3n/api/webhooks/ai-clipping");
    let signature = completed.headers["x-genesis-webhook-signature"].to_str().unwrap();
    assert!(signature.starts_with("sha256="), "{signature}");
    assert!(streamgank::verify_hex(&completed.raw, signature, &SigningKeys::parse("s3cret").unwrap()).is_ok());
    let report = &completed.body;
    assert_eq!((&report["job_id"], &report["external_job_id"]), (&json!(id), &json!(EXTERNAL)));
    assert_eq!((&report["status"], &report["progress_percent"]), (&json!("succeeded"), &json!(100)));
    assert_eq!(report.get("error"), None, "empty members are left out");
    let names: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert!(names.is_sorted(), "{names:?}");
    let output = &report["output"];
    assert_eq!((&output["total_clips"], &output["source_video_duration_seconds"]), (&json!(2), &json!(120.5)));
    assert_eq!(output["clips"][1]["s3_url"], json!(format!("/app/output/{id}/clip_01.mp4")));

    let file = get(&format!("{}/genesis/outputs/{id}/clip_01.mp4", studio.url()), &[("range", "bytes=4-7")]).await;
    assert_eq!((file.status, file.body.as_slice()), (206, b"ftyp".as_slice()));
    assert_eq!(get(&format!("{}/genesis/outputs/{id}/clip_02.mp4", studio.url()), &[]).await.status, 404);
    for known in [id.as_str(), EXTERNAL] {
        let shown = get(&format!("{url}/{known}"), &key).await.json();
        assert_eq!((&shown["status"], &shown["job_id"]), (&json!("completed"), &json!(id)));
        assert_eq!(shown["output"]["clips"], output["clips"]);
    }
    let counts = control(&studio, "counts").await;
    assert_eq!((&counts["submissions"], &counts["cut"]), (&json!(1), &json!(1)));
    assert_eq!(counts["by_external_id"], json!({ EXTERNAL: 1 }));
}

#[tokio::test]
async fn one_external_id_that_is_submitted_twice_runs_twice() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, &fast(json!({}))).await;
    let body = job(&api, "https://a.example/1.mp4", EXTERNAL);
    let [first, second] = [submit(&studio, &body).await.json(), submit(&studio, &body).await.json()];
    assert_ne!(first["job_id"], second["job_id"]);
    reports(&api, "job.completed", 2).await;
    let counts = control(&studio, "counts?source=https://a.example/1.mp4").await;
    assert_eq!((&counts["cut"], &counts["by_external_id"][EXTERNAL]), (&json!(2), &json!(2)));
    assert_eq!(read(&studio, EXTERNAL).await.json()["job_id"], second["job_id"]);
}

#[tokio::test]
async fn lost_answers_leave_jobs_that_are_found_by_their_external_ids() {
    for (with, status) in [("error", Some(500)), ("gateway", Some(502)), ("no_id", Some(200)), ("close", None)] {
        let (studio, api) = (studio().await, FakeApi::start().await);
        set(&studio, &fast(json!({"submit": {"lose_percent": 100, "lose_with": with, "times": 1}}))).await;
        let body = job(&api, "https://a.example/1.mp4", EXTERNAL);
        let url = format!("{}/genesis/ai-clipping/jobs", studio.url());
        let timeout = std::time::Duration::from_secs(20);
        let answer = try_send(reqwest::Method::POST, &url, &[], &body.to_string(), timeout).await;
        assert_eq!(answer.ok().map(|answer| answer.status), status, "{with}");
        let shown = read(&studio, EXTERNAL).await;
        assert_eq!((shown.status, &shown.json()["external_job_id"]), (200, &json!(EXTERNAL)), "{with}");
        let counts = control(&studio, "counts").await;
        assert_eq!((&counts["lost"], &counts["accepted"]), (&json!(1), &json!(0)), "{with}");
        assert_eq!(submit(&studio, &body).await.status, 202, "only one answer is lost");
    }
}

#[tokio::test]
async fn a_busy_worker_and_an_invalid_submission_are_refused() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, &json!({"submit": {"status": 503, "retry_after": 9, "times": 1}})).await;
    let body = job(&api, "https://a.example/1.mp4", EXTERNAL);
    let busy = submit(&studio, &body).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, "9"));
    let invalid = submit(&studio, &json!({"callback_url": "http://a"})).await;
    assert_eq!((invalid.status, &invalid.json()["detail"][0]["loc"]), (422, &json!(["body", "video_url"])));
    let counts = control(&studio, "counts").await;
    assert_eq!((&counts["refused"], &counts["cut"]), (&json!(1), &json!(0)));
    let wrong = put(&format!("{}/control/genesis", studio.url()), &json!({"submit": {"lose": 1}})).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn a_forgotten_job_is_unknown_until_it_completes_late() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, &fast(json!({"job": {"forget_first": 1}}))).await;
    let body = job(&api, "https://a.example/1.mp4", EXTERNAL);
    let id = submit(&studio, &body).await.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(read(&studio, &id).await.status, 404);
    let url = format!("{}/control/genesis/jobs/{id}/report?finish=true", studio.url());
    let finished = post(&url, &[], "{}").await.json();
    assert_eq!(finished["reports"][0]["kind"], "job.completed");
    let late = reports(&api, "job.completed", 1).await;
    assert_eq!((late.len(), &late[0].body["job_id"]), (1, &json!(id)));
    assert_eq!(read(&studio, &id).await.status, 404);
    let again = submit(&studio, &job(&api, "https://a.example/1.mp4", "again")).await.json();
    reports(&api, "job.completed", 2).await;
    assert_eq!(read(&studio, again["job_id"].as_str().unwrap()).await.json()["status"], "completed");
}

#[tokio::test]
async fn reports_can_be_doubled_wrong_unsigned_and_late() {
    let clipping = ClippingKeys { clipping_webhook_secret: Some("s3cret".into()), ..ClippingKeys::default() };
    let (studio, api) = (start(Config { clipping, ..config() }).await, FakeApi::start().await);
    let report = json!({
        "no_started": true, "no_progress": true, "copies": 2, "late_progress": true, "no_external_id": true,
        "wrong": ["unknown_job", "garbage", "forged"], "header": "authorization", "signature": "bare",
    });
    set(&studio, &fast(json!({"report": report, "clip": {"named": "escape"}}))).await;
    submit(&studio, &job(&api, "https://a.example/1.mp4", EXTERNAL)).await;
    let sent = reports(&api, "job.progress", 2).await;
    let of = |event: &str| sent.iter().filter(|request| request.body["event"] == event).collect::<Vec<_>>();
    assert_eq!((of("job.started").len(), of("job.failed").len()), (0, 2));
    assert!(of("job.failed").iter().all(|forged| forged.path == "/api/webhooks/ai-clipping"));
    assert!(of("job.failed").iter().all(|forged| forged.headers.get("authorization").is_none()));
    // Two of an unknown job, and two of this one.
    assert_eq!(of("job.completed").len(), 4);
    let right = of("job.completed").pop().unwrap();
    assert_eq!(right.body.get("external_job_id"), None);
    assert_eq!(right.headers["authorization"].len(), 64);
    assert_eq!(right.body["output"]["clips"][0]["s3_url"], "/outputs/../../etc/clip_00.mp4");
    assert_eq!(of("job.progress")[0].body["progress_percent"], 50);
    assert_eq!(sent.iter().filter(|request| request.body.is_null()).count(), 2, "garbage");
}

#[tokio::test]
async fn a_job_can_be_canceled_and_can_fail() {
    let (studio, api) = (studio().await, FakeApi::start().await);
    set(&studio, &fast(json!({"job": {"endless": true}}))).await;
    let id = submit(&studio, &job(&api, "https://a.example/1.mp4", EXTERNAL)).await.json()["job_id"].clone();
    let url = format!("{}/genesis/ai-clipping/jobs/{}", studio.url(), id.as_str().unwrap());
    assert_eq!((delete(&url).await.status, delete(&url).await.status), (200, 409));
    assert_eq!(get(&url, &[]).await.json()["status"], "cancelled");

    set(&studio, &fast(json!({"job": {"fail_first": 9, "error": "no sound"}, "report": {"zero_progress": true}})))
        .await;
    submit(&studio, &job(&api, "https://a.example/2.mp4", "other")).await;
    let sent = reports(&api, "job.failed", 1).await;
    let failed = &sent.iter().find(|request| request.body["event"] == "job.failed").unwrap().body;
    assert_eq!((&failed["error"], &failed["progress_percent"]), (&json!("no sound"), &json!(0)));
    assert_eq!(control(&studio, "counts").await["cut"], 0);
}

#[tokio::test]
async fn clips_are_real_videos() {
    let (studio, api) = (start(config_with_video()).await, FakeApi::start().await);
    set(&studio, &json!({"job": {"ms": 0}, "clip": {"count": 1}})).await;
    let id = submit(&studio, &job(&api, "https://a.example/1.mp4", EXTERNAL)).await.json()["job_id"].clone();
    reports(&api, "job.completed", 1).await;
    let url = format!("{}/genesis/outputs/{}/clip_00.mp4", studio.url(), id.as_str().unwrap());
    let file = get(&url, &[]).await;
    assert_eq!((file.status, file.header("content-type"), &file.body[4..8]), (200, "video/mp4", b"ftyp".as_slice()));
}
