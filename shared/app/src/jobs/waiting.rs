//! Requests that wait for a job's end: each occupies an instance of a function, so they need slots; without a free slot
//! the caller is answered immediately.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use reelhook_domain::{Job, JobId, Timestamp};

use crate::clock::{ClockAndRandom, Timer};
use crate::jobs::store::JobStore;
use crate::store::StoreError;

/// How often a job that is waited for is looked at, at first.
const FAST_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// For so long.
const FAST_POLL_PERIOD: Duration = Duration::from_secs(10);
/// And later.
const SLOW_POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How much longer than its request a slot is held if it is never released.
const SLOT_MARGIN: Duration = Duration::from_secs(5);
/// Time limit for releasing a slot; after that it expires by itself.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The slots of what is held at once.
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

/// What waiting needs.
pub struct WaitPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// The waiters' slots.
    pub slots: &'a dyn Slots,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// Ends what takes too long.
    pub timer: &'a dyn Timer,
}

/// What a wait came to.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitOutcome {
    /// The job has ended.
    Ended(Box<Job>),
    /// It goes on: the time is over, or there was no slot to wait in.
    NotYet,
    /// There is no such job any more.
    Gone,
}

/// Waits for a job's end in a slot of this name, `longest` at most. If no slot is free, or claiming one fails, it does
/// not wait: the job exists, and the caller can poll it.
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

/// Looks at a job until it has ended.
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
