//! Who may start: one item that holds the slots of the runs under way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The admission item: paused or not, and each slot with the end of its lease.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Admission {
    /// Rises by one with each change.
    pub version: u64,
    /// Whether no further job starts.
    #[serde(default)]
    pub paused: bool,
    /// `job.attempt.claim` → end of its lease.
    #[serde(default)]
    pub active: BTreeMap<String, Timestamp>,
}

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSlot {
    /// Someone stopped the queue.
    Paused,
    /// As many run as may.
    Full,
}

impl Admission {
    /// Whether a slot is free at `now`, when `max` may run at once; leases that ran out do not count.
    ///
    /// # Errors
    /// [`NoSlot`] says why not.
    pub fn check(&self, now: Timestamp, max: usize) -> Result<(), NoSlot> {
        if self.paused {
            return Err(NoSlot::Paused);
        }
        if self.running(now) >= max { Err(NoSlot::Full) } else { Ok(()) }
    }

    /// The next version with `slot` taken until `lease_until`, and without leases that ran out.
    ///
    /// # Errors
    /// [`NoSlot`] as in [`Self::check`].
    pub fn take(&self, slot: &str, now: Timestamp, lease_until: Timestamp, max: usize) -> Result<Self, NoSlot> {
        self.check(now, max)?;
        let mut active = self.active.clone();
        active.retain(|_, end| *end > now);
        active.insert(slot.to_owned(), lease_until);
        Ok(Self { version: self.version + 1, paused: self.paused, active })
    }

    /// The next version without these slots; none when it holds none of them.
    pub fn free(&self, slots: &[&str]) -> Option<Self> {
        let mut active = self.active.clone();
        active.retain(|held, _| !slots.contains(&held.as_str()));
        (active.len() < self.active.len()).then(|| Self { version: self.version + 1, paused: self.paused, active })
    }

    /// Runs under way at `now`.
    pub fn running(&self, now: Timestamp) -> usize {
        self.active.values().filter(|end| **end > now).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn no_more_run_than_may_and_old_leases_make_room() {
        let empty = Admission::default();
        let one = empty.take("a.1.1", NOW, NOW.after(std::time::Duration::from_secs(1)), 1).unwrap();
        assert_eq!(one.take("b.1.1", NOW, NOW, 1), Err(NoSlot::Full));
        let later = Timestamp(NOW.0 + 1000);
        let two = one.take("b.1.1", later, Timestamp(later.0 + 5), 1).unwrap();
        assert_eq!(two.active.keys().collect::<Vec<_>>(), ["b.1.1"]);
        assert_eq!(two.free(&["a.1.1"]), None);
        assert_eq!(two.free(&["a.1.1", "b.1.1"]).unwrap().running(later), 0);
    }

    #[test]
    fn a_paused_queue_starts_nothing() {
        let paused = Admission { paused: true, ..Admission::default() };
        assert_eq!(paused.check(NOW, 9), Err(NoSlot::Paused));
    }
}
