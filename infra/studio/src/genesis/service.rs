//! The clipping worker itself: accepts submissions, works on jobs, and reports on them. It runs one external id as often
//! as it is submitted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use reelhook_faults::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::bounded_log::BoundedLog;
use crate::scenario::random;
use crate::video::{SECONDS, VideoMaker};

use super::counts::{Counts, Outcome};
use super::job::{Clip, Job, Stage};
use super::reports::ReportSender;
use super::request::Request;
use super::settings::{Loss, Reports, Settings, Submit};

/// A clip of 5 frames: what the fast mode makes.
const CLIP: &[u8] = include_bytes!("../../files/clip.mp4");
const CLIP_MS: u64 = 500;
/// The stages before the clips are rendered.
const STAGES: [(Stage, u8, &str); 3] = [
    (Stage::Transcribing, 15, "Transcribing audio..."),
    (Stage::Planning, 30, "Planning clips..."),
    (Stage::Detecting, 45, "Detecting layout..."),
];

/// Settings, and the counts since they were set.
#[derive(Default)]
struct Entry {
    settings: Arc<Settings>,
    posts: u64,
    failed_posts: u64,
    failed_gets: u64,
}

#[derive(Default)]
struct Book {
    /// Of single sources, and of all others.
    entries: BTreeMap<Option<String>, Entry>,
    jobs: BoundedLog<Job>,
    by_id: HashMap<String, Arc<Job>>,
    /// The newest job of each external id.
    by_external_id: HashMap<String, Arc<Job>>,
    /// Accepted jobs of each source.
    accepted: HashMap<String, u64>,
    counts: Counts,
}

impl Book {
    fn entry_for(&mut self, source: &str) -> &mut Entry {
        let own = Some(source.to_owned());
        let key = if self.entries.contains_key(&own) { own } else { None };
        self.entries.entry(key).or_default()
    }
}

/// The clipping worker.
pub(crate) struct Service {
    pub sender: ReportSender,
    video: VideoMaker,
    /// Default duration of a job.
    job_ms: u64,
    book: Mutex<Book>,
}

/// An error in FastAPI's form: `{"detail": …}`.
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub detail: Value,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "detail": self.detail }))).into_response()
    }
}

/// How a submission is answered.
enum Reply {
    Accepted(Arc<Job>),
    Lost(Arc<Job>, Loss),
    Refused(StatusCode),
    Dropped,
}

impl Service {
    pub(crate) fn new(sender: ReportSender, video: VideoMaker, job_ms: u64) -> Self {
        Self { sender, video, job_ms, book: Mutex::default() }
    }

    /// Replaces the settings of a source, or of all others.
    ///
    /// # Errors
    /// Names the unknown setting or the wrong value.
    pub(crate) fn set(&self, source: Option<String>, settings: Value) -> Result<(), String> {
        let settings = Arc::new(Settings::parse(settings)?);
        self.book().entries.insert(source, Entry { settings, ..Entry::default() });
        Ok(())
    }

    /// The settings of a source itself, or of all others.
    pub(crate) fn settings(&self, source: &Option<String>) -> Value {
        let settings = self.book().entries.get(source).map(|entry| entry.settings.clone());
        json!(*settings.unwrap_or_default())
    }

    /// What was submitted and cut.
    pub(crate) fn counts(&self, source: Option<&str>) -> Value {
        self.book().counts.report(source)
    }

    /// The jobs of a source, or all, the oldest first.
    pub(crate) fn jobs(&self, source: Option<&str>) -> Vec<Arc<Job>> {
        let book = self.book();
        let jobs = book.jobs.since(0).map(|(_, job)| job);
        jobs.filter(|job| source.is_none_or(|source| job.request.video_url == source)).cloned().collect()
    }

    /// The number of older jobs, which are in no list any more.
    pub(crate) fn forgotten(&self) -> u64 {
        self.book().jobs.forgotten()
    }

    /// A job by the worker's id, or the newest one with this external id.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Job>> {
        let book = self.book();
        book.by_id.get(id).or_else(|| book.by_external_id.get(id)).cloned()
    }

    /// Accepts, refuses or loses a submission.
    pub(crate) async fn submit(self: &Arc<Self>, request: Request, connection: Connection) -> Response {
        let (settings, reply) = self.decide(request);
        if let Reply::Accepted(job) | Reply::Lost(job, _) = &reply
            && !job.is_forgotten()
        {
            let work = self.clone().work(job.clone());
            if settings.report.early {
                work.await;
            } else {
                tokio::spawn(work);
            }
        }
        sleep(settings.submit.delay_ms).await;
        match reply {
            Reply::Accepted(job) => {
                let body = json!({ "job_id": job.id, "status": "pending", "message": "Job submitted successfully" });
                (StatusCode::ACCEPTED, Json(body)).into_response()
            }
            Reply::Lost(job, loss) => lost(&job, loss, connection).await,
            Reply::Refused(status) => refused(&settings.submit, status),
            Reply::Dropped => {
                connection.close();
                StatusCode::OK.into_response()
            }
        }
    }

    /// What the worker says about a job.
    ///
    /// # Errors
    /// There is no such job any more, or the settings make the read fail.
    pub(crate) async fn read(&self, id: &str) -> Result<Value, Refusal> {
        let job = self.find(id);
        let (settings, failure) = {
            let mut book = self.book();
            let entry = book.entry_for(job.as_ref().map_or("", |job| job.request.video_url.as_str()));
            let settings = entry.settings.clone();
            let fails = settings.read.times.is_none_or(|times| entry.failed_gets < times);
            let failure = settings.read.status.filter(|_| fails);
            entry.failed_gets += u64::from(failure.is_some());
            (settings, failure)
        };
        sleep(settings.read.delay_ms).await;
        if let Some(status) = failure.and_then(|status| StatusCode::from_u16(status).ok()) {
            return Err(Refusal { status, detail: json!("this failure is configured at /control") });
        }
        match job.filter(|job| !settings.read.forget && !job.is_forgotten()) {
            Some(job) => Ok(job.shown(&self.sender.base)),
            None => Err(unknown(id)),
        }
    }

    /// Cancels a job.
    ///
    /// # Errors
    /// There is no such job any more, it has ended, or the settings say so.
    pub(crate) fn cancel(&self, id: &str) -> Result<Value, Refusal> {
        let job = self.find(id);
        let source = job.as_ref().map_or("", |job| job.request.video_url.as_str());
        let settings = self.book().entry_for(source).settings.clone();
        if let Some(status) = settings.read.cancel_status.and_then(|status| StatusCode::from_u16(status).ok()) {
            return Err(Refusal { status, detail: json!("this failure is configured at /control") });
        }
        let job = job.filter(|job| !settings.read.forget && !job.is_forgotten()).ok_or_else(|| unknown(id))?;
        if job.cancel() {
            return Ok(json!({ "job_id": job.id, "status": "cancelled" }));
        }
        Err(Refusal { status: StatusCode::CONFLICT, detail: json!("the job has ended") })
    }

    /// A file of a job with its type.
    pub(crate) async fn file(&self, id: &str, name: &str) -> Option<(Vec<u8>, &'static str)> {
        let job = self.find(id)?;
        match name {
            "transcript.json" => return Some((br#"{"segments": []}"#.to_vec(), "application/json")),
            "plan.json" => return Some((br#"{"clips": []}"#.to_vec(), "application/json")),
            _ => {}
        }
        let index = name.strip_prefix("clip_")?.strip_suffix(".mp4")?.parse().ok()?;
        let bytes = match job.clip(index)?.file {
            None => CLIP.to_vec(),
            Some(file) => {
                let path = self.video.path_of(&file);
                tokio::task::spawn_blocking(move || std::fs::read(path)).await.ok()?.ok()?
            }
        };
        Some((bytes, "video/mp4"))
    }

    /// Sends the report about the present state of a job again, as `settings` say; a job that is not at its end is completed
    /// first if `finish`.
    ///
    /// # Errors
    /// A clip can't be made.
    pub(crate) async fn send_again(&self, job: &Job, settings: &Reports, finish: bool) -> Result<(), String> {
        if finish {
            for index in job.rendered()..job.total() {
                self.render(job, index).await?;
            }
            self.end(job, Ok(()));
        }
        self.sender.send_again(job, settings).await;
        Ok(())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(&self, request: Request) -> (Arc<Settings>, Reply) {
        let mut book = self.book();
        let entry = book.entry_for(&request.video_url);
        let settings = entry.settings.clone();
        let index = entry.posts;
        entry.posts += 1;
        let fault = next_fault(entry, index);
        let outcome = match fault {
            Some(Fault::Refuse(_)) => Outcome::Refused,
            Some(Fault::Drop) => Outcome::Dropped,
            Some(Fault::Lose(_)) => Outcome::Lost,
            None => Outcome::Accepted,
        };
        let (source, external_id) = (request.video_url.clone(), request.external_job_id.clone());
        book.counts.submitted(&source, external_id.as_deref(), outcome);
        let loss = match fault {
            Some(Fault::Refuse(status)) => return (settings, Reply::Refused(status)),
            Some(Fault::Drop) => return (settings, Reply::Dropped),
            Some(Fault::Lose(loss)) => Some(loss),
            None => None,
        };
        let number = book.accepted.entry(source).or_default();
        *number += 1;
        let job = Job::new(request, settings.clone(), *number, index);
        let (_, job) = book.jobs.push(0, job);
        book.by_id.insert(job.id.clone(), job.clone());
        book.by_external_id.extend(external_id.map(|id| (id, job.clone())));
        let reply = match loss {
            Some(loss) => Reply::Lost(job, loss),
            None => Reply::Accepted(job),
        };
        (settings, reply)
    }

    /// Works on a job to its end, and reports it.
    async fn work(self: Arc<Self>, job: Arc<Job>) {
        let made = tokio::select! {
            made = self.make(&job) => made,
            () = job.until_canceled() => return,
        };
        if self.end(&job, made) {
            self.sender.send(&job, job.event()).await;
        }
    }

    /// Ends a job; false if it has ended before.
    fn end(&self, job: &Job, made: Result<(), String>) -> bool {
        let is_cut = made.is_ok();
        let has_ended = job.end(made);
        if has_ended && is_cut {
            self.book().counts.cut(&job.request.video_url);
        }
        has_ended
    }

    async fn make(&self, job: &Arc<Job>) -> Result<(), String> {
        let settings = &job.settings;
        sleep(settings.job.queued_ms).await;
        // The three stages, each clip, and the upload take as long as each other.
        let pace = settings.job.ms.unwrap_or(self.job_ms) / (u64::from(job.total()) + 4);
        job.advance(Stage::Downloading, 5, "Downloading video...");
        self.sender.send(job, "job.started").await;
        if settings.job.fetch {
            let fetched = self.sender.caller.get(&job.request.video_url).await;
            fetched.map_err(|error| format!("Failed to download video: {error}"))?;
        }
        for (stage, progress, step) in STAGES {
            sleep(pace).await;
            job.advance(stage, progress, step);
            self.sender.send(job, "job.progress").await;
        }
        if job.number <= settings.job.fail_first {
            let default = || "Failed to download video: Video is unavailable".to_owned();
            return Err(settings.job.error.clone().unwrap_or_else(default));
        }
        for index in 0..job.total() {
            let (rendered, ()) = tokio::join!(self.render(job, index), sleep(pace));
            rendered?;
            self.sender.send(job, "job.progress").await;
        }
        job.advance(Stage::Uploading, 95, "Uploading clips...");
        sleep(pace).await;
        if settings.job.endless {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// Renders a clip and adds it to its job.
    async fn render(&self, job: &Job, index: u32) -> Result<(), String> {
        let (number, total) = (index + 1, job.total());
        let progress = u8::try_from(50 + 45 * index / total.max(1)).unwrap_or(95);
        job.advance(Stage::Rendering, progress, &format!("Rendering clip {number}/{total}..."));
        if job.settings.clip.fast {
            job.add(Clip { file: None, duration_ms: CLIP_MS });
            return Ok(());
        }
        let id = Uuid::new_v4().to_string();
        let made = self.video.make(&id, Some(&format!("Clip {number} of {total}"))).await;
        made.map_err(|error| format!("Failed to render clip {number}: {error:#}"))?;
        job.add(Clip { file: Some(format!("{id}.mp4")), duration_ms: (SECONDS * 1000.0) as u64 });
        Ok(())
    }
}

/// What the settings make of a submission.
#[derive(Clone, Copy)]
enum Fault {
    Refuse(StatusCode),
    /// The connection is closed before the submission is accepted.
    Drop,
    /// It is accepted, but its answer is lost.
    Lose(Loss),
}

/// What the settings make of the submission of this index.
fn next_fault(entry: &mut Entry, index: u64) -> Option<Fault> {
    let (seed, submit) = (entry.settings.seed, &entry.settings.submit);
    if submit.times.is_some_and(|times| entry.failed_posts >= times) {
        return None;
    }
    let [dropping, losing] = [0_u64, 1].map(|number| random(seed, index.wrapping_mul(2) + number) % 100);
    let fault = if let Some(status) = submit.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        Fault::Refuse(status)
    } else if dropping < submit.drop_percent {
        Fault::Drop
    } else if losing < submit.lose_percent {
        Fault::Lose(loss_of(submit.lose_with, index))
    } else {
        return None;
    };
    entry.failed_posts += 1;
    Some(fault)
}

fn loss_of(loss: Loss, index: u64) -> Loss {
    const EACH: [Loss; 5] = [Loss::Close, Loss::Error, Loss::Gateway, Loss::NoId, Loss::Garbage];
    match loss {
        Loss::Mixed => EACH[(index % 5) as usize],
        Loss::Close | Loss::Error | Loss::Gateway | Loss::Hang | Loss::NoId | Loss::Garbage => loss,
    }
}

fn refused(submit: &Submit, status: StatusCode) -> Response {
    let default = || json!(status.canonical_reason().unwrap_or("refused"));
    let detail = submit.detail.clone().unwrap_or_else(default);
    let mut response = Refusal { status, detail }.into_response();
    if let Some(seconds) = submit.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn lost(job: &Job, loss: Loss, connection: Connection) -> Response {
    match loss {
        Loss::Close | Loss::Mixed => connection.close(),
        Loss::Hang => std::future::pending().await,
        Loss::Error => return (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response(),
        Loss::Gateway => return (StatusCode::BAD_GATEWAY, "<html><h1>502 Bad Gateway</h1></html>").into_response(),
        Loss::NoId => return Json(json!({ "status": "pending" })).into_response(),
        // The beginning of the right answer.
        Loss::Garbage => return format!("{{\"job_id\": \"{}", &job.id[..8]).into_response(),
    }
    StatusCode::OK.into_response()
}

fn unknown(id: &str) -> Refusal {
    Refusal { status: StatusCode::NOT_FOUND, detail: json!(format!("Job {id} not found")) }
}

async fn sleep(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
