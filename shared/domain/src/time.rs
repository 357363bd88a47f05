//! Points in time as Unix milliseconds, the resolution of every dialect.

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

/// Unix time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A day of UTC.
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Timestamp {
    /// Unix time zero: before everything that this system records.
    pub const EPOCH: Self = Self(0);

    /// The time of a number of whole Unix seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch, for stores and wire formats.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Earlier by `duration`, to the millisecond.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time that has passed since `earlier`; zero if that lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        self.wait_from(earlier)
    }

    /// Milliseconds from `earlier` to this time; negative if that lies in the future.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first time from here on that is a multiple of `step` since the epoch.
    pub fn round_up(self, step: Duration) -> Self {
        let step = window_ms(step);
        Self(self.0.saturating_add(step - 1).div_euclid(step).saturating_mul(step))
    }

    /// The number of the window that contains this time, where windows of this `length` follow each other from the epoch on.
    pub fn window_index(self, length: Duration) -> i64 {
        self.0.div_euclid(window_ms(length))
    }

    /// The start of the window with this number; see [`Self::window_index`].
    pub fn start_of_window(index: i64, length: Duration) -> Self {
        Self(index.saturating_mul(window_ms(length)))
    }

    /// The start of its UTC day.
    pub fn start_of_day(self) -> Self {
        Self::start_of_window(self.window_index(DAY), DAY)
    }

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

    /// Reads a UTC day, `yyyy-mm-dd`: the time at which it starts.
    pub fn parse_day(day: &str) -> Option<Self> {
        Self::parse(&format!("{day}T00:00:00Z"))
    }

    /// Reads RFC 3339 (`2024-01-01T12:00:00.000Z`).
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Self(time.as_millisecond()))
    }

    /// Reads an HTTP date in any of its three formats (RFC 9110, 5.6.7): `Wed, 21 Oct 2015 07:28:00 GMT`, `Wednesday,
    /// 21-Oct-15 07:28:00 GMT` and `Wed Oct 21 07:28:00 2015`. A two-digit year is the latest year with these digits
    /// that is at most 50 years after `now`.
    pub fn parse_http_date(text: &str, now: Self) -> Option<Self> {
        let read = parse_http_date(text, now);
        // Mail dates (RFC 2822) also have named zones and offsets.
        read.or_else(|| jiff::fmt::rfc2822::parse(text.trim()).ok().map(|time| Self(time.timestamp().as_millisecond())))
    }
}

/// The length of a window in milliseconds, at least 1.
fn window_ms(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX).max(1)
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads an HTTP date in UTC and ignores its weekday.
fn parse_http_date(text: &str, now: Timestamp) -> Option<Timestamp> {
    let words = text.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.take(7).collect();
    let words = match words.split_first() {
        Some((first, rest)) if position(&WEEKDAYS, first).is_some() => rest,
        _ => &words[..],
    };
    let (day, month, year, time) = match words {
        [month, day, time, year] if month_of(month).is_some() => (*day, *month, *year, *time),
        [day, month, year, time, "GMT" | "UTC"] => (*day, *month, *year, *time),
        [date, time, "GMT" | "UTC"] => {
            let mut parts = date.splitn(3, '-');
            (parts.next()?, parts.next()?, parts.next()?, *time)
        }
        _ => return None,
    };
    let mut clock = time.splitn(3, ':').map(|part| number(part, 2));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let small = |number: i16| i8::try_from(number).ok();
    // Unix time has no leap seconds.
    let second = if second == 60 { 59 } else { second };
    let time = Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    let (month, day) = (month_of(month)?, small(number(day, 2)?)?);
    let year = match year.len() {
        2 => {
            let now = Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(now.millis()).ok()?);
            let latest = now.year() + 50;
            let year = latest - (latest - number(year, 2)?).rem_euclid(100);
            let beyond = year == latest && (month, day, time) > (now.month(), now.day(), now.time());
            if beyond { year - 100 } else { year }
        }
        _ => number(year, 4)?,
    };
    let date = Date::new(year, month, day).ok()?.to_datetime(time);
    Offset::UTC.to_timestamp(date).ok().map(|time| Timestamp(time.as_millisecond()))
}

/// Reads a number of at most `digits` digits.
fn number(text: &str, digits: usize) -> Option<i16> {
    let fits = (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

fn month_of(name: &str) -> Option<i8> {
    position(&MONTHS, name).filter(|_| name.len() == 3).and_then(|index| i8::try_from(index + 1).ok())
}

/// The index of the abbreviation that a name begins with.
fn position(abbreviations: &[&str], name: &str) -> Option<usize> {
    let start = name.get(..3)?;
    abbreviations.iter().position(|abbreviation| start.eq_ignore_ascii_case(abbreviation))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, as JavaScript's `toISOString` writes it. Times outside the years 0 to 9999
    /// are clamped to that range.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four digits can express the years 0 to 9999.
        let clamped = self.0.clamp(-62_167_219_200_000, 253_402_207_200_000);
        let time = jiff::Timestamp::from_millisecond(clamped).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{time:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_added_and_subtracted_without_overflow() {
        let (noon, second) = (Timestamp(1_704_110_400_000), Duration::from_secs(1));
        assert_eq!(noon.after(second).before(second), noon);
        assert_eq!((noon.since(noon.before(second)), noon.since(noon.after(second))), (second, Duration::ZERO));
        assert_eq!(noon.millis_since(noon.after(second)), -1000);
        assert_eq!(Timestamp(i64::MIN).before(second), Timestamp(i64::MIN));
        assert_eq!(Timestamp(i64::MAX).after(second), Timestamp(i64::MAX));
        let lease = Duration::from_secs(15);
        assert_eq!(Timestamp(15_000).round_up(lease), Timestamp(15_000));
        assert_eq!(Timestamp(15_001).round_up(lease), Timestamp(30_000));
        assert_eq!(Timestamp(-1).round_up(lease), Timestamp::EPOCH);
    }

    #[test]
    fn windows_follow_each_other_from_the_epoch() {
        let minute = Duration::from_secs(60);
        for (at, index) in [(-1, -1), (0, 0), (59_999, 0), (60_000, 1), (119_999, 1)] {
            assert_eq!(Timestamp(at).window_index(minute), index, "{at}");
        }
        assert_eq!(Timestamp::start_of_window(2, minute), Timestamp(120_000));
        assert_eq!(Timestamp::start_of_window(i64::MAX, minute), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).window_index(Duration::ZERO), 5, "a window is at least a millisecond long");
        let (noon, midnight) = (Timestamp(1_704_110_400_000), Timestamp(1_704_067_200_000));
        assert_eq!((noon.start_of_day(), midnight.start_of_day()), (midnight, midnight));
        assert_eq!(Timestamp(-1).start_of_day(), Timestamp(-86_400_000));
        assert_eq!((Timestamp::parse_day("2024-01-01"), Timestamp::parse_day("2024-01")), (Some(midnight), None));
    }

    #[test]
    fn seconds_are_read_without_overflow() {
        let noon = Timestamp(1_704_110_400_007);
        assert_eq!(Timestamp::from_seconds(noon.seconds()), Timestamp(1_704_110_400_000));
        assert_eq!(Timestamp::from_seconds(i64::MAX), Timestamp(i64::MAX));
    }

    #[test]
    fn a_time_is_formatted_as_in_javascript() {
        assert_eq!(Timestamp(1_704_110_400_000).to_string(), "2024-01-01T12:00:00.000Z");
        assert_eq!(Timestamp(1_704_110_400_007).to_string(), "2024-01-01T12:00:00.007Z");
        assert_eq!(Timestamp(i64::MAX).day(), "9999-12-30");
        assert_eq!(Timestamp(1_704_110_400_000).day(), "2024-01-01");
    }

    #[test]
    fn rfc_3339_is_parsed() {
        assert_eq!(Timestamp::parse("2024-01-01T12:00:00Z"), Some(Timestamp(1_704_110_400_000)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    /// The Unix seconds of an HTTP date that is read in 2015.
    fn read(text: &str) -> Option<i64> {
        Timestamp::parse_http_date(text, Timestamp(1_445_412_420_000)).map(Timestamp::seconds)
    }

    #[test]
    fn http_dates_are_parsed_in_all_three_formats() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            // Common deviations. A wrong weekday does not invalidate the date.
            " Sun, 6 Nov 1994 08:49:37 GMT ",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun Nov 06 08:49:37 1994",
            "sun, 06 nov 1994 08:49:37 GMT",
            "06 Nov 1994 08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 10:49:37 +0200",
        ] {
            assert_eq!(read(text), Some(784_111_777), "{text}");
        }
        assert_eq!(read("Thu, 31 Dec 1998 23:59:60 GMT"), Some(915_148_799), "a leap second");
        assert_eq!(read("Mon, 29 Feb 2016 00:00:00 GMT"), Some(1_456_704_000));
    }

    #[test]
    fn text_that_is_not_an_http_date_is_rejected() {
        for text in [
            "",
            "Wed",
            "Wed, 21 Oct 2015",
            "Wed, 21 Oct 2015 24:00:00 GMT",
            "Wed, 21 Oct 2015 07:60:00 GMT",
            "Wed, 32 Oct 2015 07:28:00 GMT",
            "Sun, 29 Feb 2015 07:28:00 GMT",
            "Wed, 21 Okt 2015 07:28:00 GMT",
            "Wed, 21 Oct 20155 07:28:00 GMT",
            "Wed, 21 Oct -015 07:28:00 GMT",
            "Wed, 21 Oct 2015 07:28:75 GMT",
            "Wednesday, 21-Oct 07:28:00 GMT",
            "Wed Oct 21 07:28:00",
            "Wed Oct 21 2015 07:28:00 GMT",
            "2015-10-21",
            "W\u{e9}d, 21 Oct 2015 07:28:00 GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_two_digit_year_is_at_most_fifty_years_ahead() {
        let year = |text: &str, now: &str| {
            let now = Timestamp::parse(now).expect("a time");
            Timestamp::parse_http_date(text, now).map(|time| time.to_string()[..4].to_owned())
        };
        for (digits, now, expected) in [
            ("15", "2015-10-21T07:27:00Z", "2015"),
            ("65", "2015-10-21T07:27:00Z", "1965"),
            ("65", "2015-10-21T07:28:00Z", "2065"),
            ("66", "2015-10-21T07:28:00Z", "1966"),
            ("94", "2015-10-21T07:28:00Z", "1994"),
            ("00", "2015-10-21T07:28:00Z", "2000"),
            ("00", "1999-12-31T23:59:59Z", "2000"),
            ("99", "2000-01-01T00:00:00Z", "1999"),
            ("50", "2000-01-01T00:00:00Z", "1950"),
            ("49", "2000-01-01T00:00:00Z", "2049"),
            ("01", "2099-06-01T00:00:00Z", "2101"),
        ] {
            let found = year(&format!("Wednesday, 21-Oct-{digits} 07:28:00 GMT"), now);
            assert_eq!(found.as_deref(), Some(expected), "{digits} in {now}");
        }
    }
}
