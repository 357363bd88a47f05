//! The port for what is different each time: the clock and randomness.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::Timestamp;

/// Clock and randomness.
#[async_trait]
pub trait ClockAndRandom: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// 128 random bits.
    fn random(&self) -> u128;

    /// A random number in 0..1.
    fn fraction(&self) -> f64 {
        // The top 53 bits fill a double's mantissa.
        (self.random() >> 75) as f64 / (1_u64 << 53) as f64
    }

    /// Returns after this time.
    async fn wait(&self, time: Duration);
}
