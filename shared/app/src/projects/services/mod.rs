//! The outside services of projects: requests to them, and their answers (docs/contract/scenes.md, Requests out).

mod answer;
mod client;
mod list;
pub mod report;
mod requests;
mod service;
mod watched;

pub use answer::Answer;
pub use client::{Polled, ServiceClient};
pub use list::{Found, Listed, Sought, TaskList};
pub use requests::{NotSendable, submission};
pub use service::{Service, Services, has_own_path, stitch_url, submission_name, webhook};
pub use watched::watched;
