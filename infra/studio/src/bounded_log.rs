//! A log in memory that numbers its entries and drops the oldest ones. It says how many it has dropped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Maximum of entries: more than a campaign of 15 minutes has webhooks.
pub(crate) const CAPACITY: usize = 100_000;
/// Maximum of bytes.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Entries in order of arrival, each with its index.
pub(crate) struct BoundedLog<T> {
    next_index: u64,
    forgotten: u64,
    bytes: usize,
    entries: VecDeque<(u64, usize, Arc<T>)>,
}

impl<T> Default for BoundedLog<T> {
    fn default() -> Self {
        Self { next_index: 0, forgotten: 0, bytes: 0, entries: VecDeque::new() }
    }
}

impl<T> BoundedLog<T> {
    /// Appends an entry of this size in bytes, and returns it with its index.
    pub(crate) fn push(&mut self, bytes: usize, entry: T) -> (u64, Arc<T>) {
        let index = self.next_index;
        let entry = Arc::new(entry);
        self.next_index += 1;
        self.bytes += bytes;
        self.entries.push_back((index, bytes, entry.clone()));
        while self.entries.len() > CAPACITY || (self.bytes > MAX_BYTES && self.entries.len() > 1) {
            if let Some((_, bytes, _)) = self.entries.pop_front() {
                self.bytes -= bytes;
                self.forgotten += 1;
            }
        }
        (index, entry)
    }

    /// The entries from this index on.
    pub(crate) fn since(&self, index: u64) -> impl DoubleEndedIterator<Item = (u64, &Arc<T>)> {
        let start = self.entries.partition_point(|(at, _, _)| *at < index);
        self.entries.range(start..).map(|(at, _, entry)| (*at, entry))
    }

    /// The index that the next entry will get.
    pub(crate) fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The number of entries that made room for others.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Removes the entries that match; their indexes are not reused.
    pub(crate) fn remove(&mut self, matches: impl Fn(&T) -> bool) {
        self.entries.retain(|(_, _, entry)| !matches(entry));
        self.bytes = self.entries.iter().map(|(_, bytes, _)| bytes).sum();
    }
}

/// The current time in Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_are_dropped_and_indexes_stay() {
        let mut log = BoundedLog::default();
        for number in 0..CAPACITY + 5 {
            log.push(1, number);
        }
        let (index, entry) = log.since(0).next().unwrap();
        assert_eq!((index, **entry, log.forgotten()), (5, 5, 5));
        assert_eq!(log.since(CAPACITY as u64 + 4).count(), 1);
        log.remove(|number| number % 2 == 0);
        assert_eq!(log.since(6).next().unwrap().0, 7);
        assert_eq!((log.next_index(), log.forgotten()), (CAPACITY as u64 + 5, 5), "what is removed is not forgotten");
    }

    #[test]
    fn large_entries_displace_others() {
        let mut log = BoundedLog::default();
        log.push(10, "small");
        log.push(MAX_BYTES, "large");
        assert_eq!(log.since(0).map(|(_, e)| **e).collect::<Vec<_>>(), ["large"]);
        assert_eq!(log.forgotten(), 1);
    }
}
