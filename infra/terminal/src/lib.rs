//! What `cargo xtask` and the client read from their options and print on a terminal: escaped texts, progress bars, times
//! and sizes.

pub mod arguments;
pub mod ui;
pub mod visible;
