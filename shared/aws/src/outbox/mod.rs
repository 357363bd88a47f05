//! The stream and the queues.

pub mod queues;
pub mod stream;
