//! The life of a job: submitted, started, reported on, watched, listed, counted.

pub mod admission;
pub mod effects;
pub mod logs;
pub mod queue;
pub mod reconcile;
pub mod renders;
pub mod starts;
pub mod steps;
pub mod store;
pub mod submit;
pub mod waiting;
