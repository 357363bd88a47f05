//! The rate limit of a caller over all instances: calls are leased in batches, or counted one by one where the limit has
//! to be exact (docs/contract/access.md, Limits).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Allowance, CallLimit, Step, Timestamp};

use crate::clock::ClockAndRandom;
use crate::store::StoreError;

/// A day of UTC.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Callers that an instance remembers; beyond that, it forgets those of past minutes.
const REMEMBERED: usize = 1000;
/// Leases in a row for one call, because other calls of this instance may use them up. Each is a count, not a retry, so
/// there is no wait between them.
const LEASES: usize = 5;

/// Where a minute's calls are counted.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Leases `count` of a caller's `limit` calls in a minute: the number that was granted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn lease(&self, caller: &str, minute: i64, count: u32, limit: u32) -> Result<u32, StoreError>;
}

/// Where calls are counted one by one.
#[async_trait]
pub trait CallCounter: Send + Sync {
    /// Counts a call of a caller, unless `limit` calls are counted in the minute that began with the first of them.
    /// Counting the same `call` again counts it once.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count_call(
        &self,
        caller: &str,
        call: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Limited>, StoreError>;
}

/// Where it is counted what callers make in a day.
#[async_trait]
pub trait DayCounter: Send + Sync {
    /// Counts one thing that a caller makes on the day of `now`, unless `most` are counted; false if they are.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count_made(&self, caller: &str, most: u32, now: Timestamp) -> Result<bool, StoreError>;
}

/// Counts something that a caller makes, who may make `most` a day of UTC. What can't be counted is admitted: a limit must
/// not close the API.
///
/// # Errors
/// [`DayIsFull`].
pub async fn admit_new(counter: &dyn DayCounter, caller: &str, most: u32, now: Timestamp) -> Result<(), DayIsFull> {
    match counter.count_made(caller, most, now).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(DayIsFull::new(most, now)),
        Err(error) => {
            note_uncounted(&error);
            Ok(())
        }
    }
}

/// Admits a call, unless the limit is reached: call `limit` + 1 of a minute is the first that is refused, on any
/// instance. If calls can't be counted it is admitted: a limit must not close the API.
///
/// # Errors
/// [`Limited`].
pub async fn admit_exactly(
    counter: &dyn CallCounter,
    clock: &dyn ClockAndRandom,
    caller: &str,
    limit: u32,
) -> Result<(), Limited> {
    let call = format!("{:016x}", clock.random() & u128::from(u64::MAX));
    counter.count_call(caller, &call, limit, clock.now()).await.unwrap_or_else(|error| {
        note_uncounted(&error);
        Ok(())
    })
}

/// The rate limit of a caller is reached for this minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Seconds until the next minute begins.
    pub retry_after_s: u64,
}

/// A caller has made as many jobs as it may make in a day of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayIsFull {
    /// Jobs that the caller may make in a day.
    pub most: u32,
    /// Seconds until the next day begins.
    pub retry_after_s: u64,
}

impl DayIsFull {
    /// The refusal of a caller who has made `most` jobs on the day of `now`.
    pub fn new(most: u32, now: Timestamp) -> Self {
        let wait = now.start_of_day().after(DAY).wait_from(now);
        Self { most, retry_after_s: u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(1).max(1) }
    }
}

/// Limits the calls of each caller per minute.
#[derive(Debug)]
pub struct Limiter {
    limit: CallLimit,
    callers: Mutex<HashMap<String, Allowance>>,
}

impl Limiter {
    /// A limiter with this limit.
    pub fn new(limit: CallLimit) -> Self {
        Self { limit, callers: Mutex::default() }
    }

    /// Admits a call, unless the limit is reached. If calls can't be counted it is admitted: a limit must not close the
    /// API.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit(&self, store: &dyn LeaseStore, caller: &str, now: Timestamp) -> Result<(), Limited> {
        self.admit_up_to(store, caller, self.limit.per_minute, now).await
    }

    /// [`Self::admit`] for a caller who may make so many calls a minute.
    ///
    /// # Errors
    /// [`Limited`].
    pub async fn admit_up_to(
        &self,
        store: &dyn LeaseStore,
        caller: &str,
        per_minute: u32,
        now: Timestamp,
    ) -> Result<(), Limited> {
        let limit = CallLimit { per_minute, ..self.limit };
        for _ in 0..LEASES {
            let (minute, requested) = {
                let mut callers = self.callers();
                if callers.len() >= REMEMBERED {
                    let minute = Allowance::new(now).minute;
                    callers.retain(|_, allowance| allowance.minute == minute);
                }
                let allowance = callers.entry(caller.to_owned()).or_insert_with(|| Allowance::new(now));
                match allowance.take(now, limit) {
                    Step::Admit => return Ok(()),
                    Step::Refuse(retry_after_s) => return Err(Limited { retry_after_s }),
                    Step::Lease(requested) => (allowance.minute, requested),
                }
            };
            match store.lease(caller, minute, requested, limit.per_minute).await {
                Ok(granted) => {
                    if let Some(allowance) = self.callers().get_mut(caller).filter(|known| known.minute == minute) {
                        allowance.lease(requested, granted);
                    }
                }
                Err(error) => {
                    note_uncounted(&error);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<String, Allowance>> {
        self.callers.lock().expect("no holder of this lock panics")
    }
}

/// Logs that a call was admitted uncounted.
fn note_uncounted(error: &StoreError) {
    if error.is_busy() {
        tracing::warn!(%error, "failed to count calls, this one is admitted");
    } else {
        tracing::error!(%error, "calls can't be counted, all are admitted");
    }
}
