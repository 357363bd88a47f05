//! Creatomate: takes renders, makes them, and tells of their end by one unsigned webhook.

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

use crate::answers::{Problem, control_body};
use crate::calls::Caller;
use crate::config::Config;
use crate::kept::Kept;
use crate::options::{Options, in_text, merged, typed};
use crate::render::{KINDS, Render, RenderRequest, Settings, Status, Version};
use crate::video::VideoMaker;

const RENDER_MS: f64 = 1_500.0;
const DOCUMENTATION: &str = "https://creatomate.com/docs/api/introduction";

#[derive(Default)]
struct Kitchen {
    settings: Options,
    /// GETs and POSTs that were refused since the settings came.
    refused_gets: u64,
    refused_posts: u64,
    renders: Kept<Render>,
    by_id: HashMap<String, Arc<Render>>,
}

/// The stand-in for Creatomate.
pub struct Creatomate {
    url: String,
    api_key: Option<SecretString>,
    render_ms: u64,
    shared_video: bool,
    caller: Caller,
    video: VideoMaker,
    kitchen: Mutex<Kitchen>,
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
            kitchen: Mutex::default(),
        }
    }

    /// Replaces the settings, as PUT /control/creatomate does.
    ///
    /// # Errors
    /// A sentence that names the unknown setting or the wrong type.
    pub fn set(&self, settings: Value) -> Result<(), String> {
        let Value::Object(settings) = settings else {
            return Err("the settings are an object".to_owned());
        };
        typed::<Settings>(settings.clone())?;
        let mut kitchen = self.kitchen();
        kitchen.settings = settings;
        kitchen.refused_gets = 0;
        kitchen.refused_posts = 0;
        Ok(())
    }

    /// What GET /control/creatomate answers: the settings, and every render with its webhook's answer.
    pub fn snapshot(&self) -> Value {
        let kitchen = self.kitchen();
        let renders = kitchen.renders.since(0);
        let renders: Vec<Value> = renders.map(|(_, render)| render.summary()).collect();
        json!({ "settings": kitchen.settings, "renders": renders })
    }

    /// The latest renders, newest first.
    pub(crate) fn latest(&self, limit: usize) -> Vec<Arc<Render>> {
        let kitchen = self.kitchen();
        let renders = kitchen.renders.since(0).rev().take(limit);
        renders.map(|(_, render)| render.clone()).collect()
    }

    /// Waits until a render's webhook was sent or dropped.
    pub(crate) async fn webhook_was_tried(&self, id: &str) {
        let render = self.kitchen().by_id.get(id).cloned();
        if let Some(render) = render {
            let mut tried = render.webhook_tried.subscribe();
            // The sender lives in the render, so waiting can't fail.
            let _ = tried.wait_for(|tried| *tried).await;
        }
    }

    fn kitchen(&self) -> MutexGuard<'_, Kitchen> {
        self.kitchen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let known = match (&self.api_key, given) {
            (_, None | Some("")) => false,
            (None, Some(_)) => true,
            (Some(key), Some(given)) => key.expose_secret() == given,
        };
        if known {
            return Ok(());
        }
        Err(Refusal::hint(
            StatusCode::UNAUTHORIZED,
            "The API key is missing or invalid. Pass it as 'Authorization: Bearer <key>'.",
        ))
    }

    fn may_post(&self) -> Result<Options, Refusal> {
        let mut kitchen = self.kitchen();
        let settings: Settings = typed(kitchen.settings.clone()).map_err(Refusal::bad_request)?;
        refuse(settings.post_status, settings.post_times, &mut kitchen.refused_posts)?;
        Ok(kitchen.settings.clone())
    }

    fn may_get(&self) -> Result<(), Refusal> {
        let mut kitchen = self.kitchen();
        let settings: Settings = typed(kitchen.settings.clone()).map_err(Refusal::bad_request)?;
        refuse(settings.status, settings.times, &mut kitchen.refused_gets)
    }

    /// How long a GET takes.
    fn slowness(&self) -> Result<Duration, Refusal> {
        let settings: Settings = typed(self.kitchen().settings.clone()).map_err(Refusal::bad_request)?;
        Ok(Duration::from_millis(settings.get_ms.unwrap_or_default()))
    }

    fn submit(self: &Arc<Self>, body: &[u8], version: Version) -> Result<Vec<Value>, Refusal> {
        let settings = self.may_post()?;
        let requests = RenderRequest::parse(body, version).map_err(Refusal::bad_request)?;
        let mut answers = Vec::new();
        for request in requests {
            let template = request.template_id.as_deref().unwrap_or_default();
            let own = in_text(template, &KINDS).map_err(Refusal::bad_request)?;
            let settings = typed(merged(&settings, own)).map_err(Refusal::bad_request)?;
            let mut kitchen = self.kitchen();
            let (_, render) = kitchen.renders.push(body.len(), Render::new(request, settings, &self.url));
            kitchen.by_id.insert(render.id.clone(), render.clone());
            answers.push(render.to_json());
            tokio::spawn(self.clone().make(render));
        }
        Ok(answers)
    }

    /// Goes through the statuses while the video is made; ends when both are done.
    async fn make(self: Arc<Self>, render: Arc<Render>) {
        let settings = &render.settings;
        let quarter = settings.render_ms.unwrap_or(self.render_ms) / 4;
        let quarter = Duration::from_millis(quarter);
        let stages = async {
            for status in [Status::Waiting, Status::Transcribing, Status::Rendering] {
                tokio::time::sleep(quarter).await;
                render.reach(status);
            }
            tokio::time::sleep(quarter).await;
        };
        let video = async {
            if settings.fail {
                let usual = || "The source clip could not be read.".to_owned();
                return Err(settings.error_message.clone().unwrap_or_else(usual));
            }
            let shared = settings.shared_video.unwrap_or(self.shared_video);
            let title = (!shared).then_some(render.request.title.as_str());
            let made = self.video.make(&render.id, title).await;
            made.map_err(|error| format!("{error:#}"))
        };
        let (video, ()) = tokio::join!(video, stages);
        render.end(video);
        self.tell(&render).await;
    }

    /// One POST of the render object, unsigned and never repeated.
    async fn tell(&self, render: &Render) {
        let wanted = render.settings.webhook.unwrap_or(true);
        let answer = match &render.request.webhook_url {
            Some(url) if wanted => {
                let body = render.to_json().to_string().into_bytes();
                Some(self.caller.post(url, HeaderMap::new(), body).await)
            }
            _ => None,
        };
        render.webhook_answered(answer);
    }

    fn show(&self, id: &str) -> Result<Value, Refusal> {
        self.may_get()?;
        match self.kitchen().by_id.get(id) {
            Some(render) => Ok(render.to_json()),
            None => Err(Refusal::hint(
                StatusCode::NOT_FOUND,
                "There is no render with this ID, or it is older than 30 days.",
            )),
        }
    }
}

fn refuse(status: Option<u16>, times: Option<u64>, refused: &mut u64) -> Result<(), Refusal> {
    match status {
        Some(status) if times.is_none_or(|times| *refused < times) => {
            *refused += 1;
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Err(Refusal::hint(status, "This failure was ordered at /control/creatomate."))
        }
        _ => Ok(()),
    }
}

/// An error in the vendor's form.
struct Refusal {
    status: StatusCode,
    hint: String,
}

impl Refusal {
    fn hint(status: StatusCode, hint: impl Into<String>) -> Self {
        Self { status, hint: hint.into() }
    }

    fn bad_request(hint: String) -> Self {
        Self::hint(StatusCode::BAD_REQUEST, hint)
    }
}

impl IntoResponse for Refusal {
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
        // The official SDK appends `/renders` to its base URL, which ends in `/v1` unless a test cuts that off.
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
) -> Result<Response, Refusal> {
    creatomate.authorize(&headers)?;
    let renders = creatomate.submit(&body, Version::V1)?;
    Ok((StatusCode::ACCEPTED, Json(renders)).into_response())
}

async fn post_v2(
    State(creatomate): State<Arc<Creatomate>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    creatomate.authorize(&headers)?;
    let asked: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if asked.get("dry_run").is_some_and(|dry_run| dry_run == true) {
        let found = RenderRequest::parse(&body, Version::V2);
        let errors: Vec<String> = found.err().into_iter().collect();
        let answer = json!({ "valid": errors.is_empty(), "errors": errors, "warnings": [], "source": asked });
        return Ok(Json(answer).into_response());
    }
    let render = creatomate.submit(&body, Version::V2)?.pop();
    Ok((StatusCode::ACCEPTED, Json(render)).into_response())
}

async fn get_render(
    State(creatomate): State<Arc<Creatomate>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    creatomate.authorize(&headers)?;
    tokio::time::sleep(creatomate.slowness()?).await;
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
