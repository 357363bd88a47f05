//! A shard of the index of active jobs: the waiting jobs as readers see them, and as they are.

use std::collections::{BTreeSet, VecDeque};

use super::capacity::{Bucket, IndexPartition};
use crate::agenda::Micros;

/// A waiting job: its rank, from which on it may start, and its number.
pub type Waiting = (Micros, u32);

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
    /// A job waits from now on; readers see it at `appears`.
    pub fn add(&mut self, job: Waiting, appears: Micros) {
        self.waiting.insert(job);
        self.changes.push_back((appears, job, true));
    }

    /// A job waits no longer; readers see it until `disappears`.
    pub fn remove(&mut self, job: Waiting, disappears: Micros) {
        self.waiting.remove(&job);
        self.changes.push_back((disappears, job, false));
    }

    /// The first jobs as a reader sees them now, the oldest first, up to the rank `until`.
    pub fn heads(&mut self, now: Micros, until: Micros, limit: usize) -> impl Iterator<Item = Waiting> {
        self.catch_up(now);
        self.seen.iter().copied().take_while(move |(rank, _)| *rank <= until).take(limit)
    }

    /// The first jobs of each owner, whose parts of the index begin at the ranks that `first` gives.
    pub fn heads_of_owners(
        &mut self,
        now: Micros,
        each: usize,
        owner_of: fn(Micros) -> u32,
        first: fn(u32) -> Micros,
    ) -> Vec<Waiting> {
        self.catch_up(now);
        let (mut heads, mut from) = (Vec::new(), 0);
        while let Some((rank, _)) = self.seen.range((from, 0)..).next() {
            let next = first(owner_of(*rank) + 1);
            heads.extend(self.seen.range((from, 0)..(next, 0)).take(each));
            from = next;
        }
        heads
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
