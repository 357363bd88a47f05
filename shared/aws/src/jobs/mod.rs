//! The tables of jobs: items, lists, logs, slots and counters.

pub mod counters;
pub mod due;
pub(crate) mod event_rows;
pub mod events;
pub mod item;
pub(crate) mod lists;
pub mod slots;
mod stored_job;
mod stored_pieces;
pub mod table;
