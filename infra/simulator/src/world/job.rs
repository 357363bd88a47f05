//! A job, as far as its place in the queue and its slot are concerned.

use crate::agenda::Micros;
use crate::cloud::stream::Slot;
use crate::random::mixed;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being created.
    Submitted,
    /// It waits for a slot.
    Waiting,
    /// It has a slot, and is sent to the external worker.
    Claimed,
    /// It runs at the external worker.
    Running,
    /// The external worker has done its part; its slot is free.
    Rendering,
    /// It has ended.
    Ended,
}

/// A job.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// When its client called first.
    pub submitted: Micros,
    /// From when on it may start: its place in the queue.
    pub rank: Micros,
    /// Since when it waits: from its rank on, or from the end of a claim that kept it.
    pub since: Micros,
    /// When it first ran; 0 before.
    pub started: Micros,
    /// The end of the lease of its claim.
    pub lease: Micros,
    /// Whose it is.
    pub owner: u32,
    /// Its slot.
    pub slot: Slot,
    /// The claims whose slots were given back, a bit for each.
    pub freed: u32,
    /// Its state.
    pub state: State,
    /// Reports of its run that were saved.
    pub reports: u8,
    /// Attempts at the present write that were throttled.
    pub throttled: u8,
    /// Whether the external worker has the run.
    pub is_sent: bool,
}

impl Job {
    /// A job that a client submits now.
    pub fn new(now: Micros, owner: u32) -> Self {
        Self {
            submitted: now,
            rank: 0,
            since: 0,
            started: 0,
            lease: 0,
            owner,
            slot: Slot::default(),
            freed: 0,
            state: State::Submitted,
            reports: 0,
            throttled: 0,
            is_sent: false,
        }
    }
}

/// The shard of a job among `count`, by the hash of its number; each `use_of` has a hash of its own.
pub fn shard(job: u32, use_of: u64, count: usize) -> usize {
    (mixed(u64::from(job) ^ use_of << 32) % count as u64) as usize
}
