//! Render callbacks from Creatomate, and asking Creatomate itself (contract.md, Renders; facts.md, Creatomate).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_domain::{
    Event, Ignored, Job, JobId, Policy, RenderId, RenderState, RenderStatus, Service, Timestamp, brief, cut,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::change::{ChangeError, Changed, change, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::store::JobStore;
use crate::outbound::{HttpSender, Method, OutboundError, OutboundRequest};
use crate::outbox::messages::{Delayed, Hints, WorkMessage, send_all};
use crate::store::StoreError;
use crate::web_url::WebUrl;

/// The whole of one question to Creatomate.
const CHECK_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of Creatomate's answer that are read.
const CHECK_LIMIT: usize = 256 * 1024;
/// Bytes of a render's status.
const STATUS_LIMIT: usize = 64;
/// Bytes of a render's error.
const ERROR_LIMIT: usize = 4096;

/// Callbacks and hints about renders that are not jobs.
#[async_trait]
pub trait RenderStore: Send + Sync {
    /// Jobs that recorded this render id; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn jobs_of(&self, render: &RenderId) -> Result<Vec<JobId>, StoreError>;

    /// Parks a callback for an hour, until a job knows the service's task; a final callback is not replaced by one that
    /// is not final.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn park(
        &self,
        service: Service,
        task: &RenderId,
        callback: &Callback,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The callback that is parked for a service's task.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn parked(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<Option<Callback>, StoreError>;

    /// Takes the right to check a service's task out of turn; it is granted once in 10 s.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn may_hint(&self, service: Service, task: &RenderId, now: Timestamp) -> Result<bool, StoreError>;
}

/// What Creatomate says of a render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Its word.
    pub status: String,
    /// The video; only valid on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run that vouched for it, and to which alone it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// One attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The job.
    pub job_id: JobId,
    /// Its attempt.
    pub attempt: u32,
}

impl Callback {
    /// Reads a render object; `error` and `error_message` both count, a URL must be http or https. Longer texts than are kept
    /// are cut.
    pub fn read(render: &Value) -> Option<Self> {
        let text = |name: &str| render[name].as_str().filter(|text| !text.is_empty());
        let url = text("url").and_then(WebUrl::parse).map(String::from);
        let error = text("error_message").or_else(|| text("error")).map(|error| cut(error, ERROR_LIMIT).to_owned());
        Some(Self { status: cut(text("status")?, STATUS_LIMIT).to_owned(), url, error, run: None })
    }

    /// Whether it tells of an end.
    pub fn is_final(&self) -> bool {
        matches!(self.state().status, RenderStatus::Succeeded | RenderStatus::Failed)
    }

    /// In the domain's words.
    pub fn state(&self) -> RenderState {
        let status = match self.status.as_str() {
            "planned" => RenderStatus::Planned,
            "waiting" => RenderStatus::Waiting,
            "transcribing" => RenderStatus::Transcribing,
            "rendering" => RenderStatus::Rendering,
            "succeeded" => RenderStatus::Succeeded,
            "failed" | "cancelled" => RenderStatus::Failed,
            other => RenderStatus::Other(other.to_owned()),
        };
        RenderState { status, url: self.url.clone(), error: self.error.clone() }
    }
}

/// On whose word a callback comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackAuth {
    /// The token of a job's run.
    Run(JobId, u32),
    /// The operator's token, from a project-level hook.
    Operator,
    /// Nobody's: it is only a hint.
    Anonymous,
}

/// What a callback came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// It reached this job (the first of several).
    Reached(Box<Job>),
    /// It belongs to an older run.
    Stale(Box<Job>),
    /// The callback was not authenticated. If a job waits for the render, which the answer does not reveal, a check was
    /// queued now or shortly before.
    Hinted(Option<JobId>),
    /// The callback was authenticated, and no job has the render; the callback was stored.
    Unknown,
}

impl Received {
    /// The job that it is about, where one is known.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Reached(job) | Self::Stale(job) => Some(&job.id),
            Self::Hinted(job_id) => job_id.as_ref(),
            Self::Unknown => None,
        }
    }

    /// In a word, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reached(_) => "reached",
            Self::Stale(_) => "stale",
            Self::Hinted(_) => "hinted",
            Self::Unknown => "unknown",
        }
    }
}

/// What the render callbacks need.
pub struct RenderPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Renders.
    pub renders: &'a dyn RenderStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// Whether Creatomate can be asked.
    pub confirmable: bool,
}

/// Takes a callback; `work` is the Work queue, for calls that are only hints.
///
/// # Errors
/// [`ChangeError`].
pub async fn receive(
    ports: &RenderPorts<'_>,
    work: &dyn Hints<WorkMessage>,
    voucher: &CallbackAuth,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    match voucher {
        CallbackAuth::Run(job_id, attempt) => receive_for_run(ports, job_id, *attempt, render, callback).await,
        CallbackAuth::Operator => {
            let mut reached = apply_to_all(ports, render, callback).await?;
            if reached.is_none() {
                ports.renders.park(Service::Creatomate, render, callback, ports.clock.now()).await?;
                // A job may have recorded the id in between.
                reached = apply_to_all(ports, render, callback).await?;
            }
            Ok(reached.map_or(Received::Unknown, |job| Received::Reached(Box::new(job))))
        }
        CallbackAuth::Anonymous => Ok(Received::Hinted(hint_if_allowed(ports, work, render).await)),
    }
}

async fn receive_for_run(
    ports: &RenderPorts<'_>,
    job_id: &JobId,
    attempt: u32,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    let Some(job) = ports.jobs.load(job_id).await? else { return Ok(Received::Unknown) };
    if job.run.attempt != attempt {
        return Ok(Received::Stale(Box::new(job)));
    }
    if job.render_id() == Some(render) {
        return apply(ports, job, render, callback).await;
    }
    // The run has not told of this render yet.
    let own = Callback { run: Some(Run { job_id: job_id.clone(), attempt }), ..callback.clone() };
    ports.renders.park(Service::Creatomate, render, &own, ports.clock.now()).await?;
    // It may have done so in between.
    match ports.jobs.load(job_id).await? {
        Some(job) if job.render_id() == Some(render) => apply(ports, job, render, callback).await,
        Some(job) => Ok(Received::Reached(Box::new(job))),
        None => Ok(Received::Unknown),
    }
}

async fn apply(
    ports: &RenderPorts<'_>,
    job: Job,
    render: &RenderId,
    callback: &Callback,
) -> Result<Received, ChangeError> {
    let event =
        Event::RenderReported { render: render.clone(), state: callback.state(), confirmable: ports.confirmable };
    Ok(match change_loaded(ports.jobs, ports.clock, ports.policy, job, &event).await? {
        Changed::Ignored(Ignored::OtherRender, _) | Changed::NotFound => Received::Unknown,
        Changed::Applied(job) | Changed::Ignored(_, job) | Changed::Rejected(_, job) => Received::Reached(job),
    })
}

async fn apply_to_all(
    ports: &RenderPorts<'_>,
    render: &RenderId,
    callback: &Callback,
) -> Result<Option<Job>, ChangeError> {
    let mut first = None;
    for id in ports.renders.jobs_of(render).await? {
        let Some(job) = ports.jobs.load(&id).await? else { continue };
        if let Received::Reached(job) = apply(ports, job, render, callback).await? {
            first.get_or_insert(*job);
        }
    }
    Ok(first)
}

/// [`hint`], whose failure would reveal that a job waits for the render; the scheduled check runs in any case.
async fn hint_if_allowed(ports: &RenderPorts<'_>, work: &dyn Hints<WorkMessage>, render: &RenderId) -> Option<JobId> {
    match hint(ports, work, render).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(render_id = %render, %error, "failed to send a hint about a render");
            None
        }
    }
}

/// An unauthenticated callback about a render: its body is not trusted, Creatomate is asked. The first job that waits
/// for it.
async fn hint(
    ports: &RenderPorts<'_>,
    work: &dyn Hints<WorkMessage>,
    render: &RenderId,
) -> Result<Option<JobId>, StoreError> {
    let mut known = Vec::new();
    for id in ports.renders.jobs_of(render).await? {
        let Some(job) = ports.jobs.load(&id).await? else { continue };
        if job.deleted_at.is_none() && (!job.status.is_final() || job.run.render_timed_out()) {
            known.push(id);
        }
    }
    let Some(first) = known.first().cloned() else { return Ok(None) };
    if ports.renders.may_hint(Service::Creatomate, render, ports.clock.now()).await? {
        let check = |job_id| Delayed::now(WorkMessage::CheckRender { job_id, render: render.clone(), check: 0 });
        send_all(work, known.into_iter().map(check).collect()).await?;
    }
    Ok(Some(first))
}

/// Applies a callback that came before its job knew the render.
///
/// # Errors
/// [`ChangeError`].
pub async fn apply_parked(ports: &RenderPorts<'_>, job_id: &JobId, render: &RenderId) -> Result<(), ChangeError> {
    let Some(callback) = ports.renders.parked(Service::Creatomate, render, ports.clock.now()).await? else {
        return Ok(());
    };
    let Some(job) = ports.jobs.load(job_id).await? else { return Ok(()) };
    if callback.run.as_ref().is_some_and(|run| run.job_id != *job_id || run.attempt != job.run.attempt) {
        return Ok(());
    }
    apply(ports, job, render, &callback).await?;
    let status = brief(&callback.status);
    tracing::info!(job_id = %job_id, render_id = %render, status, "applied an early render callback");
    Ok(())
}

/// How to ask Creatomate.
pub struct Creatomate {
    /// `https://api.creatomate.com`, or a stand-in's.
    pub base: Url,
    /// CREATOMATE_API_KEY.
    pub key: Option<SecretString>,
}

impl Creatomate {
    /// A place of its API. Each segment is percent-encoded; `.` and `..` would lead elsewhere, and no id is one of them.
    pub(crate) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

/// Asks Creatomate how a render stands and lets the job know; an answer that tells nothing counts as none.
///
/// # Errors
/// [`ChangeError`].
pub async fn check_render(
    ports: &RenderPorts<'_>,
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    job_id: &JobId,
    render: &RenderId,
    check: u8,
) -> Result<Changed, ChangeError> {
    // The message that should have applied it may be lost.
    apply_parked(ports, job_id, render).await?;
    let state = match &creatomate.key {
        Some(key) => ask(http, creatomate, key, render).await,
        None => None,
    };
    let event = Event::RenderChecked { render: render.clone(), state, check };
    change(ports.jobs, ports.clock, ports.policy, job_id, &event).await
}

/// What Creatomate said when a person asked.
#[derive(Debug, Clone, PartialEq)]
pub enum RenderLookup {
    /// The render, as it came.
    Found(Value),
    /// No job knows it.
    Unknown,
    /// It said nothing useful.
    Failed,
    /// It said nothing in time.
    TimedOut,
}

/// Asks Creatomate about a render of a known job, and lets its jobs know.
///
/// # Errors
/// [`ChangeError`].
pub async fn look_up(
    ports: &RenderPorts<'_>,
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    render: &RenderId,
) -> Result<RenderLookup, ChangeError> {
    let ids = ports.renders.jobs_of(render).await?;
    if ids.is_empty() {
        return Ok(RenderLookup::Unknown);
    }
    let Some(key) = &creatomate.key else { return Ok(RenderLookup::Failed) };
    let found = match fetch(http, creatomate, key, render).await {
        Ok(found) => found,
        Err(OutboundError::TimedOut(_)) => return Ok(RenderLookup::TimedOut),
        Err(_) => return Ok(RenderLookup::Failed),
    };
    let Some(callback) = Callback::read(&found) else { return Ok(RenderLookup::Failed) };
    for id in &ids {
        let event = Event::RenderChecked { render: render.clone(), state: Some(callback.state()), check: 0 };
        change(ports.jobs, ports.clock, ports.policy, id, &event).await?;
    }
    Ok(RenderLookup::Found(found))
}

async fn ask(
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    key: &SecretString,
    render: &RenderId,
) -> Option<RenderState> {
    let found = fetch(http, creatomate, key, render).await.ok()?;
    Callback::read(&found).map(|callback| callback.state())
}

/// The render object; anything but a 200 with JSON is an error, which is logged.
async fn fetch(
    http: &dyn HttpSender,
    creatomate: &Creatomate,
    key: &SecretString,
    render: &RenderId,
) -> Result<Value, OutboundError> {
    let request = OutboundRequest {
        method: Method::Get,
        url: creatomate.url(&["v1", "renders", render.as_str()]),
        headers: vec![("authorization".to_owned(), format!("Bearer {}", key.expose_secret()))],
        body: Bytes::new(),
        deadline: CHECK_DEADLINE,
        response_limit: CHECK_LIMIT,
    };
    let answer = match http.send(request).await {
        Ok(response) if response.status == 200 => response.whole(),
        Ok(response) => {
            tracing::warn!(render_id = %render, status = response.status, "Creatomate did not tell how the render stands");
            return Err(OutboundError::Other(format!("status {}", response.status)));
        }
        Err(error) => Err(error),
    };
    match answer {
        Ok(response) => response.json().ok_or_else(|| OutboundError::Other("the answer is no JSON".to_owned())),
        Err(error) => {
            tracing::warn!(render_id = %render, %error, "Creatomate could not be asked");
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn callbacks_are_read_in_the_seed_s_and_in_creatomate_s_words() {
        let seed = Callback::read(&json!({ "id": "r", "status": "failed", "error": "no", "data": {} })).unwrap();
        assert_eq!((seed.state().status, seed.error.as_deref()), (RenderStatus::Failed, Some("no")));
        let real = Callback::read(&json!({ "status": "failed", "error_message": "why", "error": "x" })).unwrap();
        assert_eq!(real.error.as_deref(), Some("why"));
        let evil = Callback::read(&json!({ "status": "succeeded", "url": "javascript:alert(1)" })).unwrap();
        assert_eq!(evil.url, None);
        assert_eq!(Callback::read(&json!({ "url": "https://x" })), None);
    }

    #[test]
    fn no_text_of_a_callback_is_longer_than_what_is_kept() {
        for text in ["a", "é", "🎬", "\0"] {
            let long = text.repeat(900_000);
            let render = json!({ "status": long, "url": format!("https://a.example/{long}"), "error": long });
            let callback = Callback::read(&render).unwrap();
            let error = callback.error.as_deref().unwrap();
            assert!((4093..=4096).contains(&error.len()) && long.starts_with(error), "{text:?}: {}", error.len());
            assert!((61..=64).contains(&callback.status.len()), "{text:?}: {}", callback.status.len());
            assert_eq!(callback.url, None, "a part of a URL is another one");
            let failed = json!({ "status": "failed", "error_message": long, "error": "short" });
            assert_eq!(Callback::read(&failed).unwrap().error.as_deref(), Some(error));
        }
    }
}
