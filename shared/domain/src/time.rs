//! Points in time as Unix milliseconds, the resolution that every dialect shows.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Unix time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Later by `duration`, to the millisecond.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long until this time, seen from `now`; zero when it has passed.
    pub fn wait_from(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0))
    }

    /// Whole Unix seconds, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The UTC day, `yyyy-mm-dd`.
    pub fn day(self) -> String {
        self.to_string()[..10].to_owned()
    }

    /// Reads RFC 3339 (`2024-01-01T12:00:00.000Z`).
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Self(time.as_millisecond()))
    }

    /// Reads an HTTP date (RFC 9110: `Wed, 21 Oct 2015 07:28:00 GMT`).
    pub fn parse_http_date(text: &str) -> Option<Self> {
        jiff::fmt::rfc2822::parse(text).ok().map(|time| Self(time.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, as JavaScript's `toISOString` writes it; out of range shows the epoch's bounds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Years 0 to 9999, the range that four digits show.
        let clamped = self.0.clamp(-62_167_219_200_000, 253_402_207_200_000);
        let time = jiff::Timestamp::from_millisecond(clamped).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{time:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_shows_as_javascript_writes_it() {
        assert_eq!(Timestamp(1_704_110_400_000).to_string(), "2024-01-01T12:00:00.000Z");
        assert_eq!(Timestamp(1_704_110_400_007).to_string(), "2024-01-01T12:00:00.007Z");
        assert_eq!(Timestamp(i64::MAX).day(), "9999-12-30");
        assert_eq!(Timestamp(1_704_110_400_000).day(), "2024-01-01");
    }

    #[test]
    fn http_dates_and_rfc_3339_are_read() {
        assert_eq!(Timestamp::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Timestamp(1_445_412_480_000)));
        assert_eq!(Timestamp::parse("2024-01-01T12:00:00Z"), Some(Timestamp(1_704_110_400_000)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
