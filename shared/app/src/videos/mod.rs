//! Videos: requests, stored film specifications and assets, and the pieces that renderers process.

pub mod assets;
pub mod compose;
pub mod draw_error;
pub mod films;
mod perform;
pub mod pieces;
pub mod ports;
pub mod renderscript;
pub mod requests;
pub mod speeds;
pub mod uploads;
