//! The routes of the services of scenes, in the real services' forms and in seed 003's, and of their control.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use reelhook_faults::Connection;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::responses::{Problem, control_body};

use super::request::Request;
use super::scopes::Scope;
use super::service::Service;
use super::settings::Callback;

/// The three services, and the keys that they require.
pub(crate) struct Services {
    pub videos: Arc<Service>,
    pub frames: Arc<Service>,
    pub stitches: Arc<Service>,
    /// X-API-Key of the tasks service; without it every key is accepted.
    pub task_key: Option<SecretString>,
    /// Bearer token and X-API-Key of the last-frame service; without it every key is accepted.
    pub frame_key: Option<SecretString>,
}

type Shared = State<Arc<Services>>;

impl Services {
    fn check_task_key(&self, headers: &HeaderMap) -> Result<(), Problem> {
        check_key(self.task_key.as_ref(), &[header_text(headers, "x-api-key")])
    }

    /// The last-frame service checks both headers.
    fn check_frame_key(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let bearer = header_text(headers, header::AUTHORIZATION.as_str()).and_then(|text| text.strip_prefix("Bearer "));
        check_key(self.frame_key.as_ref(), &[bearer, header_text(headers, "x-api-key")])
    }

    /// The service of a task that is no video.
    fn of_frame_or_stitch(&self, id: &str) -> &Service {
        if self.stitches.task(id).is_some() { &self.stitches } else { &self.frames }
    }
}

fn check_key(key: Option<&SecretString>, given: &[Option<&str>]) -> Result<(), Problem> {
    let key = key.map(SecretString::expose_secret).filter(|key| !key.is_empty());
    let valid = key.is_none_or(|key| given.iter().all(|given| *given == Some(key)));
    if valid {
        return Ok(());
    }
    Err(Problem { status: StatusCode::UNAUTHORIZED, message: "the API key is missing or invalid".to_owned() })
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A parsed request with its Idempotency-Key.
fn with_key(request: Result<Request, String>, headers: &HeaderMap) -> Result<Request, Problem> {
    let key = header_text(headers, "idempotency-key").map(str::to_owned);
    request.map(|request| Request { key, ..request }).map_err(Problem::bad_request)
}

pub(crate) fn routes(services: Arc<Services>) -> Router {
    let Services { videos, frames, stitches, .. } = &*services;
    let control = Router::new()
        .nest("/control/videos", control_routes(videos.clone()))
        .nest("/control/frames", control_routes(frames.clone()))
        .nest("/control/stitches", control_routes(stitches.clone()));
    Router::new()
        .route("/api/v1/tasks/submit", post(submit_task))
        .route("/api/v1/tasks/{id}/status", get(get_task))
        .route("/api/v1/tasks/{id}", get(get_task).delete(cancel_task))
        .route("/api/v1/projects/{id}/tasks", get(list_tasks))
        .route("/api/v1/process", post(submit_frame))
        .route("/api/v1/stitch", post(submit_stitch))
        .route("/api/v1/status/{id}", get(get_frame_or_stitch))
        .route("/state/{id}", get(get_state))
        .route("/seed/videos", post(submit_seed_video))
        .route("/seed/videos/{id}", get(get_task).delete(cancel_task))
        .route("/seed/frames", post(submit_seed_frame))
        .route("/seed/frames/{id}", get(get_frame_or_stitch))
        .route("/seed/stitches", post(submit_seed_stitch))
        .route("/seed/stitches/{id}", get(get_frame_or_stitch))
        .with_state(services)
        .merge(control)
}

async fn submit_task(
    State(services): Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    services.check_task_key(&headers)?;
    services.videos.submit(with_key(Request::task(&body), &headers)?, connection).await
}

async fn submit_seed_video(
    State(services): Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    services.check_task_key(&headers)?;
    services.videos.submit(with_key(Request::seed_video(&body), &headers)?, connection).await
}

async fn submit_frame(
    State(services): Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    services.check_frame_key(&headers)?;
    services.frames.submit(with_key(Request::frame(&body, false), &headers)?, connection).await
}

async fn submit_seed_frame(
    State(services): Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    services.check_frame_key(&headers)?;
    services.frames.submit(with_key(Request::frame(&body, true), &headers)?, connection).await
}

async fn submit_stitch(
    State(services): Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    services.check_frame_key(&headers)?;
    services.stitches.submit(with_key(Request::stitch(&body, false), &headers)?, connection).await
}

async fn submit_seed_stitch(
    State(services): Shared,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    services.check_frame_key(&headers)?;
    services.stitches.submit(with_key(Request::stitch(&body, true), &headers)?, connection).await
}

async fn get_task(State(services): Shared, Path(id): Path<String>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    services.check_task_key(&headers)?;
    show_at_usual_url(&services.videos, &id).await
}

async fn get_frame_or_stitch(
    State(services): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    services.check_frame_key(&headers)?;
    show_at_usual_url(services.of_frame_or_stitch(&id), &id).await
}

/// The status of a task at the `status_url` of its submission's answer.
async fn get_state(
    State(services): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    if services.videos.task(&id).is_some() {
        services.check_task_key(&headers)?;
        return show(&services.videos, &id).await;
    }
    services.check_frame_key(&headers)?;
    show(services.of_frame_or_stitch(&id), &id).await
}

async fn show_at_usual_url(service: &Service, id: &str) -> Result<Json<Value>, Problem> {
    if service.task(id).is_some_and(|task| task.settings.submit.status_url) {
        return Err(unknown(id));
    }
    show(service, id).await
}

async fn show(service: &Service, id: &str) -> Result<Json<Value>, Problem> {
    let task = service.task(id);
    let ids = task.as_ref().map(|task| task.request.ids.clone()).unwrap_or_default();
    let settings = service.check_get(&ids).await?;
    match task.filter(|_| !settings.status.forget) {
        Some(task) => Ok(Json(task.shown(&service.films))),
        None => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> Problem {
    Problem::not_found(format!("no task `{id}`"))
}

async fn cancel_task(
    State(services): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    services.check_task_key(&headers)?;
    let task = services.videos.task(&id);
    let ids = task.as_ref().map(|task| task.request.ids.clone()).unwrap_or_default();
    let settings = services.videos.settings_for(&ids);
    if settings.status.no_cancel {
        let message = "tasks can't be cancelled".to_owned();
        return Err(Problem { status: StatusCode::METHOD_NOT_ALLOWED, message });
    }
    let task = task.filter(|_| !settings.status.forget).ok_or_else(|| unknown(&id))?;
    if task.cancel() {
        return Ok(Json(json!({ "task_id": task.id, "status": "cancelled" })));
    }
    Err(Problem { status: StatusCode::CONFLICT, message: format!("the task `{id}` has ended") })
}

async fn list_tasks(
    State(services): Shared,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    services.check_task_key(&headers)?;
    let scope = Scope::new(Some(&project), None);
    let settings = services.videos.check_get(&scope).await?;
    if settings.status.no_list {
        return Err(Problem::not_found("there is no such route"));
    }
    let tasks = if settings.status.forget { Vec::new() } else { services.videos.tasks(&scope) };
    let tasks: Vec<Value> = tasks.iter().map(|task| task.shown(&services.videos.films)).collect();
    Ok(Json(json!({ "project_id": project, "total": tasks.len(), "tasks": tasks })))
}

fn control_routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", put(put_settings).merge(get(get_settings)))
        .route("/billed", get(get_billed))
        .route("/tasks", get(get_summaries))
        .route("/tasks/{id}/callback", post(send_callback))
        .with_state(service)
}

async fn put_settings(
    State(service): State<Arc<Service>>,
    Query(scope): Query<Scope>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    service.set(scope.clone(), control_body(&body)?).map_err(Problem::bad_request)?;
    Ok(Json(service.settings(&scope)))
}

async fn get_settings(State(service): State<Arc<Service>>, Query(scope): Query<Scope>) -> Json<Value> {
    Json(service.settings(&scope))
}

async fn get_billed(State(service): State<Arc<Service>>, Query(scope): Query<Scope>) -> Json<Value> {
    Json(service.billed(&scope))
}

async fn get_summaries(State(service): State<Arc<Service>>, Query(scope): Query<Scope>) -> Json<Value> {
    let tasks = service.tasks(&scope);
    let tasks: Vec<Value> = tasks.iter().map(|task| task.summary(&service.films)).collect();
    Json(json!({ "tasks": tasks, "forgotten": service.forgotten() }))
}

async fn send_callback(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let settings: Callback = control_body(&body)?;
    let task = service.task(&id).ok_or_else(|| unknown(&id))?;
    service.send_again(&task, &settings).await;
    Ok(Json(task.summary(&service.films)))
}
