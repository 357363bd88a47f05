//! Videos: requests, films and assets in storage, and the pieces that renderers make.

pub mod assets;
pub mod compose;
pub mod drawing;
pub mod films;
pub mod renderscript;
pub mod requests;
pub mod uploads;
