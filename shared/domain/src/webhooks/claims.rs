//! Claims: the slot that a batch holds at an endpoint names the attempts that it makes, so that no other batch makes them.

use std::time::Duration;

use crate::{Attempt, AttemptClaim, ClaimedAttempt, Delivery, DeliveryStatus, EndpointState, Slot, Timestamp};

/// How long an expired slot with claims is kept: by then the queue or the due sweep has brought its deliveries back.
const KEPT: Duration = Duration::from_secs(900);
/// The most expired slots that are kept, the newest ones: they make the endpoint's row larger.
const MOST_KEPT: usize = 8;
/// The most expired slots that one admission removes: an update expression has at most 4 KB (DynamoDB developer guide,
/// "Quotas in Amazon DynamoDB"), and an admission that is too long would fail each time.
const MOST_REMOVED: usize = 100;
/// How far the clocks of two instances may differ.
const CLOCKS: Duration = Duration::from_secs(2);
/// How much longer than the endpoint's latency attempts may take before their slot must be extended.
const USUAL: Duration = Duration::from_millis(500);

impl EndpointState {
    /// The attempt of a delivery that is claimed and not recorded: the one that may still be in progress, or else the first
    /// whose batch has crashed.
    pub fn claimed(&self, delivery: &Delivery, now: Timestamp) -> Option<ClaimedAttempt> {
        let wanted = AttemptClaim::new(delivery.id, delivery.attempts);
        let all = self.concurrency.slots.iter().flat_map(|slot| slot.claims.iter().map(move |claim| (slot, claim)));
        let open = all.filter(|(_, claim)| claim.delivery == wanted.delivery && claim.attempt > wanted.attempt);
        let found = open.map(|(slot, claim)| ClaimedAttempt {
            attempt: claim.attempt,
            started_at: slot.started_at,
            in_progress: slot.until > now,
        });
        found.min_by_key(|claimed| (!claimed.in_progress, claimed.attempt))
    }

    /// Whether no batch has taken or released a slot since this time. A delivery that was read later lacks no attempt whose
    /// claim is not in the slots.
    pub fn is_quiet_since(&self, time: Timestamp) -> bool {
        self.revision == 0 || self.concurrency.changed_at.is_some_and(|changed_at| changed_at.after(CLOCKS) < time)
    }

    /// How long attempts that begin now usually take.
    pub(crate) fn usual_time(&self) -> Duration {
        USUAL + Duration::from_millis(self.latency_ms() * 3)
    }

    /// Takes a slot instead of the holder's former one, whose attempts are recorded, and removes expired slots that no
    /// delivery can need any more: of very many only some at once.
    pub(crate) fn take(&mut self, slot: Slot, now: Timestamp) {
        let slots = &mut self.concurrency.slots;
        slots.retain(|other| other.holder != slot.holder);
        let is_kept = |other: &Slot| !other.claims.is_empty() && other.until.after(KEPT) > now;
        let expired = slots.iter().filter(|other| other.until <= now && is_kept(other));
        let mut kept: Vec<Timestamp> = expired.map(|other| other.until).collect();
        kept.sort_unstable();
        let oldest = kept[kept.len().saturating_sub(MOST_KEPT)..].first().copied();
        let is_needed =
            |other: &Slot| other.until > now || (is_kept(other) && oldest.is_some_and(|oldest| other.until >= oldest));
        let mut removed = 0;
        slots.retain(|other| {
            let stays = is_needed(other) || removed >= MOST_REMOVED;
            removed += usize::from(!stays);
            stays
        });
        slots.push(slot);
        self.concurrency.changed_at = Some(now);
    }
}

impl Delivery {
    /// Whether an attempt is in progress, given the state of its endpoint.
    pub fn is_in_progress(&self, endpoint: &EndpointState, now: Timestamp) -> bool {
        let is_leased = self.lease_until.is_some_and(|lease| lease > now);
        is_leased || endpoint.claimed(self, now).is_some_and(|claimed| claimed.in_progress)
    }

    /// The delivery with an attempt that was claimed and not recorded: it may have been made.
    #[must_use]
    pub fn with_claimed(mut self, claimed: &ClaimedAttempt) -> Self {
        self.attempts = claimed.attempt;
        self.last = Some(Attempt { number: claimed.attempt, started_at: claimed.started_at, result: None });
        self
    }

    /// The next version of a delivery that was changed while this attempt of it was in progress: the attempt is recorded,
    /// and what was still to be sent is delivered if it was accepted. None if a later attempt has begun, or if this one has
    /// a result.
    pub fn with_late(&self, ended: &Self) -> Option<Self> {
        // A batch that took this one for crashed has recorded the attempt, and let the delivery wait.
        let is_unknown = || self.lease_until.is_none() && self.last.as_ref().is_some_and(|last| last.result.is_none());
        if self.attempts > ended.attempts || (self.attempts == ended.attempts && !is_unknown()) {
            return None;
        }
        let mut next = self.next();
        next.attempts = ended.attempts;
        // Its attempt may be one that does not count.
        next.uncounted = self.uncounted.max(ended.uncounted);
        next.last.clone_from(&ended.last);
        next.last_result.clone_from(&ended.last_result);
        if self.status == DeliveryStatus::Pending && ended.status == DeliveryStatus::Delivered {
            next.status = ended.status;
            next.finished_at = ended.finished_at;
            next.due_at = None;
        }
        Some(next)
    }
}
