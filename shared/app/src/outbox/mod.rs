//! From a saved version to rows and queue messages, and what repairs them.

pub mod cleanup;
pub mod fanout;
pub mod messages;
pub mod need;
pub mod repair;
pub mod rows;
pub mod source;
pub mod sweep;
