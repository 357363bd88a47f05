//! A studio and a fake Reelhook for one test, and waiting with a deadline.

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

/// A config with its own directory and no videos.
pub fn config() -> Config {
    let directory = format!("studio-{}", Uuid::new_v4());
    Config { no_video: true, ..Config::for_test(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory)) }
}

/// A config that makes videos; fails where there is no ffmpeg and says what to do.
pub fn config_with_video() -> Config {
    Config { no_video: false, ffmpeg: std::env::var_os("STUDIO_FFMPEG").map(Into::into), ..config() }
}

/// A studio without videos.
pub async fn studio() -> Studio {
    start(config()).await
}

pub async fn start(config: Config) -> Studio {
    match Studio::start(config).await {
        Ok(studio) => studio,
        Err(error) => panic!("studio does not start: {error:#}"),
    }
}

/// Asks again until there is an answer; fails the test after the deadline.
pub async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let (start, mut poll) = (Instant::now(), tokio::time::interval(Duration::from_millis(5)));
    loop {
        poll.tick().await;
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
    }
}

/// One request that the fake Reelhook got.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub raw: Bytes,
    /// Null where it was no JSON.
    pub body: Value,
}

/// An API that answers 200 to everything and remembers it.
#[derive(Clone)]
pub struct FakeApi {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl FakeApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self { url: format!("http://{}/w/tok3n", listener.local_addr().unwrap()), got: Arc::default() };
        let routes = Router::new().fallback(remember).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        api
    }

    /// The base URL that a worker is given.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// The step callbacks, in order of arrival.
    pub fn steps(&self) -> Vec<Got> {
        self.ending_with("/api/webhooks/step-update")
    }

    /// Creatomate's callbacks.
    pub fn renders(&self) -> Vec<Got> {
        self.ending_with("/api/webhooks/creatomate")
    }

    /// `number status` of each step callback.
    pub fn told(&self) -> Vec<String> {
        let told = |got: &Got| {
            let status = got.body["status"].as_str().unwrap_or("?");
            format!("{} {status}", got.body["step_number"])
        };
        self.steps().iter().map(told).collect()
    }

    fn ending_with(&self, end: &str) -> Vec<Got> {
        let mut got = self.got();
        got.retain(|got| got.path.ends_with(end));
        got
    }
}

async fn remember(State(api): State<FakeApi>, uri: Uri, headers: HeaderMap, raw: Bytes) -> StatusCode {
    api.got.lock().unwrap().push(Got {
        path: uri.path().to_owned(),
        headers,
        body: serde_json::from_slice(&raw).unwrap_or(Value::Null),
        raw,
    });
    StatusCode::OK
}

/// A job as Reelhook posts it.
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

/// Posts the job under its own key.
pub async fn submit(studio: &Studio, job: &Value) -> (u16, Value) {
    let key = format!("{}.{}", job["job_id"].as_str().unwrap(), job["attempt"]);
    let url = format!("{}/worker/jobs", studio.url());
    let answer = post(&url, &[("idempotency-key", &key)], &job.to_string()).await;
    (answer.status, answer.json())
}

/// Waits until the newest run of this job is in this phase, and returns it.
pub async fn run_in(studio: &Studio, job_id: &str, phase: &str) -> Value {
    eventually(&format!("{job_id} to be {phase}"), || {
        let run = studio.worker().snapshot(Some(job_id))["runs"].as_array()?.last()?.clone();
        (run["phase"] == phase).then_some(run)
    })
    .await
}
