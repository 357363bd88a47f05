//! The routes of the clipping worker and of its control.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use reelhook_faults::Connection;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::file_response;
use crate::responses::{Problem, control_body};

use super::request::Request;
use super::service::{Refusal, Service};
use super::settings::Reports;

/// The worker, and the key that it requires.
pub(crate) struct Genesis {
    pub service: Arc<Service>,
    /// X-Genesis-API-Key; without it every key is accepted.
    pub key: Option<SecretString>,
}

type Shared = State<Arc<Genesis>>;

impl Genesis {
    fn check_key(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let key = self.key.as_ref().map(SecretString::expose_secret).filter(|key| !key.is_empty());
        let given = headers.get("x-genesis-api-key").and_then(|value| value.to_str().ok());
        if key.is_none_or(|key| given == Some(key)) {
            return Ok(());
        }
        Err(Refusal { status: StatusCode::UNAUTHORIZED, detail: json!("Invalid API key") })
    }
}

pub(crate) fn routes(genesis: Arc<Genesis>) -> Router {
    let control = Router::new()
        .route("/control/genesis", put(put_settings).merge(get(get_settings)))
        .route("/control/genesis/counts", get(get_counts))
        .route("/control/genesis/jobs", get(get_summaries))
        .route("/control/genesis/jobs/{id}/report", post(send_report))
        .with_state(genesis.service.clone());
    Router::new()
        .route("/genesis/ai-clipping/jobs", post(submit_job))
        .route("/genesis/ai-clipping/jobs/{id}", get(get_job).delete(cancel_job))
        .route("/genesis/outputs/{job}/{name}", get(get_output))
        .with_state(genesis)
        .merge(control)
}

async fn submit_job(
    State(genesis): Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    genesis.check_key(&headers)?;
    let invalid = |detail| Refusal { status: StatusCode::UNPROCESSABLE_ENTITY, detail };
    let request = Request::parse(&body).map_err(invalid)?;
    Ok(genesis.service.submit(request, connection).await)
}

async fn get_job(State(genesis): Shared, Path(id): Path<String>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    genesis.check_key(&headers)?;
    genesis.service.read(&id).await.map(Json)
}

async fn cancel_job(
    State(genesis): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    genesis.check_key(&headers)?;
    genesis.service.cancel(&id).map(Json)
}

/// Files need no key, as at the real worker.
async fn get_output(
    State(genesis): Shared,
    Path((job, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match genesis.service.file(&job, &name).await {
        Some((bytes, kind)) => Ok(file_response(bytes, kind, &headers)),
        None => Err(Problem::not_found(format!("no file `{name}` of the job `{job}`"))),
    }
}

/// What settings or counts concern: one source, or all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSource {
    source: Option<String>,
}

async fn put_settings(
    State(service): State<Arc<Service>>,
    Query(of): Query<OfSource>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    service.set(of.source.clone(), control_body(&body)?).map_err(Problem::bad_request)?;
    Ok(Json(service.settings(&of.source)))
}

async fn get_settings(State(service): State<Arc<Service>>, Query(of): Query<OfSource>) -> Json<Value> {
    Json(service.settings(&of.source))
}

async fn get_counts(State(service): State<Arc<Service>>, Query(of): Query<OfSource>) -> Json<Value> {
    Json(service.counts(of.source.as_deref()))
}

async fn get_summaries(State(service): State<Arc<Service>>, Query(of): Query<OfSource>) -> Json<Value> {
    let jobs = service.jobs(of.source.as_deref());
    let jobs: Vec<Value> = jobs.iter().map(|job| job.summary(&service.sender.base)).collect();
    Json(json!({ "jobs": jobs, "forgotten": service.forgotten() }))
}

/// Whether a job is completed before its report is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default)]
    finish: bool,
}

async fn send_report(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    Query(Finish { finish }): Query<Finish>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let settings: Reports = control_body(&body)?;
    let job = service.find(&id).ok_or_else(|| Problem::not_found(format!("no job `{id}`")))?;
    service.send_again(&job, &settings, finish).await.map_err(Problem::bad_request)?;
    Ok(Json(job.summary(&service.sender.base)))
}
