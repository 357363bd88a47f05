//! Requests that wait for a job's end: each occupies an instance of a function, so they need slots; without a free slot
//! the caller is answered immediately.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use reelhook_domain::{Job, JobId, Timestamp};

use crate::clock::{ClockAndRandom, Timer};
use crate::jobs::store::JobStore;
use crate::store::StoreError;

/// The poll interval in the first seconds of a wait.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The period of the fast polls.
const FAST_POLL_PERIOD: Duration = Duration::from_secs(10);
/// The poll interval after that period.
const SLOW_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How much longer than its request a slot is leased.
const SLOT_MARGIN: Duration = Duration::from_secs(5);
/// Time limit for releasing a slot; after that it expires by itself.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Slots under a concurrency limit.
#[async_trait]
pub trait Slots: Send + Sync {
    /// Claims a slot until `until`, if one is free.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn acquire(&self, slot: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Releases a slot; one that cannot be released expires.
    async fn release(&self, slot: &str);
}

/// The ports of waiting.
pub struct WaitPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// The waiters' slots.
    pub slots: &'a dyn Slots,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// Times the time limits.
    pub timer: &'a dyn Timer,
}

/// The outcome of a wait.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitOutcome {
    /// The job has ended.
    Ended(Box<Job>),
    /// The job has not ended: the time limit is reached, or no slot was free.
    NotYet,
    /// The job no longer exists.
    Gone,
}

/// Waits for the end of a job in a slot of this name, for at most `longest`. It does not wait if no slot is free or the
/// claim of one fails: the job exists, and the caller can poll it.
pub async fn wait_for_end(ports: &WaitPorts<'_>, id: &JobId, slot: &str, longest: Duration) -> WaitOutcome {
    let began = ports.clock.now();
    let until = began.after(longest);
    match ports.slots.acquire(slot, began, until.after(SLOT_MARGIN)).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::info!(job_id = %id, "waiter limit reached, answered without waiting");
            return WaitOutcome::NotYet;
        }
        Err(error) => {
            tracing::warn!(job_id = %id, %error, "failed to get a waiter slot, answered without waiting");
            return WaitOutcome::NotYet;
        }
    }
    let left = until.wait_from(ports.clock.now());
    let waited = match select(Box::pin(poll(ports, id, began, until)), ports.timer.after(left)).await {
        Either::Left((waited, _)) => waited,
        Either::Right(_) => WaitOutcome::NotYet,
    };
    select(ports.slots.release(slot), ports.timer.after(RELEASE_TIMEOUT)).await;
    waited
}

/// Polls a job until it has ended.
async fn poll(ports: &WaitPorts<'_>, id: &JobId, began: Timestamp, until: Timestamp) -> WaitOutcome {
    loop {
        match ports.jobs.load(id).await {
            Ok(Some(job)) if job.deleted_at.is_some() => return WaitOutcome::Gone,
            Ok(Some(job)) if job.status.is_final() => return WaitOutcome::Ended(Box::new(job)),
            Ok(Some(_)) => {}
            Ok(None) => return WaitOutcome::Gone,
            // The job exists: a client that got an error now would order a second video.
            Err(error) => tracing::warn!(job_id = %id, %error, "failed to read a job that a request waits for"),
        }
        let now = ports.clock.now();
        let left = until.wait_from(now);
        if left.is_zero() {
            return WaitOutcome::NotYet;
        }
        let every = if now < began.after(FAST_POLL_PERIOD) { FAST_POLL_INTERVAL } else { SLOW_POLL_INTERVAL };
        ports.clock.wait(every.min(left)).await;
    }
}
