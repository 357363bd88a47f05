//! The use cases of Reelhook and the ports that they need. This crate has no AWS types, no HTTP server and no clock.

pub use url::Url;

pub mod catalog;
pub mod change;
pub mod circuit;
pub mod clips;
pub mod clock;
pub mod credits;
pub mod digest;
pub mod errors;
pub mod files;
pub mod idempotency;
pub mod jobs;
pub mod json;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod outbound;
pub mod outbox;
pub mod pieces;
pub mod projects;
pub mod retention;
pub mod retry;
pub mod store;
pub mod videos;
pub mod views;
pub mod watch;
pub mod webhooks;
