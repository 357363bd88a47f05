//! What `cargo xtask` and the client print on a terminal: escaped texts, progress bars, times and sizes.

pub mod ui;
pub mod visible;
