//! Creatomate: accepts renders, makes them, and sends one unsigned webhook when a render has ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::bounded_log::BoundedLog;
use crate::calls::Caller;
use crate::config::Config;
use crate::options::{Options, merged, parse_text, typed};
use crate::render::{KINDS, Render, RenderRequest, Settings, Status, Version};
use crate::responses::{Problem, control_body};
use crate::video::VideoMaker;

const RENDER_MS: f64 = 1_500.0;
const DOCUMENTATION: &str = "https://creatomate.com/docs/api/introduction";

#[derive(Default)]
struct Renders {
    settings: Options,
    /// GETs and POSTs that failed since the settings were set.
    failed_gets: u64,
    failed_posts: u64,
    log: BoundedLog<Render>,
    by_id: HashMap<String, Arc<Render>>,
}

/// The mock of Creatomate.
pub struct Creatomate {
    url: String,
    api_key: Option<SecretString>,
    render_ms: u64,
    shared_video: bool,
    caller: Caller,
    video: VideoMaker,
    state: Mutex<Renders>,
}

impl Creatomate {
    pub(crate) fn new(config: &Config, url: &str, caller: Caller, video: VideoMaker) -> Self {
        Self {
            url: url.to_owned(),
            api_key: config.creatomate_api_key.clone(),
            render_ms: (RENDER_MS / config.speed) as u64,
            shared_video: config.shared_video,
            caller,
            video,
            state: Mutex::default(),
        }
    }

    /// Replaces the settings, as PUT /control/creatomate does.
    ///
    /// # Errors
    /// Names the unknown setting or the wrong type.
    pub fn set(&self, settings: Value) -> Result<(), String> {
        let Value::Object(settings) = settings else {
            return Err("the settings must be an object".to_owned());
        };
        typed::<Settings>(settings.clone())?;
        let mut state = self.state();
        state.settings = settings;
        state.failed_gets = 0;
        state.failed_posts = 0;
        Ok(())
    }

    /// The response to GET /control/creatomate: the settings, and every render with the outcome of its webhook.
    pub fn snapshot(&self) -> Value {
        let state = self.state();
        let renders = state.log.since(0);
        let renders: Vec<Value> = renders.map(|(_, render)| render.summary()).collect();
        json!({ "settings": state.settings, "renders": renders })
    }

    /// The latest renders, newest first.
    pub(crate) fn latest(&self, limit: usize) -> Vec<Arc<Render>> {
        let state = self.state();
        let renders = state.log.since(0).rev().take(limit);
        renders.map(|(_, render)| render.clone()).collect()
    }

    /// Waits until a render's webhook was sent or dropped.
    pub(crate) async fn wait_for_webhook(&self, id: &str) {
        let render = self.state().by_id.get(id).cloned();
        if let Some(render) = render {
            let mut attempted = render.webhook_attempted.subscribe();
            // The sender lives as long as the render, so this cannot fail.
            let _ = attempted.wait_for(|attempted| *attempted).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, Renders> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), VendorError> {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let valid = match (&self.api_key, given) {
            (_, None | Some("")) => false,
            (None, Some(_)) => true,
            (Some(key), Some(given)) => key.expose_secret() == given,
        };
        if valid {
            return Ok(());
        }
        Err(VendorError::hint(
            StatusCode::UNAUTHORIZED,
            "The API key is missing or invalid. Pass it as 'Authorization: Bearer <key>'.",
        ))
    }

    fn check_post(&self) -> Result<Options, VendorError> {
        let mut state = self.state();
        let settings: Settings = typed(state.settings.clone()).map_err(VendorError::bad_request)?;
        fail(settings.post_status, settings.post_times, &mut state.failed_posts)?;
        Ok(state.settings.clone())
    }

    fn check_get(&self) -> Result<(), VendorError> {
        let mut state = self.state();
        let settings: Settings = typed(state.settings.clone()).map_err(VendorError::bad_request)?;
        fail(settings.status, settings.times, &mut state.failed_gets)
    }

    /// How long a GET is delayed.
    fn get_delay(&self) -> Result<Duration, VendorError> {
        let settings: Settings = typed(self.state().settings.clone()).map_err(VendorError::bad_request)?;
        Ok(Duration::from_millis(settings.get_ms.unwrap_or_default()))
    }

    fn submit(self: &Arc<Self>, body: &[u8], version: Version) -> Result<Vec<Value>, VendorError> {
        let settings = self.check_post()?;
        let requests = RenderRequest::parse(body, version).map_err(VendorError::bad_request)?;
        let mut accepted = Vec::new();
        for request in requests {
            let template = request.template_id.as_deref().unwrap_or_default();
            let own = parse_text(template, &KINDS).map_err(VendorError::bad_request)?;
            let settings = typed(merged(&settings, own)).map_err(VendorError::bad_request)?;
            let mut state = self.state();
            let (_, render) = state.log.push(body.len(), Render::new(request, settings, &self.url));
            state.by_id.insert(render.id.clone(), render.clone());
            accepted.push(render.to_json());
            tokio::spawn(self.clone().make(render));
        }
        Ok(accepted)
    }

    /// Advances the status while the video is made; ends when both are done.
    async fn make(self: Arc<Self>, render: Arc<Render>) {
        let settings = &render.settings;
        let quarter = settings.render_ms.unwrap_or(self.render_ms) / 4;
        let quarter = Duration::from_millis(quarter);
        let stages = async {
            for status in [Status::Waiting, Status::Transcribing, Status::Rendering] {
                tokio::time::sleep(quarter).await;
                render.set_status(status);
            }
            tokio::time::sleep(quarter).await;
        };
        let video = async {
            if settings.fail {
                let default = || "The source clip could not be read.".to_owned();
                return Err(settings.error_message.clone().unwrap_or_else(default));
            }
            let shared = settings.shared_video.unwrap_or(self.shared_video);
            let title = (!shared).then_some(render.request.title.as_str());
            let made = self.video.make(&render.id, title).await;
            made.map_err(|error| format!("{error:#}"))
        };
        let (video, ()) = tokio::join!(video, stages);
        render.end(video);
        self.send_webhook(&render).await;
    }

    /// POSTs the render object, unsigned and without retries.
    async fn send_webhook(&self, render: &Render) {
        let enabled = render.settings.webhook.unwrap_or(true);
        let outcome = match &render.request.webhook_url {
            Some(url) if enabled => {
                let body = render.to_json().to_string().into_bytes();
                Some(self.caller.post(url, HeaderMap::new(), body).await)
            }
            _ => None,
        };
        render.webhook_ended(outcome);
    }

    fn show(&self, id: &str) -> Result<Value, VendorError> {
        self.check_get()?;
        match self.state().by_id.get(id) {
            Some(render) => Ok(render.to_json()),
            None => Err(VendorError::hint(
                StatusCode::NOT_FOUND,
                "There is no render with this ID, or it is older than 30 days.",
            )),
        }
    }
}

fn fail(status: Option<u16>, times: Option<u64>, failed: &mut u64) -> Result<(), VendorError> {
    match status {
        Some(status) if times.is_none_or(|times| *failed < times) => {
            *failed += 1;
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Err(VendorError::hint(status, "This failure is configured at /control/creatomate."))
        }
        _ => Ok(()),
    }
}

/// An error response in Creatomate's form.
struct VendorError {
    status: StatusCode,
    hint: String,
}

impl VendorError {
    fn hint(status: StatusCode, hint: impl Into<String>) -> Self {
        Self { status, hint: hint.into() }
    }

    fn bad_request(hint: String) -> Self {
        Self::hint(StatusCode::BAD_REQUEST, hint)
    }
}

impl IntoResponse for VendorError {
    fn into_response(self) -> Response {
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            return (self.status, "Too Many Requests").into_response();
        }
        let body = json!({ "hint": self.hint, "documentation": DOCUMENTATION });
        (self.status, Json(body)).into_response()
    }
}

pub(crate) fn routes(creatomate: Arc<Creatomate>) -> Router {
    Router::new()
        // The official SDK appends `/renders` to its base URL, which ends in `/v1` unless a test removes that.
        .route("/creatomate/renders", post(post_v1))
        .route("/creatomate/renders/{id}", get(get_render))
        .route("/creatomate/v1/renders", post(post_v1))
        .route("/creatomate/v1/renders/{id}", get(get_render))
        .route("/creatomate/v2/renders", post(post_v2))
        .route("/creatomate/v2/renders/{id}", get(get_render))
        .route("/control/creatomate", put(put_settings).merge(get(get_settings)))
        .with_state(creatomate)
}

async fn post_v1(
    State(creatomate): State<Arc<Creatomate>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, VendorError> {
    creatomate.authorize(&headers)?;
    let renders = creatomate.submit(&body, Version::V1)?;
    Ok((StatusCode::ACCEPTED, Json(renders)).into_response())
}

async fn post_v2(
    State(creatomate): State<Arc<Creatomate>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, VendorError> {
    creatomate.authorize(&headers)?;
    let requested: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if requested.get("dry_run").is_some_and(|dry_run| dry_run == true) {
        let parsed = RenderRequest::parse(&body, Version::V2);
        let errors: Vec<String> = parsed.err().into_iter().collect();
        let outcome = json!({ "valid": errors.is_empty(), "errors": errors, "warnings": [], "source": requested });
        return Ok(Json(outcome).into_response());
    }
    let render = creatomate.submit(&body, Version::V2)?.pop();
    Ok((StatusCode::ACCEPTED, Json(render)).into_response())
}

async fn get_render(
    State(creatomate): State<Arc<Creatomate>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, VendorError> {
    creatomate.authorize(&headers)?;
    tokio::time::sleep(creatomate.get_delay()?).await;
    creatomate.show(&id).map(Json)
}

async fn put_settings(State(creatomate): State<Arc<Creatomate>>, body: Bytes) -> Result<Json<Value>, Problem> {
    let settings: Value = control_body(&body)?;
    creatomate.set(settings).map_err(Problem::bad_request)?;
    Ok(get_settings(State(creatomate)).await)
}

async fn get_settings(State(creatomate): State<Arc<Creatomate>>) -> Json<Value> {
    Json(creatomate.snapshot())
}
