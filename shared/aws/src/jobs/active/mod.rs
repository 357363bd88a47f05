//! The keys of the index of jobs under way: partitions by the hash of the id, ranks by status, lane and time (ADR 3, 54 and
//! 55). All of them are built and read here.

pub(crate) mod ready;

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_domain::jobs::fair::Waiting;
use reelhook_domain::{Job, JobId, Lane, Priority, Status, Timestamp};

use crate::items::{Item, s, text};

/// The partition of active jobs while there is one shard, and of the first of several.
const ACTIVE: &str = "active";
/// The ranks of jobs that wait for a slot begin with this.
const PENDING: &str = "pending#";
/// What follows in the ranks of jobs that have a lane or a priority. Digits sort before it, so that the ranks of jobs
/// without them, and of jobs of version 0.2 and older, are a range of their own.
const LANE: char = 'o';
/// The digits of a lane.
const LANE_DIGITS: usize = 12;
/// A bound after all ranks of waiting jobs.
const AFTER_PENDING: &str = "pending#~";
/// Shards at most.
const MOST_SHARDS: u32 = 16;

/// How many shards the active index has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveShards {
    /// ACTIVE_SHARDS: those that jobs are written to.
    written: u32,
    /// Those that are read.
    read: u32,
}

impl Default for ActiveShards {
    fn default() -> Self {
        Self::new(1, 1)
    }
}

impl ActiveShards {
    /// `written` shards, of which there were `before` earlier, so that jobs may still be in that many.
    pub fn new(written: u32, before: u32) -> Self {
        let written = written.clamp(1, MOST_SHARDS);
        Self { written, read: before.clamp(written, MOST_SHARDS) }
    }

    /// The partitions that are read.
    pub(crate) fn partitions(self) -> impl Iterator<Item = AttributeValue> {
        (0..self.read).map(|shard| s(partition(shard)))
    }

    /// How many partitions are read.
    pub(crate) fn read(self) -> usize {
        self.read as usize
    }

    /// Puts the item of a job that is under way into its shard.
    pub(crate) fn place(self, item: &mut Item, id: &str) {
        let shard = reelhook_app::outbox::sweep::hash(id) % self.written;
        if shard > 0
            && let Some(active) = item.get_mut("active")
        {
            *active = s(partition(shard));
        }
    }
}

fn partition(shard: u32) -> String {
    if shard == 0 { ACTIVE.to_owned() } else { format!("{ACTIVE}#{shard}") }
}

/// The partition and the rank of a job that is under way, in the first shard.
pub(crate) fn keys(job: &Job) -> [(&'static str, AttributeValue); 2] {
    [("active", s(ACTIVE)), ("active_rank", s(rank(job)))]
}

/// The sort key of active jobs: waiting ones are sorted by lane, then by priority, then by the time from which they may
/// start.
fn rank(job: &Job) -> String {
    let ready = format!("{:014}", job.run.start.ready_at.millis().max(0));
    let (lane, priority) = (job.lane(), job.request.priority);
    match job.status {
        Status::Pending if job.run.start.claim.is_some() => format!("starting#{ready}"),
        Status::Pending if lane == Lane::default() && priority.is_default() => format!("{PENDING}{ready}"),
        Status::Pending => format!("{}#{ready}", class(lane, priority)),
        status => format!("{}#{ready}", status.name()),
    }
}

/// What the ranks of waiting jobs of a lane with one priority begin with.
fn class(lane: Lane, priority: Priority) -> String {
    format!("{}{}", begin_of(lane), Priority::MOST - priority.get())
}

/// What the ranks of waiting jobs of a lane begin with.
pub(super) fn begin_of(lane: Lane) -> String {
    format!("{PENDING}{LANE}{lane}")
}

/// The least rank of a waiting job.
pub(super) fn first() -> String {
    PENDING.to_owned()
}

/// A bound after the ranks of all waiting jobs.
pub(super) fn last() -> String {
    AFTER_PENDING.to_owned()
}

/// A waiting job as the index has it, and bounds of ranks: where its lane begins, what is after it, and what is after the
/// jobs of its priority in this lane.
pub(super) struct Entry {
    pub waiting: Waiting<JobId>,
    pub begin: String,
    pub after_lane: String,
    pub after_class: String,
}

/// Reads an entry of the index.
pub(super) fn entry(item: &Item) -> Option<Entry> {
    let job = JobId::parse(text(item, "id")?).ok()?;
    let rank = text(item, "active_rank")?.strip_prefix(PENDING)?;
    let Some(laned) = rank.strip_prefix(LANE) else {
        let ready_at = Timestamp(rank.parse().ok()?);
        let waiting = Waiting { job, lane: Lane::default(), priority: Priority::default(), ready_at };
        // `:` sorts after all digits, `$` after `#`.
        let after = format!("{PENDING}:");
        return Some(Entry { waiting, begin: first(), after_lane: after.clone(), after_class: after });
    };
    let (class, ready) = laned.split_once('#')?;
    let lane = Lane::parse(class.get(..LANE_DIGITS)?)?;
    let digit: u8 = class.get(LANE_DIGITS..)?.parse().ok()?;
    let priority = Priority::new(Priority::MOST.checked_sub(digit)?)?;
    let waiting = Waiting { job, lane, priority, ready_at: Timestamp(ready.parse().ok()?) };
    let begin = begin_of(lane);
    let (after_lane, after_class) = (format!("{begin}:"), format!("{}$", self::class(lane, priority)));
    Some(Entry { waiting, begin, after_lane, after_class })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(rank: &str) -> Item {
        [("id", s("job_1")), ("active_rank", s(rank))].map(|(name, value)| (name.to_owned(), value)).into()
    }

    #[test]
    fn ranks_of_a_lane_sort_by_priority_and_time() {
        let rank = |lane: u64, priority: u8, at: i64| {
            format!("{}#{at:014}", class(Lane::at(lane), Priority::new(priority).expect("a priority")))
        };
        let sorted = [
            format!("{PENDING}{:014}", 7),
            rank(1, 9, 8),
            rank(1, 9, 9),
            rank(1, 5, 1),
            rank(1, 0, 0),
            rank(2, 9, 0),
            rank(0xffff_ffff_ffff, 0, i64::from(u32::MAX)),
        ];
        assert!(sorted.is_sorted(), "{sorted:?}");
        let entries: Vec<Entry> = sorted.iter().map(|rank| entry(&item(rank)).expect("an entry")).collect();
        for (n, after) in [(0, 1), (1, 5), (4, 5), (5, 6)] {
            assert!(entries[n].after_lane > sorted[after - 1] && entries[n].after_lane < sorted[after], "{n}");
        }
        assert!(entries[1].after_class > sorted[2] && entries[1].after_class < sorted[3]);
        assert!(entries[6].after_lane.as_str() < AFTER_PENDING);
        let waiting = &entries[3].waiting;
        assert_eq!((waiting.lane, waiting.priority.get(), waiting.ready_at), (Lane::at(1), 5, Timestamp(1)));
    }

    #[test]
    fn what_is_no_rank_of_a_waiting_job_is_no_entry() {
        for rank in ["starting#01", "pending#x", "pending#o12#1", "pending#o000000000001x#1", "pending#o0000000000015#"]
        {
            assert!(entry(&item(rank)).is_none(), "{rank}");
        }
    }

    #[test]
    fn readers_read_the_shards_of_before_and_of_now() {
        let read = |now, before| ActiveShards::new(now, before).partitions().collect::<Vec<_>>();
        assert_eq!(read(1, 1), [s("active")]);
        assert_eq!(read(2, 1), [s("active"), s("active#1")]);
        assert_eq!(read(1, 4), read(4, 1));
        assert_eq!(read(0, 99).len(), 16);
    }

    #[test]
    fn a_job_stays_in_its_shard_and_jobs_spread() {
        let mut counts = [0; 4];
        for n in 0..400 {
            let mut item: Item = [("active".to_owned(), s(ACTIVE))].into();
            ActiveShards::new(4, 1).place(&mut item, &format!("job_1704110400000_{n:032x}"));
            let shard =
                text(&item, "active").expect("a text").strip_prefix("active#").map_or(0, |n| n.parse().expect("n"));
            counts[shard] += 1_usize;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
        let mut ended = Item::new();
        ActiveShards::new(4, 1).place(&mut ended, "job_1");
        assert!(ended.is_empty(), "a job that has ended has none");
    }
}
