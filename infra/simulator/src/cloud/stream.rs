//! A table's stream: a shard for each partition, whose records Lambda polls and hands out in batches.

use std::collections::VecDeque;

use crate::agenda::{MILLISECOND, Micros};
use crate::random::mixed;

/// The time between two polls of a shard without records.
pub const POLL: Micros = 250 * MILLISECOND;
/// Records of a batch.
pub const BATCH: usize = 100;

/// A version of a job that `fanout` acts on.
#[derive(Clone, Copy)]
pub struct Record {
    /// The job.
    pub job: u32,
    /// What happened to it.
    pub kind: Kind,
    /// Its slot, where the version has one.
    pub slot: Slot,
}

/// A slot of a job, as its outbox names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The number of the claim.
    pub claim: u8,
    /// The row that granted it.
    pub row: u32,
    /// How many slots that row had granted then, this one included.
    pub number: u32,
}

/// What a version of a job means for `fanout`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The job was created.
    Created,
    /// The job changed.
    Changed,
    /// The external worker has done its part, which gives its slot back.
    Rendering,
    /// The job ended.
    Ended,
    /// The claim of the job expired, which gives its slot back.
    Released,
}

impl Kind {
    /// Whether subscribers are notified.
    pub fn notifies(self) -> bool {
        matches!(self, Self::Rendering | Self::Ended)
    }

    /// Whether a slot is given back.
    pub fn frees(self) -> bool {
        matches!(self, Self::Rendering | Self::Released)
    }
}

/// The records of a shard that are handed out one batch after the other: all of a shard, or with a parallelization factor
/// those of some keys.
pub struct Lane {
    /// The records, the oldest first; a batch is removed when it has succeeded.
    pub records: VecDeque<Record>,
    /// Whether a poll is scheduled or a batch is handled.
    pub is_active: bool,
    /// The lane whose records come before these: that of a shard that was closed.
    pub parent: Option<usize>,
}

/// The stream.
pub struct Stream {
    /// All lanes, those of closed shards, too.
    pub lanes: Vec<Lane>,
    factor: usize,
    /// The first lane of the open shard of each partition.
    open: Vec<usize>,
}

impl Stream {
    /// The stream of a table with this many partitions.
    pub fn new(partitions: usize, factor: usize) -> Self {
        let mut stream = Self { lanes: Vec::new(), factor, open: Vec::new() };
        for _ in 0..partitions {
            let lane = stream.shard(None);
            stream.open.push(lane);
        }
        stream
    }

    /// Opens a shard, and returns its first lane.
    fn shard(&mut self, parent: Option<usize>) -> usize {
        let first = self.lanes.len();
        self.lanes.extend((0..self.factor).map(|number| Lane {
            records: VecDeque::new(),
            is_active: false,
            parent: parent.map(|parent| parent + number),
        }));
        first
    }

    /// Adds a record; returns its lane.
    pub fn append(&mut self, partition: usize, job: u32, kind: Kind, slot: Slot) -> usize {
        let lane = self.open[partition] + mixed(u64::from(job) ^ 0x5bd1) as usize % self.factor;
        self.lanes[lane].records.push_back(Record { job, kind, slot });
        lane
    }

    /// Closes the shard of a partition; its successor is handed out after it.
    pub fn roll(&mut self, partition: usize) {
        self.open[partition] = self.shard(Some(self.open[partition]));
    }

    /// Whether a lane may be handed out: nothing is left of the shard before it.
    pub fn is_next(&self, lane: usize) -> bool {
        self.lanes[lane].parent.is_none_or(|parent| self.lanes[parent].records.is_empty() && self.is_next(parent))
    }

    /// Removes a batch that has succeeded; returns how many jobs have ended in it.
    pub fn done(&mut self, lane: usize, count: usize) -> usize {
        self.lanes[lane].records.drain(..count).filter(|record| record.kind == Kind::Ended).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_waits_until_its_shard_is_drained() {
        let mut stream = Stream::new(1, 1);
        let first = stream.append(0, 1, Kind::Created, Slot::default());
        stream.roll(0);
        let second = stream.append(0, 1, Kind::Ended, Slot::default());
        assert_eq!((first, second, stream.lanes.len()), (0, 1, 2));
        assert!(stream.is_next(first) && !stream.is_next(second));
        stream.done(first, 1);
        assert!(stream.is_next(second));
    }
}
