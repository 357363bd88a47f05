//! A row of slots: those of the runs under way, the pause switch, and the cutoffs of clears. A queue has one row, or several
//! ([`crate::Slots`]).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::jobs::slots::numbers::Numbered;
use crate::{Job, Status, Timestamp};

/// A row of slots: an admission item.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Admission {
    /// Rises by one with each change.
    pub version: u64,
    /// Whether no further job starts.
    #[serde(default)]
    pub paused: bool,
    /// The slots with names: `job.attempt.claim` → the end of its lease.
    #[serde(default)]
    pub active: BTreeMap<String, Timestamp>,
    /// The cutoffs that hide cleared jobs until they are removed.
    #[serde(default, skip_serializing_if = "ClearCutoffs::is_empty")]
    pub cleared: ClearCutoffs,
    /// When a launcher last left jobs that may be waiting: it found no free slot, or it had started enough of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Timestamp>,
    /// The slots that have numbers instead of names.
    #[serde(default, skip_serializing_if = "Numbered::is_new")]
    pub numbered: Numbered,
    /// Rises with each change of the first row that holds for all rows. A row that is behind grants nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revision: u64,
    /// The arrangement of all rows; only the first one has it.
    #[serde(default, skip_serializing_if = "Layout::is_default")]
    pub layout: Layout,
}

fn is_zero(revision: &u64) -> bool {
    *revision == 0
}

/// An arrangement of slots in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// How many rows grant slots.
    pub rows: usize,
    /// How many rows may have slots where that is more: those of arrangements before keep theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<usize>,
    /// Whether granted slots have numbers. Else they have names, which versions before 0.3 read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub numbers: bool,
}

impl Layout {
    /// How many rows may have slots.
    pub fn all(&self) -> usize {
        self.before.unwrap_or_default().max(self.rows).max(1)
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self { rows: 1, before: None, numbers: false }
    }
}

/// How long a freed slot causes a hint after a launcher left jobs waiting. While one waits, the due sweep makes a launcher
/// look for a slot every minute.
const WAITED_FOR: Duration = Duration::from_secs(3600);
/// How often launchers note that they left jobs waiting.
const NOTED: Duration = Duration::from_secs(60);

/// The cutoffs of clears. They hide jobs from all readers at once; the due sweep then removes these jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClearCutoffs {
    /// Hides the jobs that were waiting or had ended at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Timestamp>,
    /// Hides the jobs that had failed at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Timestamp>,
    /// The number of hidden jobs that the counters still include, by status.
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
        let before =
            |cutoff: Option<Timestamp>, at: Option<Timestamp>| cutoff.zip(at).is_some_and(|(cutoff, at)| at <= cutoff);
        match job.status {
            Status::Pending => before(self.all, Some(job.waiting_since())),
            Status::Processing | Status::Rendering => false,
            Status::Completed | Status::Cancelled => before(self.all, job.ended_at()),
            Status::Failed => before(self.all.max(self.failed), job.ended_at()),
        }
    }

    /// The number of visible jobs of a status, of which the counters have `counted`.
    pub fn shown(&self, status: Status, counted: u64) -> u64 {
        counted.saturating_sub(self.hidden.get(&status).copied().unwrap_or_default())
    }
}

/// Why no slot is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSlot {
    /// A person paused the queue.
    Paused,
    /// The concurrency limit is reached.
    Full,
}

impl Admission {
    /// Checks that a slot is free at `now`, with `max` as the concurrency limit. Expired leases do not count.
    ///
    /// # Errors
    /// [`NoSlot`] if none is free.
    pub fn check(&self, now: Timestamp, max: usize) -> Result<(), NoSlot> {
        if self.paused {
            return Err(NoSlot::Paused);
        }
        if self.running(now) >= max { Err(NoSlot::Full) } else { Ok(()) }
    }

    /// The next version, in which `slot` is leased until `lease_until` and expired leases are removed.
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

    /// The next version without these slots; none if it has none of them.
    pub fn free(&self, slots: &[&str]) -> Option<Self> {
        let mut active = self.active.clone();
        active.retain(|slot, _| !slots.contains(&slot.as_str()));
        (active.len() < self.active.len()).then(|| Self { active, ..self.next() })
    }

    /// The next version, which notes that a launcher left jobs waiting at `now`; none if that was noted shortly before.
    pub fn leave(&self, now: Timestamp) -> Option<Self> {
        let noted = self.left_at.is_some_and(|at| now.since(at) < NOTED);
        (!noted).then(|| Self { left_at: Some(now), ..self.next() })
    }

    /// Whether jobs may wait for a slot, so that a freed slot needs a hint. Where no launcher left any, each waiting job has
    /// a hint of its own under way.
    pub fn may_wait(&self, now: Timestamp) -> bool {
        self.left_at.is_some_and(|at| now.since(at) < WAITED_FOR)
    }

    /// The next version, paused or not.
    pub fn pause(&self, paused: bool) -> Self {
        Self { paused, ..self.next() }
    }

    /// The next version, which hides the jobs that are waiting or have ended at `now`; `counted` gives the number of jobs of a
    /// status.
    pub fn clear(&self, now: Timestamp, counted: impl Fn(Status) -> u64) -> Self {
        let statuses = [Status::Pending, Status::Completed, Status::Failed, Status::Cancelled];
        let hidden = statuses.map(|status| (status, counted(status))).into();
        Self { cleared: ClearCutoffs { all: Some(now), failed: None, hidden }, ..self.next() }
    }

    /// The next version, which hides the jobs that have failed at `now`, and the number of newly hidden ones.
    pub fn clear_failed(&self, now: Timestamp, counted: u64) -> (Self, u64) {
        let mut cleared = self.cleared.clone();
        let newly = cleared.shown(Status::Failed, counted);
        cleared.failed = Some(now);
        cleared.hidden.insert(Status::Failed, counted);
        (Self { cleared, ..self.next() }, newly)
    }

    /// The next version after hidden jobs were removed; if `done`, no hidden jobs are left and the cutoffs are removed.
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

    /// The next version, unchanged.
    pub(super) fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    /// The number of runs under way at `now`.
    pub fn running(&self, now: Timestamp) -> usize {
        self.active.values().filter(|end| **end > now).count() + self.numbered.running(now)
    }

    /// The slots in use, whether their leases have ended or not.
    pub fn used(&self) -> usize {
        self.active.len() + self.numbered.used()
    }

    /// Whether slots have or get numbers, so that functions of versions before 0.3 must not take the row for one whose slots
    /// are all in `active`.
    pub fn has_numbers(&self) -> bool {
        self.layout.numbers || self.numbered.used() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn the_concurrency_limit_holds_and_expired_leases_free_their_slots() {
        let empty = Admission::default();
        let one = empty.take("a.1.1", NOW, NOW.after(Duration::from_secs(1)), 1).unwrap();
        assert_eq!(one.take("b.1.1", NOW, NOW, 1), Err(NoSlot::Full));
        let later = NOW.after(Duration::from_secs(1));
        let two = one.take("b.1.1", later, later.after(Duration::from_millis(5)), 1).unwrap();
        assert_eq!(two.active.keys().collect::<Vec<_>>(), ["b.1.1"]);
        assert_eq!(two.free(&["a.1.1"]), None);
        assert_eq!(two.free(&["a.1.1", "b.1.1"]).unwrap().running(later), 0);
    }

    #[test]
    fn a_clear_hides_waiting_and_ended_jobs_and_no_newer_ones() {
        let cleared = Admission::default().clear(NOW, |_| 2).cleared;
        assert_eq!((cleared.shown(Status::Failed, 3), cleared.shown(Status::Processing, 3)), (1, 3));
        let (again, newly) =
            Admission { cleared, ..Admission::default() }.clear_failed(NOW.after(Duration::from_millis(1)), 5);
        assert_eq!((newly, again.cleared.shown(Status::Failed, 5)), (3, 0));
        assert!(again.removed(&BTreeMap::new(), true).cleared.is_empty());
    }

    #[test]
    fn a_launcher_that_leaves_jobs_waiting_is_noted_once_a_minute_and_counts_for_an_hour() {
        let left = Admission::default().leave(NOW).unwrap();
        assert_eq!((left.version, left.left_at), (1, Some(NOW)));
        let after = |seconds| NOW.after(Duration::from_secs(seconds));
        assert_eq!(left.leave(after(59)), None);
        assert_eq!(left.leave(after(60)).unwrap().left_at, Some(after(60)));
        assert!(!Admission::default().may_wait(NOW));
        assert!(left.may_wait(after(3599)) && !left.may_wait(after(3600)));
        let freed = left.take("a.1.1", NOW, after(9), 1).unwrap().free(&["a.1.1"]).unwrap();
        assert!(freed.may_wait(NOW), "a freed slot does not end it: more jobs may wait");
    }

    #[test]
    fn a_paused_queue_starts_nothing() {
        let paused = Admission { paused: true, ..Admission::default() };
        assert_eq!(paused.check(NOW, 9), Err(NoSlot::Paused));
    }
}
