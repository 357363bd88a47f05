//! The slots of a queue in one row or several (ADR 55). Each row grants its part of the slots, so that claims of different
//! rows do not wait for each other. The parts add up to the concurrency limit.

pub mod fair;

use std::collections::{BTreeMap, BTreeSet};

use crate::Timestamp;
use crate::jobs::admission::{Admission, Layout, NoSlot};
use crate::jobs::slots::fair::Lane;

/// Rows at most. A claim writes them together with its jobs, and one transaction of DynamoDB takes 100 items.
const MOST_ROWS: usize = 16;

/// A row in its next version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Its number, from 0.
    pub number: usize,
    /// The row.
    pub row: Admission,
}

/// Rows that were read belong to different arrangements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rows of slots were being arranged while they were read")]
pub struct TornRows;

/// The rows of a queue. The first one also has the cutoffs of clears, and notes when jobs were left waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    rows: Vec<Admission>,
    /// Rows beyond the present arrangement, in which no slot is.
    spare: Vec<Admission>,
}

impl From<Admission> for Slots {
    /// Slots in one row.
    fn from(row: Admission) -> Self {
        Self { rows: vec![row], spare: Vec::new() }
    }
}

impl Slots {
    /// The rows as they were read one by one, perhaps with rows beyond the present arrangement.
    ///
    /// # Errors
    /// [`TornRows`] if they belong to different arrangements, or some are missing.
    pub fn read(mut rows: Vec<Admission>) -> Result<Self, TornRows> {
        let layout = rows.first().map(|first| first.layout).unwrap_or_default();
        if rows.is_empty() || rows.len() < layout.rows {
            return Err(TornRows);
        }
        let spare = rows.split_off(layout.rows.max(1));
        let is_whole = rows.iter().all(|row| row.layout == layout);
        if is_whole { Ok(Self { rows, spare }) } else { Err(TornRows) }
    }

    /// The first row.
    pub fn first(&self) -> &Admission {
        &self.rows[0]
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The number of runs under way at `now`.
    pub fn running(&self, now: Timestamp) -> usize {
        self.rows.iter().map(|row| row.running(now)).sum()
    }

    /// The slots that lanes hold at `now`.
    pub fn held(&self, now: Timestamp) -> BTreeMap<Lane, usize> {
        let mut held = BTreeMap::new();
        for slot in self.leased(now) {
            *held.entry(Lane::of_slot(slot)).or_default() += 1;
        }
        held
    }

    /// The ids of the jobs that hold slots at `now`: each that is claimed, and each that runs.
    pub fn holders(&self, now: Timestamp) -> BTreeSet<&str> {
        // A key is `job.attempt.claim`, and an id may have dots.
        self.leased(now).filter_map(|slot| slot.rsplitn(3, '.').nth(2)).collect()
    }

    fn leased(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.rows.iter().flat_map(|row| &row.active).filter(move |(_, end)| **end > now).map(|(slot, _)| slot.as_str())
    }

    /// The free slots of each row at `now`, with `max` as the concurrency limit of all.
    ///
    /// After `max` was lowered, or slots were arranged anew, a row may hold more than its part. What it holds too much is
    /// taken from the parts of the others, in the same order by all readers. It only becomes less, so a reader with an older
    /// view takes too few and never too many.
    ///
    /// # Errors
    /// [`NoSlot`] if none is free.
    pub fn free(&self, now: Timestamp, max: usize) -> Result<Vec<usize>, NoSlot> {
        if self.first().paused {
            return Err(NoSlot::Paused);
        }
        let count = self.rows.len();
        let part = |number: usize| max / count + usize::from(number < max % count);
        let held: Vec<usize> = self.rows.iter().map(|row| row.running(now)).collect();
        let mut excess: usize = held.iter().enumerate().map(|(number, held)| held.saturating_sub(part(number))).sum();
        let mut free = vec![0; count];
        for number in (0..count).rev() {
            let taken = excess.min(part(number).saturating_sub(held[number]));
            excess -= taken;
            free[number] = part(number).saturating_sub(held[number]) - taken;
        }
        if free.iter().all(|free| *free == 0) { Err(NoSlot::Full) } else { Ok(free) }
    }

    /// The rows in which these slots are leased until `lease_until`. The first row is drawn, so that claims of several
    /// launchers seldom meet.
    ///
    /// # Errors
    /// [`NoSlot`] if there are not enough.
    pub fn take(
        &self,
        slots: &[String],
        now: Timestamp,
        lease_until: Timestamp,
        max: usize,
        draw: u64,
    ) -> Result<Vec<SlotRow>, NoSlot> {
        let free = self.free(now, max)?;
        let count = self.rows.len();
        let begin = usize::try_from(draw % count as u64).unwrap_or_default();
        let (mut slots, mut taken) = (slots, Vec::new());
        for number in (0..count).map(|offset| (begin + offset) % count).filter(|number| free[*number] > 0) {
            let (here, rest) = slots.split_at(slots.len().min(free[number]));
            if here.is_empty() {
                break;
            }
            let mut row = self.rows[number].next();
            row.active.retain(|_, end| *end > now);
            row.active.extend(here.iter().map(|slot| (slot.clone(), lease_until)));
            taken.push(SlotRow { number, row });
            slots = rest;
        }
        if slots.is_empty() { Ok(taken) } else { Err(NoSlot::Full) }
    }

    /// The rows that had one of these slots, without them.
    pub fn released(&self, slots: &[&str]) -> Vec<SlotRow> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(number, row)| Some(SlotRow { number, row: row.free(slots)? })).collect()
    }

    /// The first row, which notes that a launcher left jobs waiting at `now`; none if that was noted shortly before.
    pub fn leave(&self, now: Timestamp) -> Option<SlotRow> {
        self.first().leave(now).map(|row| SlotRow { number: 0, row })
    }

    /// Whether jobs may wait for a slot of any row, as [`Admission::may_wait`] says.
    ///
    /// A launcher that notes it reads all rows afterwards. So who has freed slots asks rows that were read after that: then
    /// either the launcher finds the slots, or its note is here.
    pub fn may_wait(&self, now: Timestamp) -> bool {
        self.first().may_wait(now)
    }

    /// All rows one version on, with `first` as the next version of the first one: what it says of all, such as whether the
    /// queue is paused, holds for each claim that is written afterwards, since a claim depends on the version of its row.
    pub fn with_first(&self, first: Admission) -> Vec<SlotRow> {
        let paused = first.paused;
        let others = self.rows.iter().skip(1).map(|row| Admission { paused, ..row.next() });
        let rows = std::iter::once(first).chain(others);
        rows.enumerate().map(|(number, row)| SlotRow { number, row }).collect()
    }

    /// The slots in this number of rows, dealt out evenly; none if they are arranged so. It takes as many rows to have been
    /// read. All rows are written together, so that no claim of the arrangement before succeeds afterwards.
    pub fn arranged(&self, rows: usize) -> Option<Vec<SlotRow>> {
        let rows = rows.clamp(1, MOST_ROWS);
        let known = self.rows.iter().chain(&self.spare);
        if rows == self.rows.len() || known.clone().count() < rows {
            return None;
        }
        let layout = Layout { rows, epoch: self.first().layout.epoch + 1 };
        let mut arranged: Vec<Admission> = known
            .take(rows.max(self.rows.len()))
            .map(|row| Admission { active: BTreeMap::new(), layout, paused: self.first().paused, ..row.next() })
            .collect();
        let slots = self.rows.iter().flat_map(|row| &row.active);
        for (dealt, (slot, end)) in slots.enumerate() {
            arranged[dealt % rows].active.insert(slot.clone(), *end);
        }
        Some(arranged.into_iter().enumerate().map(|(number, row)| SlotRow { number, row }).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn until() -> Timestamp {
        NOW.after(Duration::from_secs(60))
    }

    fn names(names: std::ops::Range<usize>) -> Vec<String> {
        names.map(|n| format!("job_{n:03}.1.1")).collect()
    }

    /// The slots after these rows were written.
    fn written(slots: &Slots, changed: Vec<SlotRow>) -> Slots {
        let mut rows: Vec<Admission> = slots.rows.iter().chain(&slots.spare).cloned().collect();
        for SlotRow { number, row } in changed {
            assert_eq!(row.version, rows[number].version + 1);
            rows[number] = row;
        }
        Slots::read(rows).expect("whole rows")
    }

    fn in_rows(rows: usize) -> Slots {
        let empty = Slots::read(vec![Admission::default(); rows]).expect("one row and spare ones");
        if rows == 1 { empty } else { written(&empty, empty.arranged(rows).expect("another arrangement")) }
    }

    #[test]
    fn the_parts_of_all_rows_are_the_limit() {
        for (rows, max) in [(1, 3), (4, 10), (4, 3), (16, 1000)] {
            let mut slots = in_rows(rows);
            for n in 0..max {
                let taken = slots.take(&names(n..n + 1), NOW, until(), max, n as u64).expect("a slot");
                assert_eq!(taken.len(), 1);
                slots = written(&slots, taken);
            }
            assert_eq!((slots.running(NOW), slots.free(NOW, max)), (max, Err(NoSlot::Full)));
            assert_eq!(slots.running(until()), 0, "leases end");
        }
    }

    #[test]
    fn one_claim_takes_slots_of_several_rows() {
        let slots = in_rows(4);
        let taken = slots.take(&names(0..10), NOW, until(), 10, 2).expect("ten slots");
        assert_eq!(
            taken.iter().map(|row| (row.number, row.row.active.len())).collect::<Vec<_>>(),
            [(2, 2), (3, 2), (0, 3), (1, 3)]
        );
        assert_eq!(slots.take(&names(0..11), NOW, until(), 10, 2), Err(NoSlot::Full));
    }

    #[test]
    fn a_new_arrangement_keeps_each_slot_and_the_limit() {
        let mut slots = in_rows(4);
        slots = written(&slots, slots.take(&names(0..9), NOW, until(), 10, 0).expect("slots"));
        for rows in [1, 3, 4, 2] {
            let arranged = slots.arranged(rows).expect("another arrangement");
            let before = slots.clone();
            slots = written(&slots, arranged);
            assert_eq!((slots.rows(), slots.running(NOW)), (rows, 9));
            assert_eq!(slots.free(NOW, 10).map(|free| free.iter().sum::<usize>()), Ok(1), "{rows} rows");
            let stale = before.take(&names(20..21), NOW, until(), 10, 0).expect("a slot")[0].clone();
            let now = [&slots.rows[..], &slots.spare[..]].concat();
            assert_ne!(stale.row.version, now[stale.number].version + 1, "a claim from before conflicts");
            assert_eq!(slots.arranged(rows), None);
        }
        let names = names(0..9);
        let freed = slots.released(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(written(&slots, freed).running(NOW), 0);
        assert!(slots.released(&["job_other.1.1"]).is_empty());
    }

    #[test]
    fn what_one_row_holds_too_much_is_missing_in_the_others() {
        let mut slots = in_rows(2);
        slots = written(&slots, slots.take(&names(0..8), NOW, until(), 10, 0).expect("slots"));
        assert_eq!((slots.rows[0].active.len(), slots.rows[1].active.len()), (5, 3));
        // The limit is lowered to 6: three for each row.
        assert_eq!(slots.free(NOW, 6), Err(NoSlot::Full));
        slots = written(&slots, slots.released(&["job_005.1.1", "job_006.1.1", "job_007.1.1"]));
        assert_eq!(slots.free(NOW, 6), Ok(vec![0, 1]), "five run");
    }

    #[test]
    fn rows_of_two_arrangements_are_torn() {
        let (one, four) = (in_rows(1), in_rows(4));
        let mixed = |first: &Slots, rest: &Slots| [&first.rows[..1], &rest.rows[1..]].concat();
        assert_eq!(Slots::read(mixed(&four, &in_rows(4))).map(|slots| slots.rows()), Ok(4));
        assert_eq!(Slots::read(four.rows[..2].to_vec()), Err(TornRows));
        let again = written(&four, four.arranged(3).expect("an arrangement"));
        assert_eq!(Slots::read(mixed(&again, &four)), Err(TornRows));
        assert_eq!(Slots::read(mixed(&one, &four)).map(|slots| slots.rows()), Ok(1), "the others are spare");
        assert_eq!(Slots::read(Vec::new()), Err(TornRows));
    }

    #[test]
    fn a_pause_reaches_each_row() {
        let slots = in_rows(3);
        let paused = slots.with_first(slots.first().pause(true));
        assert!(paused.iter().all(|row| row.row.paused) && paused.len() == 3);
        assert_eq!(written(&slots, paused).free(NOW, 9), Err(NoSlot::Paused));
    }

    #[test]
    fn a_note_of_waiting_jobs_is_in_the_first_row_and_stays_through_each_arrangement() {
        let mut slots = in_rows(4);
        let noted = slots.leave(NOW).expect("a note");
        assert_eq!((noted.number, slots.may_wait(NOW)), (0, false));
        slots = written(&slots, vec![noted]);
        for rows in [2, 1, 3] {
            slots = written(&slots, slots.arranged(rows).expect("another arrangement"));
            assert!(slots.may_wait(NOW) && slots.leave(NOW).is_none(), "{rows} rows");
        }
    }

    #[test]
    fn slots_count_for_their_lanes() {
        let lane = Lane::of_key("caller");
        let keys = [lane.mark("job_1.1.1".to_owned()), Lane::default().mark("job.2.1.12".to_owned())];
        assert_eq!(keys[1], "job.2.1.12");
        let slots = in_rows(2);
        let slots = written(&slots, slots.take(&keys, NOW, until(), 4, 0).expect("slots"));
        assert_eq!(slots.held(NOW), [(lane, 1), (Lane::default(), 1)].into());
        assert_eq!(slots.holders(NOW), ["job.2", "job_1"].into());
        assert!(slots.held(until()).is_empty() && slots.holders(until()).is_empty());
    }
}
