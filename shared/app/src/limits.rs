//! How many calls a caller may make in a minute, over all instances, without a write for each (contract.md, Limits).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use reelhook_domain::{Allowance, CallLimit, Step, Timestamp};

use crate::store::StoreError;

/// Callers that an instance remembers; beyond that those of past minutes go.
const REMEMBERED: usize = 1000;
/// Leases in a row for one call: others of this instance may use them up first. Each was counted, so none is waited for.
const LEASES: usize = 5;

/// Where a minute's calls are counted.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes `count` of a caller's `limit` calls in a minute: how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn lease(&self, caller: &str, minute: i64, count: u32, limit: u32) -> Result<u32, StoreError>;
}

/// A caller has made all the calls of this minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// Seconds until there are calls again.
    pub retry_after_s: u64,
}

/// Lets so many calls a minute in, of each caller.
#[derive(Debug)]
pub struct Limiter {
    limit: CallLimit,
    callers: Mutex<HashMap<String, Allowance>>,
}

impl Limiter {
    /// So many calls a minute.
    pub fn new(limit: CallLimit) -> Self {
        Self { limit, callers: Mutex::default() }
    }

    /// Lets a call in, or not. Where the calls can't be counted it is let in: a limit must not close the API.
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
                    if error.is_busy() {
                        tracing::warn!(%error, "calls could not be counted, this one is let in");
                    } else {
                        tracing::error!(%error, "calls can't be counted, all are let in");
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<String, Allowance>> {
        self.callers.lock().expect("nobody panics with it")
    }
}
