//! A service that makes something: accepts and bills submissions, works on their tasks, and sends callbacks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use reelhook_faults::Connection;
use serde_json::{Value, json};

use crate::bounded_log::BoundedLog;
use crate::responses::Problem;
use crate::scenario::random;

use super::bill::{Bill, Outcome};
use super::callbacks::CallbackSender;
use super::films::{Film, Films};
use super::label::Label;
use super::request::{Request, Stage, Work};
use super::scopes::{Entry, Scope, Scopes};
use super::settings::{Callback, Loss, RetryPlace, Settings, Submit};
use super::task::Task;

/// Maximum of videos in a stitch, as at the real service.
const MAX_VIDEOS: usize = 10;

#[derive(Default)]
struct Book {
    scopes: Scopes<Settings>,
    tasks: BoundedLog<Task>,
    by_id: HashMap<String, Arc<Task>>,
    by_key: HashMap<String, Arc<Task>>,
    /// Accepted tasks of each scene, or of each project's stitches.
    accepted: HashMap<Scope, u64>,
    bill: Bill,
}

/// One service: for videos, for last frames, or for stitches.
pub(crate) struct Service {
    pub films: Arc<Films>,
    sender: CallbackSender,
    /// Default duration of a task.
    task_ms: u64,
    book: Mutex<Book>,
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

/// How a submission is answered.
enum Reply {
    Accepted(Arc<Task>),
    /// The answer to an earlier submission with the same key.
    Repeated(Arc<Task>),
    Refused(Arc<Settings>, StatusCode),
    Lost(Arc<Task>, Loss),
    Dropped,
}

impl Service {
    pub(crate) fn new(films: Arc<Films>, sender: CallbackSender, task_ms: u64) -> Self {
        Self { films, sender, task_ms, book: Mutex::default() }
    }

    /// Replaces the settings of a scope.
    ///
    /// # Errors
    /// Names the unknown setting or the wrong value.
    pub(crate) fn set(&self, scope: Scope, settings: Value) -> Result<(), String> {
        let settings = Settings::parse(settings)?;
        self.book().scopes.set(scope, settings);
        Ok(())
    }

    /// The settings of a scope itself.
    pub(crate) fn settings(&self, scope: &Scope) -> Value {
        self.book().scopes.shown(scope)
    }

    /// The settings that apply to a task.
    pub(crate) fn settings_for(&self, ids: &Scope) -> Arc<Settings> {
        self.book().scopes.entry_for(ids).settings.clone()
    }

    /// What was billed in a scope.
    pub(crate) fn billed(&self, scope: &Scope) -> Value {
        self.book().bill.report(scope)
    }

    /// The tasks in a scope, the oldest first.
    pub(crate) fn tasks(&self, scope: &Scope) -> Vec<Arc<Task>> {
        let book = self.book();
        let tasks = book.tasks.since(0).map(|(_, task)| task);
        tasks.filter(|task| scope.contains(&task.request.ids)).cloned().collect()
    }

    /// The number of older tasks, which are in no list any more.
    pub(crate) fn forgotten(&self) -> u64 {
        self.book().tasks.forgotten()
    }

    /// A task, whether or not the service says that it has forgotten it.
    pub(crate) fn task(&self, id: &str) -> Option<Arc<Task>> {
        self.book().by_id.get(id).cloned()
    }

    /// Accepts, refuses or loses a submission.
    ///
    /// # Errors
    /// There are more videos than the service joins.
    pub(crate) async fn submit(
        self: &Arc<Self>,
        mut request: Request,
        connection: Connection,
    ) -> Result<Response, Problem> {
        let (sources, stage) = (self.fetch_sources(&request.work).await, request.stage());
        if let Some(label) = sources.as_ref().ok().and_then(|sources| Label::read(sources.first()?)) {
            let Scope { project, scene } = request.ids;
            // A stitch is of a project, not of its first scene.
            let of_label = label.scene.filter(|_| stage != Stage::Stitch);
            request.ids = Scope { project: project.or(label.project), scene: scene.or(of_label) };
        }
        let reply = self.decide(request)?;
        let settings = match &reply {
            Reply::Accepted(task) | Reply::Repeated(task) | Reply::Lost(task, _) => task.settings.clone(),
            Reply::Refused(settings, _) => settings.clone(),
            Reply::Dropped => Arc::default(),
        };
        if let Reply::Accepted(task) | Reply::Lost(task, _) = &reply {
            let work = self.clone().work(task.clone(), sources);
            if settings.callback.early {
                work.await;
            } else {
                tokio::spawn(work);
            }
        }
        tokio::time::sleep(Duration::from_millis(settings.submit.delay_ms)).await;
        Ok(match reply {
            Reply::Accepted(task) | Reply::Repeated(task) => accepted(&task),
            Reply::Refused(settings, status) => refused(&settings.submit, status),
            Reply::Lost(task, loss) => lost(&task, loss, connection).await,
            Reply::Dropped => {
                connection.close();
                StatusCode::OK.into_response()
            }
        })
    }

    /// Counts a GET of a status or a list.
    ///
    /// # Errors
    /// The GET fails because of the settings.
    pub(crate) async fn check_get(&self, ids: &Scope) -> Result<Arc<Settings>, Problem> {
        let (settings, failure) = {
            let mut book = self.book();
            let entry = book.scopes.entry_for(ids);
            let settings = entry.settings.clone();
            let fails = settings.status.times.is_none_or(|times| entry.failed_gets < times);
            let failure = settings.status.status.filter(|_| fails);
            entry.failed_gets += u64::from(failure.is_some());
            (settings, failure)
        };
        tokio::time::sleep(Duration::from_millis(settings.status.delay_ms)).await;
        match failure.and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) => Err(Problem { status, message: "this failure is configured at /control".to_owned() }),
            None => Ok(settings),
        }
    }

    /// Sends the callback about the present state of a task again, as `settings` say.
    pub(crate) async fn send_again(&self, task: &Task, settings: &Callback) {
        self.sender.send_end(task, settings, &self.films).await;
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The videos that a submission is about.
    async fn fetch_sources(&self, work: &Work) -> Result<Vec<Bytes>, String> {
        let urls: &[String] = match work {
            Work::Video(_) => &[],
            Work::Frame(url) => std::slice::from_ref(url),
            Work::Stitch(urls) => urls.as_slice(),
        };
        let mut sources = Vec::new();
        // More than any setting allows are not needed: such a stitch is refused.
        for url in urls.iter().take(64) {
            sources.push(self.films.fetch(url).await.map_err(|error| format!("fetch the video: {error}"))?);
        }
        Ok(sources)
    }

    fn decide(&self, request: Request) -> Result<Reply, Problem> {
        let mut book = self.book();
        let Book { scopes, tasks, by_id, by_key, accepted, bill } = &mut *book;
        let entry = scopes.entry_for(&request.ids);
        let settings = entry.settings.clone();
        let submit = &settings.submit;
        let (ids, seconds) = (request.ids.clone(), request.seconds());
        let key = request.key.clone();
        let mut note = |outcome| bill.add(&ids, key.as_deref(), seconds, outcome);

        if let Work::Stitch(urls) = &request.work {
            let most = submit.max_videos.unwrap_or(MAX_VIDEOS);
            if urls.len() > most {
                note(Outcome::Refused);
                let message = format!("video_urls must have at most {most} entries (got {})", urls.len());
                return Err(Problem::bad_request(message));
            }
        }
        let index = entry.posts;
        entry.posts += 1;
        let fault = next_fault(entry, index);
        match fault {
            Some(Fault::Refuse(status)) => {
                note(Outcome::Refused);
                return Ok(Reply::Refused(settings, status));
            }
            Some(Fault::Drop) => {
                note(Outcome::Dropped);
                return Ok(Reply::Dropped);
            }
            Some(Fault::Lose(_)) | None => {}
        }
        let known = key.as_ref().filter(|_| submit.idempotent).and_then(|key| by_key.get(key));
        if let Some(task) = known {
            note(Outcome::Repeated);
            return Ok(Reply::Repeated(task.clone()));
        }
        note(if fault.is_some() { Outcome::Lost } else { Outcome::Accepted });
        let number = accepted.entry(ids.clone()).or_default();
        *number += 1;
        let (_, task) = tasks.push(0, Task::new(request, settings.clone(), *number, index));
        by_id.insert(task.id.clone(), task.clone());
        by_key.extend(key.map(|key| (key, task.clone())));
        Ok(match fault {
            Some(Fault::Lose(loss)) => Reply::Lost(task, loss),
            Some(Fault::Refuse(_) | Fault::Drop) | None => Reply::Accepted(task),
        })
    }

    /// Works on a task to its end, and sends its callbacks.
    async fn work(self: Arc<Self>, task: Arc<Task>, sources: Result<Vec<Bytes>, String>) {
        let settings = task.settings.clone();
        let made = tokio::select! {
            made = self.make(&task, sources) => made,
            () = task.until_cancelled() => return,
        };
        task.end(made);
        self.sender.send_end(&task, &settings.callback, &self.films).await;
    }

    async fn make(&self, task: &Arc<Task>, sources: Result<Vec<Bytes>, String>) -> Result<Film, String> {
        let settings = &task.settings;
        let half = Duration::from_millis(settings.task.ms.unwrap_or(self.task_ms) / 2);
        let pace = async {
            task.begin();
            tokio::time::sleep(half).await;
            if settings.callback.progress && !settings.callback.silent {
                self.sender.send_progress(task, &settings.callback, &self.films).await;
            }
            tokio::time::sleep(half).await;
            if settings.task.endless {
                std::future::pending::<()>().await;
            }
        };
        let (made, ()) = tokio::join!(self.make_file(task, sources), pace);
        made
    }

    async fn make_file(&self, task: &Task, sources: Result<Vec<Bytes>, String>) -> Result<Film, String> {
        let settings = &task.settings;
        // Another sequence than for what happens to the submission.
        let fails = random(!settings.seed, task.index) % 100 < settings.task.fail_percent;
        if task.number <= settings.task.fail_first || fails {
            let default = || "the model ran out of memory".to_owned();
            return Err(settings.task.error.clone().unwrap_or_else(default));
        }
        let mut sources = sources?;
        let Scope { project, scene } = task.request.ids.clone();
        let label = Label { project, scene };
        let made = match &task.request.work {
            Work::Video(clip) => {
                let clip = clip.with(&settings.file);
                self.films.clip(&clip, &settings.file, &label, look_of(&label, task.number)).await
            }
            Work::Frame(_) => {
                let source = sources.pop().ok_or("there is no video")?;
                self.films.last_frame(source, &settings.file).await
            }
            Work::Stitch(_) => self.films.join(sources, &settings.file, &label).await,
        };
        made.map_err(|error| format!("{error:#}"))
    }
}

/// What the settings make of the submission of this index.
fn next_fault(entry: &mut Entry<Settings>, index: u64) -> Option<Fault> {
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
    const EACH: [Loss; 4] = [Loss::Close, Loss::Error, Loss::NoId, Loss::Garbage];
    match loss {
        Loss::Mixed => EACH[(index % 4) as usize],
        Loss::Close | Loss::Error | Loss::Hang | Loss::NoId | Loss::Garbage => loss,
    }
}

/// A number that differs between scenes and their attempts, for colours.
fn look_of(label: &Label, number: u64) -> u64 {
    let text = [label.project.as_deref(), label.scene.as_deref()].map(Option::unwrap_or_default).concat();
    text.bytes().fold(number, |look, byte| random(look, u64::from(byte)))
}

fn accepted(task: &Task) -> Response {
    let status = if task.request.stage() == Stage::Video { "queued" } else { "pending" };
    let mut body = json!({ "task_id": task.id, "status": status });
    if task.settings.submit.status_url {
        body["status_url"] = json!(format!("/state/{}", task.id));
    }
    Json(body).into_response()
}

fn refused(submit: &Submit, status: StatusCode) -> Response {
    let mut body = json!({ "error": status.canonical_reason().unwrap_or("refused") });
    let Some(seconds) = submit.retry_after else {
        return (status, Json(body)).into_response();
    };
    if submit.retry_in != Some(RetryPlace::Header) {
        body["retry_after"] = json!(seconds);
    }
    let mut response = (status, Json(body)).into_response();
    if submit.retry_in != Some(RetryPlace::Body) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn lost(task: &Task, loss: Loss, connection: Connection) -> Response {
    match loss {
        Loss::Close | Loss::Mixed => connection.close(),
        Loss::Hang => std::future::pending().await,
        Loss::Error => {
            let body = json!({ "error": "internal error" });
            return (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response();
        }
        Loss::NoId => return Json(json!({ "status": "queued" })).into_response(),
        // The beginning of the right answer.
        Loss::Garbage => return format!("{{\"task_id\": \"{}", &task.id[..8]).into_response(),
    }
    StatusCode::OK.into_response()
}
