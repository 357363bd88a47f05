//! The StreamGank worker: takes jobs at POST /worker/jobs and remembers all that it saw.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answers::{Problem, control_body};
use crate::calls::Caller;
use crate::config::Config;
use crate::creatomate::Creatomate;
use crate::faults::Connection;
use crate::job::JobRequest;
use crate::kept::{Kept, now_ms};
use crate::options::Options;
use crate::run::{Run, Tools, work};
use crate::scenario::{Scenario, Vanish};
use crate::verify::{Secrets, Verification};

/// How many workers this one pretends to be.
const WORKERS: usize = 4;
const STEP_MS: f64 = 300.0;

/// One POST /worker/jobs and what it was answered.
#[derive(Debug, Serialize)]
struct SeenPost {
    at_ms: u64,
    job_id: Option<String>,
    attempt: Option<u64>,
    idempotency_key: Option<String>,
    header_names: Vec<String>,
    verification: Option<Verification>,
    /// None where the connection was closed instead.
    status: Option<u16>,
    /// The key was accepted before.
    repeat: bool,
}

#[derive(Default)]
struct Seen {
    settings: Options,
    posts: Kept<SeenPost>,
    runs: Kept<Run>,
    run_of_key: HashMap<String, Arc<Run>>,
    counts: BTreeMap<String, u64>,
    /// Refused POSTs and accepted attempts, by job.
    refused: HashMap<String, u64>,
    accepted: HashMap<String, u64>,
}

/// The stand-in for the StreamGank worker.
pub struct Worker {
    tools: Tools,
    secrets: Option<Secrets>,
    url: String,
    seen: Mutex<Seen>,
}

enum Reply {
    Answer(Response),
    Close,
}

impl Worker {
    pub(crate) fn new(config: &Config, url: &str, caller: Caller, creatomate: Arc<Creatomate>) -> Self {
        let key = config.creatomate_api_key.as_ref();
        Self {
            tools: Tools {
                caller,
                creatomate,
                creatomate_url: format!("{url}/creatomate/v1/renders"),
                creatomate_key: key.map_or("studio", SecretString::expose_secret).into(),
                step_ms: (STEP_MS / config.speed) as u64,
            },
            secrets: config.secret_of("worker").and_then(Secrets::parse),
            url: url.to_owned(),
            seen: Mutex::default(),
        }
    }

    /// Replaces the scenario for all jobs, as PUT /control/worker does.
    ///
    /// # Errors
    /// A sentence that names the unknown option or the wrong value.
    pub fn set(&self, settings: Value) -> Result<(), String> {
        let Value::Object(settings) = settings else {
            return Err("the settings are an object".to_owned());
        };
        Scenario::of_settings(settings.clone())?;
        self.seen().settings = settings;
        Ok(())
    }

    /// What GET /worker/jobs answers; of one job where its id is given.
    pub fn snapshot(&self, job_id: Option<&str>) -> Value {
        let seen = self.seen();
        let wanted = |id: &str| job_id.is_none_or(|job_id| job_id == id);
        let posts: Vec<Value> = seen
            .posts
            .since(0)
            .filter(|(_, post)| wanted(post.job_id.as_deref().unwrap_or_default()))
            .map(|(_, post)| json!(**post))
            .collect();
        let runs: Vec<Value> =
            seen.runs.since(0).filter(|(_, run)| wanted(&run.job.job_id)).map(|(_, run)| run.to_json()).collect();
        let counts: BTreeMap<&String, &u64> = seen
            .counts
            .iter()
            .filter(|(key, _)| wanted(key.rsplit_once('.').map_or(key, |(job_id, _)| job_id)))
            .collect();
        json!({ "posts": posts, "counts": counts, "runs": runs })
    }

    /// The latest runs, newest first.
    pub(crate) fn latest(&self, limit: usize) -> Vec<Arc<Run>> {
        let seen = self.seen();
        let runs = seen.runs.since(0).rev().take(limit);
        runs.map(|(_, run)| run.clone()).collect()
    }

    /// Nothing is left half-written where a handler panicked: each change is one assignment.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, headers: &HeaderMap, body: &Bytes) -> Reply {
        let key = headers.get("idempotency-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
        let verification = self.secrets.as_ref().map(|secrets| secrets.verify(headers, body));
        let parsed: Result<JobRequest, _> = serde_json::from_slice(body);
        let mut post = SeenPost {
            at_ms: now_ms(),
            job_id: parsed.as_ref().ok().map(|post| post.job_id.clone()),
            attempt: parsed.as_ref().ok().map(|post| post.attempt),
            idempotency_key: key.clone(),
            header_names: headers.keys().map(ToString::to_string).collect(),
            verification,
            status: None,
            repeat: false,
        };
        let mut seen = self.seen();
        if let Some(key) = &key {
            *seen.counts.entry(key.clone()).or_default() += 1;
            post.repeat = seen.run_of_key.contains_key(key);
        }
        let reply = if post.verification.as_ref().is_some_and(|found| !found.all_accept()) {
            Reply::Answer(refused(StatusCode::UNAUTHORIZED, "invalid signature"))
        } else {
            match parsed {
                Ok(job) => self.take(&mut seen, key, job),
                Err(error) => Reply::Answer(refused(StatusCode::BAD_REQUEST, &error.to_string())),
            }
        };
        if let Reply::Answer(response) = &reply {
            post.status = Some(response.status().as_u16());
        }
        seen.posts.push(body.len(), post);
        reply
    }

    fn take(&self, seen: &mut Seen, key: Option<String>, post: JobRequest) -> Reply {
        let expected = format!("{}.{}", post.job_id, post.attempt);
        if key.as_ref() != Some(&expected) {
            let sentence = format!("header Idempotency-Key has to be `{expected}`");
            return Reply::Answer(refused(StatusCode::BAD_REQUEST, &sentence));
        }
        if let Some(run) = seen.run_of_key.get(&expected) {
            return Reply::Answer(accepted(run));
        }
        let scenario = match Scenario::of_job(&seen.settings, post.parameter("template")) {
            Ok(scenario) => scenario,
            Err(sentence) => return Reply::Answer(refused(StatusCode::BAD_REQUEST, &sentence)),
        };

        let refusals = seen.refused.entry(post.job_id.clone()).or_default();
        if scenario.answer_times.is_none_or(|times| *refusals < times) {
            if scenario.vanish == Some(Vanish::Post) {
                *refusals += 1;
                return Reply::Close;
            }
            if let Some(status) = scenario.answer {
                *refusals += 1;
                return Reply::Answer(scenario_answer(&scenario, status));
            }
        }

        let attempts = seen.accepted.entry(post.job_id.clone()).or_default();
        *attempts += 1;
        let fails = scenario.fail_attempts.is_none_or(|most| *attempts <= most);
        let run = Run::new(
            post,
            Scenario { fail: scenario.fail.filter(|_| fails), ..scenario },
            format!("studio-worker-{}", seen.run_of_key.len() % WORKERS + 1),
            format!("{}/worker/jobs/{}/cancel", self.url, path_segment(&expected)),
        );
        let (_, run) = seen.runs.push(0, run);
        seen.run_of_key.insert(expected, run.clone());
        tokio::spawn(work(run.clone(), self.tools.clone()));
        match run.scenario.vanish {
            Some(Vanish::Answer) => Reply::Close,
            Some(Vanish::After | Vanish::Post) | None => Reply::Answer(accepted(&run)),
        }
    }
}

fn accepted(run: &Run) -> Response {
    let answer = json!({
        "accepted": true,
        "worker_id": run.worker_id,
        "cancel_url": run.cancel_url,
    });
    Json(answer).into_response()
}

fn refused(status: StatusCode, sentence: &str) -> Response {
    (status, Json(json!({ "accepted": false, "error": sentence }))).into_response()
}

fn scenario_answer(scenario: &Scenario, status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let usual = status.canonical_reason().unwrap_or("refused");
    let mut response = refused(status, &scenario.error_or(usual));
    if let Some(seconds) = scenario.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

/// Job ids are plain words; anything else stays one segment of the path.
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
        Reply::Answer(response) => response,
        Reply::Close => {
            connection.cut();
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
    let run = worker.seen().run_of_key.get(&key).cloned();
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
    Json(Value::Object(worker.seen().settings.clone()))
}
