//! The HTTP edge: requests as handlers see them, who calls, answers and errors in each dialect's words.

pub mod access;
pub mod answer;
pub mod catalog;
pub mod control;
pub mod creatomate;
pub mod deliveries;
pub mod edge;
pub mod endpoint_fields;
pub mod endpoints;
pub mod film;
mod film_content;
pub mod generate;
pub mod hooks;
pub mod logs;
pub mod problem;
pub mod queue;
pub mod recover;
pub mod render;
pub mod request;
pub mod serve;
pub mod sse;
pub mod status;
pub mod step;
pub mod stream;
pub mod video;
mod video_order;
