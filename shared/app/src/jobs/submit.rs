//! Making a job: one conditional put, or with an Idempotency-Key one transaction of key row and job.

use async_trait::async_trait;
use reelhook_domain::videos::render::RenderPlan;
use reelhook_domain::{Job, JobId, JobKind, NewJob, Origin, Policy, Request, Timestamp, create};
use sha2::{Digest, Sha256};

use crate::clock::ClockAndRandom;
use crate::store::{Saved, StoreError};
use crate::views::streamgank::QueueCounts;

/// How long a key is remembered (contract.md).
pub(crate) const KEY_LIFE_MS: i64 = 24 * 3600 * 1000;

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What the job is asked to do.
    pub kind: JobKind,
    /// What the client asked for.
    pub request: Request,
    /// What it takes to render its film, where the client specified it.
    pub plan: Option<RenderPlan>,
    /// The fingerprint of the caller's key.
    pub caller: String,
    /// The W3C trace of the request.
    pub traceparent: Option<String>,
    /// The request's Idempotency-Key and the hash of its body.
    pub key: Option<IdempotencyKey>,
}

/// A request's Idempotency-Key.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    /// The header's text.
    pub key: String,
    /// SHA-256 of what the body says, as hex: of its value, however that is written.
    pub body_hash: String,
    /// The hash that version 0.1 would have kept in its place: of the body's bytes.
    pub former_hash: Option<String>,
    /// Other fingerprints under which the idempotency record may name this caller: under an older secret or in version
    /// 0.1.
    pub former_callers: Vec<String>,
}

impl IdempotencyKey {
    /// A key that no earlier version can have seen.
    pub fn new(key: impl Into<String>, body_hash: impl Into<String>) -> Self {
        Self { key: key.into(), body_hash: body_hash.into(), former_hash: None, former_callers: Vec::new() }
    }

    /// The key of a caller who was known by these names before.
    #[must_use]
    pub fn of_callers(self, former_callers: Vec<String>) -> Self {
        Self { former_callers, ..self }
    }

    /// Whether a hash that is remembered with this key is of the same request.
    pub fn is_same(&self, remembered: &str) -> bool {
        remembered == self.body_hash || self.former_hash.as_deref() == Some(remembered)
    }

    /// 128 bits that follow from who uses the key, in which round.
    pub fn bits(&self, caller: &str, round: usize) -> u128 {
        let hash = digest(&[caller.as_bytes(), self.key.as_bytes(), round.to_string().as_bytes()]);
        hash[..16].iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte))
    }
}

/// SHA-256 of parts, each with its length before it, so that none can be taken for two.
pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// What is remembered of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Who used it.
    pub caller: String,
    /// The header's text.
    pub key: String,
    /// SHA-256 of what the body says, as hex.
    pub body_hash: String,
    /// The first answer's body.
    pub answer: String,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// Where jobs are made.
#[async_trait]
pub trait SubmitStore: Send + Sync {
    /// Waiting and running jobs by one bounded read, final ones from counters that may be some seconds old.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn queue_counts(&self) -> Result<QueueCounts, StoreError>;

    /// Puts a job whose id is new.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert(&self, job: &Job) -> Result<Saved<Job>, StoreError>;

    /// Puts a job and its key in one transaction; a key that is known already gives its row.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn insert_with_key(&self, job: &Job, row: &KeyRow, now: Timestamp) -> Result<Saved<KeyRow>, StoreError>;

    /// What is remembered of a caller's key and has not expired.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn key_row(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<KeyRow>, StoreError>;
}

/// What a submission gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// The answer's body, the first one for a repeated key.
    Answer(String),
    /// The key was used with another body.
    KeyReused,
}

/// Makes a job and the answer that `answer` builds from it.
///
/// # Errors
/// [`StoreError`]; nothing was made then, or the job is whole.
pub async fn submit(
    store: &dyn SubmitStore,
    clock: &dyn ClockAndRandom,
    policy: &Policy,
    submission: Submission,
    answer: impl Fn(&Job, &QueueCounts) -> String,
) -> Result<Submitted, StoreError> {
    let counts = store.queue_counts().await?;
    let now = clock.now();
    let id = JobId::streamgank(now, clock.random());
    submit_as(store, now, policy, id, submission, |job| answer(job, &counts)).await
}

/// Makes a job with this id, which is new, and the answer that `answer` builds from it.
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
    let caller = submission.caller;
    let new = NewJob {
        id,
        kind: submission.kind,
        request: submission.request,
        plan: submission.plan,
        origin: Origin { caller: Some(caller.clone()), traceparent: submission.traceparent },
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
    for former in &key.former_callers {
        if let Some(first) = store.key_row(former, &key.key, now).await? {
            return Ok(repeated(&key, first));
        }
    }
    let row = KeyRow {
        caller,
        key: key.key.clone(),
        body_hash: key.body_hash.clone(),
        answer: text,
        expires_at: Timestamp(now.0 + KEY_LIFE_MS),
    };
    match store.insert_with_key(&job, &row, now).await? {
        Saved::Done => Ok(Submitted::Answer(row.answer)),
        Saved::Conflict(Some(first)) => Ok(repeated(&key, *first)),
        Saved::Conflict(None) => {
            Err(StoreError::Unreadable { operation: "read key", reason: "the key's row vanished".to_owned() })
        }
    }
}

/// What a key gives that was used before.
fn repeated(key: &IdempotencyKey, first: KeyRow) -> Submitted {
    if key.is_same(&first.body_hash) { Submitted::Answer(first.answer) } else { Submitted::KeyReused }
}
