//! Jobs as values, and the one function that changes them.

pub mod activity;
pub(crate) mod admission;
pub(crate) mod decide;
pub(crate) mod effect;
pub(crate) mod event;
pub(crate) mod failure;
pub mod job;
pub(crate) mod kept;
pub(crate) mod kind;
pub(crate) mod policy;
pub(crate) mod reasons;
pub mod run;
pub mod slots;
pub(crate) mod status;
pub mod task;
pub mod usage;
