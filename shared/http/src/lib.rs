//! The HTTP edge: requests as handlers see them, who calls, answers and errors in each dialect's words.

pub mod access;
pub mod answer;
mod api_keys;
pub mod catalog;
mod content;
pub mod edge;
mod idempotency;
pub mod jobs;
mod numbers;
pub mod origin;
pub mod problem;
pub mod request;
pub mod routes;
pub mod serve;
pub mod session;
pub mod site;
pub mod sse;
mod times;
pub mod videos;
pub mod webhooks;
