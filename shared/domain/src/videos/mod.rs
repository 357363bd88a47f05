//! What a video shows, and the pieces of work that make it.

pub mod coverage;
pub mod drawing;
pub mod emphasis;
pub mod film;
