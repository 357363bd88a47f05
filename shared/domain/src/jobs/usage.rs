//! What a job has used, counted with each of its versions, so that counting takes no write of its own (ADR 57).
//!
//! Its webhooks are not in it: each costs what docs/cost.md says, and there are as many as endpoints.

use std::ops::Add;

use serde::{Deserialize, Serialize};

/// Indexes that a table has at most here.
pub const INDEXES: usize = 8;

/// What a job has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "[u64; 6]", from = "Vec<u64>")]
pub struct Usage {
    /// Runs of functions.
    pub runs: u64,
    /// Requests to the HTTP API.
    pub requests: u64,
    /// Hints in queues: each is sent, received and deleted, and makes a function run.
    pub hints: u64,
    /// Write units of DynamoDB.
    pub writes: u64,
    /// Halves of read units of DynamoDB.
    pub half_reads: u64,
    /// Frames that renderers have finished.
    pub frames: u64,
    /// How the version is stored that was read: what the next write is billed by. The store alone sets and reads it.
    pub footprint: Footprint,
}

/// The stored form of a version, as far as a later write is billed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Bytes of the item; 0 if there is none yet.
    pub bytes: u64,
    /// A hash of its key in each index; 0 where it has no entry.
    pub entries: [u64; INDEXES],
}

impl Usage {
    /// Nothing.
    pub(crate) const NOTHING: Self = Self {
        runs: 0,
        requests: 0,
        hints: 0,
        writes: 0,
        half_reads: 0,
        frames: 0,
        footprint: Footprint { bytes: 0, entries: [0; INDEXES] },
    };
}

impl Add for Usage {
    type Output = Self;

    /// The sum, with the footprint of the first.
    fn add(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            requests: self.requests + other.requests,
            hints: self.hints + other.hints,
            writes: self.writes + other.writes,
            half_reads: self.half_reads + other.half_reads,
            frames: self.frames + other.frames,
            footprint: self.footprint,
        }
    }
}

impl From<Usage> for [u64; 6] {
    fn from(usage: Usage) -> Self {
        [usage.runs, usage.requests, usage.hints, usage.writes, usage.half_reads, usage.frames]
    }
}

impl From<Vec<u64>> for Usage {
    /// Numbers that a later version added are left out, and those that an earlier one did not know are 0.
    fn from(numbers: Vec<u64>) -> Self {
        let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
        Self {
            runs: at(0),
            requests: at(1),
            hints: at(2),
            writes: at(3),
            half_reads: at(4),
            frames: at(5),
            ..Self::NOTHING
        }
    }
}
