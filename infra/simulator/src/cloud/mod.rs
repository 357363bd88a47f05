//! Models of what AWS limits: partitions, indexes, streams, queues and functions.

pub mod capacity;
pub mod index;
pub mod pool;
pub mod queue;
pub mod stream;
