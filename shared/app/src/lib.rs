//! Use cases of Reelhook and the ports that they need; no AWS, no HTTP server, no clock of its own.

pub use url::Url;

pub mod catalog;
pub mod clock;
pub mod idempotency;
pub mod jobs;
pub mod limits;
pub mod outbound;
pub mod outbox;
pub mod retry;
pub mod store;
pub mod videos;
pub mod views;
pub mod webhooks;
