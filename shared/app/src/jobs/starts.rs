//! Starts of runs: claim a slot and a job in one transaction, send the job to the external worker, record its response
//! (ARCHITECTURE.md, A generate request).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{
    Admission, Decision, Event, Ignored, Job, JobId, Policy, Status, Timestamp, WebUrl, cut, decide, retry_after,
};
use reelhook_signing::{RunClaims, SignedToken, SigningKeys, standard, streamgank};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::change::{ChangeError, Changed, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::admission::AdmissionStore;
use crate::jobs::store::JobStore;
use crate::outbound::{HttpSender, Method, OutboundError, OutboundRequest, OutboundResponse};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// The maximum number of starts for one hint.
pub(crate) const STARTS: usize = 10;
/// How many waiting jobs a claim reads if the oldest [`STARTS`] are all claimed, which the index does not know.
const FURTHER: usize = 100;
/// Attempts at a claim after conflicts, before the hint is dropped.
const ATTEMPTS: u32 = 20;
/// The maximum number of pages of hidden jobs that one claim removes.
const REMOVED_PAGES: usize = 20;
/// The time limit of one request to the worker.
const POST_DEADLINE: Duration = Duration::from_secs(15);
/// The maximum size of the worker's response, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// The maximum size of a worker's own name, in bytes.
const WORKER_ID_LIMIT: usize = 128;
/// The maximum size of a worker's reason for a refusal, in bytes.
const ERROR_LIMIT: usize = 2048;
/// How long after the time limit of a run the lease of its slot expires.
const SLOT_MARGIN: Duration = Duration::from_secs(300);
/// The namespace of the ids of signed requests to workers.
const REQUESTS: Uuid = Uuid::from_u128(0x2c55_1f0a_93c5_5f7e_8d11_4bb0_3a39_90d2);

/// The outcome of writing a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The job and the admission item were written.
    Done,
    /// Another writer changed the job or the admission item first.
    Conflict,
}

/// The queue of waiting jobs, and claims of them.
#[async_trait]
pub trait StartStore: AdmissionStore {
    /// The oldest jobs that may start at `now`, at most `limit`; eventually consistent, and with those that are claimed but
    /// have not started.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn oldest_ready(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError>;

    /// Saves the next versions of the claimed job and of the admission item in one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn claim(&self, job: &Job, admission: &Admission) -> Result<Claimed, StoreError>;
}

/// The settings of the external worker.
pub struct WorkerSettings {
    /// WORKER_URL; without it, our own renderers process the runs.
    pub url: Option<Url>,
    /// RENDERER: what renders the films of the runs that our own renderers process.
    pub renderer: Renderer,
    /// MAX_WORKERS: the concurrency limit of runs.
    pub max: usize,
    /// The base of callback URLs: CALLBACKS_BASE_URL, or else PUBLIC_BASE_URL.
    pub base: Url,
    /// CALLBACK_TOKEN_SECRET.
    pub tokens: SigningKeys,
    /// WEBHOOK_SECRET_KEY; without one, requests are not signed.
    pub secret: Option<SigningKeys>,
}

/// The ports of starts.
pub struct StartPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Waiting jobs and slots.
    pub starts: &'a dyn StartStore,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// The settings of the external worker.
    pub worker: &'a WorkerSettings,
}

/// The worker's response to a start.
enum StartResponse {
    /// The worker accepted the run.
    Accepted { worker_id: Option<String>, cancel_url: Option<WebUrl> },
    /// The worker is busy or was not reached: the start is deferred.
    Busy { wait: Option<Duration>, reason: String },
    /// The worker refused the run: the run has failed.
    Refused { error: String },
}

/// Starts waiting jobs, up to a maximum; returns the number of runs that started.
///
/// # Errors
/// [`ChangeError`]; the lease of a claim that was made then expires.
pub async fn start_some(ports: &StartPorts<'_>) -> Result<usize, ChangeError> {
    let mut started = 0;
    while started < STARTS {
        let Some(job) = claim_one(ports).await? else { return Ok(started) };
        if !start(ports, job).await? {
            // The hint for the next attempt of this job starts what waits behind it too.
            return Ok(started);
        }
        started += 1;
    }
    leave_waiting(ports).await?;
    Ok(started)
}

/// Notes that jobs may still wait, so that the next freed slot causes a hint.
async fn leave_waiting(ports: &StartPorts<'_>) -> Result<(), ChangeError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let Some(next) = ports.starts.admission().await?.leave(ports.clock.now()) else { return Ok(()) };
        if ports.starts.save_admission(&next).await? == Saved::Done {
            return Ok(());
        }
    }
    Ok(())
}

/// The outcome of one attempt at a claim.
enum Attempt {
    /// The job is claimed.
    Claimed(Box<Job>),
    /// No slot is free, or no job is ready.
    Nothing,
    /// Another writer may have changed the job or the slots first: look again.
    Conflict,
    /// The ready jobs were hidden by a clear and are now cancelled.
    Removed,
}

/// Claims the oldest ready job, if a slot is free.
async fn claim_one(ports: &StartPorts<'_>) -> Result<Option<Job>, ChangeError> {
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    let mut removed = 0;
    while retry.attempt().await {
        let mut attempt = try_claim(ports).await?;
        while matches!(attempt, Attempt::Removed) && removed < REMOVED_PAGES {
            removed += 1;
            attempt = try_claim(ports).await?;
        }
        match attempt {
            Attempt::Claimed(job) => return Ok(Some(*job)),
            Attempt::Nothing | Attempt::Removed => return Ok(None),
            Attempt::Conflict => {}
        }
    }
    Ok(None)
}

async fn try_claim(ports: &StartPorts<'_>) -> Result<Attempt, ChangeError> {
    let admission = ports.starts.admission().await?;
    let now = ports.clock.now();
    if let Err(reason) = admission.check(now, ports.worker.max) {
        tracing::info!(?reason, running = admission.running(now), "no slot is free, started no job");
        // A slot that is freed from now on causes a hint. One that was freed before that is found by looking again.
        return Ok(match admission.leave(now) {
            Some(next) => {
                ports.starts.save_admission(&next).await?;
                Attempt::Conflict
            }
            None => Attempt::Nothing,
        });
    }
    let mut seen = 0;
    for limit in [STARTS, FURTHER] {
        let oldest = ports.starts.oldest_ready(now, limit).await?;
        let attempt = claim_first(ports, &admission, now, oldest.get(seen..).unwrap_or_default()).await?;
        if !matches!(attempt, Attempt::Nothing) || oldest.len() < limit {
            return Ok(attempt);
        }
        seen = oldest.len();
    }
    Ok(Attempt::Nothing)
}

/// Claims the first of these jobs that is ready; those that are claimed or no longer wait are skipped.
async fn claim_first(
    ports: &StartPorts<'_>,
    admission: &Admission,
    now: Timestamp,
    oldest: &[JobId],
) -> Result<Attempt, ChangeError> {
    let mut removed = false;
    for id in oldest {
        let job = match ports.jobs.load(id).await {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            // An unreadable job must not block the jobs behind it.
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(job_id = %id, %error, "failed to read a waiting job, skipped it");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(until) = admission.cleared.all.filter(|_| admission.cleared.hides(&job)) {
            // The due sweep cancels hidden jobs too, but here they would block the jobs behind them.
            change_loaded(ports.jobs, ports.clock, ports.policy, job, &Event::Clear { until }).await?;
            removed = true;
            continue;
        }
        let Decision::Apply(claimed) = decide(&job, &Event::Claim, now, ports.policy) else { continue };
        let lease = now.after(ports.policy.claim_lease + ports.policy.processing_timeout + SLOT_MARGIN);
        let Ok(next) = admission.take(&job.next_slot(), now, lease, ports.worker.max) else {
            return Ok(Attempt::Conflict);
        };
        return Ok(match ports.starts.claim(&claimed, &next).await? {
            Claimed::Done => Attempt::Claimed(claimed),
            Claimed::Conflict => Attempt::Conflict,
        });
    }
    Ok(if removed { Attempt::Removed } else { Attempt::Nothing })
}

/// Sends a claimed job to the worker, or to our own renderers; returns whether more jobs may be started.
async fn start(ports: &StartPorts<'_>, job: Job) -> Result<bool, ChangeError> {
    let (id, attempt, traceparent) = (job.id.clone(), job.run.attempt, job.origin.traceparent.clone());
    let Some(url) = ports.worker.url.as_ref().filter(|_| job.plan().is_none()) else {
        let event = Event::RunHere { attempt, renderer: ports.worker.renderer };
        change_loaded(ports.jobs, ports.clock, ports.policy, job, &event).await?;
        tracing::info!(job_id = %id, attempt, traceparent, "started a job on our own renderers");
        return Ok(true);
    };
    let response = request_start(ports, &job, url).await;
    let (event, runs) = match response {
        StartResponse::Accepted { worker_id, cancel_url } => (Event::Started { attempt, worker_id, cancel_url }, true),
        StartResponse::Busy { wait, reason } => (Event::StartDeferred { attempt, wait, reason }, false),
        StartResponse::Refused { error } => (Event::RunFailed { attempt, error }, true),
    };
    // What was claimed is usually what is stored; after a conflict the change reads it.
    let changed = change_loaded(ports.jobs, ports.clock, ports.policy, job, &event).await?;
    if let (Changed::Ignored(Ignored::FinalJob, now), Event::Started { cancel_url: Some(url), .. }) = (&changed, &event)
        && now.status == Status::Cancelled
    {
        // The job was cancelled while the request to the worker was in progress.
        cancel_worker(ports.http, ports.worker, ports.clock.now(), &id, attempt, url).await;
    }
    tracing::info!(job_id = %id, attempt, runs, traceparent, "sent a job to the worker");
    Ok(runs)
}

async fn request_start(ports: &StartPorts<'_>, job: &Job, url: &Url) -> StartResponse {
    let claims = RunClaims::of_run(job.id.as_str(), job.run.attempt);
    let token = SignedToken::mint(&claims, &ports.worker.tokens);
    let base = format!("{}/w/{}", ports.worker.base.as_str().trim_end_matches('/'), token.expose());
    let body = json!({
        "job_id": job.id.as_str(),
        "attempt": job.run.attempt,
        "parameters": job.request.input,
        "webhook_base_url": base,
        "callback_url": format!("{base}/api/webhooks/step-update"),
    });
    let key = format!("{}.{}", job.id, job.run.attempt);
    let mut request = signed_post(url.clone(), &body, &key, ports.worker, ports.clock.now());
    request.headers.push(("idempotency-key".to_owned(), key));
    request.headers.extend(job.origin.traceparent.iter().map(|trace| ("traceparent".to_owned(), trace.clone())));
    read_response(ports.http.send(request).await, ports.clock.now())
}

fn read_response(result: Result<OutboundResponse, OutboundError>, now: Timestamp) -> StartResponse {
    let response = match result {
        Ok(response) => response,
        Err(error) => {
            return StartResponse::Busy { wait: None, reason: format!("worker not reached: {}", error.code()) };
        }
    };
    let body = response.json().unwrap_or_default();
    let text = |name: &str, limit: usize| body[name].as_str().map(|text| cut(text, limit).to_owned());
    let error = || text("error", ERROR_LIMIT);
    match response.status {
        200..=299 if body["accepted"] == false => {
            StartResponse::Refused { error: error().unwrap_or_else(|| "Worker did not accept the job".to_owned()) }
        }
        200..=299 => StartResponse::Accepted {
            worker_id: text("worker_id", WORKER_ID_LIMIT),
            // A URL that is too long is dropped, since its start is another URL.
            cancel_url: body["cancel_url"].as_str().and_then(WebUrl::parse),
        },
        status @ (400..=428 | 430..=499) => StartResponse::Refused {
            error: error().unwrap_or_else(|| format!("Worker refused the job with status {status}")),
        },
        status => {
            let wait = response.header("retry-after").and_then(|header| retry_after(header, now));
            // A worker that requests a longer wait gets its next request after an hour.
            let wait = wait.map(|wait| wait.min(Duration::from_secs(3600)));
            StartResponse::Busy { wait, reason: format!("worker answered {status}") }
        }
    }
}

/// Cancels a run at its worker. The request is sent once; later reports of the run are ignored. Returns whether the worker
/// responded without a server error.
pub async fn cancel_worker(
    http: &dyn HttpSender,
    worker: &WorkerSettings,
    now: Timestamp,
    job_id: &JobId,
    attempt: u32,
    url: &WebUrl,
) -> bool {
    let body = json!({ "job_id": job_id.as_str(), "attempt": attempt });
    let request = signed_post(Url::from(url.clone()), &body, &format!("{job_id}.{attempt}.cancel"), worker, now);
    match http.send(request).await {
        Ok(response) => {
            tracing::info!(%job_id, attempt, status = response.status, "sent a cancellation to the worker");
            response.status < 500
        }
        Err(error) => {
            tracing::warn!(%job_id, attempt, %error, "failed to send a cancellation to the worker");
            false
        }
    }
}

/// A POST that is signed like a delivery, with an id that is derived from `what`.
fn signed_post(url: Url, body: &Value, what: &str, worker: &WorkerSettings, now: Timestamp) -> OutboundRequest {
    let body = reelhook_signing::js_json::to_string(body);
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("user-agent".to_owned(), "StreamGank-Webhook/1.0".to_owned()),
    ];
    if let Some(keys) = &worker.secret {
        let id = format!("msg_{}", Uuid::new_v5(&REQUESTS, what.as_bytes()).simple());
        headers.push(("x-streamgank-signature".to_owned(), streamgank::signature(body.as_bytes(), keys)));
        headers.push(("webhook-signature".to_owned(), standard::sign(&id, now.seconds(), body.as_bytes(), keys)));
        headers.push(("webhook-timestamp".to_owned(), now.seconds().to_string()));
        headers.push(("webhook-id".to_owned(), id));
    }
    OutboundRequest {
        method: Method::Post,
        url,
        headers,
        body: Bytes::from(body),
        deadline: POST_DEADLINE,
        response_limit: ANSWER_LIMIT,
    }
}
