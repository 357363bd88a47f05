//! Starting runs: claim a slot and a job in one transaction, ask the external worker, confirm (architecture.md).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{
    Admission, Decision, Event, Ignored, Job, JobId, Policy, Status, Timestamp, cut, decide, retry_after,
};
use reelhook_signing::{SigningKeys, standard, streamgank, token};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::change::{ChangeError, Changed, change, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::admission::AdmissionStore;
use crate::jobs::store::JobStore;
use crate::outbound::{HttpSender, Method, OutboundError, OutboundRequest, OutboundResponse};
use crate::retry::Retry;
use crate::store::StoreError;
use crate::web_url::WebUrl;

/// Starts that one hint makes, at most.
const STARTS: usize = 10;
/// Attempts at a claim that loses races, before a hint is dropped.
const ATTEMPTS: u32 = 20;
/// Pages of hidden jobs that one claim removes.
const REMOVED_PAGES: usize = 20;
/// The whole of one request to the worker.
const POST_DEADLINE: Duration = Duration::from_secs(15);
/// Bytes of the worker's answer that are read.
const ANSWER_LIMIT: usize = 64 * 1024;
/// Bytes of a worker's name for itself.
const WORKER_ID_LIMIT: usize = 128;
/// Bytes of the reason with which a worker refuses a job.
const ERROR_LIMIT: usize = 2048;
/// How long after a run's own end its slot is given back by itself.
const SLOT_MARGIN: Duration = Duration::from_secs(300);
/// The namespace of the ids under which requests to workers are signed.
const REQUESTS: Uuid = Uuid::from_u128(0x2c55_1f0a_93c5_5f7e_8d11_4bb0_3a39_90d2);

/// What a claim gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// Both were written.
    Done,
    /// Somebody changed the job or the admission item first.
    Conflict,
}

/// The queue of waiting jobs, and claims of them.
#[async_trait]
pub trait StartStore: AdmissionStore {
    /// The oldest jobs that may start at `now`, at most `limit`; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn oldest_ready(&self, now: Timestamp, limit: usize) -> Result<Vec<JobId>, StoreError>;

    /// Saves the claimed job and the admission item, each one version on, both or none.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn claim(&self, job: &Job, admission: &Admission) -> Result<Claimed, StoreError>;
}

/// How workers are asked.
pub struct WorkerSettings {
    /// WORKER_URL; without one, runs are done here.
    pub url: Option<Url>,
    /// RENDERER: who draws the films of runs that are done here.
    pub renderer: Renderer,
    /// MAX_WORKERS: runs at once.
    pub max: usize,
    /// PUBLIC_BASE_URL, where callbacks come back to.
    pub base: Url,
    /// CALLBACK_TOKEN_SECRET.
    pub tokens: SigningKeys,
    /// WEBHOOK_SECRET_KEY; without one, requests are not signed.
    pub secret: Option<SigningKeys>,
}

/// What starting needs.
pub struct StartPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Queue and slots.
    pub starts: &'a dyn StartStore,
    /// The guarded client.
    pub http: &'a dyn HttpSender,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// How workers are asked.
    pub worker: &'a WorkerSettings,
}

/// What the worker said.
enum StartResponse {
    /// It runs.
    Accepted { worker_id: Option<String>, cancel_url: Option<String> },
    /// Later.
    Busy { wait: Option<Duration>, reason: String },
    /// Never like this.
    Refused { error: String },
}

/// Starts what can be started, up to a bound; the number of runs that began.
///
/// # Errors
/// [`ChangeError`]; a claim that was made is then given back by its lease.
pub async fn start_some(ports: &StartPorts<'_>) -> Result<usize, ChangeError> {
    let mut started = 0;
    while started < STARTS {
        let Some(job) = claim_one(ports).await? else { break };
        if !start(ports, &job).await? {
            break;
        }
        started += 1;
    }
    Ok(started)
}

/// What came of one attempt to claim a job.
enum Attempt {
    /// This job is claimed.
    Claimed(Box<Job>),
    /// No slot is free, or no job is ready.
    Nothing,
    /// Another writer changed the job or the slots first.
    Conflict,
    /// What was ready was hidden by a clear, and is removed.
    Removed,
}

/// Claims the oldest job that is ready, if a slot is free.
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
        tracing::info!(?reason, running = admission.running(now), "nothing starts now");
        return Ok(Attempt::Nothing);
    }
    let mut removed = false;
    for id in ports.starts.oldest_ready(now, STARTS).await? {
        let job = match ports.jobs.load(&id).await {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            // It must not keep the ones behind it from starting.
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(job_id = %id, %error, "failed to read a waiting job, skipped it");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(until) = admission.cleared.all.filter(|_| admission.cleared.hides(&job)) {
            // The sweep would do it; here it makes room for what waits behind.
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

/// Asks the worker to run a claimed job, unless that is ours to do; whether it runs.
async fn start(ports: &StartPorts<'_>, job: &Job) -> Result<bool, ChangeError> {
    let attempt = job.run.attempt;
    let Some(url) = ports.worker.url.as_ref().filter(|_| job.plan().is_none()) else {
        let event = Event::RunHere { attempt, renderer: ports.worker.renderer };
        change(ports.jobs, ports.clock, ports.policy, &job.id, &event).await?;
        tracing::info!(job_id = %job.id, attempt, traceparent = job.origin.traceparent, "a job is run here");
        return Ok(true);
    };
    let response = request_start(ports, job, url).await;
    let (event, runs) = match response {
        StartResponse::Accepted { worker_id, cancel_url } => (Event::Started { attempt, worker_id, cancel_url }, true),
        StartResponse::Busy { wait, reason } => (Event::StartDeferred { attempt, wait, reason }, false),
        StartResponse::Refused { error } => (Event::RunFailed { attempt, error }, true),
    };
    let changed = change(ports.jobs, ports.clock, ports.policy, &job.id, &event).await?;
    if let (Changed::Ignored(Ignored::FinalJob, now), Event::Started { cancel_url: Some(url), .. }) = (&changed, &event)
        && now.status == Status::Cancelled
    {
        // It was cancelled while the worker was being asked.
        cancel_worker(ports.http, ports.worker, ports.clock.now(), &job.id, attempt, url).await;
    }
    tracing::info!(job_id = %job.id, attempt, runs, traceparent = job.origin.traceparent, "asked the worker to run a job");
    Ok(runs)
}

async fn request_start(ports: &StartPorts<'_>, job: &Job, url: &Url) -> StartResponse {
    let claims = token::Claims::of_run(job.id.as_str(), job.run.attempt);
    let token = token::mint(&claims, &ports.worker.tokens);
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
    read_answer(ports.http.send(request).await, ports.clock.now())
}

fn read_answer(answer: Result<OutboundResponse, OutboundError>, now: Timestamp) -> StartResponse {
    let response = match answer {
        Ok(response) => response,
        Err(error) => {
            return StartResponse::Busy { wait: None, reason: format!("worker not reached: {}", error.code()) };
        }
    };
    let body = response.json().unwrap_or_default();
    let text = |name: &str, most: usize| body[name].as_str().map(|text| cut(text, most).to_owned());
    let error = || text("error", ERROR_LIMIT);
    match response.status {
        200..=299 if body["accepted"] == false => {
            StartResponse::Refused { error: error().unwrap_or_else(|| "Worker did not accept the job".to_owned()) }
        }
        200..=299 => StartResponse::Accepted {
            worker_id: text("worker_id", WORKER_ID_LIMIT),
            // A part of a URL is another one.
            cancel_url: body["cancel_url"].as_str().and_then(WebUrl::parse).map(String::from),
        },
        status @ (400..=428 | 430..=499) => StartResponse::Refused {
            error: error().unwrap_or_else(|| format!("Worker refused the job with status {status}")),
        },
        status => {
            let wait = response.header("retry-after").and_then(|header| retry_after(header, now));
            // As long as a claim's next hint may wait; a worker that asks for more is asked again then.
            let wait = wait.map(|wait| wait.min(Duration::from_secs(3600)));
            StartResponse::Busy { wait, reason: format!("worker answered {status}") }
        }
    }
}

/// Tells a worker that its run is not wanted any more; it is told once, what still comes is absorbed.
pub async fn cancel_worker(
    http: &dyn HttpSender,
    worker: &WorkerSettings,
    now: Timestamp,
    job_id: &JobId,
    attempt: u32,
    url: &str,
) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let body = json!({ "job_id": job_id.as_str(), "attempt": attempt });
    let request = signed_post(url, &body, &format!("{job_id}.{attempt}.cancel"), worker, now);
    match http.send(request).await {
        Ok(response) => {
            tracing::info!(%job_id, attempt, status = response.status, "told the worker of a cancel");
            response.status < 500
        }
        Err(error) => {
            tracing::warn!(%job_id, attempt, %error, "the worker could not be told of a cancel");
            false
        }
    }
}

/// A POST that is signed like a delivery, under an id that follows from `what`.
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
