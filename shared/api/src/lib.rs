//! What all functions behind the API have in common, so that each states only what is its own: its resources, its
//! settings and its routes.

mod api;
mod reports;
mod settings;
mod submissions;

pub use api::Api;
pub use reports::{JobReports, RenderClients, apply_render, apply_step, creatomate_access};
pub use settings::{SettingsReader, WithAccess};
pub use submissions::{MadeClips, MadeProject, insufficient, submit_clips, submit_project};
