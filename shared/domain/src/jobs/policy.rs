//! The policy of jobs: timeouts, leases and limits, with the contract's values as defaults.

use std::time::Duration;

use crate::jobs::activity::Captions;
use crate::pieces::PiecePolicy;

/// Timers and limits of jobs (docs/contract/jobs.md, Timers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The time limit of a run that is processing (30 min).
    pub processing_timeout: Duration,
    /// The schedule of render checks, counted from the start of rendering (2, 12, 22 and 32 min); never empty.
    pub render_checks: Vec<Duration>,
    /// The percentage that is applied to retry delays (100).
    pub retry_delay_percent: u32,
    /// The lease of a claimed job until the worker accepts it; then the job can be claimed again (60 s).
    pub claim_lease: Duration,
    /// The lease of a piece without a heartbeat (45 s). Renderers send nine heartbeats in this time.
    pub piece_lease: Duration,
    /// The time after a hint at which the due sweep sends another one (60 s).
    pub hint_grace: Duration,
    /// The maximum number of retries of a job, automatic and manual together (1).
    pub max_retries: u32,
    /// The captions of activities.
    pub captions: Captions,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            processing_timeout: Duration::from_secs(30 * 60),
            render_checks: [2, 12, 22, 32].map(|minutes| Duration::from_secs(minutes * 60)).to_vec(),
            retry_delay_percent: 100,
            claim_lease: Duration::from_secs(60),
            piece_lease: Duration::from_secs(45),
            hint_grace: Duration::from_secs(60),
            max_retries: 1,
            captions: Captions::PLAIN,
        }
    }
}

/// The setting of the render checks is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("render checks are 1 to 8 rising numbers of seconds, such as `120,720,1320,1920`, not `{0}`")]
pub struct PolicyError(String);

impl Policy {
    /// What pieces of a run keep to.
    pub fn pieces(&self) -> PiecePolicy {
        let (hint_grace, retry_delay_percent) = (self.hint_grace, self.retry_delay_percent);
        PiecePolicy { lease: self.piece_lease, hint_grace, retry_delay_percent }
    }

    /// The time between two heartbeats of a renderer.
    pub fn heartbeat_interval(&self) -> Duration {
        self.piece_lease / 9
    }

    /// Parses the schedule of render checks, such as `120,720,1320,1920`: seconds after the start of rendering.
    ///
    /// # Errors
    /// [`PolicyError`] unless it is a list of 1 to 8 rising numbers.
    pub fn parse_render_checks(text: &str) -> Result<Vec<Duration>, PolicyError> {
        let bad = || PolicyError(text.to_owned());
        let checks: Vec<Duration> = text
            .split(',')
            .map(|part| part.trim().parse().map(Duration::from_secs).map_err(|_| bad()))
            .collect::<Result<_, _>>()?;
        if checks.len() <= 8 && checks.is_sorted_by(|a, b| a < b) { Ok(checks) } else { Err(bad()) }
    }

    /// The backoff of a start that the worker did not accept: 5 s, doubled with each failure up to 5 min, and at least the
    /// `requested` time.
    pub fn start_backoff(&self, failures: u32, requested: Option<Duration>) -> Duration {
        let own = Duration::from_secs(5 << failures.min(6)).min(Duration::from_secs(300));
        let own = own * self.retry_delay_percent.min(100) / 100;
        own.max(requested.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn render_checks_are_one_to_eight_rising_numbers() {
        let seconds = |numbers: &[u64]| Ok(numbers.iter().copied().map(Duration::from_secs).collect::<Vec<_>>());
        for (text, expected) in [
            ("120", seconds(&[120])),
            ("120,720,1320,1920", seconds(&[120, 720, 1320, 1920])),
            (" 1 , 2 ", seconds(&[1, 2])),
            ("1,2,3,4,5,6,7,8", seconds(&[1, 2, 3, 4, 5, 6, 7, 8])),
        ] {
            assert_eq!(Policy::parse_render_checks(text), expected, "{text}");
        }
        for text in ["", "1,2,3,4,5,6,7,8,9", "2,1", "2,2", "1,,2", "1,x", "-1", "1.5"] {
            let refused = Policy::parse_render_checks(text).expect_err(text);
            assert!(refused.to_string().ends_with(&format!("not `{text}`")), "{refused}");
        }
    }

    #[test]
    fn a_start_waits_twice_as_long_after_each_failure() {
        let policy = Policy::default();
        let wait = |failures: u32| policy.start_backoff(failures, None).as_secs();
        assert_eq!([0, 1, 2, 5, 6, 7, u32::MAX].map(wait), [5, 10, 20, 160, 300, 300, 300]);
        let asked = |seconds: u64| policy.start_backoff(0, Some(Duration::from_secs(seconds))).as_secs();
        assert_eq!((asked(4), asked(6)), (5, 6), "at least what the worker asks for");
        let quick = Policy { retry_delay_percent: 50, ..Policy::default() };
        assert_eq!(quick.start_backoff(0, None), Duration::from_millis(2500));
        let slow = Policy { retry_delay_percent: 200, ..Policy::default() };
        assert_eq!(slow.start_backoff(0, None), Duration::from_secs(5));
    }

    #[test]
    fn a_renderer_has_nine_heartbeats_in_a_lease() {
        let policy = Policy { piece_lease: Duration::from_secs(9), retry_delay_percent: 7, ..Policy::default() };
        assert_eq!(policy.heartbeat_interval(), Duration::from_secs(1));
        let pieces = policy.pieces();
        assert_eq!(
            (pieces.lease, pieces.hint_grace, pieces.retry_delay_percent),
            (policy.piece_lease, policy.hint_grace, 7)
        );
    }
}
