//! Calls per minute, counted in the Counters table.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::limits::{Limited, Limiter};
use reelhook_domain::{CallLimit, JobId};

use crate::jobs::counters::CounterTable;
use crate::start::SystemClock;

/// Reports of a job that each instance takes in a minute without counting them elsewhere: a worker sends few.
const FREE_REPORTS: u32 = 10;

/// A limit with its counters.
pub struct Limits {
    limiter: Limiter,
    counters: CounterTable,
}

impl Limits {
    /// So many calls a minute of each caller.
    pub fn of_callers(counters: CounterTable, per_minute: u32) -> Self {
        Self { limiter: Limiter::new(CallLimit { per_minute, free: 0 }), counters }
    }

    /// So many reports a minute of each job.
    pub fn of_jobs(counters: CounterTable, per_minute: u32) -> Self {
        Self { limiter: Limiter::new(CallLimit { per_minute, free: FREE_REPORTS }), counters }
    }

    /// Lets a caller's call in, or not.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit(&self, caller: &str) -> Result<(), Limited> {
        self.limiter.admit(&self.counters, caller, SystemClock.now()).await
    }

    /// Lets a report of a job in, or not.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit_report(&self, job: &JobId) -> Result<(), Limited> {
        self.admit(&format!("job#{job}")).await
    }
}
