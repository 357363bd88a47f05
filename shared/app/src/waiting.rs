//! Requests that wait for a job's end: each occupies an instance of a function, so they need slots; without a free slot
//! the caller is answered immediately.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use reelhook_domain::{Job, JobId, Timestamp};

use crate::ambient::Ambient;
use crate::drawing::Pulse;
use crate::jobs::JobStore;
use crate::store::StoreError;

/// How often a job that is waited for is looked at, at first.
const LOOK: Duration = Duration::from_millis(500);
/// For so long.
const SOON: Duration = Duration::from_secs(10);
/// And later.
const LATER: Duration = Duration::from_secs(2);
/// How much longer than its request a slot is held if it is never released.
const MARGIN: Duration = Duration::from_secs(5);
/// Time limit for releasing a slot; after that it expires by itself.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// The slots of what is held at once.
#[async_trait]
pub trait Slots: Send + Sync {
    /// Claims a slot until `until`, if one is free.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn enter(&self, slot: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Releases a slot; one that cannot be released expires.
    async fn leave(&self, slot: &str);
}

/// What waiting needs.
pub struct WaitPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// The waiters' slots.
    pub slots: &'a dyn Slots,
    /// Clock and randomness.
    pub ambient: &'a dyn Ambient,
    /// Ends what takes too long.
    pub pulse: &'a dyn Pulse,
}

/// What a wait came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Waited {
    /// The job has ended.
    Ended(Box<Job>),
    /// It goes on: the time is over, or there was no slot to wait in.
    NotYet,
    /// There is no such job any more.
    Gone,
}

/// Waits for a job's end in a slot of this name, `longest` at most. If no slot is free, or claiming one fails, it does
/// not wait: the job exists, and the caller can poll it.
pub async fn wait_for_end(ports: &WaitPorts<'_>, id: &JobId, slot: &str, longest: Duration) -> Waited {
    let began = ports.ambient.now();
    let until = began.after(longest);
    match ports.slots.enter(slot, began, until.after(MARGIN)).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::info!(job_id = %id, "waiter limit reached, answered without waiting");
            return Waited::NotYet;
        }
        Err(error) => {
            tracing::warn!(job_id = %id, %error, "failed to get a waiter slot, answered without waiting");
            return Waited::NotYet;
        }
    }
    let left = until.wait_from(ports.ambient.now());
    let waited = match select(Box::pin(look(ports, id, began, until)), ports.pulse.after(left)).await {
        Either::Left((waited, _)) => waited,
        Either::Right(_) => Waited::NotYet,
    };
    select(ports.slots.leave(slot), ports.pulse.after(GIVE_BACK)).await;
    waited
}

/// Looks at a job until it has ended.
async fn look(ports: &WaitPorts<'_>, id: &JobId, began: Timestamp, until: Timestamp) -> Waited {
    loop {
        match ports.jobs.load(id).await {
            Ok(Some(job)) if job.deleted_at.is_some() => return Waited::Gone,
            Ok(Some(job)) if job.status.is_final() => return Waited::Ended(Box::new(job)),
            Ok(Some(_)) => {}
            Ok(None) => return Waited::Gone,
            // The job exists: a client that got an error now would order a second video.
            Err(error) => tracing::warn!(job_id = %id, %error, "failed to read a job that a request waits for"),
        }
        let now = ports.ambient.now();
        let left = until.wait_from(now);
        if left.is_zero() {
            return Waited::NotYet;
        }
        let every = if now < began.after(SOON) { LOOK } else { LATER };
        ports.ambient.wait(every.min(left)).await;
    }
}
