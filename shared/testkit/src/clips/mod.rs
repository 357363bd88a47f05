//! Clip jobs and their credits in memory, and builders of clip jobs, their policy and their worker.

mod builders;
mod ledger;
mod ports;
mod table;

pub use builders::{ClipStack, a_clip_job, clipping_worker};
pub use table::MemoryClips;
