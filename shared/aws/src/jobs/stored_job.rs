//! The stored form of a job: one flat object, as in version 0.1.0, so that all versions can read each other's jobs.

use std::borrow::Cow;
use std::collections::BTreeMap;

use reelhook_domain::videos::render::{RenderPlan, StoredVideo};
use reelhook_domain::{
    Emitted, Engine, ExternalRun, ExternalTask, History, Incomplete, Job, JobId, JobKind, Ledger, LogTally, Metadata,
    NoRetry, Origin, OwnerId, PiecesRun, Polls, Priority, RenderId, RenderStatus, Request, Retries, Run, RunTimes,
    Start, Status, StepRecord, Steps, Timestamp, WebUrl, Worker,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::jobs::stored_pieces::StoredPieces;

/// The stored form of a job's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredKind {
    StreamGank,
    VidBuilder,
}

/// The stored form of a job without its outbox. It borrows what may be long.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredJob<'a> {
    id: JobId,
    dialect: StoredKind,
    version: u64,
    attempt: u32,
    status: Status,
    input: Cow<'a, Value>,
    #[serde(default)]
    pause_after_extraction: bool,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Cow<'a, Metadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    render_id: Option<RenderId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    video_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    retry_count: u32,
    max_retries: u32,
    progress: u8,
    current_step: String,
    current_step_number: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_sequence: Option<i64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    steps: Cow<'a, BTreeMap<u8, StepRecord>>,
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    seen: Cow<'a, [String]>,
    #[serde(default)]
    worker_done: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worker_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel_url: Option<String>,
    start: Start,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    render: Option<Polls>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    render_status: Option<RenderStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    film: Option<Cow<'a, RenderPlan>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drawing: Option<StoredPieces>,
    #[serde(default, skip_serializing_if = "<[StoredVideo]>::is_empty")]
    videos: Cow<'a, [StoredVideo]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback: Option<String>,
    #[serde(default)]
    paused_after_extraction: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extracted: Option<String>,
    #[serde(default)]
    workflow_incomplete: bool,
    #[serde(default)]
    render_timeout: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_retry_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suggested_solution: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retried_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerId>,
    #[serde(default)]
    live_version: u64,
    #[serde(default)]
    log: LogTally,
    #[serde(default, skip_serializing_if = "LogTally::is_empty")]
    log_counted: LogTally,
    #[serde(default, skip_serializing_if = "<[Emitted]>::is_empty")]
    emitted: Cow<'a, [Emitted]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<Cow<'a, History>>,
}

/// A stored URL. A text that is not a URL must not make its job unreadable.
fn web_url(job: &JobId, field: &'static str, text: Option<String>) -> Option<WebUrl> {
    let url = WebUrl::try_from(text?);
    if let Err(error) = &url {
        tracing::warn!(job_id = %job, field, %error, "ignored a stored URL");
    }
    url.ok()
}

impl<'a> From<&'a Job> for StoredJob<'a> {
    fn from(job: &'a Job) -> Self {
        let run = &job.run;
        let is = |why: Incomplete| run.incomplete == Some(why);
        let (external, pieces) = (run.engine.external(), run.engine.pieces());
        let render = run.engine.render();
        let steps = run.engine.steps();
        Self {
            id: job.id.clone(),
            dialect: match job.kind {
                JobKind::Workflow => StoredKind::StreamGank,
                JobKind::Video => StoredKind::VidBuilder,
            },
            version: job.version,
            attempt: run.attempt,
            status: job.status,
            input: Cow::Borrowed(&job.request.input),
            pause_after_extraction: job.request.pause_after_extraction,
            metadata: Cow::Borrowed(&job.request.metadata),
            priority: Some(job.request.priority).filter(|priority| !priority.is_default()).map(Priority::get),
            created_at: job.created_at,
            started_at: run.times.started_at,
            completed_at: run.times.completed_at,
            failed_at: run.times.failed_at,
            cancelled_at: run.times.cancelled_at,
            deleted_at: job.deleted_at,
            updated_at: job.updated_at,
            render_id: render.map(|task| task.id.clone()),
            video_url: run.video_url.clone(),
            error: run.error.clone(),
            retry_count: job.retries.used,
            max_retries: job.retries.max,
            progress: run.progress,
            current_step: run.caption.clone(),
            current_step_number: steps.map_or(0, |steps| steps.current),
            last_sequence: steps.and_then(|steps| steps.last_sequence),
            steps: steps.map_or_else(Cow::default, |steps| Cow::Borrowed(&steps.records)),
            seen: steps.map_or_else(Cow::default, |steps| Cow::Borrowed(&steps.seen[..])),
            worker_done: external.is_some_and(|external| external.worker.done),
            worker_id: external.and_then(|external| external.worker.id.clone()),
            cancel_url: external.and_then(|external| external.worker.cancel_url.clone()).map(String::from),
            start: run.start.clone(),
            render: render.and_then(|task| task.polls.clone()),
            render_status: render.and_then(|task| task.status.clone()),
            film: pieces.and_then(|run| run.plan.as_ref()).map(Cow::Borrowed),
            drawing: pieces.and_then(|run| Some(StoredPieces::of(run.pieces.as_ref()?, run))),
            videos: pieces.map_or_else(Cow::default, |run| Cow::Borrowed(&run.videos[..])),
            callback: job.request.callback.clone().map(String::from),
            paused_after_extraction: is(Incomplete::PausedAfterExtraction),
            extracted: steps.and_then(|steps| steps.extracted.clone()),
            workflow_incomplete: is(Incomplete::WorkflowIncomplete),
            render_timeout: is(Incomplete::RenderTimeout),
            timeout_at: run.times.timed_out_at,
            no_retry_reason: run.no_retry.as_ref().map(|no_retry| no_retry.reason.clone()),
            suggested_solution: run.no_retry.as_ref().map(|no_retry| no_retry.solution.clone()),
            retry_after: run.retry_after,
            retried_at: job.retries.by_hand_at,
            due_at: job.due_at,
            caller: job.origin.caller.clone(),
            traceparent: job.origin.traceparent.clone(),
            owner: job.origin.owner.clone(),
            live_version: job.ledger.live_version,
            log: job.ledger.log,
            log_counted: job.ledger.counted,
            emitted: Cow::Borrowed(&job.emitted[..]),
            history: job.history.as_ref().map(Cow::Borrowed),
        }
    }
}

impl From<StoredJob<'_>> for Job {
    fn from(stored: StoredJob<'_>) -> Self {
        let callback = web_url(&stored.id, "callback", stored.callback);
        let cancel_url = web_url(&stored.id, "cancel_url", stored.cancel_url);
        let no_retry = stored
            .no_retry_reason
            .map(|reason| NoRetry { reason, solution: stored.suggested_solution.unwrap_or_default() });
        let incomplete = [
            (stored.render_timeout, Incomplete::RenderTimeout),
            (stored.workflow_incomplete, Incomplete::WorkflowIncomplete),
            (stored.paused_after_extraction, Incomplete::PausedAfterExtraction),
        ];
        let steps = Steps {
            current: stored.current_step_number,
            last_sequence: stored.last_sequence,
            records: stored.steps.into_owned(),
            seen: stored.seen.into_owned(),
            extracted: stored.extracted,
        };
        let in_pieces = stored.film.is_some() || stored.drawing.is_some() || !stored.videos.is_empty();
        let pieces = |steps| {
            let mut drawing = stored.drawing;
            let of_drawing = drawing.as_mut().and_then(|drawing| drawing.film.take());
            let plan = stored.film.map(Cow::into_owned).or(of_drawing);
            Engine::Pieces(PiecesRun {
                steps,
                renderer: drawing.as_ref().map(|drawing| drawing.renderer).unwrap_or_default(),
                pieces: drawing.map(|drawing| drawing.into_pieces(plan.as_ref())),
                plan,
                videos: stored.videos.into_owned(),
            })
        };
        let (kind, engine) = match stored.dialect {
            StoredKind::VidBuilder => (JobKind::Video, pieces(None)),
            StoredKind::StreamGank if in_pieces => (JobKind::Workflow, pieces(Some(steps))),
            StoredKind::StreamGank => {
                let (status, polls) = (stored.render_status, stored.render);
                let render = stored.render_id.map(|id| ExternalTask {
                    status,
                    polls,
                    ..ExternalTask::new(Default::default(), id)
                });
                let worker = Worker { id: stored.worker_id, cancel_url, done: stored.worker_done };
                (JobKind::Workflow, Engine::External(ExternalRun { steps, worker, render }))
            }
        };
        Self {
            id: stored.id,
            kind,
            version: stored.version,
            status: stored.status,
            request: Request {
                input: stored.input.into_owned(),
                pause_after_extraction: stored.pause_after_extraction,
                callback,
                metadata: stored.metadata.into_owned(),
                priority: stored.priority.and_then(Priority::new).unwrap_or_default(),
            },
            origin: Origin { caller: stored.caller, traceparent: stored.traceparent, owner: stored.owner },
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            deleted_at: stored.deleted_at,
            due_at: stored.due_at,
            retries: Retries { used: stored.retry_count, max: stored.max_retries, by_hand_at: stored.retried_at },
            ledger: Ledger {
                live_version: stored.live_version,
                log: stored.log,
                counted: stored.log_counted,
                usage: None,
            },
            history: stored.history.map(Cow::into_owned),
            emitted: stored.emitted.into_owned(),
            outbox: Vec::new(),
            run: Run {
                attempt: stored.attempt,
                start: stored.start,
                times: RunTimes {
                    started_at: stored.started_at,
                    completed_at: stored.completed_at,
                    failed_at: stored.failed_at,
                    cancelled_at: stored.cancelled_at,
                    timed_out_at: stored.timeout_at,
                },
                retry_after: stored.retry_after,
                progress: stored.progress,
                caption: stored.current_step,
                video_url: stored.video_url,
                error: stored.error,
                no_retry,
                incomplete: incomplete.into_iter().find_map(|(is, why)| is.then_some(why)),
                engine,
            },
        }
    }
}
