//! Jobs: submission, starts, reports, renders, lists, logs and counters.

pub mod admission;
pub mod claims;
pub mod effects;
pub(crate) mod examples;
pub mod logs;
mod named;
pub mod queue;
pub mod reconcile;
pub mod renders;
pub mod starts;
pub mod steps;
pub mod store;
pub mod submit;
pub mod waiting;
pub mod work;
