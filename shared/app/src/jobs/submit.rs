//! Submission of jobs: one conditional put or, with an Idempotency-Key, one transaction of record and job.

use async_trait::async_trait;
use reelhook_domain::videos::render::RenderPlan;
use reelhook_domain::{Job, JobId, JobKind, NewJob, Origin, Policy, Request, Timestamp, create};

use crate::clock::ClockAndRandom;
use crate::idempotency::{IdempotencyKey, IdempotencyRecord, IdempotencyStore, KeyReused, first_answer};
use crate::store::{Saved, StoreError};
use crate::views::streamgank::QueueCounts;

/// The request for a job.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The kind of the job.
    pub kind: JobKind,
    /// The client's request.
    pub request: Request,
    /// The plan of the film, if the client specified one.
    pub plan: Option<RenderPlan>,
    /// Where it comes from.
    pub origin: Origin,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
    /// Whether what the job uses is counted.
    pub usage: bool,
}

/// Stores new jobs.
#[async_trait]
pub trait SubmitStore: IdempotencyStore {
    /// The number of jobs by status: waiting and running ones from one bounded read, final ones from counters that may be
    /// some seconds old.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn queue_counts(&self) -> Result<QueueCounts, StoreError>;

    /// Stores a job with a new id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert(&self, job: &Job) -> Result<Saved<Job>, StoreError>;

    /// Stores a job and the record of its key in one transaction. A conflict returns the record that the key already has.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert_with_key(
        &self,
        job: &Job,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError>;
}

/// The outcome of a submission.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// The body of the response; for a repeated key, the body of the first response.
    Answer(String),
    /// The key was used before with another body.
    KeyReused,
}

/// Creates a job, and the response body that `answer` builds from it.
///
/// # Errors
/// [`StoreError`]; then the job was either not created or created completely.
pub async fn submit(
    store: &dyn SubmitStore,
    clock: &dyn ClockAndRandom,
    policy: &Policy,
    submission: Submission,
    answer: impl Fn(&Job, &QueueCounts) -> String,
) -> Result<Submitted, StoreError> {
    let counts = store.queue_counts().await?;
    let now = clock.now();
    let id = JobId::timed(now, clock.random());
    submit_as(store, now, policy, id, submission, |job| answer(job, &counts)).await
}

/// Creates a job with this new id, and the response body that `answer` builds from it.
///
/// # Errors
/// As [`submit`].
pub async fn submit_as(
    store: &dyn SubmitStore,
    now: Timestamp,
    policy: &Policy,
    id: JobId,
    submission: Submission,
    answer: impl Fn(&Job) -> String,
) -> Result<Submitted, StoreError> {
    let new = NewJob {
        id,
        kind: submission.kind,
        request: submission.request,
        plan: submission.plan,
        origin: submission.origin,
        usage: submission.usage,
    };
    let job = create(new, now, policy);
    let text = answer(&job);
    let Some(key) = submission.key else {
        // A conflict would need the same 128 random bits in the same millisecond.
        return match store.insert(&job).await? {
            Saved::Done => Ok(Submitted::Answer(text)),
            Saved::Conflict(_) => {
                let reason = format!("job id `{}` exists", job.id);
                Err(StoreError::Unreadable { operation: "insert job", reason })
            }
        };
    };
    if let Some(first) = first_answer(store, &key, now).await? {
        return Ok(first.into());
    }
    let record = key.record(text, now);
    match store.insert_with_key(&job, &record, now).await? {
        Saved::Done => Ok(Submitted::Answer(record.answer)),
        Saved::Conflict(Some(first)) => Ok(key.repeated(*first).into()),
        Saved::Conflict(None) => {
            Err(StoreError::Unreadable { operation: "read key", reason: "the key's record is missing".to_owned() })
        }
    }
}

impl From<Result<String, KeyReused>> for Submitted {
    fn from(first: Result<String, KeyReused>) -> Self {
        match first {
            Ok(answer) => Self::Answer(answer),
            Err(KeyReused) => Self::KeyReused,
        }
    }
}
