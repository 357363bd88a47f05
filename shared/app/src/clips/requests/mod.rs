//! Requests of clients about clip jobs: creating them, and new attempts. Other commands are changes ([`crate::change`]).

pub mod create;
pub mod find;
pub mod retry;
pub mod source;
