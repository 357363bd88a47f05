//! Use cases of Reelhook and the ports that they need; no AWS, no HTTP server, no clock of its own.

pub use url::Url;

pub mod ambient;
pub mod catalog;
pub mod deliver;
pub mod deliveries;
pub mod dialect;
pub mod endpoints;
pub mod fanout;
pub mod hooks;
pub mod jobs;
pub mod limits;
pub mod logs;
pub mod messages;
pub mod outbound;
pub mod queue;
pub mod reconcile;
pub mod recover;
pub mod renders;
pub mod repair;
pub mod settings;
pub mod starts;
pub mod steps;
pub mod store;
pub mod submit;
pub mod sweep;
pub mod validate;
pub mod watch;
