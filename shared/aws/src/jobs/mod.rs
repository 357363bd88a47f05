//! The tables of jobs: items, lists, logs, slots, counters, idempotency records and parked callbacks.

pub mod admission;
pub mod counters;
pub mod due;
pub mod events;
pub(crate) mod idempotency;
pub(crate) mod lists;
pub mod parked;
pub mod reconcile;
pub mod slots;
pub mod table;
