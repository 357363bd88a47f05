//! The Jobs stream and the queues of hints.

pub mod queues;
pub mod stream;
