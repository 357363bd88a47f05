//! Slots in rows under random interleavings of claims, releases, replays, crashes, arrangements and pauses, each of which
//! reads rows at different times and writes one row on condition of its version.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reelhook_domain::{Admission, SlotRow, Slots, Taken, Timestamp, rows_of};

const NOW: Timestamp = Timestamp(1_704_110_400_000);
/// The concurrency limit.
const MAX: usize = 13;
/// Reads of several rows see each of them as it was within so many writes.
const SPAN: usize = 4;
/// Rows that the table may have.
const ROWS: usize = 8;

/// A linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// The table, what was decided on it, and what must be true of it.
struct World {
    random: Random,
    /// All rows after each write; the last one is the present.
    past: Vec<Vec<Admission>>,
    /// Claims that were decided and not yet written.
    claims: Vec<Taken>,
    /// Rows without slots that are given back, not yet written.
    releases: Vec<SlotRow>,
    /// Rows that follow the first one, not yet written.
    follows: Vec<SlotRow>,
    /// Slots of jobs that hold one.
    held: BTreeSet<String>,
    /// Slots whose release is in the stream, and may come from there again.
    stream: Vec<String>,
    /// Slots that were ever granted.
    ever: BTreeSet<String>,
    /// Names that were asked for.
    names: usize,
    /// Whether all rows have followed a pause.
    is_paused: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            random: Random(seed),
            past: vec![vec![Admission::default(); ROWS]],
            claims: Vec::new(),
            releases: Vec::new(),
            follows: Vec::new(),
            held: BTreeSet::new(),
            stream: Vec::new(),
            ever: BTreeSet::new(),
            names: 0,
            is_paused: false,
        }
    }

    fn present(&self) -> &Vec<Admission> {
        self.past.last().expect("there is a present")
    }

    /// Each row as it was at some time during the read.
    fn read(&mut self) -> Option<Slots> {
        let last = self.past.len() - 1;
        let rows = (0..ROWS).map(|row| self.past[last - self.random.below(SPAN.min(last + 1))][row].clone()).collect();
        Slots::read(rows).ok()
    }

    /// Writes rows in one transaction; false if one of them has changed since it was read.
    fn write(&mut self, rows: &[SlotRow]) -> bool {
        let mut next = self.present().clone();
        if !rows.iter().all(|changed| next[changed.number].version + 1 == changed.row.version) {
            return false;
        }
        for SlotRow { number, row } in rows {
            next[*number] = row.clone();
        }
        self.past.push(next);
        true
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0..=3 => self.decide_claim(),
            4 | 5 => self.write_claim(),
            6 => self.end_job(),
            7 | 8 => self.decide_release(),
            9 => self.write_release(),
            10..=13 => self.follow(),
            14 => self.crash(),
            _ => match self.random.below(4) {
                0 => self.pause(),
                1 => self.arrange(),
                _ => {}
            },
        }
    }

    fn decide_claim(&mut self) {
        let Some(slots) = self.read() else { return };
        let count = 1 + self.random.below(4);
        let names: Vec<String> = (0..count).map(|n| format!("job_{}.1.1", self.names + n)).collect();
        let draw = self.random.below(100) as u64;
        if let Ok(taken) = slots.take(&names, NOW, NOW.after(Duration::from_secs(60)), MAX, draw) {
            self.names += count;
            assert_eq!(taken.slots.len(), count);
            self.claims.push(taken);
        }
    }

    fn write_claim(&mut self) {
        let Some(taken) = self.claims.pop() else { return };
        if self.write(&taken.rows) {
            assert!(!self.is_paused, "a paused queue grants nothing");
            for slot in taken.slots {
                assert!(self.ever.insert(slot.clone()), "{slot} was granted before");
                self.held.insert(slot);
            }
        }
    }

    /// A job leaves the processing state: its slot is in the stream, and may be handed out from there many times.
    fn end_job(&mut self) {
        let free: Vec<String> = self.held.iter().filter(|slot| !self.stream.contains(slot)).cloned().collect();
        if !free.is_empty() {
            let slot = free[self.random.below(free.len())].clone();
            self.stream.push(slot);
        }
    }

    fn decide_release(&mut self) {
        if self.stream.is_empty() {
            return;
        }
        let slots: Vec<String> = (0..3).map(|_| self.stream[self.random.below(self.stream.len())].clone()).collect();
        let slots: Vec<&str> = slots.iter().map(String::as_str).collect();
        let present = self.present();
        let numbers = rows_of(&slots).unwrap_or_else(|| (0..ROWS).collect());
        let rows = numbers.into_iter().map(|number| SlotRow { number, row: present[number].clone() });
        let released: Vec<SlotRow> = rows.filter_map(|row| row.released(&slots)).collect();
        self.releases.extend(released);
    }

    fn write_release(&mut self) {
        let Some(released) = self.releases.pop() else { return };
        let before = self.slots_in_use();
        if self.write(std::slice::from_ref(&released)) {
            let now = self.slots_in_use();
            let freed: BTreeSet<String> = before.difference(&now).cloned().collect();
            assert!(!freed.is_empty() && freed.iter().all(|slot| self.stream.contains(slot)), "{freed:?}");
            self.held.retain(|slot| !freed.contains(slot));
        }
    }

    /// Slots that were ever granted and are in use, as their rows say.
    fn slots_in_use(&self) -> BTreeSet<String> {
        let in_use = |slot: &&String| {
            let rows = self.present().iter().enumerate();
            let mut rows = rows.map(|(number, row)| SlotRow { number, row: row.clone() });
            rows.any(|row| row.released(&[slot.as_str()]).is_some())
        };
        self.held.iter().filter(in_use).cloned().collect()
    }

    fn follow(&mut self) {
        if self.follows.is_empty() {
            let Some(slots) = self.read() else { return };
            self.follows = slots.behind();
            return;
        }
        if let Some(row) = self.follows.pop() {
            self.write(&[row]);
        }
        self.note_pause();
    }

    /// Once all rows have followed a pause, nothing that was decided before may be written.
    fn note_pause(&mut self) {
        let present = Slots::read(self.present().clone()).expect("a present");
        self.is_paused = present.first().paused && present.behind().is_empty();
    }

    fn pause(&mut self) {
        let Some(slots) = self.read() else { return };
        let paused = slots.with_first(slots.first().pause(!slots.first().paused));
        self.write(&[paused]);
        self.note_pause();
    }

    fn arrange(&mut self) {
        let Some(slots) = self.read() else { return };
        let (rows, numbers) = (1 + self.random.below(ROWS), self.random.below(4) > 0);
        if let Some(first) = slots.arranged(rows, numbers) {
            self.write(&[first]);
            self.note_pause();
        }
    }

    /// A function is killed: what it had decided is never written.
    fn crash(&mut self) {
        match self.random.below(3) {
            0 => drop(self.claims.pop()),
            1 => drop(self.releases.pop()),
            _ => self.follows.clear(),
        }
    }

    fn check(&self) {
        let used: usize = self.present().iter().map(Admission::used).sum();
        assert_eq!(used, self.held.len(), "the rows say how many jobs hold slots");
        assert!(used <= MAX, "{used} slots are in use");
        let slots = Slots::read(self.present().clone()).expect("a present");
        assert_eq!(slots.running(NOW), used, "each slot is in a row that is read");
        let lanes: BTreeMap<_, usize> = slots.held(NOW);
        assert_eq!(lanes.values().sum::<usize>(), used);
    }
}

#[test]
fn whatever_is_interleaved_the_rows_hold_the_slots_of_jobs_and_never_more_than_the_limit() {
    let (mut granted, mut freed) = (0, 0);
    for seed in 0..100 {
        let mut world = World::new(seed);
        for _ in 0..800 {
            world.step();
            world.check();
        }
        granted += world.ever.len();
        freed += world.ever.len() - world.held.len();
    }
    assert!(granted > 500 && freed > 100, "{granted} granted, {freed} freed");
}
