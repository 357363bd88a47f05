//! The external worker: accepts jobs at POST /worker/jobs and records all requests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use reelhook_faults::Connection;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bounded_log::{BoundedLog, now_ms};
use crate::calls::Caller;
use crate::config::Config;
use crate::creatomate::Creatomate;
use crate::options::Options;
use crate::responses::{Problem, control_body};
use crate::scenario::{Scenario, Vanish};
use crate::verify::{Secrets, Verification};

use job::JobRequest;
use run::{Run, RunContext, work};

pub(crate) use run::Phase;

mod job;
mod run;
mod steps;

/// Number of worker ids that are used in turn.
const WORKERS: usize = 4;
const STEP_MS: f64 = 300.0;

/// A POST /worker/jobs and the status of its response.
#[derive(Debug, Serialize)]
struct RecordedPost {
    at_ms: u64,
    job_id: Option<String>,
    attempt: Option<u64>,
    idempotency_key: Option<String>,
    header_names: Vec<String>,
    traceparent: Option<String>,
    verification: Option<Verification>,
    /// None if the connection was closed instead.
    status: Option<u16>,
    /// Whether the key was accepted before.
    repeat: bool,
}

#[derive(Default)]
struct Records {
    settings: Options,
    posts: BoundedLog<RecordedPost>,
    runs: BoundedLog<Run>,
    run_of_key: HashMap<String, Arc<Run>>,
    counts: BTreeMap<String, u64>,
    /// Refused POSTs and accepted attempts, by job.
    refused: HashMap<String, u64>,
    accepted: HashMap<String, u64>,
}

/// The mock of the external worker.
pub struct Worker {
    context: RunContext,
    secrets: Option<Secrets>,
    url: String,
    records: Mutex<Records>,
}

enum Reply {
    Response(Response),
    Close,
}

impl Worker {
    pub(crate) fn new(config: &Config, url: &str, caller: Caller, creatomate: Arc<Creatomate>) -> Self {
        let key = config.creatomate_api_key.as_ref();
        Self {
            context: RunContext {
                caller,
                creatomate,
                creatomate_url: format!("{url}/creatomate/v1/renders"),
                creatomate_key: key.map_or("studio", SecretString::expose_secret).into(),
                step_ms: (STEP_MS / config.speed) as u64,
            },
            secrets: config.secret_of("worker").and_then(Secrets::parse),
            url: url.to_owned(),
            records: Mutex::default(),
        }
    }

    /// Replaces the scenario for all jobs, as PUT /control/worker does.
    ///
    /// # Errors
    /// Names the unknown option or the wrong value.
    pub fn set(&self, settings: Value) -> Result<(), String> {
        let Value::Object(settings) = settings else {
            return Err("the settings must be an object".to_owned());
        };
        Scenario::of_settings(settings.clone())?;
        self.records().settings = settings;
        Ok(())
    }

    /// The response to GET /worker/jobs, restricted to one job if its id is given.
    pub fn snapshot(&self, job_id: Option<&str>) -> Value {
        let records = self.records();
        let matches = |id: &str| job_id.is_none_or(|job_id| job_id == id);
        let posts: Vec<Value> = records
            .posts
            .since(0)
            .filter(|(_, post)| matches(post.job_id.as_deref().unwrap_or_default()))
            .map(|(_, post)| json!(**post))
            .collect();
        let runs: Vec<Value> =
            records.runs.since(0).filter(|(_, run)| matches(&run.job.job_id)).map(|(_, run)| run.to_json()).collect();
        let counts: BTreeMap<&String, &u64> = records
            .counts
            .iter()
            .filter(|(key, _)| matches(key.rsplit_once('.').map_or(key, |(job_id, _)| job_id)))
            .collect();
        let forgotten = records.posts.forgotten() + records.runs.forgotten();
        json!({ "posts": posts, "counts": counts, "runs": runs, "forgotten": forgotten })
    }

    /// The latest runs, newest first.
    pub(crate) fn latest(&self, limit: usize) -> Vec<Arc<Run>> {
        let records = self.records();
        let runs = records.runs.since(0).rev().take(limit);
        runs.map(|(_, run)| run.clone()).collect()
    }

    /// A poisoned lock is safe to use: each change is one assignment.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, headers: &HeaderMap, body: &Bytes) -> Reply {
        let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let key = text("idempotency-key");
        let verification = self.secrets.as_ref().map(|secrets| secrets.verify(headers, body));
        let parsed: Result<JobRequest, _> = serde_json::from_slice(body);
        let mut post = RecordedPost {
            at_ms: now_ms(),
            job_id: parsed.as_ref().ok().map(|post| post.job_id.clone()),
            attempt: parsed.as_ref().ok().map(|post| post.attempt),
            idempotency_key: key.clone(),
            header_names: headers.keys().map(ToString::to_string).collect(),
            traceparent: text("traceparent"),
            verification,
            status: None,
            repeat: false,
        };
        let mut records = self.records();
        if let Some(key) = &key {
            *records.counts.entry(key.clone()).or_default() += 1;
            post.repeat = records.run_of_key.contains_key(key);
        }
        let reply = if post.verification.as_ref().is_some_and(|verification| !verification.all_accept()) {
            Reply::Response(refused(StatusCode::UNAUTHORIZED, "invalid signature"))
        } else {
            match parsed {
                Ok(job) => self.accept(&mut records, key, job),
                Err(error) => Reply::Response(refused(StatusCode::BAD_REQUEST, &error.to_string())),
            }
        };
        if let Reply::Response(response) = &reply {
            post.status = Some(response.status().as_u16());
        }
        records.posts.push(body.len(), post);
        reply
    }

    fn accept(&self, records: &mut Records, key: Option<String>, job: JobRequest) -> Reply {
        let expected = format!("{}.{}", job.job_id, job.attempt);
        if key.as_ref() != Some(&expected) {
            let message = format!("header Idempotency-Key must be `{expected}`");
            return Reply::Response(refused(StatusCode::BAD_REQUEST, &message));
        }
        if let Some(run) = records.run_of_key.get(&expected) {
            return Reply::Response(accepted(run));
        }
        let scenario = match Scenario::of_job(&records.settings, job.parameter("template")) {
            Ok(scenario) => scenario,
            Err(message) => return Reply::Response(refused(StatusCode::BAD_REQUEST, &message)),
        };

        let refusals = records.refused.entry(job.job_id.clone()).or_default();
        if scenario.answer_times.is_none_or(|times| *refusals < times) {
            if scenario.vanish == Some(Vanish::Post) {
                *refusals += 1;
                return Reply::Close;
            }
            if let Some(status) = scenario.answer {
                *refusals += 1;
                return Reply::Response(scenario_response(&scenario, status));
            }
        }

        let attempts = records.accepted.entry(job.job_id.clone()).or_default();
        *attempts += 1;
        let fails = scenario.fail_attempts.is_none_or(|maximum| *attempts <= maximum);
        let run = Run::new(
            job,
            Scenario { fail: scenario.fail.filter(|_| fails), ..scenario },
            format!("studio-worker-{}", records.run_of_key.len() % WORKERS + 1),
            format!("{}/worker/jobs/{}/cancel", self.url, path_segment(&expected)),
        );
        let (_, run) = records.runs.push(0, run);
        records.run_of_key.insert(expected, run.clone());
        tokio::spawn(work(run.clone(), self.context.clone()));
        match run.scenario.vanish {
            Some(Vanish::Answer) => Reply::Close,
            Some(Vanish::After | Vanish::Post) | None => Reply::Response(accepted(&run)),
        }
    }
}

fn accepted(run: &Run) -> Response {
    let body = json!({
        "accepted": true,
        "worker_id": run.worker_id,
        "cancel_url": run.cancel_url,
    });
    Json(body).into_response()
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "accepted": false, "error": message }))).into_response()
}

fn scenario_response(scenario: &Scenario, status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let default = status.canonical_reason().unwrap_or("refused");
    let mut response = refused(status, &scenario.error_or(default));
    if let Some(seconds) = scenario.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

/// Encodes a text so that it stays one path segment.
fn path_segment(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F").replace('?', "%3F").replace('#', "%23")
}

#[derive(Deserialize)]
struct JobsQuery {
    job_id: Option<String>,
}

pub(crate) fn routes(worker: Arc<Worker>) -> Router {
    Router::new()
        .route("/worker/jobs", post(post_job).get(list_jobs))
        .route("/worker/jobs/{key}/cancel", post(cancel_job))
        .route("/control/worker", put(put_settings).merge(get(get_settings)))
        .with_state(worker)
}

async fn post_job(
    State(worker): State<Arc<Worker>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match worker.receive(&headers, &body) {
        Reply::Response(response) => response,
        Reply::Close => {
            connection.close();
            StatusCode::OK.into_response()
        }
    }
}

async fn list_jobs(State(worker): State<Arc<Worker>>, Query(query): Query<JobsQuery>) -> Json<Value> {
    Json(worker.snapshot(query.job_id.as_deref()))
}

async fn cancel_job(
    State(worker): State<Arc<Worker>>,
    Path(key): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let run = worker.records().run_of_key.get(&key).cloned();
    let Some(run) = run else {
        return Err(Problem::not_found(format!("no run `{key}`")));
    };
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    run.cancel(body);
    Ok(Json(json!({ "cancelled": true, "worker_id": run.worker_id })))
}

async fn put_settings(State(worker): State<Arc<Worker>>, body: Bytes) -> Result<Json<Value>, Problem> {
    let settings: Value = control_body(&body)?;
    worker.set(settings).map_err(Problem::bad_request)?;
    Ok(get_settings(State(worker)).await)
}

async fn get_settings(State(worker): State<Arc<Worker>>) -> Json<Value> {
    Json(Value::Object(worker.records().settings.clone()))
}
