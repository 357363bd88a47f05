//! A job of the clipping worker: its state, and what the worker says about it, in reports and when it is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::bounded_log::now_ms;
use crate::calls::CallOutcome;

use super::request::Request;
use super::settings::{Naming, Settings};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Pending,
    Downloading,
    Transcribing,
    Planning,
    Detecting,
    Rendering,
    Uploading,
    Completed,
    Failed,
    Canceled,
}

impl Stage {
    /// The worker's own word, which it answers to GETs.
    fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Downloading => "downloading",
            Self::Transcribing => "transcribing",
            Self::Planning => "planning",
            Self::Detecting => "detecting",
            Self::Rendering => "rendering",
            Self::Uploading => "uploading",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Canceled => "cancelled",
        }
    }

    /// The status in reports.
    fn status(self) -> &'static str {
        match self {
            Self::Pending => "queued",
            Self::Downloading
            | Self::Transcribing
            | Self::Planning
            | Self::Detecting
            | Self::Rendering
            | Self::Uploading => "running",
            Self::Completed => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "cancelled",
        }
    }

    fn is_end(self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Canceled => true,
            Self::Pending
            | Self::Downloading
            | Self::Transcribing
            | Self::Planning
            | Self::Detecting
            | Self::Rendering
            | Self::Uploading => false,
        }
    }
}

/// A clip that is finished.
#[derive(Clone, Debug)]
pub(crate) struct Clip {
    /// The file in the directory of videos; none for the prepared one.
    pub file: Option<String>,
    pub duration_ms: u64,
}

/// A report that was sent, and its outcome.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SentReport {
    pub at_ms: u64,
    /// The event, or the name of a wrong report.
    pub kind: Value,
    pub body: Value,
    #[serde(flatten)]
    pub outcome: CallOutcome,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    progress: u8,
    step: String,
    clips: Vec<Clip>,
    error: Option<String>,
    ended_at_ms: Option<u64>,
    reports: Vec<SentReport>,
}

/// One job.
pub(crate) struct Job {
    pub id: String,
    pub request: Request,
    pub settings: Arc<Settings>,
    /// Counts the jobs of its source, from 1.
    pub number: u64,
    /// Its index among the submissions since the settings were set, for what is random.
    pub index: u64,
    created_at_ms: u64,
    state: Mutex<State>,
    canceled: watch::Sender<bool>,
}

impl Job {
    pub(crate) fn new(request: Request, settings: Arc<Settings>, number: u64, index: u64) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            request,
            settings,
            number,
            index,
            created_at_ms: now_ms(),
            state: Mutex::new(State {
                stage: Stage::Pending,
                progress: 0,
                step: "Waiting in queue...".to_owned(),
                clips: Vec::new(),
                error: None,
                ended_at_ms: None,
                reports: Vec::new(),
            }),
            canceled: watch::Sender::new(false),
        }
    }

    /// Whether the worker has lost it, as by a restart.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.number <= self.settings.job.forget_first
    }

    /// The clips that it has at its end.
    pub(crate) fn total(&self) -> u32 {
        self.settings.clip.count.unwrap_or(self.request.max_clips)
    }

    /// Goes on, unless it has ended.
    pub(crate) fn advance(&self, stage: Stage, progress: u8, step: &str) {
        let mut state = self.state();
        if !state.stage.is_end() {
            state.stage = stage;
            state.progress = progress;
            step.clone_into(&mut state.step);
        }
    }

    pub(crate) fn add(&self, clip: Clip) {
        self.state().clips.push(clip);
    }

    /// Ends; false if it has ended before.
    pub(crate) fn end(&self, result: Result<(), String>) -> bool {
        let mut state = self.state();
        if state.stage.is_end() {
            return false;
        }
        state.ended_at_ms = Some(now_ms());
        match result {
            Ok(()) => {
                (state.stage, state.progress) = (Stage::Completed, 100);
                "Processing complete!".clone_into(&mut state.step);
            }
            Err(error) => {
                state.stage = Stage::Failed;
                "Processing failed".clone_into(&mut state.step);
                if self.settings.report.zero_progress {
                    state.progress = 0;
                }
                state.error = Some(error);
            }
        }
        true
    }

    /// Cancels the job; false if it has ended before.
    pub(crate) fn cancel(&self) -> bool {
        let mut state = self.state();
        if state.stage.is_end() {
            return false;
        }
        (state.stage, state.ended_at_ms) = (Stage::Canceled, Some(now_ms()));
        self.canceled.send_replace(true);
        true
    }

    /// Waits until the job is canceled, perhaps for ever.
    pub(crate) async fn until_canceled(&self) {
        let mut canceled = self.canceled.subscribe();
        // The sender lives as long as the job, so this cannot fail.
        let _ = canceled.wait_for(|canceled| *canceled).await;
    }

    pub(crate) fn record(&self, report: SentReport) {
        self.state().reports.push(report);
    }

    /// The number of its clips so far.
    pub(crate) fn rendered(&self) -> u32 {
        u32::try_from(self.state().clips.len()).unwrap_or(u32::MAX)
    }

    /// The file of a clip, if there is such a clip.
    pub(crate) fn clip(&self, index: usize) -> Option<Clip> {
        self.state().clips.get(index).cloned()
    }

    /// The event of its present state.
    pub(crate) fn event(&self) -> &'static str {
        match self.state().stage {
            Stage::Pending | Stage::Downloading => "job.started",
            Stage::Transcribing | Stage::Planning | Stage::Detecting | Stage::Rendering | Stage::Uploading => {
                "job.progress"
            }
            Stage::Completed => "job.completed",
            Stage::Failed | Stage::Canceled => "job.failed",
        }
    }

    /// The report of an event about its present state, as seed 004 describes it: empty optional members are left out.
    pub(crate) fn report(&self, event: &str, base: &str) -> Value {
        let state = self.state();
        let settings = &self.settings.report;
        let mut report = Map::new();
        let mut put = |name: &str, value: Value| {
            if settings.nulls || !value.is_null() {
                report.insert(name.to_owned(), value);
            }
        };
        put("event", json!(event));
        put("timestamp", json!(time(now_ms())));
        put("job_id", json!(self.id));
        put("external_job_id", json!(self.request.external_job_id.as_ref().filter(|_| !settings.no_external_id)));
        put("owner_user_id", json!(self.request.owner_user_id));
        put("status", json!(state.stage.status()));
        put("progress_percent", json!(state.progress));
        put("current_step", json!(state.step));
        let counts = state.stage == Stage::Completed || !state.clips.is_empty();
        put("clips_completed", json!(counts.then_some(state.clips.len())));
        put("total_clips", json!(counts.then(|| self.total())));
        put("error", json!(state.error));
        let shows_clips = state.stage == Stage::Completed || (settings.clips && !state.clips.is_empty());
        put("output", if shows_clips { self.output(&state, base) } else { Value::Null });
        Value::Object(report)
    }

    /// The answer to a GET: the state in the worker's own words.
    pub(crate) fn shown(&self, base: &str) -> Value {
        let state = self.state();
        let output = (state.stage == Stage::Completed).then(|| self.output(&state, base));
        json!({
            "job_id": self.id,
            "external_job_id": self.request.external_job_id,
            "status": state.stage.word(),
            "progress_percent": state.progress,
            "current_step": state.step,
            "clips_completed": state.clips.len(),
            "total_clips": self.total(),
            "error": state.error,
            "output": output,
            "created_at": time(self.created_at_ms),
        })
    }

    /// For tests: all about the job, with the URL of its reports, which may contain a token.
    pub(crate) fn summary(&self, base: &str) -> Value {
        json!({
            "job_id": self.id,
            "external_job_id": self.request.external_job_id,
            "source": self.request.video_url,
            "number": self.number,
            "request": self.request.body,
            "shown": self.shown(base),
            "reports": self.state().reports,
        })
    }

    fn output(&self, state: &State, base: &str) -> Value {
        let file = |name: &str| self.named(name, base);
        let clips: Vec<Value> = (0_u32..)
            .zip(&state.clips)
            .map(|(index, clip)| {
                without_nulls(json!({
                    "clip_index": index,
                    "s3_url": file(&format!("clip_{index:02}.mp4")),
                    "duration_ms": clip.duration_ms,
                    "virality_score": f64::from(100 - 7 * index.min(13)) / 100.0,
                    "summary": format!("Key insight {}", index + 1),
                    "start_time_seconds": index * 10,
                    "end_time_seconds": f64::from(index * 10) + clip.duration_ms as f64 / 1000.0,
                }))
            })
            .collect();
        let documents = !self.settings.clip.no_documents && state.stage == Stage::Completed;
        let took_ms = state.ended_at_ms.unwrap_or_default().saturating_sub(self.created_at_ms);
        without_nulls(json!({
            "total_clips": state.clips.len(),
            "source_video_title": "My Amazing Video",
            "source_video_duration_seconds": self.settings.job.source_seconds,
            "processing_time_seconds": took_ms as f64 / 1000.0,
            "clips": clips,
            "transcript_url": documents.then(|| file("transcript.json")).flatten(),
            "plan_url": documents.then(|| file("plan.json")).flatten(),
        }))
    }

    /// How a report names a file.
    fn named(&self, name: &str, base: &str) -> Option<String> {
        let id = &self.id;
        match self.settings.clip.named {
            Naming::Path => Some(format!("/app/output/{id}/{name}")),
            Naming::Outputs => Some(format!("/outputs/{id}/{name}")),
            Naming::Url => Some(format!("{base}/outputs/{id}/{name}")),
            Naming::Escape => Some(format!("/outputs/../../etc/{name}")),
            Naming::S3 => Some(format!("s3://another-bucket/clips/{name}")),
            Naming::Missing => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn without_nulls(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    object
}

/// A time with an offset, as Python's `isoformat` writes it.
fn time(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    format!("{}+00:00", time.unwrap_or_default().to_string().trim_end_matches('Z'))
}
