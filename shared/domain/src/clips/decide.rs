//! The one place in which a clip job changes: `decide(job, event, now, policy)`, without I/O.

mod attempts;
mod bounds;
mod change;
mod charge;
mod commands;
mod due;
mod outcomes;
mod output;
mod own;
mod pieces;
mod reports;
mod submissions;
mod timers;

use crate::clips::event::Event;
use crate::clips::job::{ClipJob, JobCredits};
use crate::clips::policy::ClipPolicy;
use crate::clips::reasons::{Ignored, Rejected};
use crate::clips::request::ClipRequest;
use crate::clips::run::{Engine, OwnRun, Run};
use crate::clips::status::ClipStatus;
use crate::pieces::Pieces;
use crate::{Aggregate, ClipJobId, Decision, Effect, Emitted, HistorySource, Origin, Subject, Timestamp};
use change::{Change, Outcome, Refusal};

/// A clip job that a client creates.
#[derive(Debug, Clone, PartialEq)]
pub struct NewClipJob {
    /// The id.
    pub id: ClipJobId,
    /// What the client asks for.
    pub request: ClipRequest,
    /// Where it came from, and whose it is.
    pub origin: Origin,
    /// The credits that are reserved for its first attempt.
    pub reserved: u64,
}

/// Creates a clip job: version 1, with its first attempt.
pub fn create(new: NewClipJob, now: Timestamp, policy: &ClipPolicy) -> ClipJob {
    let before = ClipJob {
        id: new.id,
        version: 0,
        request: new.request,
        origin: new.origin,
        created_at: now,
        updated_at: now,
        started_at: None,
        ended_at: None,
        deleted_at: None,
        status: ClipStatus::Queued,
        error: None,
        run: Run::new(0, Engine::Own(OwnRun::default()), ""),
        clips: Vec::new(),
        transcript: None,
        plan: None,
        pieces: Pieces::new(Vec::new(), now, &policy.pieces()),
        credits: JobCredits::default(),
        hinted_at: None,
        due_at: None,
        live_version: 0,
        emitted: Vec::new(),
        outbox: Vec::new(),
    };
    let mut change = Change::of(&before, now, policy);
    attempts::begin(&mut change, new.reserved);
    change.finish()
}

/// Decides what `event` does to `job` at `now`.
///
/// Contract: docs/contract/clipping.md. Each `Apply` is the next version, and only an `Apply` has effects.
pub fn decide(job: &ClipJob, event: &Event, now: Timestamp, policy: &ClipPolicy) -> Decision<ClipJob> {
    let mut change = Change::of(job, now, policy);
    let outcome = match job.deleted_at {
        None => apply(&mut change, event),
        Some(_) => refusal_of_deleted(event).map_or_else(|| apply(&mut change, event), Err),
    };
    match outcome {
        Ok(()) => Decision::Apply(Box::new(change.finish())),
        Err(Refusal::Ignored(reason)) => Decision::Ignore(reason),
        Err(Refusal::Rejected(reason)) => Decision::Reject(reason),
    }
}

fn apply(change: &mut Change<'_>, event: &Event) -> Outcome {
    match event {
        Event::Cancel => commands::cancel(change),
        Event::Delete => commands::delete(change),
        Event::Retry { reserved } => commands::retry(change, *reserved),
        Event::Recut { index, range } => commands::recut(change, *index, *range),
        Event::ClaimSubmission => submissions::claim(change),
        Event::Submitted { number, id } => submissions::submitted(change, *number, id),
        Event::SubmissionRefused { number, error, wait, permanent } => {
            submissions::refused(change, *number, error, *wait, *permanent)
        }
        Event::SubmissionLost { number } => submissions::lost(change, *number),
        Event::CancelUnconfirmed { number } => outcomes::cancel_again(change, *number),
        Event::LookedUp { number, found } => submissions::looked_up(change, *number, found),
        Event::Reported { number, id, report, polled } => {
            reports::reported(change, *number, id.as_ref(), report, *polled)
        }
        Event::PollFailed { number, missing } => submissions::poll_failed(change, *number, *missing),
        Event::ClaimPiece => pieces::claim(change),
        Event::PieceProgressed { claim, units } => pieces::progressed(change, *claim, *units),
        Event::PieceDone { claim, output } => pieces::done(change, *claim, output),
        Event::NotCovered { claim, source_ms, available } => {
            pieces::not_covered(change, *claim, *source_ms, *available)
        }
        Event::PieceFailed { claim, error, permanent } => pieces::failed(change, *claim, error, *permanent),
        Event::Tick => timers::tick(change),
    }
}

/// Nothing changes a deleted job. Only what it left at the worker is still canceled.
fn refusal_of_deleted(event: &Event) -> Option<Refusal> {
    match event {
        Event::CancelUnconfirmed { .. } => None,
        Event::Cancel | Event::Delete | Event::Retry { .. } | Event::Recut { .. } => Some(Rejected::Deleted.into()),
        Event::ClaimSubmission
        | Event::Submitted { .. }
        | Event::SubmissionRefused { .. }
        | Event::SubmissionLost { .. }
        | Event::LookedUp { .. }
        | Event::Reported { .. }
        | Event::PollFailed { .. }
        | Event::ClaimPiece
        | Event::PieceProgressed { .. }
        | Event::PieceDone { .. }
        | Event::NotCovered { .. }
        | Event::PieceFailed { .. }
        | Event::Tick => Some(Ignored::Ended.into()),
    }
}

impl HistorySource for ClipJob {}

impl Aggregate for ClipJob {
    type Id = ClipJobId;
    type Event = Event;
    type Policy = ClipPolicy;
    type Ignored = Ignored;
    type Rejected = Rejected;

    fn id(&self) -> &ClipJobId {
        &self.id
    }

    fn subject(&self) -> Subject {
        Subject::Clips(self.id.clone())
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

    fn decide(&self, event: &Event, now: Timestamp, policy: &ClipPolicy) -> Decision<Self> {
        decide(self, event, now, policy)
    }
}
