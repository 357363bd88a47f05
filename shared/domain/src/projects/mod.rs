//! Projects of scenes: the aggregate, its graph, its tasks, and what changes it (docs/contract/scenes.md).

pub mod decide;
pub mod effect;
pub mod event;
pub mod graph;
pub mod media;
pub mod money;
pub mod policy;
pub mod project;
mod queries;
pub mod reasons;
pub mod scene;
pub mod status;
pub mod stitch;
pub mod task;
