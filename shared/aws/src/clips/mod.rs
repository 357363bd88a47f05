//! The Clips table, and what the Counters table has of clip jobs: look-ups by the worker's ids, and requests.

pub mod attempts;
pub mod item;
mod lists;
mod lookups;
mod requests;
mod stored_clip_job;
mod stored_run;
pub mod table;
