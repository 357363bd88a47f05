//! A batch of the stream that `fanout` handles.

use crate::agenda::Micros;

/// What it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It writes log rows and deliveries.
    Rows,
    /// It counts ended jobs.
    Counts,
    /// It reads who gives slots back to.
    ReadSlots,
    /// It gives slots back.
    FreeSlots,
    /// It sends hints.
    Hints,
}

/// The batch.
pub struct Batch {
    /// Its lane of the stream.
    pub lane: usize,
    /// Its records, from the first of the lane.
    pub count: usize,
    /// What it does next.
    pub stage: Stage,
    /// When it began.
    pub began: Micros,
    /// Attempts at the present stage.
    pub attempts: u32,
    /// Log rows that are not written yet.
    pub logs: u32,
    /// Entries of deliveries that are not written yet.
    pub deliveries: u32,
    /// Jobs that are not counted yet.
    pub uncounted: u32,
    /// The version of the admission item that it has read, or when it has read the rows.
    pub version: u64,
    /// Hints that it sends.
    pub hints: u32,
}
