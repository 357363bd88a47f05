//! Starts of runs: claim jobs and slots, send the jobs to the external worker, record its responses (ARCHITECTURE.md, A
//! generate request).

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use reelhook_domain::videos::render::Renderer;
use reelhook_domain::{
    Event, FairShares, Ignored, Job, JobId, Policy, Status, Timestamp, TraceParent, WebUrl, cut, retry_after,
};
use reelhook_signing::{RunClaims, SignedToken, SigningKeys, standard, streamgank};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use crate::change::{ChangeError, Changed, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::claims::{BATCH, ClaimPorts, Search, StartStore, claim_some, leave_waiting};
use crate::jobs::store::JobStore;
use crate::metrics::life::Measured;
use crate::metrics::{self, MetricName};
use crate::outbound::{HttpSender, Method, OutboundError, OutboundRequest, OutboundResponse};

/// The maximum number of starts for one hint: eight rounds of requests to the worker, and more after conflicts.
pub(crate) const STARTS: usize = 64;
/// The time limit of one request to the worker.
const POST_DEADLINE: Duration = Duration::from_secs(15);
/// The maximum size of the worker's response, in bytes.
const ANSWER_LIMIT: usize = 64 * 1024;
/// The maximum size of a worker's own name, in bytes.
const WORKER_ID_LIMIT: usize = 128;
/// The maximum size of a worker's reason for a refusal, in bytes.
const ERROR_LIMIT: usize = 2048;
/// The namespace of the ids of signed requests to workers.
const REQUESTS: Uuid = Uuid::from_u128(0x2c55_1f0a_93c5_5f7e_8d11_4bb0_3a39_90d2);

/// The settings of the external worker.
pub struct WorkerSettings {
    /// WORKER_URL; without it, our own renderers process the runs.
    pub url: Option<Url>,
    /// RENDERER: what renders the films of the runs that our own renderers process.
    pub renderer: Renderer,
    /// MAX_WORKERS: the concurrency limit of runs.
    pub max: usize,
    /// FAIR_SHARES and FAIR_SHARE_PERCENT: the parts of the slots that owners and keys get.
    pub shares: FairShares,
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
    /// The time after which this invocation claims nothing: it could be ended before it has recorded the worker's responses.
    pub last_start: Timestamp,
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

/// Starts waiting jobs, up to a maximum; returns the number of runs that started. The index of waiting jobs may not have
/// those yet that hints name; they take their turns among the others.
///
/// It begins with one job and doubles the number as long as the worker accepts them, so that a busy worker gets few requests
/// and a free one many at once. It ends when little time is left, as after the last round: jobs that wait are noted.
///
/// # Errors
/// [`ChangeError`]; the lease of a claim that was made then expires.
pub async fn start_some(ports: &StartPorts<'_>, named: &[JobId]) -> Result<usize, ChangeError> {
    let claims = ClaimPorts {
        jobs: ports.jobs,
        starts: ports.starts,
        clock: ports.clock,
        policy: ports.policy,
        max: ports.worker.max,
        shares: &ports.worker.shares,
    };
    let (mut search, mut started, mut most) = (Search::new(named), 0, 1);
    while started < STARTS && ports.clock.now() <= ports.last_start {
        let claimed = claim_some(&claims, &mut search, most.min(STARTS - started)).await?;
        let count = claimed.len();
        if count == 0 {
            return Ok(started);
        }
        let mut runs = 0;
        for result in join_all(claimed.into_iter().map(|job| start(ports, job))).await {
            runs += usize::from(result?);
        }
        started += runs;
        if runs < count {
            // The hint for the next attempt of a deferred job starts what waits behind it too.
            return Ok(started);
        }
        most = (2 * most).min(BATCH);
    }
    leave_waiting(&claims).await?;
    Ok(started)
}

/// Sends a claimed job to the worker, or to our own renderers; returns whether more jobs may be started.
async fn start(ports: &StartPorts<'_>, job: Job) -> Result<bool, ChangeError> {
    let (id, attempt, trace) = (job.id.clone(), job.run.attempt, TraceParent::of_aggregate(&job));
    let trace_id = trace.trace_id();
    let (family, submitted_at) = (job.family().name(), job.created_at);
    let measure = || {
        if attempt == 1 {
            metrics::time(MetricName::TimeToStart, ports.clock.now().since(submitted_at), [family]);
        }
    };
    let Some(url) = ports.worker.url.as_ref().filter(|_| job.plan().is_none()) else {
        let event = Event::RunHere { attempt, renderer: ports.worker.renderer };
        change_loaded(ports.jobs, ports.clock, ports.policy, job, &event).await?;
        measure();
        tracing::info!(job_id = %id, attempt, trace_id, "started a job on our own renderers");
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
    if matches!(event, Event::Started { .. }) {
        measure();
    }
    tracing::info!(job_id = %id, attempt, runs, trace_id, "sent a job to the worker");
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
    request.headers.push(("traceparent".to_owned(), TraceParent::of_aggregate(job).into()));
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
