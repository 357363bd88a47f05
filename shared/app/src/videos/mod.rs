//! Videos: requests, stored film specifications and assets, and the pieces that renderers process.

pub mod assets;
pub mod compose;
pub mod draw_error;
pub mod drawing;
pub mod films;
pub mod renderscript;
pub mod requests;
pub mod uploads;
