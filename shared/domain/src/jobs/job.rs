//! A job: the envelope that every job has, and its present run.

use serde_json::Value;

use crate::jobs::kind::JobKind;
use crate::jobs::run::Run;
use crate::jobs::slots::fair::{Lane, Priority};
use crate::jobs::status::Status;
use crate::jobs::usage::Usage;
use crate::metadata::Metadata;
use crate::videos::render::{RenderPlan, StoredVideo};
use crate::{Effect, Emitted, History, JobId, LogTally, OutboundEvent, OwnerId, RenderId, Timestamp, WebUrl};

/// One job: an aggregate, changed in one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The kind of the job.
    pub kind: JobKind,
    /// Rises by one with each change.
    pub version: u64,
    /// Its status.
    pub status: Status,
    /// The client's request.
    pub request: Request,
    /// Where it came from.
    pub origin: Origin,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted; readers no longer see it.
    pub deleted_at: Option<Timestamp>,
    /// The time at which the due sweep acts on it; none if it has no timer.
    pub due_at: Option<Timestamp>,
    /// Its retries.
    pub retries: Retries,
    /// What has been shown and counted.
    pub ledger: Ledger,
    /// What earlier versions logged and showed, until it is in rows; none if a version of Reelhook wrote it that writes a
    /// row for each line.
    pub history: Option<History>,
    /// The last webhook events that it caused.
    pub emitted: Vec<Emitted>,
    /// The effects of this version.
    pub outbox: Vec<Effect>,
    /// The present run.
    pub run: Run,
}

/// The client's request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The parameters, in the client's dialect.
    pub input: Value,
    /// Whether the run ends after extraction.
    pub pause_after_extraction: bool,
    /// A URL of the client that is notified too.
    pub callback: Option<WebUrl>,
    /// The caller's metadata.
    pub metadata: Metadata,
    /// Its priority among the caller's jobs.
    pub priority: Priority,
}

/// Where a job came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The fingerprint of the caller's key.
    pub caller: Option<String>,
    /// The W3C trace of the request.
    pub traceparent: Option<String>,
    /// Whose it is; none for an operator's.
    pub owner: Option<OwnerId>,
}

/// The retries of a job, automatic and manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Retries so far.
    pub used: u32,
    /// Retries at most.
    pub max: u32,
    /// When a person last retried it.
    pub by_hand_at: Option<Timestamp>,
}

/// What of a job has been shown to viewers, logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The newest version of which viewers see something; 0 for none.
    pub live_version: u64,
    /// What its log holds.
    pub log: LogTally,
    /// What of the log is in the counters.
    pub counted: LogTally,
    /// What the job has used; none if its request does not ask for it.
    pub usage: Option<Usage>,
}

impl Job {
    /// Since when this run waits, or has waited.
    pub fn waiting_since(&self) -> Timestamp {
        self.run.start.since.unwrap_or(self.created_at)
    }

    /// The time from start to end, or to `now`, in milliseconds.
    pub fn duration_ms(&self, now: Timestamp) -> Option<i64> {
        let times = &self.run.times;
        let end = times.completed_at.or(times.failed_at).or(times.cancelled_at).unwrap_or(now);
        Some(end.millis_since(times.started_at?).max(0))
    }

    /// When it ended, if it did.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Pending | Status::Processing | Status::Rendering => None,
            Status::Completed => self.run.times.completed_at,
            Status::Failed => self.run.times.failed_at,
            Status::Cancelled => self.run.times.cancelled_at,
        }
    }

    /// Whether subscribers were notified of an event before.
    pub fn was_notified(&self, event: OutboundEvent) -> bool {
        self.emitted.iter().any(|emitted| emitted.event == event)
    }

    /// The lane whose part of the slots it uses.
    pub fn lane(&self) -> Lane {
        Lane::of(self.origin.owner.as_ref(), self.origin.caller.as_deref())
    }

    /// The name of this job's next slot, by which it asks for one.
    pub fn next_slot(&self) -> String {
        let slot = format!("{}.{}.{}", self.id, self.run.attempt, self.run.start.claims + 1);
        self.lane().mark(slot)
    }

    /// The claimed job with the slot that a row has granted it.
    #[must_use]
    pub fn granted(mut self, slot: String) -> Self {
        if let Some(claim) = &mut self.run.start.claim {
            claim.slot = slot;
        }
        self
    }

    /// The id of the render at an outside service that the run waits for.
    pub fn render_id(&self) -> Option<&RenderId> {
        self.run.engine.render().map(|task| &task.id)
    }

    /// The plan of its film, once it is known.
    pub fn plan(&self) -> Option<&RenderPlan> {
        self.run.engine.pieces()?.plan.as_ref()
    }

    /// The finished renditions in storage.
    pub fn videos(&self) -> &[StoredVideo] {
        self.run.engine.pieces().map_or(&[], |run| &run.videos)
    }

    /// Completed by a render timeout, still without its video: the one final state that a callback can amend (ADR 11).
    pub fn awaits_video(&self) -> bool {
        self.status == Status::Completed && self.run.render_timed_out() && self.run.video_url.is_none()
    }
}
