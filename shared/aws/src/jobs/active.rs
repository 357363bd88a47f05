//! Where a job is in `by-active`, the index of what is not over: the one place that builds and reads its keys (ADR 3, ADR 50).
//!
//! A job that waits or is claimed has the rank `pending#<ready>#<created>`. Any other job that is under way has
//! `<stage>#<due>#<created>`, by which the due sweep finds it. The due sweep starts waiting jobs without a key of their own.
//! A rank of a video ends with [`VIDEO`]. Versions before 0.3 wrote `<stage>#<ready>` for every stage.

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_domain::{Job, JobId, JobKind, Status, Timestamp};

use crate::aggregates::found_at;
use crate::items::{Item, s, text};

/// The partition of jobs that are under way.
pub(crate) const ACTIVE: &str = "active";
/// The partition of ended jobs with a timer: a success that was reported after a render timeout is being confirmed.
const CONFIRMING: &str = "confirming";
/// What the rank of a video ends with, so that lists of a family need no other jobs.
const VIDEO: &str = "#video";
/// The condition of a query for a range.
pub(crate) const RANGE: &str = "active = :active AND active_rank BETWEEN :first AND :last";

/// Where in its run a job is. Waiting jobs sort before those that run, and starting ones after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Pending,
    Processing,
    Rendering,
    Starting,
}

/// The stages that the due sweep asks for; those that wait are hinted by [`ready`].
const TIMED: [Stage; 3] = [Stage::Processing, Stage::Rendering, Stage::Starting];
/// The ranges that the due sweep reads.
pub(crate) const DUE_RANGES: u32 = TIMED.len() as u32 + 1;

impl Stage {
    /// The stages of jobs that have a status; none of an ended one.
    pub fn of_status(status: Status) -> &'static [Self] {
        match status {
            Status::Pending => &[Self::Pending, Self::Starting],
            Status::Processing => &[Self::Processing],
            Status::Rendering => &[Self::Rendering],
            Status::Completed | Status::Failed | Status::Cancelled => &[],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Rendering => "rendering",
            Self::Starting => "starting",
        }
    }
}

/// The partition and the rank of a job; none if nothing is left to do.
pub(crate) fn key(job: &Job) -> Option<(&'static str, String)> {
    let due = job.due_at.map(found_at);
    let (stage, at) = match job.status {
        Status::Pending => (Stage::Pending, Some(job.run.start.ready_at)),
        Status::Processing => (Stage::Processing, due),
        Status::Rendering => (Stage::Rendering, due),
        Status::Completed | Status::Failed | Status::Cancelled => return Some((CONFIRMING, digits(due?))),
    };
    // Without a timer it is due at once.
    let (at, created) = (digits(at.unwrap_or(job.updated_at)), job.created_at.millis());
    let kind = match job.kind {
        JobKind::Workflow => "",
        JobKind::Video => VIDEO,
    };
    Some((ACTIVE, format!("{}#{at}#{created}{kind}", stage.name())))
}

/// A time as fourteen digits, which sort as times do.
fn digits(at: Timestamp) -> String {
    format!("{:014}", at.millis().max(0))
}

/// The values of [`RANGE`].
type Range = [(&'static str, AttributeValue); 3];

fn range(partition: &str, first: impl Into<String>, last: impl Into<String>) -> Range {
    [(":active", s(partition)), (":first", s(first)), (":last", s(last))]
}

/// The range of all jobs of a stage.
pub(crate) fn of_stage(stage: Stage) -> Range {
    range(ACTIVE, format!("{}#", stage.name()), format!("{}#~", stage.name()))
}

/// The range of jobs that process or render.
pub(crate) fn running() -> Range {
    range(ACTIVE, "processing#", "rendering#~")
}

/// The range of waiting jobs that may start at a time, the oldest first.
pub(crate) fn ready(now: Timestamp) -> Range {
    range(ACTIVE, "pending#", format!("pending#{}~", digits(now)))
}

/// The range number `index`, below [`DUE_RANGES`], of jobs that may be due at a time, the longest overdue first.
pub(crate) fn due(index: u32, now: Timestamp) -> Range {
    match TIMED.get(index as usize) {
        Some(stage) => range(ACTIVE, format!("{}#", stage.name()), format!("{}#{}~", stage.name(), digits(now))),
        None => range(CONFIRMING, "0", format!("{}~", digits(now))),
    }
}

/// An entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The job.
    pub id: JobId,
    /// By what it is sorted within its stage; not before its creation if it waits.
    pub at: Timestamp,
    /// When the job was created, and its kind; none in an entry of a version before 0.3.
    pub created: Option<(Timestamp, JobKind)>,
}

impl Entry {
    /// Reads an entry; none if it is none of ours.
    pub fn read(item: &Item) -> Option<Self> {
        let id = JobId::parse(text(item, "id")?).ok()?;
        let rank = text(item, "active_rank")?;
        let (rank, kind) = match rank.strip_suffix(VIDEO) {
            Some(rank) => (rank, JobKind::Video),
            None => (rank, JobKind::Workflow),
        };
        let mut times = rank.split('#').skip(1).map(|time| time.parse().ok().map(Timestamp));
        let at = times.next()??;
        let created = times.next().flatten().map(|created| (created, kind));
        Some(Self { id, at, created })
    }
}
