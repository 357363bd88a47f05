//! What a video shows, and the pieces of work that make it.

pub mod coverage;
pub mod emphasis;
pub mod film;
pub mod render;
