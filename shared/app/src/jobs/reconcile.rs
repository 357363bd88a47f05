//! Reconciles the counters of final states with the stored jobs: a difference that is found twice is corrected.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Status, Timestamp};

use crate::store::StoreError;

/// A day of UTC.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A counter, and the difference that was found last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// The value of the counter.
    pub value: i64,
    /// The counted number of jobs when it last differed, and the value of the counter then.
    pub suspected: Option<(i64, i64)>,
}

/// Stores counters, and counts jobs.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// The counter of a status and day.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn counter(&self, status: Status, day: &str) -> Result<Counter, StoreError>;

    /// Counts the stored jobs, by the index of status and day.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn count_jobs(&self, status: Status, day: &str) -> Result<i64, StoreError>;

    /// Stores a difference until the next reconciliation.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn suspect(&self, status: Status, day: &str, counted: i64, value: i64) -> Result<(), StoreError>;

    /// Removes a stored difference that no longer exists.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn trust(&self, status: Status, day: &str) -> Result<(), StoreError>;

    /// Sets a counter, if it still has the value `was`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn correct(&self, status: Status, day: &str, was: i64, to: i64) -> Result<(), StoreError>;
}

/// Compares the counters of today and yesterday with the jobs; returns the number of corrected counters.
///
/// A change that is still in the stream causes a difference too, but not the same one twice.
///
/// # Errors
/// [`StoreError`].
pub async fn reconcile(store: &dyn CounterStore, now: Timestamp) -> Result<usize, StoreError> {
    let mut corrected = 0;
    for day in [now.day(), now.before(DAY).day()] {
        for status in Status::ALL.iter().copied().filter(|status| status.is_final()) {
            let counted = store.count_jobs(status, &day).await?;
            let counter = store.counter(status, &day).await?;
            if counted == counter.value {
                if counter.suspected.is_some() {
                    store.trust(status, &day).await?;
                }
                continue;
            }
            if counter.suspected == Some((counted, counter.value)) {
                store.correct(status, &day, counter.value, counted).await?;
                corrected += 1;
                tracing::warn!(status = status.name(), day, was = counter.value, counted, "corrected a counter");
            } else {
                store.suspect(status, &day, counted, counter.value).await?;
            }
        }
    }
    Ok(corrected)
}
