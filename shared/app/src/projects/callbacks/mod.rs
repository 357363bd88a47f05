//! Callbacks of services about the tasks of projects (docs/contract/scenes.md, Inbound webhooks): each is applied to the
//! task that it means, and answered with what is true afterwards.

mod find;
mod kept;
mod outcome;
mod ports;
mod receive;

pub use outcome::Received;
pub use ports::{CallbackPorts, Inbound, Submission};
pub(super) use receive::about;
pub use receive::receive;
