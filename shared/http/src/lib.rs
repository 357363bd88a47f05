//! The HTTP edge: it reads requests, authenticates callers, and builds answers and errors in the format of each
//! dialect.

pub mod access;
pub mod answer;
pub mod callback;
pub mod catalog;
pub mod clips;
mod content;
pub mod credits;
pub mod edge;
pub mod errors;
mod idempotency;
pub mod inbox;
pub mod jobs;
pub mod live;
mod metadata;
pub mod metrics;
pub mod origin;
pub mod problem;
pub mod projects;
pub mod refusal;
pub mod request;
pub mod routes;
pub mod site;
pub mod typed;
pub mod videos;
pub mod webhooks;
