//! The policy of projects: backends, deadlines, polls and prices, with the contract's values as defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pieces::PiecePolicy;
use crate::projects::scene::SceneSpec;
use crate::projects::task::Stage;

/// The wait before the first retry.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// The longest wait before a retry.
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// What makes a stage's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// Our own renderers.
    #[default]
    Own,
    /// An outside service.
    Service {
        /// Whether its list of tasks shows what it has of ours, so that a lost answer can be looked up.
        has_list: bool,
        /// Videos of one stitch at most; 0 for no limit.
        max_inputs: u16,
    },
}

impl Backend {
    /// Whether a lost answer can be looked up.
    pub fn has_list(self) -> bool {
        match self {
            Self::Own => false,
            Self::Service { has_list, .. } => has_list,
        }
    }

    /// Videos of one stitch at most; 0 for no limit.
    pub fn max_inputs(self) -> u16 {
        match self {
            Self::Own => 0,
            Self::Service { max_inputs, .. } => max_inputs,
        }
    }
}

/// The times of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagePolicy {
    /// What makes its tasks.
    pub backend: Backend,
    /// The time from the claim of a submission to its failure.
    pub deadline: Duration,
    /// Submissions or attempts at most, before a person has to act.
    pub attempts: u32,
}

/// Prices per second of video in millionths of a dollar.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices {
    /// The price of models that have none of their own.
    pub default: u64,
    /// The prices of models.
    pub models: BTreeMap<String, u64>,
}

impl Prices {
    /// The cost of a video of this length, in millionths of a dollar.
    pub fn cost(&self, model: Option<&str>, duration_ms: u64) -> u64 {
        let per_second = model.and_then(|model| self.models.get(model)).copied().unwrap_or(self.default);
        (u128::from(per_second) * u128::from(duration_ms)).div_ceil(1000).try_into().unwrap_or(u64::MAX)
    }
}

/// Timers, limits and prices of projects (docs/contract/scenes.md, Timers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectPolicy {
    /// Videos of scenes (30 min, 3 attempts).
    pub video: StagePolicy,
    /// Last frames (5 min, 3 attempts).
    pub frame: StagePolicy,
    /// Stitches (10 min, 3 attempts).
    pub stitch: StagePolicy,
    /// The first poll of a task after its submission (3 s); later ones wait longer.
    pub first_poll: Duration,
    /// The longest time between two polls (60 s).
    pub longest_poll: Duration,
    /// The lease of a submission (60 s): after it the answer counts as lost.
    pub submit_lease: Duration,
    /// Look-ups that must not find a lost submission before it is sent again (3), spread over `submit_lease` at least.
    pub lookups: u32,
    /// The lease of a piece without a heartbeat (45 s).
    pub piece_lease: Duration,
    /// The time after a hint at which the due sweep sends another one (60 s).
    pub hint_grace: Duration,
    /// The percentage that is applied to waits before retries (100).
    pub retry_delay_percent: u32,
    /// What videos cost.
    pub prices: Prices,
}

impl Default for ProjectPolicy {
    fn default() -> Self {
        let stage = |minutes: u64| StagePolicy {
            backend: Backend::Own,
            deadline: Duration::from_secs(minutes * 60),
            attempts: 3,
        };
        Self {
            video: stage(30),
            frame: stage(5),
            stitch: stage(10),
            first_poll: Duration::from_secs(3),
            longest_poll: Duration::from_secs(60),
            submit_lease: Duration::from_secs(60),
            lookups: 3,
            piece_lease: Duration::from_secs(45),
            hint_grace: Duration::from_secs(60),
            retry_delay_percent: 100,
            prices: Prices::default(),
        }
    }
}

impl ProjectPolicy {
    /// The times of a stage.
    pub fn stage(&self, stage: Stage) -> &StagePolicy {
        match stage {
            Stage::Video => &self.video,
            Stage::Frame => &self.frame,
            Stage::Stitch => &self.stitch,
        }
    }

    /// The cost of a scene's video in millionths of a dollar; our own renderers cost nothing.
    pub fn video_cost(&self, spec: &SceneSpec) -> u64 {
        match self.video.backend {
            Backend::Own => 0,
            Backend::Service { .. } => self.prices.cost(spec.model.as_deref(), spec.duration_ms),
        }
    }

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

    /// The wait before look-up `made` + 1 of a lost submission. Those after the first grow, and take the lease of a
    /// submission in all: a service may show a task only some time after it has taken it.
    pub fn lookup_wait(&self, made: u32) -> Duration {
        let share = match self.lookups {
            0 | 1 => self.submit_lease,
            lookups => {
                let shares = u64::from(lookups) * u64::from(lookups - 1) / 2;
                let ms = self.submit_lease.as_millis() * u128::from(made) / u128::from(shares);
                Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX) + u64::from(made > 0))
            }
        };
        self.poll_wait(made).max(share)
    }

    /// The wait after so many failures or refusals: doubles from 5 s to 5 min.
    pub fn retry_wait(&self, failures: u32) -> Duration {
        let wait = FIRST_RETRY * 2_u32.pow(failures.saturating_sub(1).min(10));
        wait.min(LONGEST_RETRY) * self.retry_delay_percent / 100
    }
}
