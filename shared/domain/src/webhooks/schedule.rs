//! When a delivery is attempted again: three schedules, whose waits get up to a quarter of jitter, and the wait that a
//! receiver requests (Retry-After).

use std::time::Duration;

use crate::Timestamp;

/// The waits of the short schedule (docs/contract/videos.md, Notifications), in seconds.
const SHORT: [u64; 3] = [30, 120, 300];
/// The waits that Standard Webhooks 1.0.0 recommends, in seconds: ten attempts over three days.
const STANDARD: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How many attempts there are, and the waits between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// WEBHOOK_MAX_RETRIES, WEBHOOK_RETRY_DELAY and WEBHOOK_MAX_RETRY_DELAY: each wait is twice the one before.
    Doubling {
        /// Attempts after the first.
        max_retries: u32,
        /// The first wait.
        delay: Duration,
        /// The longest wait.
        max_delay: Duration,
    },
    /// Retries after 30 s, 2 min and 5 min.
    Short,
    /// Retries after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h.
    Standard,
}

impl Schedule {
    /// Attempts after the first.
    pub fn retries(&self) -> u32 {
        match self {
            Self::Doubling { max_retries, .. } => *max_retries,
            Self::Short => SHORT.len() as u32,
            Self::Standard => STANDARD.len() as u32,
        }
    }

    /// The longest time from the first attempt to the last.
    pub fn length(&self) -> Duration {
        (1..=self.retries()).map(|number| self.wait(number, 1.0)).sum()
    }

    /// The wait after attempt `number`, which counts from 1, plus up to a quarter for a `jitter` in 0..1. After the last
    /// attempt of the schedule, the last wait repeats.
    pub fn wait(&self, number: u32, jitter: f64) -> Duration {
        let step = |waits: &[u64]| {
            let index = (number.max(1) as usize - 1).min(waits.len() - 1);
            Duration::from_secs(waits[index])
        };
        let wait = match self {
            Self::Doubling { delay, max_delay, .. } => {
                let doubled = delay.saturating_mul(1_u32.checked_shl(number.saturating_sub(1)).unwrap_or(u32::MAX));
                doubled.min(*max_delay)
            }
            Self::Short => step(&SHORT),
            Self::Standard => step(&STANDARD),
        };
        wait.mul_f64(1.0 + 0.25 * jitter.clamp(0.0, 1.0))
    }
}

/// Reads a Retry-After header: seconds, possibly with a fraction, or an HTTP date (RFC 9110, 10.2.3); none for any other
/// text.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    let (whole, fraction) = header.split_once('.').unwrap_or((header, "0"));
    if [whole, fraction].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())) {
        let rest = format!("0.{}", &fraction[..fraction.len().min(9)]).parse().unwrap_or_default();
        let seconds = Duration::from_secs(whole.parse().unwrap_or(u64::MAX));
        return Some(seconds.saturating_add(Duration::from_secs_f64(rest)));
    }
    Timestamp::parse_http_date(header, now).map(|date| date.wait_from(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOUBLING: Schedule =
        Schedule::Doubling { max_retries: 3, delay: Duration::from_secs(1), max_delay: Duration::from_secs(30) };

    #[test]
    fn waits_double_up_to_the_cap_with_a_quarter_of_jitter() {
        assert_eq!(DOUBLING.wait(1, 0.0), Duration::from_secs(1));
        assert_eq!(DOUBLING.wait(1, 1.0), Duration::from_millis(1250));
        assert_eq!(DOUBLING.wait(6, 0.0), Duration::from_secs(30));
        assert_eq!(DOUBLING.wait(60, 0.0), Duration::from_secs(30));
    }

    #[test]
    fn fixed_schedules_are_those_of_their_documents() {
        let sum = |schedule: Schedule, jitter| -> u64 {
            (1..=schedule.retries()).map(|number| schedule.wait(number, jitter).as_secs()).sum()
        };
        assert_eq!((Schedule::Short.retries(), sum(Schedule::Short, 0.0)), (3, 30 + 120 + 300));
        let (hours, rest) = (75 * 3600, 35 * 60 + 5);
        assert_eq!((Schedule::Standard.retries(), sum(Schedule::Standard, 0.0)), (9, hours + rest));
        assert!(sum(Schedule::Standard, 1.0) <= (hours + rest) * 5 / 4);
        assert_eq!(Schedule::Short.length(), Duration::from_millis(450_000 * 5 / 4));
        assert_eq!(Schedule::Standard.wait(40, 0.0), Duration::from_secs(86_400));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(retry_after(text, Timestamp(1_445_412_420_000)), expected.map(Duration::from_secs), "{text}");
        };
        check("0", Some(0));
        check(" 120 ", Some(120));
        check("Wed, 21 Oct 2015 07:28:00 GMT", Some(60));
        check("Wed, 21 Oct 2015 07:00:00 GMT", Some(0));
        check("Wednesday, 21-Oct-15 07:28:00 GMT", Some(60));
        check("Wed Oct 21 07:28:00 2015", Some(60));
        check("\tWed, 21 Oct 2015 07:28:00 GMT ", Some(60));
        check("Wednesday, 21-Oct-94 07:28:00 GMT", Some(0));
        check("Wed, 21 Oct 9999 07:28:00 GMT", Some(251_950_694_460));
        check("007", Some(7));
        check("7.0", Some(7));
        check("99999999999999999999999", Some(u64::MAX));
        assert!(retry_after("99999999999999999999999.9", Timestamp::EPOCH) >= Some(Duration::from_secs(u64::MAX)));
        for nothing in
            ["soon", "", "-5", "+5", "-0.5", "5.", ".5", ".", "1.2.3", "5s", "5 s", "0x10", "1e3", "NaN", "\u{661}"]
        {
            check(nothing, None);
        }
        assert_eq!(retry_after("0.65", Timestamp::EPOCH), Some(Duration::from_millis(650)));
        assert_eq!(retry_after("1.25000000000000000001", Timestamp::EPOCH), Some(Duration::from_millis(1250)));
    }
}
