//! Who may start: one item that holds the slots of the runs under way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Job, Status, Timestamp};

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
    /// What a clear hides until it is removed.
    #[serde(default, skip_serializing_if = "ClearCutoffs::is_empty")]
    pub cleared: ClearCutoffs,
}

/// Cut-offs of clears: what they hide is gone for everybody at once and is removed in the background.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClearCutoffs {
    /// Jobs that waited at this time, and those that had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Timestamp>,
    /// Jobs that had failed at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Timestamp>,
    /// How many jobs are hidden and still counted, by status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hidden: BTreeMap<Status, u64>,
}

impl ClearCutoffs {
    /// Whether nothing is hidden.
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.failed.is_none() && self.hidden.is_empty()
    }

    /// Whether a job is hidden.
    pub fn hides(&self, job: &Job) -> bool {
        let before = |cut: Option<Timestamp>, at: Option<Timestamp>| cut.zip(at).is_some_and(|(cut, at)| at <= cut);
        match job.status {
            Status::Pending => before(self.all, Some(job.waiting_since())),
            Status::Processing | Status::Rendering => false,
            Status::Completed | Status::Cancelled => before(self.all, job.ended_at()),
            Status::Failed => before(self.all.max(self.failed), job.ended_at()),
        }
    }

    /// How many of `counted` jobs of a status show.
    pub fn shown(&self, status: Status, counted: u64) -> u64 {
        counted.saturating_sub(self.hidden.get(&status).copied().unwrap_or_default())
    }
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
        Ok(Self { active, ..self.next() })
    }

    /// The next version without these slots; none when it holds none of them.
    pub fn free(&self, slots: &[&str]) -> Option<Self> {
        let mut active = self.active.clone();
        active.retain(|held, _| !slots.contains(&held.as_str()));
        (active.len() < self.active.len()).then(|| Self { active, ..self.next() })
    }

    /// The next version, in which further jobs start or not.
    pub fn pause(&self, paused: bool) -> Self {
        Self { paused, ..self.next() }
    }

    /// The next version, which hides what waits and what has ended at `now`; `counted` is how many jobs there are.
    pub fn clear(&self, now: Timestamp, counted: impl Fn(Status) -> u64) -> Self {
        let statuses = [Status::Pending, Status::Completed, Status::Failed, Status::Cancelled];
        let hidden = statuses.map(|status| (status, counted(status))).into();
        Self { cleared: ClearCutoffs { all: Some(now), failed: None, hidden }, ..self.next() }
    }

    /// The next version, which hides what has failed at `now`, and how many that are.
    pub fn clear_failed(&self, now: Timestamp, counted: u64) -> (Self, u64) {
        let mut cleared = self.cleared.clone();
        let newly = cleared.shown(Status::Failed, counted);
        cleared.failed = Some(now);
        cleared.hidden.insert(Status::Failed, counted);
        (Self { cleared, ..self.next() }, newly)
    }

    /// The next version after hidden jobs were removed; with `done`, cut-offs up to that version's go.
    pub fn removed(&self, removed: &BTreeMap<Status, u64>, done: bool) -> Self {
        let mut cleared = self.cleared.clone();
        if done {
            cleared = ClearCutoffs::default();
        } else {
            for (status, count) in removed {
                cleared.hidden.entry(*status).and_modify(|hidden| *hidden = hidden.saturating_sub(*count));
            }
        }
        Self { cleared, ..self.next() }
    }

    fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
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
    fn a_clear_hides_what_waits_and_what_ended_and_nothing_newer() {
        let cleared = Admission::default().clear(NOW, |_| 2).cleared;
        assert_eq!((cleared.shown(Status::Failed, 3), cleared.shown(Status::Processing, 3)), (1, 3));
        let (again, newly) = Admission { cleared, ..Admission::default() }.clear_failed(Timestamp(NOW.0 + 1), 5);
        assert_eq!((newly, again.cleared.shown(Status::Failed, 5)), (3, 0));
        assert!(again.removed(&BTreeMap::new(), true).cleared.is_empty());
    }

    #[test]
    fn a_paused_queue_starts_nothing() {
        let paused = Admission { paused: true, ..Admission::default() };
        assert_eq!(paused.check(NOW, 9), Err(NoSlot::Paused));
    }
}
