//! The bucket of films and videos, and how fast they are rendered.

pub mod films;
pub mod speeds;
