//! The ports of time and randomness: the clock with the random source, and the timer of time limits.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::Timestamp;

/// The clock and the random source.
#[async_trait]
pub trait ClockAndRandom: Send + Sync {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// 128 random bits.
    fn random(&self) -> u128;

    /// A random number in 0..1.
    fn fraction(&self) -> f64 {
        // A 64-bit float has a mantissa of 53 bits.
        (self.random() >> 75) as f64 / (1_u64 << 53) as f64
    }

    /// Waits for this time.
    async fn wait(&self, time: Duration);
}

/// The timer of time limits and heartbeats. A test can let it never elapse, whereas the clock's waits always end.
#[async_trait]
pub trait Timer: Send + Sync {
    /// Returns after this time.
    async fn after(&self, time: Duration);
}
