//! The sample rate of all audio.

/// Samples per second.
pub const RATE: f64 = 44_100.0;
