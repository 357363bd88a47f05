//! A log in memory that numbers its entries and lets the oldest go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Entries kept at most, in each log.
pub(crate) const CAPACITY: usize = 20_000;
/// Bytes kept at most, in each log.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Entries in order of arrival, each with the index under which it was stored.
pub(crate) struct Kept<T> {
    next_index: u64,
    bytes: usize,
    entries: VecDeque<(u64, usize, Arc<T>)>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { next_index: 0, bytes: 0, entries: VecDeque::new() }
    }
}

impl<T> Kept<T> {
    /// Stores an entry that weighs so many bytes and returns it with its index.
    pub(crate) fn push(&mut self, bytes: usize, entry: T) -> (u64, Arc<T>) {
        let index = self.next_index;
        let entry = Arc::new(entry);
        self.next_index += 1;
        self.bytes += bytes;
        self.entries.push_back((index, bytes, entry.clone()));
        while self.entries.len() > CAPACITY || (self.bytes > MAX_BYTES && self.entries.len() > 1) {
            if let Some((_, bytes, _)) = self.entries.pop_front() {
                self.bytes -= bytes;
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

    /// Removes the entries that match; indexes are never used again.
    pub(crate) fn remove(&mut self, matches: impl Fn(&T) -> bool) {
        self.entries.retain(|(_, _, entry)| !matches(entry));
        self.bytes = self.entries.iter().map(|(_, bytes, _)| bytes).sum();
    }
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_go_and_indexes_stay() {
        let mut kept = Kept::default();
        for number in 0..CAPACITY + 5 {
            kept.push(1, number);
        }
        let (index, entry) = kept.since(0).next().unwrap();
        assert_eq!((index, **entry), (5, 5));
        assert_eq!(kept.since(CAPACITY as u64 + 4).count(), 1);
        kept.remove(|number| number % 2 == 0);
        assert_eq!(kept.since(6).next().unwrap().0, 7);
        assert_eq!(kept.next_index(), CAPACITY as u64 + 5);
    }

    #[test]
    fn heavy_entries_push_others_out() {
        let mut kept = Kept::default();
        kept.push(10, "light");
        kept.push(MAX_BYTES, "heavy");
        assert_eq!(kept.since(0).map(|(_, e)| **e).collect::<Vec<_>>(), ["heavy"]);
    }
}
