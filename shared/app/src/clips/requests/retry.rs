//! Retries clip jobs: the first version of a new attempt with the reservation of its credits, in one transaction.

use reelhook_domain::clips::event::Event;
use reelhook_domain::clips::reasons::Rejected;
use reelhook_domain::credits::ledger::Balance;
use reelhook_domain::{Aggregate, ClipJob, Decision};

use crate::change::ChangeError;
use crate::clips::requests::create::{has_too_many_ranges, reservation};
use crate::clips::requests::find::find;
use crate::clips::requests::source::needs_worker;
use crate::clips::store::{AttemptPorts, Reserved};
use crate::retry::Retry;

/// Attempts at a change; each conflict means that another writer succeeded.
const ATTEMPTS: u32 = 12;

/// The outcome of a retry.
#[derive(Debug, Clone, PartialEq)]
pub enum Retried {
    /// The job with its new attempt.
    Done(Box<ClipJob>),
    /// The job refuses the retry.
    Rejected(Rejected),
    /// The account has not enough credits.
    Insufficient {
        /// The account.
        balance: Balance,
        /// The credits that the attempt reserves.
        needed: u64,
    },
    /// The source is a page of a video site, which only a worker reads.
    PageUnreadable,
    /// The job has so many ranges, and a worker cuts one.
    TooManyRanges(usize),
    /// The job was deleted.
    NotFound,
}

/// Begins a new attempt of a job that was just read.
///
/// # Errors
/// [`ChangeError`] if the store fails or every attempt ends in a conflict.
pub async fn retry_job(ports: &AttemptPorts<'_>, loaded: ClipJob) -> Result<Retried, ChangeError> {
    let id = loaded.id.clone();
    let (mut known, mut sent): (Option<ClipJob>, Option<u32>) = (Some(loaded), None);
    let mut retry = Retry::new(ports.clock, ATTEMPTS);
    while retry.attempt().await {
        let current = match known.take() {
            Some(known) => known,
            None => match find(ports.jobs, &id).await? {
                Some(current) => current,
                None => return Ok(Retried::NotFound),
            },
        };
        // The conflict was with this request's own write, which was repeated, or with another retry.
        if sent == Some(current.run.attempt) {
            return Ok(Retried::Done(Box::new(current)));
        }
        let needed = current.estimate(ports.policy.price);
        let next = match current.decide(&Event::Retry { reserved: needed }, ports.clock.now(), ports.policy) {
            Decision::Apply(next) => next,
            Decision::Ignore(_) => return Ok(Retried::Done(Box::new(current))),
            Decision::Reject(Rejected::Deleted) => return Ok(Retried::NotFound),
            Decision::Reject(reason) => return Ok(Retried::Rejected(reason)),
        };
        if needs_worker(&current.request.source) && !ports.policy.has_worker {
            return Ok(Retried::PageUnreadable);
        }
        if has_too_many_ranges(&current.request.ranges, ports.policy) {
            return Ok(Retried::TooManyRanges(current.request.ranges.len()));
        }
        match ports.attempts.save_attempt(&next, &reservation(&next, needed, ports.limited)).await? {
            Reserved::Done => return Ok(Retried::Done(next)),
            Reserved::Insufficient(balance) => return Ok(Retried::Insufficient { balance, needed }),
            Reserved::Conflict | Reserved::Repeated(_) => sent = Some(next.run.attempt),
        }
    }
    Err(ChangeError::Contended(id.into()))
}
