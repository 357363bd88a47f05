//! What a log holds: how important its lines are, and how many there are of each kind.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// The type of a log line. The names are those that stored lines and searches have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(into = "&'static str", try_from = "String")]
pub enum LogEvent {
    /// Waiting began.
    #[strum(serialize = "job_queued")]
    Queued,
    /// Work started.
    #[strum(serialize = "job_started")]
    Started,
    /// A callback reported progress.
    #[strum(serialize = "webhook_received")]
    Reported,
    /// An outside service was polled.
    #[strum(serialize = "creatomate_monitoring")]
    Polled,
    /// It completed.
    #[strum(serialize = "job_completed")]
    Completed,
    /// It failed for good.
    #[strum(serialize = "job_failed")]
    Failed,
    /// Anything else.
    #[strum(serialize = "job_log")]
    Note,
}

impl LogEvent {
    /// The name in stored lines and searches.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl TryFrom<String> for LogEvent {
    type Error = strum::ParseError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

/// The importance of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum LogLevel {
    /// Something happened.
    Info,
    /// Something went well.
    Success,
    /// Something went wrong and was handled.
    Warning,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// Its name in logs and searches.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// Numbers of the lines in a log, or changes of these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "[i64; 6]", from = "[i64; 6]")]
pub struct LogTally {
    /// Lines of level info.
    pub info: i64,
    /// Lines of level success.
    pub success: i64,
    /// Lines of level warning.
    pub warning: i64,
    /// Lines of level error.
    pub error: i64,
    /// Bytes of the lines' messages and details.
    pub bytes: i64,
    /// Archived logs: 0 or 1 for one log.
    pub archived: i64,
}

impl LogTally {
    /// The number of all lines.
    pub fn lines(&self) -> i64 {
        self.info + self.success + self.warning + self.error
    }

    /// Whether all numbers are zero.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds one line.
    pub(crate) fn add(&mut self, level: LogLevel, bytes: usize) {
        let lines = match level {
            LogLevel::Info => &mut self.info,
            LogLevel::Success => &mut self.success,
            LogLevel::Warning => &mut self.warning,
            LogLevel::Error => &mut self.error,
        };
        *lines += 1;
        self.bytes += i64::try_from(bytes).unwrap_or(i64::MAX);
    }
}

impl std::ops::Add for LogTally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (one, other) = (<[i64; 6]>::from(self), <[i64; 6]>::from(other));
        std::array::from_fn(|index| one[index] + other[index]).into()
    }
}

impl std::ops::Sub for LogTally {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        let (one, other) = (<[i64; 6]>::from(self), <[i64; 6]>::from(other));
        std::array::from_fn(|index| one[index] - other[index]).into()
    }
}

impl From<LogTally> for [i64; 6] {
    fn from(tally: LogTally) -> Self {
        [tally.info, tally.success, tally.warning, tally.error, tally.bytes, tally.archived]
    }
}

impl From<[i64; 6]> for LogTally {
    fn from([info, success, warning, error, bytes, archived]: [i64; 6]) -> Self {
        Self { info, success, warning, error, bytes, archived }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_are_added_and_subtracted_number_by_number() {
        let one = LogTally { info: 7, success: 6, warning: 5, error: 4, bytes: 300, archived: 2 };
        let other = LogTally { info: 1, success: 2, warning: 3, error: 4, bytes: 50, archived: 6 };
        let sum = LogTally { info: 8, success: 8, warning: 8, error: 8, bytes: 350, archived: 8 };
        let rest = LogTally { info: 6, success: 4, warning: 2, error: 0, bytes: 250, archived: -4 };
        assert_eq!((one + other, one - other), (sum, rest));
        assert_eq!(one.lines(), 22);
        assert!((one - one).is_empty() && !one.is_empty());
    }
}
