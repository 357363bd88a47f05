//! A task of a service: its state, and how its service shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::bounded_log::now_ms;
use crate::calls::CallOutcome;

use super::films::{Film, Films};
use super::request::{Request, Stage};
use super::settings::{Form, Settings};

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Queued,
    Processing,
    Completed,
    Failed,
    Cancelled,
}

/// A callback that was sent, and its outcome.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SentCallback {
    pub at_ms: u64,
    /// `right`, `progress`, or the name of a wrong one.
    pub kind: Value,
    pub body: Value,
    #[serde(flatten)]
    pub outcome: CallOutcome,
}

#[derive(Debug)]
struct State {
    status: Status,
    film: Option<Film>,
    error: Option<String>,
    ended_at_ms: Option<u64>,
    callbacks: Vec<SentCallback>,
}

/// One task.
pub(crate) struct Task {
    pub id: String,
    pub request: Request,
    pub settings: Arc<Settings>,
    /// Counts the tasks of its scene, or of its project's stitches, from 1.
    pub number: u64,
    /// Its index among the submissions since the settings were set, for what is random.
    pub index: u64,
    created_at_ms: u64,
    state: Mutex<State>,
    cancelled: watch::Sender<bool>,
}

impl Task {
    pub(crate) fn new(request: Request, settings: Arc<Settings>, number: u64, index: u64) -> Self {
        Self {
            id: format!("task_{}", Uuid::new_v4().simple()),
            request,
            settings,
            number,
            index,
            created_at_ms: now_ms(),
            state: Mutex::new(State {
                status: Status::Queued,
                film: None,
                error: None,
                ended_at_ms: None,
                callbacks: Vec::new(),
            }),
            cancelled: watch::Sender::new(false),
        }
    }

    pub(crate) fn status(&self) -> Status {
        self.state().status
    }

    pub(crate) fn begin(&self) {
        let mut state = self.state();
        if state.status == Status::Queued {
            state.status = Status::Processing;
        }
    }

    pub(crate) fn end(&self, made: Result<Film, String>) {
        let mut state = self.state();
        if state.status == Status::Cancelled {
            return;
        }
        state.ended_at_ms = Some(now_ms());
        match made {
            Ok(film) => {
                state.status = Status::Completed;
                state.film = Some(film);
            }
            Err(error) => {
                state.status = Status::Failed;
                state.error = Some(error);
            }
        }
    }

    /// Cancels the task; false if it has ended before.
    pub(crate) fn cancel(&self) -> bool {
        let mut state = self.state();
        match state.status {
            Status::Queued | Status::Processing => {
                state.status = Status::Cancelled;
                state.ended_at_ms = Some(now_ms());
                self.cancelled.send_replace(true);
                true
            }
            Status::Completed | Status::Failed | Status::Cancelled => false,
        }
    }

    /// Waits until the task is cancelled, perhaps for ever.
    pub(crate) async fn until_cancelled(&self) {
        let mut cancelled = self.cancelled.subscribe();
        // The sender lives as long as the task, so this cannot fail.
        let _ = cancelled.wait_for(|cancelled| *cancelled).await;
    }

    pub(crate) fn record(&self, callback: SentCallback) {
        self.state().callbacks.push(callback);
    }

    /// What the service says about the task, in a callback of this form or as its status.
    pub(crate) fn report(&self, form: Form, films: &Films) -> Value {
        let state = self.state();
        let mut report = Map::new();
        let mut put = |name: &str, value: Value| {
            report.insert(name.to_owned(), value);
        };
        put("task_id", json!(self.id));
        put("status", json!(self.status_word(state.status)));
        let expires = || Some(state.ended_at_ms?.saturating_add(self.settings.file.link_ms?));
        let url = |name: &String| films.url_of(name, expires());
        let ended_at = state.ended_at_ms.map(time);
        let film = state.film.as_ref().map(|film| (film, url(&film.name), film.thumbnail.as_ref().map(url)));
        let stage = self.request.stage();
        if form == Form::Flat {
            if stage != Stage::Stitch {
                put("scene_id", json!(self.request.ids.scene));
            }
            put("project_id", json!(self.request.ids.project));
            if let Some((film, url, thumbnail)) = &film {
                put(url_member(stage, form), json!(url));
                if stage != Stage::Frame {
                    put("thumbnail_url", json!(thumbnail));
                    put("duration", json!(film.shape.seconds));
                }
                match stage {
                    Stage::Video => put("fps", json!(film.shape.fps)),
                    Stage::Frame => put("format", json!("png")),
                    Stage::Stitch => {
                        put("file_size", json!(film.size));
                        put("format", json!("mp4"));
                        put("resolution", json!(resolution(film)));
                    }
                }
                if stage != Stage::Stitch {
                    put("width", json!(film.shape.width));
                    put("height", json!(film.shape.height));
                }
            }
            put("timestamp", json!(ended_at.unwrap_or_else(|| time(now_ms()))));
        } else if stage == Stage::Video {
            if let Some((film, url, thumbnail)) = &film {
                let mut result = Map::new();
                result.insert(url_member(stage, form).to_owned(), json!(url));
                result.insert("thumbnail_url".to_owned(), json!(thumbnail));
                result.insert("duration".to_owned(), json!(film.shape.seconds));
                result.insert("resolution".to_owned(), json!(resolution(film)));
                result.insert("fps".to_owned(), json!(film.shape.fps));
                if let Some(score) = &self.settings.file.quality_score {
                    result.insert("quality_score".to_owned(), json!(score));
                }
                put("result", Value::Object(result));
            }
            let failed = state.status == Status::Failed;
            if let Some(ended_at) = ended_at {
                put(if failed { "failed_at" } else { "completed_at" }, json!(ended_at));
                let seconds = state.ended_at_ms.unwrap_or_default().saturating_sub(self.created_at_ms) as f64 / 1000.0;
                put("processing_time", json!(seconds));
            }
            if failed {
                put("traceback", json!("Traceback (most recent call last):\n  File \"worker.py\", line 1"));
            }
        } else if let Some((_, url, _)) = &film {
            put(url_member(stage, form), json!(url));
        }
        if let (Form::Flat, Some(score)) = (form, &self.settings.file.quality_score) {
            put("quality_score", json!(score));
        }
        if let Some(error) = &state.error {
            put("error", json!(error));
        }
        put("metadata", self.request.metadata.clone());
        Value::Object(report)
    }

    /// The answer to a GET of the task's status, and its entry in a list.
    pub(crate) fn shown(&self, films: &Films) -> Value {
        let form = if self.request.seed { Form::Flat } else { Form::Nested };
        let mut report = self.report(form, films);
        report["created_at"] = json!(time(self.created_at_ms));
        report["progress"] = match self.status() {
            Status::Queued => json!(0),
            Status::Processing => json!(0.5),
            Status::Completed | Status::Failed | Status::Cancelled => json!(1),
        };
        if self.request.stage() == Stage::Video {
            report["task_type"] = json!("generate_video");
            report["project_id"] = json!(self.request.ids.project);
            report["task_data"] = json!({ "scene_id": self.request.ids.scene });
        }
        report
    }

    /// For tests: all about the task, with the URL of its callbacks, which may contain a token.
    pub(crate) fn summary(&self, films: &Films) -> Value {
        json!({
            "task_id": self.id,
            "project": self.request.ids.project,
            "scene": self.request.ids.scene,
            "number": self.number,
            "submission": self.request.key,
            "callback_url": self.request.callback_url,
            "shown": self.shown(films),
            "callbacks": self.state().callbacks,
        })
    }

    fn status_word(&self, status: Status) -> &'static str {
        match status {
            // The service for frames and stitches has its own word.
            Status::Queued if self.request.stage() == Stage::Video => "queued",
            Status::Queued => "pending",
            Status::Processing => "processing",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The member with the URL of what a task made.
pub(crate) fn url_member(stage: Stage, form: Form) -> &'static str {
    match (stage, form) {
        (Stage::Video, Form::Nested | Form::Flat) => "video_url",
        (Stage::Video, Form::Media) => "media_url",
        (Stage::Frame, Form::Flat) => "last_frame_url",
        (Stage::Frame, Form::Nested | Form::Media) => "image_url",
        (Stage::Stitch, Form::Flat) => "final_video_url",
        (Stage::Stitch, Form::Nested | Form::Media) => "video_result_url",
    }
}

fn resolution(film: &Film) -> String {
    format!("{}x{}", film.shape.width, film.shape.height)
}

/// A time in ISO 8601.
fn time(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.unwrap_or_default().to_string()
}
