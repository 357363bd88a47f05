//! Claims: the slot that a batch holds at an endpoint names the attempts that it makes, so that no other batch makes them.

use std::time::Duration;

use crate::{Delivery, DeliveryId, EndpointState, Timestamp};

/// How long an expired slot with claims is kept: by then the queue or the due sweep has brought its deliveries back.
const KEPT: Duration = Duration::from_secs(900);
/// The most expired slots that are kept, the newest ones: they make the endpoint's row larger.
const MOST_KEPT: usize = 8;
/// How far the clocks of two instances may differ.
const CLOCKS: Duration = Duration::from_secs(2);
/// How much longer than the endpoint's latency attempts may take before their slot must be extended.
const USUAL: Duration = Duration::from_millis(500);

/// The attempts that one batch has in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The batch, or the instance whose batches follow one another.
    pub holder: u64,
    /// How many attempts.
    pub attempts: u32,
    /// When it expires: a batch that holds it longer has crashed.
    pub until: Timestamp,
    /// Until when it counts against the concurrency limit. Attempts usually end earlier; a batch whose attempts take longer
    /// extends the slot to `until` before.
    pub busy_until: Timestamp,
    /// When its attempts began.
    pub started_at: Timestamp,
    /// Its attempts; none in slots of version 0.2, whose deliveries have leases of their own.
    pub claims: Vec<AttemptClaim>,
}

/// An attempt of a delivery that a batch makes. It is over once the delivery has that many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptClaim {
    /// The delivery's short id.
    pub delivery: u64,
    /// The number of the attempt.
    pub attempt: u32,
}

/// An attempt that was claimed and is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedAttempt {
    /// The number of the attempt.
    pub attempt: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// Whether it may still be in progress; otherwise its batch has crashed, and its result is unknown.
    pub in_progress: bool,
}

impl Slot {
    /// The slot that is held until its attempts have ended, however long they take.
    #[must_use]
    pub fn extended(&self) -> Self {
        Self { busy_until: self.until, ..self.clone() }
    }

    /// The slot after its attempts, with the claims whose results could not be saved; none if there are none.
    pub fn released(&self, unsaved: &[AttemptClaim], now: Timestamp) -> Option<Self> {
        (!unsaved.is_empty()).then(|| Self { attempts: 0, busy_until: now, claims: unsaved.to_vec(), ..self.clone() })
    }
}

impl AttemptClaim {
    /// The claim of a delivery's next attempt.
    pub fn next(delivery: &Delivery) -> Self {
        Self { delivery: short(delivery.id), attempt: delivery.attempts + 1 }
    }
}

impl EndpointState {
    /// The attempt of a delivery that is claimed and not recorded: the one that may still be in progress, or else the first
    /// whose batch has crashed.
    pub fn claimed(&self, delivery: &Delivery, now: Timestamp) -> Option<ClaimedAttempt> {
        let wanted = short(delivery.id);
        let all = self.concurrency.slots.iter().flat_map(|slot| slot.claims.iter().map(move |claim| (slot, claim)));
        let open = all.filter(|(_, claim)| claim.delivery == wanted && claim.attempt > delivery.attempts);
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
    /// delivery can need any more.
    pub(crate) fn take(&mut self, slot: Slot, now: Timestamp) {
        let slots = &mut self.concurrency.slots;
        let is_kept = |other: &Slot| !other.claims.is_empty() && other.until.after(KEPT) > now;
        slots.retain(|other| other.holder != slot.holder && (other.until > now || is_kept(other)));
        let mut expired: Vec<Timestamp> = slots.iter().map(|other| other.until).filter(|until| *until <= now).collect();
        if expired.len() > MOST_KEPT {
            expired.sort_unstable();
            let newest = expired[expired.len() - MOST_KEPT];
            slots.retain(|other| other.until >= newest);
        }
        slots.push(slot);
        self.concurrency.changed_at = Some(now);
    }
}

/// The short id of a delivery in claims: 64 bits, which tell the few attempts in progress at one endpoint apart.
fn short(id: DeliveryId) -> u64 {
    let (high, low) = id.0.as_u64_pair();
    high ^ low
}
