//! The sample rate of all audio.

/// The sample rate in hertz.
pub const RATE: f64 = 44_100.0;
