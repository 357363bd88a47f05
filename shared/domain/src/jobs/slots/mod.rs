//! The slots of a queue in one row or several (ADR 55). Each row grants its part of the slots, so that claims of different
//! rows do not wait for each other. The parts add up to the concurrency limit.
//!
//! What holds for all rows is in the first one: its `revision` rises with each such change, and the others follow it one by
//! one (ADR 71). A claim needs rows that have all followed, and writes on condition that those that it takes from are
//! unchanged. So once all have followed, no claim that was made before succeeds any more, and none is made in between.

pub mod fair;
pub mod numbers;

use std::collections::{BTreeMap, BTreeSet};

use crate::jobs::admission::{Admission, Layout, NoSlot};
use crate::jobs::slots::fair::Lane;
use crate::jobs::slots::numbers::MOST_ROWS;
use crate::{JobId, Timestamp};

/// A row that was read, or its next version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Its number, from 0.
    pub number: usize,
    /// The row.
    pub row: Admission,
}

impl SlotRow {
    /// The row without these slots; none if it has none of them.
    pub fn released(&self, slots: &[&str]) -> Option<Self> {
        let numbers = slots.iter().filter_map(|slot| numbers::parse(slot));
        let numbers = numbers.filter(|(row, _)| *row == self.number).map(|(_, number)| number);
        let mut numbered = self.row.numbered.clone();
        let freed = numbers.filter(|number| numbered.free(*number)).count();
        let row = match self.row.free(slots) {
            Some(next) => Admission { numbered, ..next },
            None if freed > 0 => Admission { numbered, ..self.row.next() },
            None => return None,
        };
        Some(Self { number: self.number, row })
    }
}

/// The rows that granted these slots; none if one of them has a name, which may be in any row.
pub fn rows_of(slots: &[&str]) -> Option<BTreeSet<usize>> {
    slots.iter().map(|slot| numbers::parse(slot).map(|(row, _)| row)).collect()
}

/// Rows that were read do not belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rows of slots were being changed while they were read")]
pub struct TornRows;

/// Slots that a claim takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// The slots, in the order of the names that they were asked for by.
    pub slots: Vec<String>,
    /// The rows that grant them, each one version on.
    pub rows: Vec<SlotRow>,
}

/// The jobs that hold slots: each that is claimed, and each that runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holders<'a> {
    names: BTreeSet<&'a str>,
    marks: BTreeSet<u32>,
    /// Whether these are all of them. Rows remember whose their newest numbered slots are.
    pub are_all: bool,
}

impl Holders<'_> {
    /// Whether a job is one of them, as far as they are known.
    pub fn contains(&self, job: &JobId) -> bool {
        self.names.contains(job.as_str()) || self.marks.contains(&numbers::mark(job.as_str()))
    }
}

/// The rows of a queue that grant slots, or that an arrangement before has left with some. The first one also has the
/// cutoffs of clears, and notes when jobs were left waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    rows: Vec<Admission>,
}

impl From<Admission> for Slots {
    /// Slots in one row.
    fn from(row: Admission) -> Self {
        Self { rows: vec![row] }
    }
}

impl Slots {
    /// The rows as they were read one by one; those that do not exist are empty.
    ///
    /// # Errors
    /// [`TornRows`] if some are missing, or if one has followed a change of the first row that was read before it.
    pub fn read(mut rows: Vec<Admission>) -> Result<Self, TornRows> {
        let first = rows.first().ok_or(TornRows)?;
        let (all, revision) = (first.layout.all(), first.revision);
        if rows.len() < all || rows.iter().take(all).any(|row| row.revision > revision) {
            return Err(TornRows);
        }
        rows.truncate(all);
        Ok(Self { rows })
    }

    /// The first row.
    pub fn first(&self) -> &Admission {
        &self.rows[0]
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The rows with their numbers.
    pub fn into_rows(self) -> Vec<SlotRow> {
        self.rows.into_iter().enumerate().map(|(number, row)| SlotRow { number, row }).collect()
    }

    /// The number of runs under way at `now`.
    pub fn running(&self, now: Timestamp) -> usize {
        self.rows.iter().map(|row| row.running(now)).sum()
    }

    /// The slots that lanes hold at `now`.
    pub fn held(&self, now: Timestamp) -> BTreeMap<Lane, usize> {
        let mut held = BTreeMap::new();
        let named = self.leased(now).map(|slot| (Lane::of_slot(slot), 1));
        for (lane, count) in named.chain(self.rows.iter().flat_map(|row| row.numbered.held(now))) {
            *held.entry(lane).or_default() += count;
        }
        held.retain(|_, count| *count > 0);
        held
    }

    /// The jobs that hold slots at `now`.
    pub fn holders(&self, now: Timestamp) -> Holders<'_> {
        let mut remembered = 0;
        let marks = self.rows.iter().flat_map(|row| row.numbered.marks(now)).inspect(|_| remembered += 1).collect();
        let numbered: usize = self.rows.iter().map(|row| row.numbered.running(now)).sum();
        Holders { names: self.leased(now).map(job_of).collect(), marks, are_all: remembered == numbered }
    }

    fn leased(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        self.rows.iter().flat_map(|row| &row.active).filter(move |(_, end)| **end > now).map(|(slot, _)| slot.as_str())
    }

    /// The rows that have not followed the first one yet, as they will be then.
    pub fn behind(&self) -> Vec<SlotRow> {
        let revision = self.first().revision;
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.revision < revision);
        rows.map(|(number, row)| SlotRow { number, row: Admission { revision, ..row.next() } }).collect()
    }

    /// The free slots of each row at `now`, with `max` as the concurrency limit of all. None is free where rows are behind.
    ///
    /// After `max` was lowered, or rows were arranged anew, a row may hold more than its part. What it holds too much is
    /// taken from the parts of the others, in the same order by all readers. It only becomes less, so a reader with an older
    /// view takes too few and never too many.
    ///
    /// # Errors
    /// [`NoSlot`] if none is free.
    pub fn free(&self, now: Timestamp, max: usize) -> Result<Vec<usize>, NoSlot> {
        if self.first().paused {
            return Err(NoSlot::Paused);
        }
        let count = self.granting();
        // Rows of arrangements before grant nothing.
        let part = |number: usize| if number < count { max / count + usize::from(number < max % count) } else { 0 };
        let held: Vec<usize> = self.rows.iter().map(|row| row.running(now)).collect();
        let mut excess: usize = held.iter().enumerate().map(|(number, held)| held.saturating_sub(part(number))).sum();
        let mut free = vec![0; count];
        for number in (0..count).rev() {
            let taken = excess.min(part(number).saturating_sub(held[number]));
            excess -= taken;
            free[number] = part(number).saturating_sub(held[number]) - taken;
        }
        if free.iter().all(|free| *free == 0) || !self.behind().is_empty() { Err(NoSlot::Full) } else { Ok(free) }
    }

    /// How many rows grant slots.
    fn granting(&self) -> usize {
        self.first().layout.rows.clamp(1, self.rows.len())
    }

    /// A slot for each of these names, leased until `lease_until`, and the rows that grant them. Where rows give slots
    /// numbers, a name only says the job and its lane. The first row is drawn, so that claims of several launchers seldom
    /// meet.
    ///
    /// # Errors
    /// [`NoSlot`] if there are not enough.
    pub fn take(
        &self,
        names: &[String],
        now: Timestamp,
        lease_until: Timestamp,
        max: usize,
        draw: u64,
    ) -> Result<Taken, NoSlot> {
        let free = self.free(now, max)?;
        let (count, has_numbers) = (free.len(), self.first().layout.numbers);
        let begin = usize::try_from(draw % count as u64).unwrap_or_default();
        let (mut names, mut taken) = (names, Taken::default());
        for number in (0..count).map(|offset| (begin + offset) % count).filter(|number| free[*number] > 0) {
            let (here, rest) = names.split_at(names.len().min(free[number]));
            if here.is_empty() {
                break;
            }
            let mut row = self.rows[number].next();
            row.active.retain(|_, end| *end > now);
            row.numbered.expire(now);
            for name in here {
                let slot = if has_numbers {
                    let (lane, mark) = (Lane::of_slot(name), numbers::mark(job_of(name)));
                    numbers::name(number, row.numbered.grant(lane, mark, now, lease_until))
                } else {
                    row.active.insert(name.clone(), lease_until);
                    name.clone()
                };
                taken.slots.push(slot);
            }
            taken.rows.push(SlotRow { number, row });
            names = rest;
        }
        if names.is_empty() { Ok(taken) } else { Err(NoSlot::Full) }
    }

    /// The first row, which notes that a launcher left jobs waiting at `now`; none if that was noted shortly before.
    pub fn leave(&self, now: Timestamp) -> Option<SlotRow> {
        self.first().leave(now).map(|row| SlotRow { number: 0, row })
    }

    /// Whether jobs may wait for a slot of any row, as [`Admission::may_wait`] says.
    ///
    /// A launcher that notes it reads all rows afterwards. So who has freed slots asks the first row, read after that: then
    /// either the launcher finds the slots, or its note is here.
    pub fn may_wait(&self, now: Timestamp) -> bool {
        self.first().may_wait(now)
    }

    /// The first row in its next version, with what it says of all, such as whether the queue is paused. When the others
    /// have followed it, each claim keeps to it.
    pub fn with_first(&self, first: Admission) -> SlotRow {
        let revision = first.revision + u64::from(self.rows.len() > 1);
        SlotRow { number: 0, row: Admission { revision, ..first } }
    }

    /// The first row, which says that this number of rows grants slots, with `numbers` or names; none if it says so already.
    /// Rows that granted slots before keep them until they end, and are read as long as they have some.
    pub fn arranged(&self, rows: usize, numbers: bool) -> Option<SlotRow> {
        let (rows, first) = (rows.clamp(1, MOST_ROWS), self.first());
        let is_same = (rows, numbers) == (first.layout.rows, first.layout.numbers);
        // A row that is behind may still grant slots by the arrangement before.
        let last = if is_same && self.behind().is_empty() {
            self.rows.iter().rposition(|row| row.used() > 0).map_or(0, |last| last + 1)
        } else {
            self.rows.len()
        };
        let layout = Layout { rows, before: (last > rows).then_some(last), numbers };
        if layout == first.layout {
            return None;
        }
        let revision = first.revision + u64::from(!is_same);
        Some(SlotRow { number: 0, row: Admission { layout, revision, ..first.next() } })
    }
}

/// The id of the job of a slot with a name, `job.attempt.claim`. An id may have dots.
fn job_of(slot: &str) -> &str {
    slot.rsplitn(3, '.').nth(2).unwrap_or_default()
}

#[cfg(test)]
mod tests;
