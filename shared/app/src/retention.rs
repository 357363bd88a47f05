//! How long what has ended is kept. The operator sets it (docs/settings.md), and every expiry and every list follows it.

use std::str::FromStr;
use std::time::Duration;

/// The days that an operator may choose. Template parameters have narrower bounds.
const BOUNDS: std::ops::RangeInclusive<u16> = 1..=3650;

/// A number of days for which something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Days(u16);

impl Days {
    /// As jobs, logs, deliveries and videos are kept unless the operator says otherwise.
    pub const MONTH: Self = Self(30);
    /// As archived logs are kept unless the operator says otherwise.
    pub const YEAR: Self = Self(365);

    /// The number.
    pub const fn count(self) -> i64 {
        self.0 as i64
    }

    /// The time from an end until what has ended may be removed.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64 * 24 * 3600)
    }
}

impl Default for Days {
    fn default() -> Self {
        Self::MONTH
    }
}

impl FromStr for Days {
    type Err = BadRetention;

    fn from_str(text: &str) -> Result<Self, BadRetention> {
        let days = text.trim().parse::<u16>().ok().filter(|days| BOUNDS.contains(days));
        days.map(Self).ok_or_else(|| BadRetention(text.to_owned()))
    }
}

/// A store of jobs.
pub trait KeepsJobs {
    /// How long ended jobs are kept. DynamoDB removes them late.
    fn jobs_kept(&self) -> Days {
        Days::default()
    }
}

/// A text is no retention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "days of jobs, logs, deliveries, archives and videos must be five numbers from 1 to 3650, separated by commas, not `{0}`"
)]
pub struct BadRetention(String);

/// How long each kind of thing is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Jobs, projects and clip jobs, after their end.
    pub jobs: Days,
    /// Lines of logs and live events.
    pub logs: Days,
    /// Deliveries with their attempts, and recoveries.
    pub deliveries: Days,
    /// Archived logs.
    pub archives: Days,
    /// Videos.
    pub videos: Days,
}

impl Default for Retention {
    fn default() -> Self {
        let (jobs, logs, deliveries, videos) = (Days::MONTH, Days::MONTH, Days::MONTH, Days::MONTH);
        Self { jobs, logs, deliveries, archives: Days::YEAR, videos }
    }
}

impl FromStr for Retention {
    type Err = BadRetention;

    /// Reads RETENTION: the days of jobs, logs, deliveries, archives and videos, separated by commas.
    fn from_str(text: &str) -> Result<Self, BadRetention> {
        let days: Result<Vec<Days>, BadRetention> = text.split(',').map(str::parse).collect();
        match days.as_deref() {
            Ok(&[jobs, logs, deliveries, archives, videos]) => Ok(Self { jobs, logs, deliveries, archives, videos }),
            Ok(_) | Err(_) => Err(BadRetention(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_has_five_numbers_of_days() {
        let read: Retention = "7, 14,30,3650,1".parse().unwrap();
        let days = [read.jobs, read.logs, read.deliveries, read.archives, read.videos].map(Days::count);
        assert_eq!(days, [7, 14, 30, 3650, 1]);
        assert_eq!("30,30,30,365,30".parse(), Ok(Retention::default()));
        for bad in ["", "30", "30,30,30,365", "30,30,30,365,30,30", "0,30,30,365,30", "30,30,30,3651,30", "a,1,1,1,1"] {
            let error = bad.parse::<Retention>().unwrap_err().to_string();
            assert!(error.contains("five numbers from 1 to 3650") && error.contains(&format!("`{bad}`")), "{error}");
        }
    }
}
