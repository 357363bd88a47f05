//! Where a job is in `by-active`, the index of what is not over: the one place that builds and reads its keys (ADR 3, 50, 54
//! and 55).
//!
//! A job that waits or is claimed has the rank `pending#<ready>#<created>`, and with a lane or a priority
//! `pending#o<lane><9 - priority>#<ready>#<created>`. Any other job that is under way has `<stage>#<due>#<created>`, by
//! which the due sweep finds it. The due sweep starts waiting jobs without a key of their own. A rank of a video ends with
//! [`VIDEO`]. Versions before 0.3 wrote `<stage>#<ready>` for every stage.

pub(crate) mod pending;
pub(crate) mod ready;
pub mod shards;

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_domain::{Job, JobId, JobKind, Lane, Priority, Status, Timestamp};

use crate::aggregates::found_at;
use crate::items::{Item, s, text};
use crate::jobs::active::shards::{ACTIVE, ActiveShards, MOST_SHARDS, partition};

/// The partition of ended jobs with a timer: a success that was reported after a render timeout is being confirmed.
const CONFIRMING: &str = "confirming";
/// What the rank of a video ends with, so that lists of a family need no other jobs.
const VIDEO: &str = "#video";
/// What precedes the lane in a rank. Digits sort before it, so that the ranks of jobs without lane and priority, and of jobs
/// of versions before 0.3, are a range of their own.
const LANE: char = 'o';
/// The digits of a lane.
const LANE_DIGITS: usize = 12;
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

/// The stages that the due sweep asks for. It hints at those that wait, by [`ready`], and asks for claimed ones.
const TIMED: [Stage; 3] = [Stage::Processing, Stage::Rendering, Stage::Starting];
/// The stages that the due sweep asks for in a shard that is no longer read.
const ALL: [Stage; 4] = [Stage::Processing, Stage::Rendering, Stage::Starting, Stage::Pending];

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

    /// What its ranks begin with: a bound before them.
    pub fn begin(self) -> String {
        format!("{}#", self.name())
    }

    /// A bound after its ranks.
    pub fn end(self) -> String {
        format!("{}#~", self.name())
    }
}

/// The jobs of a lane that have one priority. They wait in the order of their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Class {
    pub lane: Lane,
    pub priority: Priority,
}

impl Class {
    fn of(job: &Job) -> Self {
        Self { lane: job.lane(), priority: job.request.priority }
    }

    /// Reads what is between [`LANE`] and the times.
    fn parse(class: &str) -> Option<Self> {
        let digit: u8 = class.get(LANE_DIGITS..)?.parse().ok()?;
        let priority = Priority::new(Priority::MOST.checked_sub(digit)?)?;
        Some(Self { lane: Lane::parse(class.get(..LANE_DIGITS)?)?, priority })
    }

    /// What its ranks begin with: a bound before them.
    pub fn begin(self) -> String {
        if self == Self::default() { Stage::Pending.begin() } else { format!("{}#", self.laned()) }
    }

    /// A bound after its ranks: `:` sorts after all digits, `$` after `#`.
    pub fn end(self) -> String {
        if self == Self::default() { self.lane_end() } else { format!("{}$", self.laned()) }
    }

    /// A bound before the ranks of its lane.
    pub fn lane_begin(self) -> String {
        if self == Self::default() { Stage::Pending.begin() } else { lane_begin(self.lane) }
    }

    /// A bound after the ranks of its lane.
    pub fn lane_end(self) -> String {
        format!("{}:", self.lane_begin())
    }

    fn laned(self) -> String {
        format!("{}{}", lane_begin(self.lane), Priority::MOST - self.priority.get())
    }
}

/// What the ranks of a lane begin with.
pub(crate) fn lane_begin(lane: Lane) -> String {
    format!("{}{LANE}{lane}", Stage::Pending.begin())
}

/// The partition, in the first shard, and the rank of a job; none if nothing is left to do.
pub(crate) fn key(job: &Job) -> Option<(&'static str, String)> {
    key_in(job, Class::of(job))
}

/// The [`key`] under which versions before 0.3 find a job: without a lane.
pub(crate) fn older_key(job: &Job) -> Option<(&'static str, String)> {
    key_in(job, Class::default())
}

fn key_in(job: &Job, class: Class) -> Option<(&'static str, String)> {
    let due = job.due_at.map(found_at);
    let (begin, at) = match job.status {
        Status::Pending => (class.begin(), Some(job.run.start.ready_at)),
        Status::Processing => (Stage::Processing.begin(), due),
        Status::Rendering => (Stage::Rendering.begin(), due),
        Status::Completed | Status::Failed | Status::Cancelled => return Some((CONFIRMING, digits(due?))),
    };
    // Without a timer it is due at once.
    let (at, created) = (digits(at.unwrap_or(job.updated_at)), job.created_at.millis());
    let kind = match job.kind {
        JobKind::Workflow => "",
        JobKind::Video => VIDEO,
    };
    Some((ACTIVE, format!("{begin}{at}#{created}{kind}")))
}

/// A time as fourteen digits, which sort as times do.
fn digits(at: Timestamp) -> String {
    format!("{:014}", at.millis().max(0))
}

/// The values of [`RANGE`].
pub(crate) type Range = [(&'static str, AttributeValue); 3];

/// The range between two bounds.
pub(crate) fn range(partition: AttributeValue, first: impl Into<String>, last: impl Into<String>) -> Range {
    [(":active", partition), (":first", s(first)), (":last", s(last))]
}

/// The range of jobs that process or render.
pub(crate) fn running(partition: AttributeValue) -> Range {
    range(partition, Stage::Processing.begin(), Stage::Rendering.end())
}

/// How many ranges the due sweep reads.
pub(crate) fn due_ranges(shards: ActiveShards) -> usize {
    TIMED.len() * shards.read() + 1 + ALL.len()
}

/// The range number `index`, below [`due_ranges`], of jobs that may be due at a time, the longest overdue first; none if
/// there is nothing to read at this time.
///
/// Each minute one of all shards that there can be is swept too, so that jobs are found that are in none of those that are
/// read.
pub(crate) fn due(shards: ActiveShards, index: usize, now: Timestamp) -> Option<Range> {
    let of_shards = TIMED.len() * shards.read();
    if index < of_shards {
        return Some(due_in(index / TIMED.len(), TIMED[index % TIMED.len()], now));
    }
    if index == of_shards {
        return Some(range(s(CONFIRMING), "0", format!("{}~", digits(now))));
    }
    let minute = usize::try_from(now.seconds() / 60).unwrap_or_default();
    let shard = minute % MOST_SHARDS;
    (shard >= shards.read()).then(|| due_in(shard, ALL[(index - of_shards - 1) % ALL.len()], now))
}

fn due_in(shard: usize, stage: Stage, now: Timestamp) -> Range {
    let last = match stage {
        // They are sorted by lane before they are by time.
        Stage::Pending => stage.end(),
        Stage::Processing | Stage::Rendering | Stage::Starting => format!("{}{}~", stage.begin(), digits(now)),
    };
    range(partition(shard), stage.begin(), last)
}

/// An entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The job.
    pub id: JobId,
    /// Its class if it waits, else the default.
    pub class: Class,
    /// By what it is sorted within its stage or class; not before its creation if it waits.
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
        let (_, rank) = rank.split_once('#')?;
        let (class, times) = match rank.strip_prefix(LANE) {
            Some(laned) => {
                let (class, times) = laned.split_once('#')?;
                (Class::parse(class)?, times)
            }
            None => (Class::default(), rank),
        };
        let mut times = times.split('#').map(|time| time.parse().ok().map(Timestamp));
        let at = times.next()??;
        let created = times.next().flatten().map(|created| (created, kind));
        Some(Self { id, class, at, created })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(rank: &str) -> Item {
        [("id", s("job_1")), ("active_rank", s(rank))].map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn class(lane: u64, priority: u8) -> Class {
        Class { lane: Lane::at(lane), priority: Priority::new(priority).expect("a priority") }
    }

    #[test]
    fn ranks_of_a_lane_sort_by_priority_and_time() {
        let rank = |lane: u64, priority: u8, at: i64| format!("{}{at:014}#7", class(lane, priority).begin());
        let sorted = [
            format!("pending#{:014}", 7),
            rank(1, 9, 8),
            rank(1, 9, 9),
            rank(1, 5, 1),
            rank(1, 0, 0),
            rank(2, 9, 0),
            rank(0xffff_ffff_ffff, 0, i64::from(u32::MAX)),
        ];
        assert!(sorted.is_sorted(), "{sorted:?}");
        let entries: Vec<Entry> = sorted.iter().map(|rank| Entry::read(&item(rank)).expect("an entry")).collect();
        for (n, after) in [(0, 1), (1, 5), (4, 5), (5, 6)] {
            let class = entries[n].class;
            assert!(class.lane_end() > sorted[after - 1] && class.lane_end() < sorted[after], "{n}");
            assert!(class.lane_begin() <= class.begin() && class.begin() < sorted[n], "{n}");
        }
        assert!(entries[1].class.end() > sorted[2] && entries[1].class.end() < sorted[3]);
        assert!(entries[3].class.begin() > sorted[2] && entries[0].class.end() < sorted[1]);
        assert!(entries[6].class.lane_end() < Stage::Pending.end());
        assert_eq!((entries[3].class, entries[3].at), (class(1, 5), Timestamp(1)));
        assert_eq!(entries[3].created, Some((Timestamp(7), JobKind::Workflow)));
        assert_eq!((entries[0].class, entries[0].created), (Class::default(), None), "as versions before 0.3 wrote it");
    }

    #[test]
    fn what_is_no_rank_is_no_entry() {
        for rank in ["starting", "pending#x", "pending#o12#1", "pending#o000000000001x#1", "pending#o0000000000015#"] {
            assert!(Entry::read(&item(rank)).is_none(), "{rank}");
        }
    }

    #[test]
    fn each_shard_that_may_hold_jobs_is_swept_within_sixteen_minutes() {
        let shards = ActiveShards::new(2, 1);
        let swept = |minute: i64| -> Vec<(AttributeValue, AttributeValue)> {
            let now = Timestamp::from_seconds(60 * minute);
            let ranges = (0..due_ranges(shards)).filter_map(|index| due(shards, index, now));
            ranges.map(|[(_, partition), (_, first), _]| (partition, first)).collect()
        };
        let always = 2 * TIMED.len() + 1;
        for minute in 0..MOST_SHARDS {
            let swept = swept(minute as i64);
            assert_eq!(swept.len(), always + if minute < 2 { 0 } else { ALL.len() }, "{minute}");
            for stage in TIMED {
                assert!(swept.contains(&(partition(minute), s(stage.begin()))), "{minute}");
            }
            assert!(minute < 2 || swept.contains(&(partition(minute), s(Stage::Pending.begin()))), "{minute}");
        }
    }
}
