//! The rate limit of an endpoint: a delivery over the limit reserves a send in a later window and is never dropped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How far ahead reservations are made: a queue can delay a message a little longer.
const MAX_AHEAD: Duration = Duration::from_secs(840);
/// Windows of this length need no queue message: the due sweep runs often enough to meet them.
const LONG_WINDOW: Duration = Duration::from_secs(600);
/// How long events are kept.
const KEPT: Duration = Duration::from_secs(35 * 24 * 3600);

/// How many sends a window allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Sends per window, at least 1.
    pub max: u32,
    /// The length of the window.
    pub window: Duration,
}

impl RateLimit {
    /// Whether a reservation for `reserved_at` still counts at `now`: its window has not passed.
    pub fn same_window(&self, reserved_at: Timestamp, now: Timestamp) -> bool {
        reserved_at.window_index(self.window) == now.window_index(self.window)
    }

    /// Sends used of the window that contains `now`: all of them if a later window has reservations.
    pub fn used(&self, window: RateWindow, now: Timestamp) -> u32 {
        let current = now.window_index(self.window);
        match window.is_over(current, self.window) {
            true => 0,
            false if window.index == current => window.used,
            false => self.max,
        }
    }
}

/// The newest window with sends or reservations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateWindow {
    /// The window's number: its start in window lengths since the epoch.
    pub index: i64,
    /// Sends and reservations in it.
    pub used: u32,
}

impl RateWindow {
    /// Reserves a send: the next window state, and the time of the send, which is `now` or the start of a later window.
    /// None if that time is too far ahead: a delivery that waits longer than a queue can delay a message would be woken too
    /// late for a short window.
    pub fn reserve(self, now: Timestamp, limit: RateLimit) -> Option<(Self, Timestamp)> {
        let length = limit.window;
        let current = now.window_index(length);
        let mut window = if self.is_over(current, length) { Self { index: current, used: 0 } } else { self };
        if window.used >= limit.max.max(1) {
            window = Self { index: window.index + 1, used: 0 };
        }
        window.used += 1;
        let reserved_at = if window.index == current { now } else { Timestamp::start_of_window(window.index, length) };
        let in_time = reserved_at.since(now) <= MAX_AHEAD || length >= LONG_WINDOW;
        in_time.then_some((window, reserved_at))
    }

    /// Whether it is irrelevant now: it has passed, or it was counted in windows of another length and therefore lies further
    /// ahead than any event is kept.
    fn is_over(self, current: i64, length: Duration) -> bool {
        let start = |index| Timestamp::start_of_window(index, length);
        self.index < current || start(self.index).since(start(current)) > KEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { max: 3, window: Duration::from_secs(60) };

    /// Reserves `count` sends, one after the other.
    fn reserve(window: RateWindow, count: u32, now: Timestamp) -> (RateWindow, Vec<Timestamp>) {
        let (mut window, mut reservations) = (window, Vec::new());
        for _ in 0..count {
            let (next, reserved_at) = window.reserve(now, LIMIT).expect("a reservation");
            window = next;
            reservations.push(reserved_at);
        }
        (window, reservations)
    }

    #[test]
    fn reservations_fill_window_after_window() {
        let now = Timestamp(60_000 * 100 + 5);
        let (window, reservations) = reserve(RateWindow::default(), 7, now);
        let starts: Vec<i64> = reservations.iter().map(|reserved_at| reserved_at.millis()).collect();
        let now_ms = now.millis();
        assert_eq!(starts, [now_ms, now_ms, now_ms, 6_060_000, 6_060_000, 6_060_000, 6_120_000]);
        assert_eq!(window, RateWindow { index: 102, used: 1 });
        let used = |at| LIMIT.used(window, Timestamp(at));
        assert_eq!((used(now_ms), used(6_120_000), used(6_180_000)), (3, 1, 0));
        // A later delivery gets its place behind all reservations.
        let (_, next) = reserve(window, 1, now.after(Duration::from_millis(10)));
        assert_eq!(next, [Timestamp(6_120_000)]);
    }

    #[test]
    fn a_window_that_has_passed_does_not_count() {
        let (_, reservations) = reserve(RateWindow { index: 4, used: 3 }, 1, Timestamp(60_000 * 50));
        assert_eq!(reservations, [Timestamp(60_000 * 50)]);
    }

    #[test]
    fn no_reservation_is_further_ahead_than_a_message_can_wait() {
        let now = Timestamp(60_000 * 100);
        let (window, reservations) = reserve(RateWindow::default(), 3 * 15, now);
        assert_eq!(reservations.last(), Some(&now.after(Duration::from_secs(14 * 60))));
        assert_eq!(window.reserve(now, LIMIT), None);
        let hours = RateLimit { max: 1, window: Duration::from_secs(3600) };
        let (window, _) = RateWindow::default().reserve(now, hours).unwrap();
        assert!(
            window.reserve(now, hours).unwrap().1 > now.after(Duration::from_secs(900)),
            "the due sweep meets a long window"
        );
    }

    #[test]
    fn a_window_of_another_length_holds_no_reservations() {
        let now = Timestamp(1_704_110_400_000);
        let of_seconds = RateWindow { index: now.seconds() + 5, used: 3 };
        assert_eq!(of_seconds.reserve(now, LIMIT).unwrap().1, now);
        assert_eq!(LIMIT.used(of_seconds, now), 0);
    }
}
