//! Jobs as values, and the one function that changes them.

pub mod activity;
pub(crate) mod admission;
pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod event;
pub(crate) mod failure;
pub mod job;
pub(crate) mod policy;
pub mod run;
pub mod task;
