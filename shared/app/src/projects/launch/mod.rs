//! The launcher of projects: it starts scenes in slots, submits tasks to services, looks up and polls what they have, and
//! applies callbacks that came early. Each outcome is one change of the project (ARCHITECTURE.md, A project of
//! scenes).

mod cancel;
mod early;
mod outcome;
mod ports;
mod scenes;
mod submit;
mod tasks;

pub use cancel::cancel_task;
pub use early::apply_early;
pub use ports::{LaunchPorts, last_start};
pub use scenes::start_scenes;
pub use tasks::tasks;
