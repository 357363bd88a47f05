//! An endpoint's sends per window: over the limit a delivery waits for its place, in order, and is never dropped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How far ahead places are promised: a message in a queue can wait a little longer.
const MAX_AHEAD_MS: i64 = 840_000;
/// Windows of this length are met by the sweep as well, which comes within some minutes.
const LONG_WINDOW_MS: i64 = 600_000;
/// What a delivery carries is kept for so long.
const KEPT_MS: i64 = 35 * 86_400_000;

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
    pub fn same_window(&self, reserved_at: Timestamp, now: Timestamp) -> bool {
        let length = self.length_ms();
        reserved_at.0.div_euclid(length) == now.0.div_euclid(length)
    }

    /// Sends of the window that `now` is in: all of them, where places of a later one are promised.
    pub fn used(&self, window: RateWindow, now: Timestamp) -> u32 {
        let current = now.0.div_euclid(self.length_ms());
        match window.is_over(current, self.length_ms()) {
            true => 0,
            false if window.index == current => window.used,
            false => self.max,
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
    /// Takes a place: the window after it, and its time, `now` or the start of a later window. None where that is too far
    /// ahead: whoever waits longer than a message can is woken too late for a short window.
    pub fn reserve(self, now: Timestamp, limit: RateLimit) -> Option<(Self, Timestamp)> {
        let length = limit.length_ms();
        let current = now.0.div_euclid(length);
        let mut window = if self.is_over(current, length) { Self { index: current, used: 0 } } else { self };
        if window.used >= limit.max.max(1) {
            window = Self { index: window.index + 1, used: 0 };
        }
        window.used += 1;
        let reserved_at = if window.index == current { now } else { Timestamp(window.index * length) };
        let in_time = reserved_at.0 - now.0 <= MAX_AHEAD_MS || length >= LONG_WINDOW_MS;
        in_time.then_some((window, reserved_at))
    }

    /// Whether its places say nothing about now: it has passed, or was counted in windows of another length, where it would
    /// lie further ahead than anything is kept.
    fn is_over(self, current: i64, length: i64) -> bool {
        self.index < current || (self.index - current).saturating_mul(length) > KEPT_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { max: 3, window: Duration::from_secs(60) };

    /// So many places, one after the other.
    fn reserve(window: RateWindow, count: u32, now: Timestamp) -> (RateWindow, Vec<Timestamp>) {
        let (mut window, mut reservations) = (window, Vec::new());
        for _ in 0..count {
            let (next, reserved_at) = window.reserve(now, LIMIT).expect("a place");
            window = next;
            reservations.push(reserved_at);
        }
        (window, reservations)
    }

    #[test]
    fn places_fill_window_after_window() {
        let now = Timestamp(60_000 * 100 + 5);
        let (window, reservations) = reserve(RateWindow::default(), 7, now);
        let starts: Vec<i64> = reservations.iter().map(|reserved_at| reserved_at.0).collect();
        assert_eq!(starts, [now.0, now.0, now.0, 6_060_000, 6_060_000, 6_060_000, 6_120_000]);
        assert_eq!(window, RateWindow { index: 102, used: 1 });
        let used = |at| LIMIT.used(window, Timestamp(at));
        assert_eq!((used(now.0), used(6_120_000), used(6_180_000)), (3, 1, 0));
        // A later caller stands behind those who were promised places.
        let (_, next) = reserve(window, 1, Timestamp(now.0 + 10));
        assert_eq!(next, [Timestamp(6_120_000)]);
    }

    #[test]
    fn an_old_window_is_forgotten() {
        let (_, reservations) = reserve(RateWindow { index: 4, used: 3 }, 1, Timestamp(60_000 * 50));
        assert_eq!(reservations, [Timestamp(60_000 * 50)]);
    }

    #[test]
    fn no_place_is_promised_that_nobody_would_be_woken_for() {
        let now = Timestamp(60_000 * 100);
        let (window, reservations) = reserve(RateWindow::default(), 3 * 15, now);
        assert_eq!(reservations.last(), Some(&Timestamp(now.0 + 14 * 60_000)));
        assert_eq!(window.reserve(now, LIMIT), None);
        let hours = RateLimit { max: 1, window: Duration::from_secs(3600) };
        let (window, _) = RateWindow::default().reserve(now, hours).unwrap();
        assert!(
            window.reserve(now, hours).unwrap().1 > Timestamp(now.0 + 900_000),
            "a long window is met all the same"
        );
    }

    #[test]
    fn a_window_of_another_length_is_no_promise() {
        let now = Timestamp(1_704_110_400_000);
        let of_seconds = RateWindow { index: now.0 / 1000 + 5, used: 3 };
        assert_eq!(of_seconds.reserve(now, LIMIT).unwrap().1, now);
        assert_eq!(LIMIT.used(of_seconds, now), 0);
    }
}
