//! Reconciles the counters of final states with the jobs themselves: a difference is mended when it shows twice.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Status, Timestamp};

use crate::store::StoreError;

/// A day of UTC.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A counter and what was counted last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// What it says.
    pub value: i64,
    /// What a count of the jobs gave when it last differed, and what the counter said then.
    pub suspected: Option<(i64, i64)>,
}

/// Counters and the jobs behind them.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// The counter of a status and day.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn counter(&self, status: Status, day: &str) -> Result<Counter, StoreError>;

    /// Counts the jobs themselves, by the index of status and day.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count_jobs(&self, status: Status, day: &str) -> Result<i64, StoreError>;

    /// Remembers a difference for next time.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn suspect(&self, status: Status, day: &str, counted: i64, value: i64) -> Result<(), StoreError>;

    /// Forgets a difference that went away.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn trust(&self, status: Status, day: &str) -> Result<(), StoreError>;

    /// Sets a counter, if it still has the value `was`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn mend(&self, status: Status, day: &str, was: i64, to: i64) -> Result<(), StoreError>;
}

/// Holds today's and yesterday's counters against the jobs; the number that was mended.
///
/// A change on its way through the stream makes a difference too, but not the same one twice.
///
/// # Errors
/// [`StoreError`].
pub async fn reconcile(store: &dyn CounterStore, now: Timestamp) -> Result<usize, StoreError> {
    let mut mended = 0;
    for day in [now.day(), now.before(DAY).day()] {
        for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
            let counted = store.count_jobs(status, &day).await?;
            let counter = store.counter(status, &day).await?;
            if counted == counter.value {
                if counter.suspected.is_some() {
                    store.trust(status, &day).await?;
                }
                continue;
            }
            if counter.suspected == Some((counted, counter.value)) {
                store.mend(status, &day, counter.value, counted).await?;
                mended += 1;
                tracing::warn!(status = status.name(), day, was = counter.value, counted, "mended a counter");
            } else {
                store.suspect(status, &day, counted, counter.value).await?;
            }
        }
    }
    Ok(mended)
}
