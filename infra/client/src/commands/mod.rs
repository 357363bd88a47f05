//! The commands, one in each file.

pub mod cancel;
pub mod deliveries;
pub mod download;
pub mod endpoints;
pub mod replay;
pub mod show;
pub mod submit;
pub mod upload;
pub mod watch;
