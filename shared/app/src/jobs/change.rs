//! Changing a job: load, decide, save with a condition, and again when someone else was first.

use async_trait::async_trait;
use reelhook_domain::{Decision, Event, Ignored, Job, JobId, Policy, Rejected, decide};

use crate::clock::ClockAndRandom;
use crate::retry::Retry;
use crate::store::{Saved, StoreError};

/// Attempts at a change; each conflict means that another writer succeeded.
const ATTEMPTS: u32 = 12;

/// Where jobs are kept.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Reads a job, consistently; deleted ones too, expired ones not.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load(&self, id: &JobId) -> Result<Option<Job>, StoreError>;

    /// Replaces a job if it still has version `job.version - 1`; a repeat of one's own write counts as done.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save(&self, job: &Job) -> Result<Saved<Job>, StoreError>;
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// The job as saved.
    Applied(Box<Job>),
    /// Nothing changed, and why; the job as it is.
    Ignored(Ignored, Box<Job>),
    /// The command is refused; the job as it is.
    Rejected(Rejected, Box<Job>),
    /// There is no such job.
    NotFound,
}

impl Changed {
    /// In a word, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Applied(_) => "applied",
            Self::Ignored(..) => "ignored",
            Self::Rejected(..) => "rejected",
            Self::NotFound => "not_found",
        }
    }
}

/// Why a change did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others were faster each time.
    #[error("job `{0}` changed during each attempt at a change")]
    Contended(JobId),
}

/// Lets `event` happen to the job `id`.
///
/// # Errors
/// [`ChangeError`] when the store fails or others are faster each time.
pub async fn change(
    store: &dyn JobStore,
    clock: &dyn ClockAndRandom,
    policy: &Policy,
    id: &JobId,
    event: &Event,
) -> Result<Changed, ChangeError> {
    let Some(job) = store.load(id).await? else {
        return Ok(Changed::NotFound);
    };
    change_loaded(store, clock, policy, job, event).await
}

/// Like [`change`], for a job that was read just now.
///
/// # Errors
/// As [`change`].
pub async fn change_loaded(
    store: &dyn JobStore,
    clock: &dyn ClockAndRandom,
    policy: &Policy,
    job: Job,
    event: &Event,
) -> Result<Changed, ChangeError> {
    let id = job.id.clone();
    let (mut known, mut retry) = (Some(job), Retry::new(clock, ATTEMPTS));
    while retry.attempt().await {
        let job = match known.take() {
            Some(job) => job,
            None => match store.load(&id).await? {
                Some(job) => job,
                None => return Ok(Changed::NotFound),
            },
        };
        let next = match decide(&job, event, clock.now(), policy) {
            Decision::Apply(next) => next,
            Decision::Ignore(reason) => return Ok(Changed::Ignored(reason, Box::new(job))),
            Decision::Reject(Rejected::Deleted) => return Ok(Changed::NotFound),
            Decision::Reject(reason) => return Ok(Changed::Rejected(reason, Box::new(job))),
        };
        known = match store.save(&next).await? {
            Saved::Done => return Ok(Changed::Applied(next)),
            // After a longer wait theirs may be old.
            Saved::Conflict(theirs) => theirs.filter(|_| retry.made() == 1).map(|theirs| *theirs),
        };
    }
    Err(ChangeError::Contended(id))
}
