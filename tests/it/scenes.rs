//! Projects of scenes on the deployed stack: chained, stitched, commanded, watched; and services that misbehave.

pub mod backends;
mod callers;
mod commands;
pub mod inbox;
mod killed;
mod listener;
mod live;
mod lost_answers;
mod media;
mod own;
pub mod project;
mod purged;
mod seed;
mod services;
mod stitching;
