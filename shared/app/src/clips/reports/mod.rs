//! What the clipping worker says about a job, by webhook or when it is polled (docs/contract/clipping-webhook.md): read
//! leniently, bounded, and applied to the submission that it means.

mod fields;
pub mod files;
mod named;
mod ports;
pub mod read;
mod receive;

pub use ports::{Inbound, ReportPorts, Submission};
pub use receive::{Received, is_report, receive};
