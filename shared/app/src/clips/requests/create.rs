//! Creates clip jobs: the job, the reservation of its credits and its Idempotency-Key in one transaction.

use reelhook_domain::clips::decide::{NewClipJob, create};
use reelhook_domain::clips::request::{ClipRequest, Range};
use reelhook_domain::credits::ledger::Balance;
use reelhook_domain::{ClipJob, ClipJobId, ClipPolicy, Origin};

use crate::clips::digest;
use crate::clips::requests::source::needs_worker;
use crate::clips::store::{ClipAttempts, ClipList, ClipStore, Reserved};
use crate::clock::ClockAndRandom;
use crate::credits::ledger::Reservation;
use crate::idempotency::{IdempotencyKey, KeyReused, first_answer, first_answer_or};
use crate::store::StoreError;

/// A request for clips.
#[derive(Debug, Clone)]
pub struct NewClips {
    /// What the client asks for.
    pub request: ClipRequest,
    /// Whether a job that does the same may be answered instead of a new one.
    pub reuse: bool,
    /// Where it came from, and whose it is.
    pub origin: Origin,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

/// The ports of [`create_job`].
pub struct CreatePorts<'a> {
    /// New attempts.
    pub attempts: &'a dyn ClipAttempts,
    /// Clip jobs.
    pub jobs: &'a dyn ClipStore,
    /// Finds a job that does the same.
    pub list: &'a dyn ClipList,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The policy of clip jobs.
    pub policy: &'a ClipPolicy,
    /// Whether an account must have the credits that it reserves (CREDITS).
    pub limited: bool,
}

/// The outcome of a request for clips.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// A new job.
    Job(Box<ClipJob>),
    /// A job that does the same, as `reuse` allows.
    Existing(Box<ClipJob>),
    /// The key made or found this job before.
    Repeated(ClipJobId),
    /// The key was used with another body.
    KeyReused,
    /// The account has not enough credits.
    Insufficient {
        /// The account.
        balance: Balance,
        /// The credits that the job reserves.
        needed: u64,
    },
    /// The source is a page of a video site, which only a worker reads.
    PageUnreadable,
    /// The request has so many ranges, and a worker cuts one.
    TooManyRanges(usize),
}

/// Creates a clip job, or finds the one that does the same.
///
/// # Errors
/// [`StoreError`]; then the job was either not created or created with its reservation.
pub async fn create_job(ports: &CreatePorts<'_>, new: NewClips) -> Result<Created, StoreError> {
    let now = ports.clock.now();
    if let Some(key) = &new.key
        && let Some(first) = first_answer(ports.attempts, key, now).await?
    {
        return repeated(first);
    }
    if needs_worker(&new.request.source) && !ports.policy.has_worker {
        return Ok(Created::PageUnreadable);
    }
    if has_too_many_ranges(&new.request.ranges, ports.policy) {
        return Ok(Created::TooManyRanges(new.request.ranges.len()));
    }
    if new.reuse
        && let Some(job) = ports.list.with_request(new.origin.owner.as_ref(), &digest::of_request(&new.request)).await?
    {
        return existing(ports, new.key.as_ref(), job).await;
    }
    let (needed, _) = new.request.estimate(ports.policy.price);
    let id = ClipJobId::random(ports.clock.random());
    let made = NewClipJob { id, request: new.request, origin: new.origin, reserved: needed };
    let job = create(made, now, ports.policy);
    let record = new.key.as_ref().map(|key| key.record(job.id.to_string(), now));
    let reservation = reservation(&job, needed, ports.limited);
    match ports.attempts.insert(&job, &reservation, record.as_ref(), now).await? {
        Reserved::Done => Ok(Created::Job(Box::new(job))),
        Reserved::Insufficient(balance) => Ok(Created::Insufficient { balance, needed }),
        Reserved::Repeated(first) => match &new.key {
            Some(key) => repeated(key.repeated(first)),
            None => Err(unreadable("a request without a key met a record")),
        },
        // The id is random: what is there under it is this request's own write, which was repeated.
        Reserved::Conflict => match ports.jobs.load(&job.id).await? {
            Some(job) => Ok(Created::Job(Box::new(job))),
            None => Err(StoreError::Busy { operation: "insert clip job", source: "another write was faster".into() }),
        },
    }
}

/// Whether there are more ranges than what makes the clips can cut. A worker takes one: clips of it could lie between two
/// ranges, in what the client left out and does not pay for.
pub fn has_too_many_ranges(ranges: &[Range], policy: &ClipPolicy) -> bool {
    policy.has_worker && ranges.len() > 1
}

/// A new reservation for the present attempt of a job.
pub(crate) fn reservation(job: &ClipJob, credits: u64, limited: bool) -> Reservation {
    Reservation { account: job.account(), id: job.reservation(), credits, held: None, limited }
}

/// A job that does the same; a repeat of the request gets it too.
async fn existing(ports: &CreatePorts<'_>, key: Option<&IdempotencyKey>, job: ClipJob) -> Result<Created, StoreError> {
    let Some(key) = key else { return Ok(Created::Existing(Box::new(job))) };
    let id = job.id.to_string();
    match first_answer_or(ports.attempts, key, id.clone(), ports.clock.now()).await? {
        Ok(first) if first == id => Ok(Created::Existing(Box::new(job))),
        first => repeated(first),
    }
}

/// The job of the first request with a key.
fn repeated(first: Result<String, KeyReused>) -> Result<Created, StoreError> {
    let Ok(id) = first else { return Ok(Created::KeyReused) };
    let id = ClipJobId::parse(&id).map_err(|_| unreadable("the first answer of this key names no clip job"))?;
    Ok(Created::Repeated(id))
}

fn unreadable(reason: &str) -> StoreError {
    StoreError::Unreadable { operation: "read key", reason: reason.to_owned() }
}
