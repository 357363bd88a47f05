//! An endpoint's sends per window: over the limit a delivery waits for its place, in order, and is never dropped.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How many sends a window takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Sends per window, at least 1.
    pub max: u32,
    /// The window's length.
    pub window: Duration,
}

impl RateLimit {
    /// Whether a place that begins at `place` still counts at `now`: its window has not passed.
    pub fn still_holds(&self, place: Timestamp, now: Timestamp) -> bool {
        let length = self.length_ms();
        place.0.div_euclid(length) == now.0.div_euclid(length)
    }

    /// Sends of the window that `now` is in: all of them, where places of a later one are promised.
    pub fn used(&self, window: RateWindow, now: Timestamp) -> u32 {
        match window.index.cmp(&now.0.div_euclid(self.length_ms())) {
            Ordering::Less => 0,
            Ordering::Equal => window.used,
            Ordering::Greater => self.max,
        }
    }

    fn length_ms(&self) -> i64 {
        i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX).max(1)
    }
}

/// The newest window that has sends, counted from the epoch in window lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateWindow {
    /// Which window.
    pub index: i64,
    /// Sends in it, made or promised.
    pub used: u32,
}

impl RateWindow {
    /// Takes `count` places: the window after them, and the time of each place, `now` or the start of a later window.
    pub fn reserve(self, count: u32, now: Timestamp, limit: RateLimit) -> (Self, Vec<Timestamp>) {
        let length = limit.length_ms();
        let current = now.0.div_euclid(length);
        let mut window = if self.index < current { Self { index: current, used: 0 } } else { self };
        let mut places = Vec::with_capacity(count as usize);
        for _ in 0..count {
            if window.used >= limit.max.max(1) {
                window = Self { index: window.index + 1, used: 0 };
            }
            window.used += 1;
            places.push(if window.index == current { now } else { Timestamp(window.index * length) });
        }
        (window, places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { max: 3, window: Duration::from_secs(60) };

    #[test]
    fn places_fill_window_after_window() {
        let now = Timestamp(60_000 * 100 + 5);
        let (window, places) = RateWindow::default().reserve(7, now, LIMIT);
        let starts: Vec<i64> = places.iter().map(|place| place.0).collect();
        assert_eq!(starts, [now.0, now.0, now.0, 6_060_000, 6_060_000, 6_060_000, 6_120_000]);
        assert_eq!(window, RateWindow { index: 102, used: 1 });
        let used = |at| LIMIT.used(window, Timestamp(at));
        assert_eq!((used(now.0), used(6_120_000), used(6_180_000)), (3, 1, 0));
        // A later caller stands behind those who were promised places.
        let (_, next) = window.reserve(1, Timestamp(now.0 + 10), LIMIT);
        assert_eq!(next, [Timestamp(6_120_000)]);
    }

    #[test]
    fn an_old_window_is_forgotten() {
        let (_, places) = RateWindow { index: 4, used: 3 }.reserve(1, Timestamp(60_000 * 50), LIMIT);
        assert_eq!(places, [Timestamp(60_000 * 50)]);
    }
}
