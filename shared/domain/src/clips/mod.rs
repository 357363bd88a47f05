//! Clip jobs: the aggregate, its run at a worker or in pieces of our own, and what changes it (docs/contract/clipping.md).

pub mod clip;
pub mod decide;
pub mod effect;
pub mod event;
pub mod job;
pub mod policy;
pub mod queries;
pub mod reasons;
pub mod request;
pub mod run;
pub mod status;
