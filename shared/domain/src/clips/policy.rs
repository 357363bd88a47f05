//! The policy of clip jobs: who cuts, deadlines, polls and credits, with the contract's values as defaults.

use std::time::Duration;

use crate::credits::price::CreditPrice;
use crate::pieces::PiecePolicy;

/// The wait after the first refusal.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// The longest wait after a refusal.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// Timers, limits and prices of clip jobs (docs/contract/clipping.md, Timers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipPolicy {
    /// Whether an outside worker cuts; else our renderers do.
    pub has_worker: bool,
    /// The time from the first claim of a submission until an attempt has failed that the worker has not begun (24 h: the
    /// worker has four slots).
    pub queued: Duration,
    /// The time from the beginning of an attempt, at the worker or at a renderer, until it has failed (8 h: sources have up
    /// to 4 h).
    pub deadline: Duration,
    /// The time without a report after which the worker is polled (60 s).
    pub silence: Duration,
    /// The first wait between polls (15 s).
    pub first_poll: Duration,
    /// The longest wait between polls (60 s).
    pub longest_poll: Duration,
    /// The lease of a submission (60 s): after it the answer counts as lost.
    pub submit_lease: Duration,
    /// Look-ups that must not find a lost submission before it is sent again (2).
    pub lookups: u32,
    /// Polls in a row that find nothing before a submission counts as lost at the worker (2).
    pub missing_polls: u32,
    /// Submissions of one attempt that the worker may forget before the attempt fails (1 is sent again).
    pub resubmissions: u32,
    /// Refusals (5xx, 429, no connection) after which the attempt fails (20).
    pub refusals: u32,
    /// The lease of a piece without a heartbeat (45 s).
    pub piece_lease: Duration,
    /// The time after a hint at which the due sweep sends another one (60 s).
    pub hint_grace: Duration,
    /// The percentage that is applied to waits before retries (100).
    pub retry_delay_percent: u32,
    /// What clips cost.
    pub price: CreditPrice,
}

impl Default for ClipPolicy {
    fn default() -> Self {
        Self {
            has_worker: false,
            queued: Duration::from_secs(24 * 3600),
            deadline: Duration::from_secs(8 * 3600),
            silence: Duration::from_secs(60),
            first_poll: Duration::from_secs(15),
            longest_poll: Duration::from_secs(60),
            submit_lease: Duration::from_secs(60),
            lookups: 2,
            missing_polls: 2,
            resubmissions: 1,
            refusals: 20,
            piece_lease: Duration::from_secs(45),
            hint_grace: Duration::from_secs(60),
            retry_delay_percent: 100,
            price: CreditPrice::default(),
        }
    }
}

impl ClipPolicy {
    /// What pieces keep to.
    pub fn pieces(&self) -> PiecePolicy {
        let (hint_grace, retry_delay_percent) = (self.hint_grace, self.retry_delay_percent);
        PiecePolicy { lease: self.piece_lease, hint_grace, retry_delay_percent }
    }

    /// The time between two heartbeats of a renderer.
    pub fn heartbeat_interval(&self) -> Duration {
        self.piece_lease / 9
    }

    /// The wait before poll `made` + 1: grows by half each time.
    pub fn poll_wait(&self, made: u32) -> Duration {
        let factor = 1.5_f64.powi(i32::try_from(made.min(20)).unwrap_or(20));
        self.first_poll.mul_f64(factor).min(self.longest_poll)
    }

    /// The wait after so many refusals: doubles from 5 s to 5 min.
    pub fn retry_wait(&self, refusals: u32) -> Duration {
        let wait = FIRST_RETRY * 2_u32.pow(refusals.saturating_sub(1).min(10));
        wait.min(LONGEST_RETRY) * self.retry_delay_percent / 100
    }
}
