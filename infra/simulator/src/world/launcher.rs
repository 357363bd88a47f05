//! An invocation of the launcher that is under way.

use crate::agenda::Micros;
use crate::cloud::index::Waiting;

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It reads the admission item, or all rows.
    Admit,
    /// It reads the oldest waiting jobs in the index.
    Heads,
    /// It reads those jobs.
    Load,
    /// It claims.
    Claim,
    /// It sends the claimed jobs to the external worker.
    Request,
    /// It saves that the external worker has accepted a run.
    Start,
}

/// The invocation.
pub struct Launcher {
    /// What it does next.
    pub stage: Stage,
    /// When the present claim began.
    pub began: Micros,
    /// Attempts at it.
    pub attempts: u32,
    /// Calls in a row that were throttled.
    pub calls: u32,
    /// Runs, or rounds of runs, that it has started.
    pub rounds: u32,
    /// The version of the admission item that it has read, or when it has read the rows.
    pub version: u64,
    /// The row from which it takes slots, and how many.
    pub row: usize,
    pub wanted: i64,
    /// Attempts to write the present claim that met a changed row.
    pub writes: u32,
    /// Whether it has met another launcher, and draws jobs from then on.
    pub is_drawn: bool,
    /// Whether it reads further into each shard.
    pub reads_further: bool,
    /// Whether it has read the rows after it was noted that jobs wait.
    pub is_noted: bool,
    /// Waiting jobs that it may claim, in the order in which it will: the last one first.
    pub heads: Vec<Waiting>,
    /// Jobs that it claims, or has claimed.
    pub claimed: Vec<u32>,
}

impl Launcher {
    /// An invocation that begins.
    pub fn new(now: Micros, row: usize) -> Self {
        Self {
            stage: Stage::Admit,
            began: now,
            attempts: 0,
            calls: 0,
            rounds: 0,
            version: 0,
            row,
            wanted: 0,
            writes: 0,
            is_drawn: false,
            reads_further: false,
            is_noted: false,
            heads: Vec::new(),
            claimed: Vec::new(),
        }
    }
}
