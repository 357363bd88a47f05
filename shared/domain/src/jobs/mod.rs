//! Jobs as values, and the one function that changes them.

pub(crate) mod admission;
pub(crate) mod decide;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod job;
pub(crate) mod policy;
pub(crate) mod shown;
pub(crate) mod task;
