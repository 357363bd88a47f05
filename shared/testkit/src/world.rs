//! A clock that the test moves, and randomness that counts.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::clock::ClockAndRandom;
use reelhook_domain::Timestamp;

/// When every test begins: 2024-01-01T12:00:00Z.
pub const NOON: Timestamp = Timestamp(1_704_110_400_000);

/// The surroundings of a test.
#[derive(Debug)]
pub struct World(Mutex<State>);

#[derive(Debug)]
struct State {
    now: Timestamp,
    drawn: u64,
    fraction: f64,
    waits: Vec<Duration>,
}

impl Default for World {
    fn default() -> Self {
        Self(Mutex::new(State { now: NOON, drawn: 0, fraction: 0.0, waits: Vec::new() }))
    }
}

impl World {
    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        let mut state = self.0.lock().unwrap();
        state.now = state.now.after(by);
    }

    /// Moves the clock on by whole seconds.
    pub fn advance_s(&self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// Sets the clock.
    pub fn set(&self, now: Timestamp) {
        self.0.lock().unwrap().now = now;
    }

    /// What [`ClockAndRandom::fraction`] gives from now on (0 unless set).
    pub fn set_fraction(&self, fraction: f64) {
        self.0.lock().unwrap().fraction = fraction;
    }

    /// How many random numbers were drawn.
    pub fn drawn(&self) -> u64 {
        self.0.lock().unwrap().drawn
    }

    /// How long was waited, each time.
    pub fn waits(&self) -> Vec<Duration> {
        self.0.lock().unwrap().waits.clone()
    }
}

#[async_trait]
impl ClockAndRandom for World {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    /// The set fraction in the upper bits, and in the lower ones 1, 2, 3 and so on.
    fn random(&self) -> u128 {
        let mut state = self.0.lock().unwrap();
        state.drawn += 1;
        let upper = (state.fraction * (1_u64 << 53) as f64) as u128;
        upper << 75 | u128::from(state.drawn)
    }

    /// Moves the clock on, and lets others be first.
    async fn wait(&self, time: Duration) {
        self.0.lock().unwrap().waits.push(time);
        self.advance(time);
        tokio::task::yield_now().await;
    }
}
