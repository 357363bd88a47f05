//! Who may run: one item with the names of all slots, or rows with numbers.

use crate::agenda::Micros;
use crate::cloud::capacity::Bucket;

/// Bytes of the admission item without slots, and of each slot.
const ITEM_BYTES: (i64, i64) = (200, 70);
/// Bytes of a row without slots, and of each job that it remembers (ADR 71). Two slots take one byte, if runs take about as
/// long as each other (shared/aws/tests/it/jobs/shards.rs, a_row_with_1875_slots_of_one_lane…).
const ROW_BYTES: (i64, i64) = (420, 5);
/// Grants whose jobs a row remembers.
pub const REMEMBERED: u32 = 128;

/// Both forms; a design uses one of them.
pub struct Admission {
    /// The item.
    pub item: Item,
    /// The rows.
    pub rows: Vec<Row>,
    /// The rows that count ended jobs.
    pub ended: Vec<Item>,
}

/// An item that is read, and written on condition of its version.
pub struct Item {
    /// Rises with each write.
    pub version: u64,
    /// Until when a transaction on it is under way.
    pub locked_until: Micros,
    /// The write units of its partition.
    pub writes: Bucket,
    /// The read units of its partition.
    pub reads: Bucket,
}

/// A row with numbers of slots.
pub struct Row {
    /// Its part of MaxWorkers.
    pub cap: i64,
    /// Slots in use, at most `cap`.
    pub used: i64,
    /// Slots that were ever granted.
    pub granted: u32,
    /// When it was written last.
    pub changed_at: Micros,
    /// Until when a write to it is under way.
    pub locked_until: Micros,
    /// The write units of its partition.
    pub writes: Bucket,
    /// The read units of its partition.
    pub reads: Bucket,
}

impl Item {
    fn new() -> Self {
        Self { version: 0, locked_until: 0, writes: Bucket::writes(), reads: Bucket::reads() }
    }

    /// The write units of the item with the names of so many slots.
    pub fn units(slots: i64) -> f64 {
        units(ITEM_BYTES.0 + ITEM_BYTES.1 * slots, 1024)
    }

    /// The units of a consistent read of it.
    pub fn read_units(slots: i64) -> f64 {
        units(ITEM_BYTES.0 + ITEM_BYTES.1 * slots, 4096)
    }
}

impl Row {
    fn new(cap: i64) -> Self {
        Self {
            cap,
            used: 0,
            granted: 0,
            changed_at: 0,
            locked_until: 0,
            writes: Bucket::writes(),
            reads: Bucket::reads(),
        }
    }

    /// The write units of the row.
    pub fn units(&self) -> f64 {
        units(self.bytes(), 1024)
    }

    /// Takes the units of a read of it, if they are there; half of them if it may be a moment old.
    pub fn read(&mut self, now: Micros, is_consistent: bool) -> bool {
        let read = units(self.bytes(), 4096);
        self.reads.take(now, if is_consistent { read } else { read / 2.0 })
    }

    fn bytes(&self) -> i64 {
        ROW_BYTES.0 + ROW_BYTES.1 * i64::from(self.granted.min(REMEMBERED)) + self.used / 2
    }
}

impl Admission {
    /// Rows whose parts of `max_workers` have that sum, and so many rows that count ended jobs.
    pub fn new(rows: usize, max_workers: u32, counters: usize) -> Self {
        let part = |row: usize| (max_workers as usize + rows - 1 - row) / rows;
        let ended = std::iter::repeat_with(Item::new).take(counters).collect();
        Self { item: Item::new(), rows: (0..rows).map(|row| Row::new(part(row) as i64)).collect(), ended }
    }
}

/// Units of so many bytes, each of at most `each`.
fn units(bytes: i64, each: i64) -> f64 {
    ((bytes + each - 1) / each) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_limit_have_it_as_their_sum() {
        for (rows, max) in [(1, 3), (4, 10), (16, 7), (64, 120_000)] {
            let caps: i64 = Admission::new(rows, max, 1).rows.iter().map(|row| row.cap).sum();
            assert_eq!(caps, i64::from(max), "{rows} rows");
        }
    }

    #[test]
    fn an_item_with_a_thousand_slots_is_seventy_units_and_a_row_two() {
        assert!((Item::units(1_000) - 69.0).abs() < 0.1 && (Item::units(3) - 1.0).abs() < 0.1);
        assert!((Item::read_units(1_000) - 18.0).abs() < 0.1);
        let row = |used| Row { used, granted: 9_000, ..Row::new(used) };
        assert!((row(1).units() - 2.0).abs() < 0.1 && (row(1_875).units() - 2.0).abs() < 0.1);
        assert!((Row { used: 5, granted: 5, ..Row::new(5) }.units() - 1.0).abs() < 0.1);
        let mut row = row(1_875);
        assert_eq!((0..4_000).filter(|_| row.read(0, true)).count(), 3_000, "a read is one unit");
    }
}
