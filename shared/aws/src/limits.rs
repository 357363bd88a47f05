//! Rate limits of calls, counted per minute in the Counters table.

mod daily;
mod exact;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::limits::{DayIsFull, LeaseStore, Limited, Limiter, admit_new};
use reelhook_app::store::StoreError;
use reelhook_domain::{CallLimit, JobId};

use crate::errors::store_error;
use crate::items::{n, number, s};
use crate::jobs::counters::CounterTable;
use crate::start::SystemClock;

/// Reports per job and minute that an instance admits without counting them in the table: most workers send fewer.
const FREE_REPORTS: u32 = 10;
/// Seconds for which a minute's count is kept, from the start of that minute.
const COUNT_LIFE_S: i64 = 600;

/// A rate limit with its counters.
pub struct Limits {
    limiter: Limiter,
    counters: CounterTable,
}

impl Limits {
    /// At most `per_minute` calls a minute of each caller.
    pub fn of_callers(counters: CounterTable, per_minute: u32) -> Self {
        Self { limiter: Limiter::new(CallLimit { per_minute, free: 0 }), counters }
    }

    /// At most `per_minute` reports a minute about each job.
    pub fn of_jobs(counters: CounterTable, per_minute: u32) -> Self {
        Self { limiter: Limiter::new(CallLimit { per_minute, free: FREE_REPORTS }), counters }
    }

    /// Admits a call of `caller`, unless its limit is reached.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit(&self, caller: &str) -> Result<(), Limited> {
        self.limiter.admit(&self.counters, caller, SystemClock.now()).await
    }

    /// Admits a call of `caller`, who may make so many calls a minute.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit_up_to(&self, caller: &str, per_minute: u32) -> Result<(), Limited> {
        self.limiter.admit_up_to(&self.counters, caller, per_minute, SystemClock.now()).await
    }

    /// Counts a job that `caller` makes, who may make `most` a day of UTC. One that can't be counted is admitted.
    ///
    /// # Errors
    /// [`DayIsFull`].
    pub async fn admit_new(&self, caller: &str, most: u32) -> Result<(), DayIsFull> {
        admit_new(&self.counters, caller, most, SystemClock.now()).await
    }

    /// Admits a report about `job`, unless its limit is reached.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit_report(&self, job: &JobId) -> Result<(), Limited> {
        self.admit(&format!("job#{job}")).await
    }
}

#[async_trait]
impl LeaseStore for CounterTable {
    async fn lease(&self, caller: &str, minute: i64, count: u32, limit: u32) -> Result<u32, StoreError> {
        let update = self
            .client()
            .update_item()
            .table_name(self.name())
            .key("pk", s(format!("rate#{caller}")))
            .key("sk", s(format!("{minute:010}")))
            .update_expression("ADD #count :count SET expires_at = :expires")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":count", n(count))
            .expression_attribute_values(":expires", n(minute * 60 + COUNT_LIFE_S))
            .return_values(ReturnValue::UpdatedNew);
        let answer = update.send().await.map_err(|error| store_error("lease calls", error))?;
        let leased = answer.attributes().and_then(|item| number(item, "count")).unwrap_or(i64::from(count));
        let before = u32::try_from(leased - i64::from(count)).unwrap_or(u32::MAX);
        Ok(limit.saturating_sub(before).min(count))
    }
}
