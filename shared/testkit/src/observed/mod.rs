//! What a piece of work says of itself: its log and its metrics.

pub mod log_lines;
pub mod metrics;
