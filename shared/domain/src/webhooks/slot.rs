//! Slots of an endpoint: how many attempts a batch has in progress, and which.

use crate::{DeliveryId, Timestamp};

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
    /// The claim of an attempt. The short id has 64 bits, which tell the few attempts in progress at one endpoint apart.
    pub fn new(id: DeliveryId, attempt: u32) -> Self {
        let (high, low) = id.0.as_u64_pair();
        Self { delivery: high ^ low, attempt }
    }
}
