//! Projects in memory, and builders of projects, their policy and their services.

mod builders;
mod lists;
mod ports;
mod table;

pub use builders::{SceneStack, a_project, project_policy, services};
pub use table::MemoryProjects;
