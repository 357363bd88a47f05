//! Clip jobs: requests, the worker, its reports, pieces, and what fanout needs of them.

pub mod digest;
pub mod effects;
pub(crate) mod examples;
pub mod files;
pub mod launch;
pub mod perform;
pub mod pieces;
pub mod raise;
pub mod reports;
pub mod requests;
pub mod store;
pub mod worker;
