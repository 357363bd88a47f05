//! Retries after conflicts or throttling: exponential backoff with full jitter, within bounds.

use std::time::Duration;

use reelhook_domain::Timestamp;

use crate::clock::ClockAndRandom;

/// The longest first wait; each further one may be twice as long as the one before.
const FIRST: Duration = Duration::from_millis(25);
/// The longest wait.
const LONGEST: Duration = Duration::from_millis(500);
/// No attempt begins later than this after the first one.
const TIME: Duration = Duration::from_secs(5);

/// The attempts of one operation: `while retry.attempt().await { … }`.
///
/// Each wait is drawn between nothing and a bound that doubles, so that callers that conflicted once do not conflict
/// again (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
pub struct Retry<'a> {
    clock: &'a dyn ClockAndRandom,
    attempts: u32,
    made: u32,
    began: Timestamp,
}

impl<'a> Retry<'a> {
    /// At most `attempts` attempts.
    pub fn new(clock: &'a dyn ClockAndRandom, attempts: u32) -> Self {
        Self { clock, attempts, made: 0, began: clock.now() }
    }

    /// Begins the next attempt: the first immediately, each further one after a wait. False if no attempt is left, or if
    /// it would begin too late.
    pub async fn attempt(&mut self) -> bool {
        if self.made >= self.attempts {
            return false;
        }
        if self.made > 0 {
            let wait = self.bound().mul_f64(self.clock.fraction());
            if self.clock.now().after(wait) > self.began.after(TIME) {
                return false;
            }
            self.clock.wait(wait).await;
        }
        self.made += 1;
        true
    }

    /// Attempts that were begun.
    pub fn made(&self) -> u32 {
        self.made
    }

    fn bound(&self) -> Duration {
        // Ten doublings are far beyond the longest wait.
        let doubled = FIRST * 2_u32.pow((self.made - 1).min(10));
        doubled.min(LONGEST)
    }
}
