//! A job and its parts, as every dialect sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::videos::drawing::{Drawing, RenderPlan, StoredVideo};
use crate::{Effect, Emitted, JobId, LogTally, OutboundEvent, RenderId, Timestamp};

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waiting for its turn, or for a retry's time.
    Pending,
    /// A worker is at it.
    Processing,
    /// The worker is done, the video renders.
    Rendering,
    /// Done.
    Completed,
    /// Failed for good.
    Failed,
    /// Someone cancelled it.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Rendering, Self::Completed, Self::Failed, Self::Cancelled];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Rendering => "rendering",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether only a command can leave it.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Processing | Self::Rendering => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// Whose words a job's clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Seeds 000 and 001.
    #[default]
    StreamGank,
    /// Seed 002.
    VidBuilder,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 2] = [Self::StreamGank, Self::VidBuilder];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::StreamGank => "streamgank",
            Self::VidBuilder => "vidbuilder",
        }
    }
}

/// The names of a run's steps, 0 to 8.
pub(crate) fn step_name(number: u8) -> &'static str {
    match number {
        0 => "Workflow Started",
        1 => "Database Extraction",
        2 => "Script Generation",
        3 => "Asset Preparation",
        4 => "HeyGen Video Creation",
        5 => "HeyGen Processing",
        6 => "Scroll Video Generation",
        7 => "Creatomate Assembly",
        _ => "Workflow Completed",
    }
}

/// What is kept of a step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepRecord {
    /// What the worker told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
}

/// A start in hand: a slot, and the time by which the worker has to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The slot's key in the admission item.
    pub slot: String,
    /// After this, the job is offered again.
    pub lease_until: Timestamp,
}

/// What a pending job waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Not before this time.
    pub ready_at: Timestamp,
    /// When this attempt began to wait; none for the first, which waits since the job was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the sweep sends another hint.
    pub hint_at: Timestamp,
    /// Starts of this attempt that the worker did not take.
    pub failures: u32,
    /// Claims ever made, so that each slot has a name of its own.
    pub claims: u32,
    /// The start in hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// The watch over a render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderWatch {
    /// When rendering began; none while the worker still works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Scheduled checks that were made.
    pub checks: u8,
    /// Tries to confirm a reported end; 0 when none was reported.
    pub confirming: u8,
    /// When the sweep acts.
    pub next_at: Timestamp,
}

/// One job: one aggregate, changed in one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose words its clients speak.
    pub dialect: Dialect,
    /// Rises by one with each change.
    pub version: u64,
    /// The run: callbacks of an older one change nothing.
    pub attempt: u32,
    /// How it stands.
    pub status: Status,
    /// What the client asked for, in its dialect.
    pub input: Value,
    /// End after extraction.
    #[serde(default)]
    pub pause_after_extraction: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When this run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// When it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
    /// When it was deleted; readers do not see it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The render.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_id: Option<RenderId>,
    /// The video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_url: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Retries so far.
    pub retry_count: u32,
    /// Retries at most.
    pub max_retries: u32,
    /// 0 to 100; never falls within an attempt.
    pub progress: u8,
    /// What is going on, ASCII.
    pub current_step: String,
    /// 0 to 8.
    pub current_step_number: u8,
    /// The newest report's sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sequence: Option<i64>,
    /// What is kept of each step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<u8, StepRecord>,
    /// The last reports, to know repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// Whether step 8 came.
    #[serde(default)]
    pub worker_done: bool,
    /// Which worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_id: Option<String>,
    /// Where the worker wants to hear of a cancel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    /// What a pending job waits for, and its slot once it runs.
    pub start: Start,
    /// The watch over its render.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<RenderWatch>,
    /// What it takes to draw its film, where that is ours to do and known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<RenderPlan>,
    /// The run that we do ourselves, while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<Drawing>,
    /// The pictures that we made and stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub videos: Vec<StoredVideo>,
    /// A URL of its client, which is told how it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
    /// Ended after extraction, as was asked.
    #[serde(default)]
    pub paused_after_extraction: bool,
    /// What step 1 extracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extracted: Option<String>,
    /// Timed out with a render under way.
    #[serde(default)]
    pub workflow_incomplete: bool,
    /// Its render never ended.
    #[serde(default)]
    pub render_timeout: bool,
    /// When it timed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_at: Option<Timestamp>,
    /// Why a retry can't help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_retry_reason: Option<String>,
    /// What would help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggested_solution: Option<String>,
    /// When the automatic retry starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Timestamp>,
    /// When a person last retried it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_at: Option<Timestamp>,
    /// The time by which something has to happen; none when final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Who made it, as a fingerprint of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The W3C trace that it began in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The newest version that viewers see something of; 0 for none.
    #[serde(default)]
    pub live_version: u64,
    /// What its log holds.
    #[serde(default)]
    pub log: LogTally,
    /// What of it is in the counters.
    #[serde(default, skip_serializing_if = "LogTally::is_empty")]
    pub log_counted: LogTally,
    /// The last events that went to receivers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emitted: Vec<Emitted>,
    /// What this version wants done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Effect>,
}

impl Job {
    /// Since when this attempt waits, or has waited.
    pub fn waiting_since(&self) -> Timestamp {
        self.start.since.unwrap_or(self.created_at)
    }

    /// The time from start to end, or to `now`, in milliseconds.
    pub fn duration_ms(&self, now: Timestamp) -> Option<i64> {
        let start = self.started_at?;
        let end = self.completed_at.or(self.failed_at).or(self.cancelled_at).unwrap_or(now);
        Some((end.0 - start.0).max(0))
    }

    /// When it ended, if it did.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Pending | Status::Processing | Status::Rendering => None,
            Status::Completed => self.completed_at,
            Status::Failed => self.failed_at,
            Status::Cancelled => self.cancelled_at,
        }
    }

    /// Whether receivers were told of an event before.
    pub fn was_notified(&self, event: OutboundEvent) -> bool {
        self.emitted.iter().any(|emitted| emitted.event == event)
    }

    /// The key of this job's next slot.
    pub fn next_slot(&self) -> String {
        format!("{}.{}.{}", self.id, self.attempt, self.start.claims + 1)
    }
}
