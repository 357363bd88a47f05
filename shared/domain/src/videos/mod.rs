//! Videos: the film specification, and the pieces of rendering work that produce a video.

pub mod coverage;
pub mod emphasis;
pub mod film;
pub mod render;
