//! The times that rule a job's life, with the contract's values as defaults.

use std::time::Duration;

use crate::jobs::activity::Captions;

/// Timers and limits of jobs (contract.md, Attempts, final states, timers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a run may be processing before it is timed out (30 min).
    pub processing_timeout: Duration,
    /// When a rendering job's render is checked, after rendering began (2, 12, 22 and 32 min); never empty.
    pub render_checks: Vec<Duration>,
    /// Percentage of the retry delays of the failure classes (100).
    pub retry_delay_percent: u32,
    /// How long a claimed job may wait for its worker's answer before it is offered again (60 s).
    pub claim_lease: Duration,
    /// How long a renderer may be silent before its piece is free again (45 s); it tells that it lives nine times as often.
    pub piece_lease: Duration,
    /// How much later than its hint a waiting thing is due for the sweep (60 s).
    pub hint_grace: Duration,
    /// Automatic and asked-for retries of one job (1).
    pub max_retries: u32,
    /// The words in which jobs show what goes on.
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

/// Why settings make no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("render checks are 1 to 8 rising numbers of seconds, such as `120,720,1320,1920`, not `{0}`")]
pub struct PolicyError(String);

impl Policy {
    /// The time between a renderer's signs of life.
    pub fn heartbeat_interval(&self) -> Duration {
        self.piece_lease / 9
    }

    /// Reads `120,720,1320,1920`: seconds after rendering began.
    ///
    /// # Errors
    /// [`PolicyError`] unless it is a rising list of 1 to 8 numbers.
    pub fn parse_render_checks(text: &str) -> Result<Vec<Duration>, PolicyError> {
        let bad = || PolicyError(text.to_owned());
        let checks: Vec<Duration> = text
            .split(',')
            .map(|part| part.trim().parse().map(Duration::from_secs).map_err(|_| bad()))
            .collect::<Result<_, _>>()?;
        if checks.len() <= 8 && checks.is_sorted_by(|a, b| a < b) { Ok(checks) } else { Err(bad()) }
    }

    /// Backs off a start that the worker did not take: 5 s doubled per failure, at most 5 min, at least what it asked for.
    pub fn start_backoff(&self, failures: u32, requested: Option<Duration>) -> Duration {
        let own = Duration::from_secs(5 << failures.min(6)).min(Duration::from_secs(300));
        let own = own * self.retry_delay_percent.min(100) / 100;
        own.max(requested.unwrap_or_default())
    }
}
