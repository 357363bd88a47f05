//! Projects: requests, tasks at services, callbacks, pieces, and what fanout needs of them.

pub mod callbacks;
pub mod effects;
pub mod estimate;
pub mod examples;
pub mod launch;
pub mod links;
pub mod lookup;
mod metadata;
pub mod perform;
pub mod pieces;
pub mod requests;
pub mod services;
pub mod store;
mod unwanted;
