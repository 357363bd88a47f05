//! Capacity in units a second: token buckets, and the pace of an index.

use crate::agenda::{MILLISECOND, Micros, SECOND};

/// Write units a second of a partition.
pub const PARTITION_WRITES: f64 = 1_000.0;
/// Read units a second of a partition.
pub const PARTITION_READS: f64 = 3_000.0;
/// How much of an index may be behind before writes to its table are throttled.
pub const INDEX_BACKLOG: Micros = 500 * MILLISECOND;
/// How long an entry of an index that is not behind takes to appear.
const INDEX_DELAY: Micros = 15 * MILLISECOND;

/// A token bucket.
pub struct Bucket {
    per_micro: f64,
    burst: f64,
    tokens: f64,
    at: Micros,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: f64, burst: f64) -> Self {
        Self { per_micro: per_second / SECOND as f64, burst, tokens: burst, at: 0 }
    }

    /// The write units of a partition, with those of one second as burst.
    pub fn writes() -> Self {
        Self::new(PARTITION_WRITES, PARTITION_WRITES)
    }

    /// The read units of a partition, with those of one second as burst.
    pub fn reads() -> Self {
        Self::new(PARTITION_READS, PARTITION_READS)
    }

    /// Whether these units are there now.
    pub fn has(&mut self, now: Micros, units: f64) -> bool {
        self.tokens = (self.tokens + (now - self.at) as f64 * self.per_micro).min(self.burst);
        self.at = now;
        self.tokens >= units
    }

    /// Takes units if they are there.
    pub fn take(&mut self, now: Micros, units: f64) -> bool {
        let has = self.has(now, units);
        if has {
            self.tokens -= units;
        }
        has
    }
}

/// A partition of an index: its entries are written one after the other, and appear some time after the item.
#[derive(Default)]
pub struct IndexPartition {
    free_at: Micros,
}

impl IndexPartition {
    /// Whether the index is so far behind that writes to the table are throttled.
    pub fn is_behind(&self, now: Micros) -> bool {
        self.free_at > now + INDEX_BACKLOG
    }

    /// Writes entries; returns when they appear.
    pub fn write(&mut self, now: Micros, units: f64) -> Micros {
        self.free_at = self.free_at.max(now) + (units * SECOND as f64 / PARTITION_WRITES) as Micros;
        self.free_at + INDEX_DELAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_rate_and_at_first_its_burst() {
        let mut bucket = Bucket::new(10.0, 5.0);
        let taken = (0..=10).filter(|tenth| bucket.take(tenth * SECOND / 20, 1.0)).count();
        assert_eq!(taken, 10, "5 that were there, and 5 that come in half a second");
    }

    #[test]
    fn an_index_that_is_behind_throttles_and_shows_entries_later() {
        let mut index = IndexPartition::default();
        let first = index.write(0, 1.0);
        let mut count = 1;
        while !index.is_behind(0) {
            index.write(0, 1.0);
            count += 1;
        }
        assert_eq!((first, count), (16 * MILLISECOND, 501));
        assert!(!index.is_behind(SECOND));
    }
}
