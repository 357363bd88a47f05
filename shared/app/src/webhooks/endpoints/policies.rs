//! The policy of one endpoint where it differs from the common one: from WEBHOOK_ENDPOINT_POLICIES or its registration.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_domain::{EndpointPolicy, RateLimit, Schedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// A day in milliseconds.
pub(crate) const DAY_MS: u64 = 86_400_000;
/// The shortest and the longest timeout of an attempt, in milliseconds.
pub const TIMEOUT_MS: (u64, u64) = (100, 30_000);
/// The least and the most concurrent attempts.
pub const CONCURRENCY: (u64, u64) = (1, 1000);
/// The least and the most sends per window of the rate limit.
pub const RATE_MAX: (u64, u64) = (1, 1_000_000);
/// The shortest and the longest window of the rate limit, in milliseconds.
pub const WINDOW_MS: (u64, u64) = (1000, DAY_MS);

/// The policy of one endpoint; a missing field takes the common value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnPolicy {
    /// The retry schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleName>,
    /// The timeout of one attempt, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Sends per window of the rate limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_max: Option<u32>,
    /// The window of the rate limit, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit_window: Option<u64>,
    /// Concurrent attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// HTTP statuses after which a webhook is not retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanent_statuses: Option<BTreeSet<u16>>,
}

/// The retry schedules by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ScheduleName {
    /// The schedule of seed 001, with the delays of the settings.
    Streamgank,
    /// The schedule of seed 002.
    Vidbuilder,
    /// The schedule of Standard Webhooks.
    Standard,
}

impl ScheduleName {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// The name of a schedule.
    pub fn of(schedule: &Schedule) -> Self {
        match schedule {
            Schedule::Doubling { .. } => Self::Streamgank,
            Schedule::Short => Self::Vidbuilder,
            Schedule::Standard => Self::Standard,
        }
    }

    /// The schedule; `doubling` is that of seed 001.
    pub fn schedule(self, doubling: Schedule) -> Schedule {
        match self {
            Self::Streamgank => doubling,
            Self::Vidbuilder => Schedule::Short,
            Self::Standard => Schedule::Standard,
        }
    }
}

impl OwnPolicy {
    /// The fields that WEBHOOK_ENDPOINT_POLICIES may contain.
    pub(crate) const NAMES: [&str; 6] =
        ["schedule", "timeout", "rateLimitMax", "rateLimitWindow", "concurrency", "permanentStatuses"];

    /// What is wrong with it, with the field names of WEBHOOK_ENDPOINT_POLICIES.
    pub(crate) fn wrong(&self) -> Option<String> {
        let outside = |value: Option<u64>, (least, most): (u64, u64), name: &str| {
            let out = value.is_some_and(|value| !(least..=most).contains(&value));
            out.then(|| format!("`{name}` is from {least} to {most}"))
        };
        let statuses = self.permanent_statuses.iter().flatten().any(|status| !may_be_final(*status));
        outside(self.timeout, TIMEOUT_MS, "timeout")
            .or_else(|| outside(self.rate_limit_max.map(u64::from), RATE_MAX, "rateLimitMax"))
            .or_else(|| outside(self.rate_limit_window, WINDOW_MS, "rateLimitWindow"))
            .or_else(|| outside(self.concurrency.map(u64::from), CONCURRENCY, "concurrency"))
            .or_else(|| statuses.then(|| format!("`permanentStatuses` are {FINAL_STATUSES}")))
    }

    /// The policy of the endpoint: these fields over `common`; `doubling` is the schedule of seed 001.
    pub(crate) fn over(&self, common: &EndpointPolicy, doubling: Schedule) -> EndpointPolicy {
        let ms = Duration::from_millis;
        EndpointPolicy {
            schedule: self.schedule.map_or(common.schedule, |name| name.schedule(doubling)),
            timeout: self.timeout.map_or(common.timeout, ms),
            rate: RateLimit {
                max: self.rate_limit_max.unwrap_or(common.rate.max),
                window: self.rate_limit_window.map_or(common.rate.window, ms),
            },
            concurrency: self.concurrency.unwrap_or(common.concurrency),
            circuit: common.circuit,
            disable_policy: common.disable_policy,
        }
    }
}

/// The statuses that may be final, in words.
pub const FINAL_STATUSES: &str = "from 400 to 499 but 408, 425 and 429";

/// Whether a status may be final: client errors except those that request a retry.
pub fn may_be_final(status: u16) -> bool {
    (400..=499).contains(&status) && !matches!(status, 408 | 425 | 429)
}
