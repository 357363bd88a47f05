//! Projects of scenes on the deployed stack: chained, stitched, commanded, watched; and services that misbehave.

pub mod backends;
pub mod callers;
mod commands;
pub mod inbox;
mod killed;
pub mod listener;
pub mod live;
mod lost_answers;
pub mod media;
mod own;
pub mod project;
mod purged;
mod seed;
mod services;
mod stitching;
