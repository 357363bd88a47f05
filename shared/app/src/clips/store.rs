//! The ports of clip jobs: their store, their lists, and look-ups by the worker's ids.

use async_trait::async_trait;
use reelhook_domain::clips::job::ClipJob;
use reelhook_domain::clips::status::ClipStatus;
use reelhook_domain::credits::ledger::Balance;
use reelhook_domain::{ClipJobId, ClipPolicy, OwnerId, Timestamp};

use crate::change::AggregateStore;
use crate::clock::ClockAndRandom;
use crate::credits::ledger::Reservation;
use crate::idempotency::{IdempotencyRecord, IdempotencyStore};
use crate::store::StoreError;

/// Stores clip jobs.
pub trait ClipStore: AggregateStore<ClipJob> {}

impl<S: AggregateStore<ClipJob> + ?Sized> ClipStore for S {}

/// The outcome of a write that reserves credits.
#[derive(Debug, Clone, PartialEq)]
pub enum Reserved {
    /// The job was written, and the credits are reserved.
    Done,
    /// The account has not enough credits; nothing was written.
    Insufficient(Balance),
    /// A request with the same Idempotency-Key was first; nothing was written.
    Repeated(IdempotencyRecord),
    /// Another writer changed the job; nothing was written.
    Conflict,
}

/// Creates clip jobs, begins new attempts, and raises what they reserve.
#[async_trait]
pub trait ClipAttempts: IdempotencyStore {
    /// Stores a new job with its reservation and the record of its Idempotency-Key, if it has one, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert(
        &self,
        job: &ClipJob,
        reservation: &Reservation,
        record: Option<&IdempotencyRecord>,
        now: Timestamp,
    ) -> Result<Reserved, StoreError>;

    /// Saves the first version of a new attempt with its reservation, or a later one with a reservation that is raised,
    /// in one transaction, on condition of the version before.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn save_attempt(&self, job: &ClipJob, reservation: &Reservation) -> Result<Reserved, StoreError>;
}

/// The ports of what begins an attempt, or raises what it reserves.
#[derive(Clone, Copy)]
pub struct AttemptPorts<'a> {
    /// Attempts and their reservations.
    pub attempts: &'a dyn ClipAttempts,
    /// Clip jobs.
    pub jobs: &'a dyn ClipStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The policy of clip jobs.
    pub policy: &'a ClipPolicy,
    /// Whether an account must have the credits that it reserves (CREDITS).
    pub limited: bool,
}

/// One page of a list of clip jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipJobPage {
    /// The jobs, the newest first.
    pub jobs: Vec<ClipJob>,
    /// The cursor of the next page; none after the last.
    pub next: Option<String>,
}

/// Lists clip jobs.
#[async_trait]
pub trait ClipList: Send + Sync {
    /// A page of at most `limit` jobs after a cursor: of one owner, or of all; with one status, or with any.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn page(
        &self,
        owner: Option<&OwnerId>,
        status: Option<ClipStatus>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ClipJobPage, StoreError>;

    /// The cursor of what comes after a job of a page, so that an answer may have only the first ones of it.
    fn cursor_after(&self, job: &ClipJob) -> String;

    /// The newest job of an owner (none for those without one) whose request has this digest, and which neither failed nor
    /// was canceled nor deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn with_request(&self, owner: Option<&OwnerId>, digest: &str) -> Result<Option<ClipJob>, StoreError>;
}

/// A submission of a clip job, and an id under which the worker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSubmission {
    /// The external id, or the worker's own.
    pub id: String,
    /// The job.
    pub job: ClipJobId,
    /// The submission's number.
    pub number: u32,
}

/// Finds clip jobs by the ids that the worker uses.
#[async_trait]
pub trait ClipLookups: Send + Sync {
    /// Stores that an external id or a worker's id names a submission of a job; storing it again does nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn remember(&self, id: &str, job: &ClipJobId, number: u32) -> Result<(), StoreError>;

    /// The job and the submission that an id names.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn submission(&self, id: &str) -> Result<Option<(ClipJobId, u32)>, StoreError>;
}
