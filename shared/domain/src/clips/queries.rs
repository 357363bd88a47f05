//! What others ask of a clip job: what the launcher does at the worker, whose it is, and what is there of it.

use crate::clips::clip::Clip;
use crate::clips::job::{ClipJob, ClipPiece, JobCredits};
use crate::clips::request::Range;
use crate::clips::run::{Engine, WorkerState};
use crate::clips::status::ClipStatus;
use crate::credits::account::Account;
use crate::credits::effect::CreditEffect;
use crate::credits::price::{Basis, CreditPrice};
use crate::{RenderId, Timestamp};

/// Attempts of one job whose reservations a repair looks at, at most.
const REMEMBERED: usize = 100;

/// What the launcher does at the worker, about the present submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClipWork {
    /// Claim the submission, and send it.
    Submit,
    /// Look it up by its external id: its answer was lost.
    LookUp,
    /// Poll it under the worker's id.
    Poll(RenderId),
}

impl ClipJob {
    /// What the launcher does now, and the number of the submission that it is about; none if nothing is due.
    pub fn work(&self, now: Timestamp) -> Option<(u32, ClipWork)> {
        if self.next_work()? > now {
            return None;
        }
        let run = self.run.engine.worker()?;
        let work = match &run.state {
            WorkerState::Waiting { .. } => ClipWork::Submit,
            WorkerState::Unclear { .. } => ClipWork::LookUp,
            WorkerState::Submitted { id, .. } => ClipWork::Poll(id.clone()),
            WorkerState::Submitting { .. } | WorkerState::Ended => return None,
        };
        Some((run.number, work))
    }

    /// The time at which the launcher next has something to do; none if it has nothing.
    pub(super) fn next_work(&self) -> Option<Timestamp> {
        if self.status.is_final() {
            return None;
        }
        match self.run.engine.worker()?.state {
            WorkerState::Waiting { ready_at } => Some(ready_at),
            WorkerState::Unclear { next_at, .. } | WorkerState::Submitted { next_at, .. } => Some(next_at),
            WorkerState::Submitting { .. } | WorkerState::Ended => None,
        }
    }

    /// Whether the job does not need what the worker makes of a submission. That of a job which succeeded is not
    /// unwanted, because a cancellation could remove its files.
    pub fn is_unwanted(&self, number: u32) -> bool {
        let is_present = self.run.engine.worker().is_some_and(|run| run.number == number);
        let is_awaited = match self.status {
            ClipStatus::Queued | ClipStatus::Running | ClipStatus::Succeeded => self.deleted_at.is_none(),
            ClipStatus::Failed | ClipStatus::Canceled => false,
        };
        !is_present || !is_awaited
    }

    /// The number of the submission that the worker knows under this id: an external id of any submission so far, or the
    /// worker's own id of the present one.
    pub fn submission_with_id(&self, id: &str) -> Option<u32> {
        let run = self.run.engine.worker();
        if let Some(run) = run.filter(|run| run.id().is_some_and(|known| known.as_str() == id)) {
            return Some(run.number);
        }
        let last = match run {
            Some(run) => run.number,
            None => self.run.engine.own().map_or(0, |own| own.submissions),
        };
        (1..=last).rev().find(|number| self.id.external_id(*number) == id)
    }

    /// The account that pays for it.
    pub fn account(&self) -> Account {
        Account::of(self.origin.owner.as_ref())
    }

    /// The credits that an attempt reserves: those of the length that is known, else those of the request.
    pub fn estimate(&self, price: CreditPrice) -> u64 {
        self.known_length().map_or_else(|| self.request.estimate(price).0, |(ms, _)| price.of(ms))
    }

    /// The length that is charged, in milliseconds, as far as it is known: that of the ranges within the source, else that of
    /// the source.
    pub(super) fn known_length(&self) -> Option<(u64, Basis)> {
        let source = self.run.source_ms;
        if !self.request.ranges.is_empty() {
            let end = source.unwrap_or(u64::MAX);
            let within = |range: &Range| range.end_ms.min(end).saturating_sub(range.start_ms);
            return Some((self.request.ranges.iter().map(within).fold(0, u64::saturating_add), Basis::Ranges));
        }
        let basis = match self.run.engine {
            Engine::Worker(_) => Basis::Reported,
            Engine::Own(_) => Basis::Probed,
        };
        source.map(|ms| (ms, basis))
    }

    /// The number of its clips that are there.
    pub fn ready_clips(&self) -> usize {
        self.clips.iter().filter(|clip| clip.is_ready()).count()
    }

    /// The piece that a renderer claimed under this number.
    pub fn claimed_piece(&self, claim: u32) -> Option<&ClipPiece> {
        self.pieces.claimed(claim).map(|index| &self.pieces.list[index].task)
    }

    /// Like [`ClipJob::clip`], to change it.
    pub(super) fn clip_mut(&mut self, index: u32) -> Option<&mut Clip> {
        self.clips.iter_mut().find(|clip| clip.index == index)
    }

    /// What ended the reservations of its attempts, the newest first: the effects that earlier versions had. At most
    /// one attempt is charged, and it is the last one, since a job that succeeded is not retried.
    pub fn ended_reservations(&self) -> impl Iterator<Item = CreditEffect> {
        let JobCredits { charged, settled_attempt, basis, .. } = self.credits;
        (1..=settled_attempt).rev().take(REMEMBERED).map(move |attempt| {
            let reservation = self.reservation_of(attempt);
            match basis.filter(|_| attempt == settled_attempt) {
                Some(basis) => CreditEffect::Settle { reservation, credits: charged, basis },
                None => CreditEffect::Release { reservation },
            }
        })
    }

    /// Whether the credits that are reserved for its present attempt are neither charged nor released so far.
    pub fn has_reservation(&self) -> bool {
        self.credits.settled_attempt < self.run.attempt
    }
}
