//! The tables of jobs: items, lists, logs, slots, counters, idempotency records and parked callbacks.

pub mod active;
pub mod admission;
mod circuits;
pub mod counters;
pub(crate) mod counts;
pub(crate) mod event_rows;
pub mod events;
pub(crate) mod idempotency;
pub mod item;
pub(crate) mod lists;
pub mod parked;
pub mod reconcile;
pub mod slots;
mod stored_job;
mod stored_pieces;
pub mod table;
