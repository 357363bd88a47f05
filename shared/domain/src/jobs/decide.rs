//! The one place in which a job changes: `decide(job, event, now, policy)`, without I/O.

mod change;
mod commands;
mod pieces;
mod renders;
mod starts;
mod steps;
mod timers;
mod usage;

use serde_json::Value;

use crate::jobs::activity::Activity;
use crate::jobs::job::{Job, Ledger, Origin, Request, Retries};
use crate::jobs::kind::JobKind;
use crate::jobs::reasons::{Ignored, Rejected};
use crate::jobs::run::{Engine, Run};
use crate::jobs::status::Status;
use crate::videos::render::RenderPlan;
use crate::{
    Aggregate, Decision, Effect, Emitted, Event, History, JobId, LogEvent, LogLevel, LogTally, Policy, Subject,
    Timestamp,
};
use change::Change;

/// A job that a client submits.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// The id.
    pub id: JobId,
    /// The kind of the job.
    pub kind: JobKind,
    /// The client's request.
    pub request: Request,
    /// The plan of the film, if the client specified one.
    pub plan: Option<RenderPlan>,
    /// The origin of the job.
    pub origin: Origin,
    /// Whether what it uses is counted.
    pub usage: bool,
}

/// The first line of a job's log.
const QUEUED: &str = "Job added to the queue";

/// Creates a job: version 1, with a first run that is ready immediately.
pub fn create(new: NewJob, now: Timestamp, policy: &Policy) -> Job {
    let caption = (policy.captions.caption)(new.kind, &Activity::Waiting);
    let run = Run::first(Engine::of(new.plan), caption, now, policy);
    let log = LogTally { info: 1, bytes: QUEUED.len() as i64, ..LogTally::default() };
    let outbox = vec![
        Effect::Start { delay_s: 0 },
        Effect::Log {
            event: LogEvent::Queued,
            level: LogLevel::Info,
            message: QUEUED.to_owned(),
            details: Value::Null,
        },
    ];
    let usage = new.usage.then(|| usage::of_new(&outbox));
    Job {
        id: new.id,
        kind: new.kind,
        version: 1,
        status: Status::Pending,
        request: new.request,
        origin: new.origin,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        due_at: Some(run.start.hint_at),
        retries: Retries { used: 0, max: policy.max_retries, by_hand_at: None },
        ledger: Ledger { log, usage, ..Ledger::default() },
        history: Some(History::default()),
        emitted: Vec::new(),
        outbox,
        run,
    }
}

/// Decides what `event` does to `job` at `now`.
///
/// Contract: docs/contract/jobs.md. Each `Apply` is the next version, and only an `Apply` has effects.
pub fn decide(job: &Job, event: &Event, now: Timestamp, policy: &Policy) -> Decision {
    if job.deleted_at.is_some() {
        return match event {
            Event::Cancel
            | Event::Clear { .. }
            | Event::Retry
            | Event::Complete { .. }
            | Event::Monitor
            | Event::LogArchived
            | Event::DeleteVideo
            | Event::Delete => Decision::Reject(Rejected::Deleted),
            Event::Claim
            | Event::Started { .. }
            | Event::StartDeferred { .. }
            | Event::RunFailed { .. }
            | Event::Step { .. }
            | Event::RenderReported { .. }
            | Event::RenderChecked { .. }
            | Event::RunHere { .. }
            | Event::ClaimPiece { .. }
            | Event::Composed { .. }
            | Event::PieceProgressed { .. }
            | Event::PieceDeferred { .. }
            | Event::PieceDone { .. }
            | Event::PieceFailed { .. }
            | Event::Tick => Decision::Ignore(Ignored::FinalJob),
        };
    }
    let change = Change::of(job, now, policy);
    let decision = match event {
        Event::Claim => starts::claim(change),
        Event::Started { attempt, worker_id, cancel_url } => starts::started(change, *attempt, worker_id, cancel_url),
        Event::StartDeferred { attempt, wait, reason } => starts::deferred(change, *attempt, *wait, reason),
        Event::RunFailed { attempt, error } => starts::run_failed(change, *attempt, error),
        Event::Step { attempt, update } => steps::step(change, *attempt, update),
        Event::RenderReported { render, state, confirmable } => renders::reported(change, render, state, *confirmable),
        Event::RenderChecked { render, state, check } => renders::checked(change, render, state.as_ref(), *check),
        Event::RunHere { attempt, renderer } => pieces::run_here(change, *attempt, *renderer),
        Event::ClaimPiece { attempt } => pieces::claim_piece(change, *attempt),
        Event::Composed { attempt, claim, plan } => pieces::composed(change, *attempt, *claim, plan),
        Event::PieceProgressed { attempt, claim, units } => pieces::piece_progressed(change, *attempt, *claim, *units),
        Event::PieceDeferred { attempt, claim, render, percent, wait } => {
            pieces::piece_deferred(change, *attempt, *claim, render, *percent, *wait)
        }
        Event::PieceDone { attempt, claim, video } => pieces::piece_done(change, *attempt, *claim, video.as_ref()),
        Event::PieceFailed { attempt, claim, error, permanent } => {
            pieces::piece_failed(change, *attempt, *claim, error, *permanent)
        }
        Event::Cancel => commands::cancel(change),
        Event::Clear { until } => commands::clear(change, *until),
        Event::Retry => commands::retry(change),
        Event::Complete { video_url } => commands::complete(change, video_url),
        Event::Monitor => commands::monitor(change),
        Event::LogArchived => commands::log_archived(change),
        Event::DeleteVideo => commands::delete_video(change),
        Event::Delete => commands::delete(change),
        Event::Tick => timers::tick(change),
    };
    counted(decision, job, event)
}

/// The decision, with what the change uses if the job counts that.
fn counted(decision: Decision, before: &Job, event: &Event) -> Decision {
    match decision {
        Decision::Apply(mut next) => {
            next.ledger.usage = next.ledger.usage.map(|sum| sum + usage::of_change(before, event, &next.outbox));
            Decision::Apply(next)
        }
        other @ (Decision::Ignore(_) | Decision::Reject(_)) => other,
    }
}

impl Aggregate for Job {
    type Id = JobId;
    type Event = Event;
    type Policy = Policy;
    type Ignored = Ignored;
    type Rejected = Rejected;

    fn id(&self) -> &JobId {
        &self.id
    }

    fn subject(&self) -> Subject {
        Subject::Job(self.id.clone())
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn outbox(&self) -> &[Effect] {
        &self.outbox
    }

    fn emitted(&self) -> &[Emitted] {
        &self.emitted
    }

    fn traceparent(&self) -> Option<&str> {
        self.origin.traceparent.as_deref()
    }

    fn tick() -> Event {
        Event::Tick
    }

    fn decide(&self, event: &Event, now: Timestamp, policy: &Policy) -> Decision {
        decide(self, event, now, policy)
    }
}
