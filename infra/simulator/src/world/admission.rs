//! Who may run: one item with all slots, or rows of tokens.

use std::collections::BTreeMap;

use crate::agenda::{Micros, SECOND};
use crate::cloud::capacity::Bucket;

/// Bytes of the admission item without slots, and of each slot.
const ITEM_BYTES: (i64, i64) = (200, 70);
/// Names of slots that a row has space for: an item has at most 400 KB.
const MOST_NAMES: i64 = (400 * 1024 - ITEM_BYTES.0) / ITEM_BYTES.1;
/// Bytes of a row without watermarks, and of each watermark.
const ROW_BYTES: (usize, usize) = (300, 32);
/// The time of a lease bucket.
const BUCKET: Micros = 30 * SECOND;

/// Both forms; a design uses one of them.
pub struct Admission {
    /// The item.
    pub item: Item,
    /// The rows.
    pub rows: Vec<Row>,
    /// The rows that count ended jobs, where that is a transaction.
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

/// A row of tokens, or of names of slots.
pub struct Row {
    /// Its part of MaxWorkers.
    pub cap: i64,
    /// When it was written last, where it has the names of its slots.
    pub changed_at: Micros,
    /// Until when a transaction on it is under way.
    pub locked_until: Micros,
    /// Tokens in use, at most `cap`. Those of jobs that ended come back to the row of their shard of the stream, so this
    /// may be less than 0; only the sum over all rows counts.
    pub used: i64,
    /// Tokens in use by the time at which they were taken.
    pub buckets: BTreeMap<u32, i64>,
    /// The last sequence of each shard of the stream whose slots came back here.
    pub watermarks: BTreeMap<usize, u64>,
    /// The write units of its partition.
    pub writes: Bucket,
    /// The read units of its partition.
    pub reads: Bucket,
}

impl Item {
    fn new() -> Self {
        Self { version: 0, locked_until: 0, writes: Bucket::writes(), reads: Bucket::reads() }
    }
}

impl Admission {
    /// Rows whose parts of `max_workers` have that sum. With names, each part is at most what an item has space for.
    pub fn new(rows: usize, max_workers: u32, has_names: bool) -> Self {
        let most = if has_names { MOST_NAMES } else { i64::MAX };
        let part = |row: usize| (max_workers as usize + rows - 1 - row) / rows;
        let row = |row| Row {
            cap: most.min(part(row) as i64),
            changed_at: 0,
            locked_until: 0,
            used: 0,
            buckets: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            writes: Bucket::writes(),
            reads: Bucket::reads(),
        };
        Self { item: Item::new(), rows: (0..rows).map(row).collect(), ended: vec![Item::new()] }
    }

    /// The same, with so many rows that count ended jobs.
    pub fn counting(self, rows: usize) -> Self {
        Self { ended: std::iter::repeat_with(Item::new).take(rows).collect(), ..self }
    }
}

/// The write units of an item with the names of so many slots.
pub fn item_units(slots: i64) -> f64 {
    ((ITEM_BYTES.0 + ITEM_BYTES.1 * slots) as f64 / 1024.0).ceil()
}

/// The units of a consistent read of that item.
pub fn read_units(slots: i64) -> f64 {
    ((ITEM_BYTES.0 + ITEM_BYTES.1 * slots) as f64 / 4096.0).ceil()
}

impl Row {
    /// The write units of an update.
    pub fn units(&self) -> f64 {
        ((ROW_BYTES.0 + ROW_BYTES.1 * self.watermarks.len()) as f64 / 1024.0).ceil()
    }

    /// Uses tokens that were taken in a bucket, or gives them back.
    pub fn add(&mut self, tokens: i64, bucket: u32) {
        self.used += tokens;
        let of_bucket = self.buckets.entry(bucket).or_default();
        *of_bucket += tokens;
        if *of_bucket == 0 {
            self.buckets.remove(&bucket);
        }
    }

    /// Removes the buckets whose lease has expired; returns them with the tokens that were still in each: less than 0 where more came
    /// back to this row than were taken from it. They are not added to the row, which could then be above its part.
    pub fn expire(&mut self, now: Micros, lease: Micros) -> Vec<(u32, i64)> {
        let expired = self.buckets.iter().filter(|(bucket, _)| is_expired(**bucket, now, lease));
        let expired: Vec<(u32, i64)> = expired.map(|(bucket, tokens)| (*bucket, *tokens)).collect();
        self.buckets.retain(|bucket, _| !is_expired(*bucket, now, lease));
        expired
    }
}

/// Whether the lease of every token of a bucket has expired.
pub fn is_expired(bucket: u32, now: Micros, lease: Micros) -> bool {
    (Micros::from(bucket) + 1) * BUCKET + lease < now
}

/// The lease bucket of a time.
pub fn bucket_of(now: Micros) -> u32 {
    (now / BUCKET) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_limit_have_it_as_their_sum() {
        for (rows, max) in [(1, 3), (4, 10), (16, 7), (16, 120_000)] {
            let caps: i64 = Admission::new(rows, max, false).rows.iter().map(|row| row.cap).sum();
            assert_eq!(caps, i64::from(max), "{rows} rows");
        }
        let full = Admission::new(2, 20_000, true).rows;
        assert!(full.iter().all(|row| row.cap == 5_848 && item_units(row.cap) <= 400.0), "{}", full[0].cap);
    }

    #[test]
    fn tokens_of_a_killed_launcher_are_known_after_their_lease() {
        let mut row = Admission::new(1, 20, false).rows.remove(0);
        row.add(10, bucket_of(5 * SECOND));
        row.add(-7, 0);
        assert_eq!((row.expire(80 * SECOND, 50 * SECOND), row.used), (vec![], 3));
        assert_eq!((row.expire(81 * SECOND, 50 * SECOND), row.used), (vec![(0, 3)], 3));
    }

    #[test]
    fn an_item_with_a_thousand_slots_is_seventy_units() {
        assert!((item_units(1_000) - 69.0).abs() < 0.1 && (item_units(3) - 1.0).abs() < 0.1);
        assert!((read_units(1_000) - 18.0).abs() < 0.1);
    }
}
