//! Clip jobs on the deployed stack: a worker and its reports, credits, owners, and a cutter of our own.

pub mod backends;
mod credits;
mod files;
pub mod film;
pub mod job;
mod killed;
mod live;
mod lost_answers;
mod own;
mod owners;
mod reports;
mod seed;
mod submission;
pub mod tokens;
mod webhooks;
mod worker;
