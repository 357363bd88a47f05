//! Routes of jobs: requests and answers.

pub mod control;
pub mod creatomate;
pub mod generate;
pub mod logs;
pub mod problem;
pub mod queue;
pub mod render;
pub mod status;
pub mod step;
pub mod stream;
