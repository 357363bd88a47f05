//! The rate limit of a caller over all instances: calls are leased in batches, or counted one by one where the limit has
//! to be exact (docs/contract/access.md, Limits).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use reelhook_domain::{Allowance, CallLimit, Step, Timestamp};

use crate::clock::ClockAndRandom;
use crate::store::StoreError;

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
        for _ in 0..LEASES {
            let (minute, requested) = {
                let mut callers = self.callers();
                if callers.len() >= REMEMBERED {
                    let minute = Allowance::new(now).minute;
                    callers.retain(|_, allowance| allowance.minute == minute);
                }
                let allowance = callers.entry(caller.to_owned()).or_insert_with(|| Allowance::new(now));
                match allowance.take(now, self.limit) {
                    Step::Admit => return Ok(()),
                    Step::Refuse(retry_after_s) => return Err(Limited { retry_after_s }),
                    Step::Lease(requested) => (allowance.minute, requested),
                }
            };
            match store.lease(caller, minute, requested, self.limit.per_minute).await {
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
