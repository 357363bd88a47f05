//! A shard of the index of active jobs: the waiting jobs as readers see them, and as they are.

use std::collections::{BTreeSet, VecDeque};

use super::capacity::{Bucket, IndexPartition};
use crate::agenda::Micros;

/// A waiting job: its rank, from which on it may start, and its number.
pub type Waiting = (Micros, u32);

/// The bits of a rank that are a time. Those before them are its owner, where owners share the slots.
const TIME: u32 = 48;

/// The lowest rank of an owner.
pub fn first_rank(owner: u32) -> Micros {
    Micros::from(owner) << TIME
}

/// The owner of a rank.
pub fn owner_of(rank: Micros) -> u32 {
    (rank >> TIME) as u32
}

/// The time of a rank.
pub fn time_of(rank: Micros) -> Micros {
    rank & ((1 << TIME) - 1)
}

/// One shard.
pub struct ActiveShard {
    /// Its writes.
    pub writes: IndexPartition,
    /// Its reads.
    pub reads: Bucket,
    changes: VecDeque<(Micros, Waiting, bool)>,
    seen: BTreeSet<Waiting>,
    waiting: BTreeSet<Waiting>,
}

impl Default for ActiveShard {
    fn default() -> Self {
        Self {
            writes: IndexPartition::default(),
            reads: Bucket::reads(),
            changes: VecDeque::new(),
            seen: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }
}

impl ActiveShard {
    /// A job waits from now on: by its rank, or from the time at which its claim expired.
    pub fn wait(&mut self, job: Waiting) {
        self.waiting.insert(job);
    }

    /// A job waits no longer.
    pub fn claim(&mut self, job: Waiting) {
        self.waiting.remove(&job);
    }

    /// The entry of a job comes; readers see it at `appears`.
    pub fn add(&mut self, job: Waiting, appears: Micros) {
        self.changes.push_back((appears, job, true));
    }

    /// The entry of a job goes; readers see it until `disappears`.
    pub fn remove(&mut self, job: Waiting, disappears: Micros) {
        self.changes.push_back((disappears, job, false));
    }

    /// The first jobs as a reader sees them now, the oldest first, up to the rank `until`.
    pub fn heads(&mut self, now: Micros, until: Micros, limit: usize) -> impl Iterator<Item = Waiting> {
        self.catch_up(now);
        self.seen.iter().copied().take_while(move |(rank, _)| *rank <= until).take(limit)
    }

    /// The first jobs of each owner, at most `each`; of at most `owners` owners from the owner `from` on, and then from the first
    /// one. Returns whether those are all.
    pub fn heads_of_owners(&mut self, now: Micros, each: usize, owners: usize, from: u32) -> (Vec<Waiting>, bool) {
        self.catch_up(now);
        let (mut heads, mut left) = (Vec::new(), owners);
        let middle = first_rank(from);
        for (mut at, end) in [(middle, Micros::MAX), (0, middle)] {
            while let Some((rank, _)) = self.seen.range((at, 0)..(end, 0)).next() {
                if left == 0 {
                    return (heads, false);
                }
                left -= 1;
                let next = first_rank(owner_of(*rank) + 1);
                heads.extend(self.seen.range((at, 0)..(next, 0)).take(each));
                at = next;
            }
        }
        (heads, true)
    }

    /// Shows the entries that have appeared: in the order in which they were written.
    fn catch_up(&mut self, now: Micros) {
        while let Some((at, job, added)) = self.changes.front().copied()
            && at <= now
        {
            self.changes.pop_front();
            if added {
                self.seen.insert(job);
            } else {
                self.seen.remove(&job);
            }
        }
    }

    /// The oldest waiting job.
    pub fn oldest(&self) -> Option<Waiting> {
        self.waiting.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read_from_one_on_and_then_from_the_first() {
        let mut shard = ActiveShard::default();
        for owner in 0..4 {
            (0..3).for_each(|job| shard.add((first_rank(owner) | u64::from(job), 10 * owner + job), 0));
        }
        let mut heads = |owners, from| {
            let (heads, all) = shard.heads_of_owners(0, 2, owners, from);
            (heads.into_iter().map(|(_, job)| job).collect::<Vec<_>>(), all)
        };
        assert_eq!(heads(3, 2), (vec![20, 21, 30, 31, 0, 1], false));
        assert_eq!(heads(4, 0), (vec![0, 1, 10, 11, 20, 21, 30, 31], true));
    }
}
