//! Mock services and a fake Reelhook for one test, and a wait with a deadline.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use reelhook_studio::{Config, Studio};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::http::post;

const DEADLINE: Duration = Duration::from_secs(20);

/// A configuration with its own directory and without videos.
pub fn config() -> Config {
    let directory = format!("studio-{}", Uuid::new_v4());
    Config { no_video: true, ..Config::for_test(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory)) }
}

/// A configuration with videos; without ffmpeg, the start fails and says what to install.
pub fn config_with_video() -> Config {
    Config { no_video: false, ffmpeg: std::env::var_os("STUDIO_FFMPEG").map(Into::into), ..config() }
}

/// Mock services without videos.
pub async fn studio() -> Studio {
    start(config()).await
}

pub async fn start(config: Config) -> Studio {
    match Studio::start(config).await {
        Ok(studio) => studio,
        Err(error) => panic!("the mock services do not start: {error:#}"),
    }
}

/// Polls until there is a value; fails the test after the deadline.
pub async fn eventually<T>(what: &str, mut poll_value: impl FnMut() -> Option<T>) -> T {
    let (start, mut poll) = (Instant::now(), tokio::time::interval(Duration::from_millis(5)));
    loop {
        poll.tick().await;
        if let Some(value) = poll_value() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "timed out waiting for {what}");
    }
}

/// A request to the fake Reelhook.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    pub path: String,
    pub headers: HeaderMap,
    pub raw: Bytes,
    /// Null if it is not JSON.
    pub body: Value,
}

/// An API that responds to everything with 200, and records it.
#[derive(Clone)]
pub struct FakeApi {
    url: String,
    requests: Arc<Mutex<Vec<RecordedRequest>>>,
}

impl FakeApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self { url: format!("http://{}/w/tok3n", listener.local_addr().unwrap()), requests: Arc::default() };
        let routes = Router::new().fallback(record).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        api
    }

    /// The base URL for a worker's callbacks.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// The step callbacks, in order of arrival.
    pub fn steps(&self) -> Vec<RecordedRequest> {
        self.ending_with("/api/webhooks/step-update")
    }

    /// Creatomate's callbacks.
    pub fn renders(&self) -> Vec<RecordedRequest> {
        self.ending_with("/api/webhooks/creatomate")
    }

    /// `number status` of each step callback.
    pub fn reported(&self) -> Vec<String> {
        let line = |request: &RecordedRequest| {
            let status = request.body["status"].as_str().unwrap_or("?");
            format!("{} {status}", request.body["step_number"])
        };
        self.steps().iter().map(line).collect()
    }

    fn ending_with(&self, end: &str) -> Vec<RecordedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.path.ends_with(end));
        requests
    }
}

async fn record(State(api): State<FakeApi>, uri: Uri, headers: HeaderMap, raw: Bytes) -> StatusCode {
    api.requests.lock().unwrap().push(RecordedRequest {
        path: uri.path().to_owned(),
        headers,
        body: serde_json::from_slice(&raw).unwrap_or(Value::Null),
        raw,
    });
    StatusCode::OK
}

/// The request that starts a job, as Reelhook posts it.
pub fn job(api: &FakeApi, job_id: &str, attempt: u64, template: &str) -> Value {
    json!({
        "job_id": job_id,
        "attempt": attempt,
        "parameters": {
            "country": "US",
            "platform": "Netflix",
            "genre": "Drama",
            "template": template,
            "pauseAfterExtraction": false,
        },
        "webhook_base_url": api.url(),
        "callback_url": format!("{}/api/webhooks/step-update", api.url()),
    })
}

/// Posts the job with its idempotency key.
pub async fn submit(studio: &Studio, job: &Value) -> (u16, Value) {
    let key = format!("{}.{}", job["job_id"].as_str().unwrap(), job["attempt"]);
    let url = format!("{}/worker/jobs", studio.url());
    let response = post(&url, &[("idempotency-key", &key)], &job.to_string()).await;
    (response.status, response.json())
}

/// Waits until the newest run of this job is in this phase, and returns it.
pub async fn run_in(studio: &Studio, job_id: &str, phase: &str) -> Value {
    eventually(&format!("{job_id} to be {phase}"), || {
        let run = studio.worker().snapshot(Some(job_id))["runs"].as_array()?.last()?.clone();
        (run["phase"] == phase).then_some(run)
    })
    .await
}
