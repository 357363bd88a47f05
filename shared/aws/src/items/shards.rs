//! The shards of what one partition can't take where very many jobs end: their counters, and the indexes of what has ended
//! (docs/adr/0062-shards-of-what-has-ended.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::outbox::sweep::hash;

use crate::items::Item;

/// Shards of the counters at most: each transaction that corrects a counter checks all of them.
const MOST_COUNTER_SHARDS: usize = 64;
/// Shards of the indexes at most: a search of a day's lines reads all of them within its bound of pages.
pub(crate) const MOST_ENDED_SHARDS: u32 = 4;

/// How many shards the counters of ended jobs have.
#[derive(Debug, Clone)]
pub struct CounterShards {
    /// COUNTER_SHARDS: those that are written.
    written: usize,
    /// How many the table says that it has, as far as it is known.
    known: Arc<AtomicUsize>,
}

impl Default for CounterShards {
    fn default() -> Self {
        Self::new(1)
    }
}

impl CounterShards {
    /// `written` shards.
    pub fn new(written: usize) -> Self {
        Self { written: written.clamp(1, MOST_COUNTER_SHARDS), known: Arc::new(AtomicUsize::new(1)) }
    }

    /// How many are written.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Whether the table says that there are as many as are written, as far as it is known.
    pub(crate) fn are_known(&self) -> bool {
        self.known.load(Ordering::Relaxed) >= self.written
    }

    /// Remembers that the table says so.
    pub(crate) fn know(&self) {
        self.known.store(self.written, Ordering::Relaxed);
    }

    /// The shard of an attempt at a transaction whose first step has this id: each attempt has another one.
    pub(crate) fn of(&self, id: &str, attempt: usize) -> usize {
        (hash(id) as usize).wrapping_add(attempt) % self.written
    }
}

/// How many shards the indexes have of what has ended: of jobs by status, of lines and deliveries by day, and of deliveries
/// that are due. An index has at least as many partitions as before there were shards, and so many for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedShards {
    written: u32,
    read: u32,
}

impl Default for EndedShards {
    fn default() -> Self {
        Self::new(1, 1)
    }
}

impl EndedShards {
    /// `written` shards (ENDED_SHARDS), of which there were `before` earlier (ENDED_SHARDS_BEFORE), so that rows may still be
    /// in that many.
    pub fn new(written: u32, before: u32) -> Self {
        let written = written.clamp(1, MOST_ENDED_SHARDS);
        Self { written, read: before.clamp(written, MOST_ENDED_SHARDS) }
    }

    /// The partitions that an index with `each` of them for a shard is written to.
    pub(crate) fn written(self, each: u32) -> u32 {
        self.written * each
    }

    /// The partitions that are read of an index with `each` of them for a shard.
    pub(crate) fn read(self, each: u32) -> u32 {
        self.read * each
    }

    /// Puts the item of a job into its shard of the index by status, if it is in that index.
    pub(crate) fn place(self, item: &mut Item, id: &str) {
        if let Some(AttributeValue::S(month)) = item.get_mut("status_month") {
            *month = month_shard(month, hash(id) % self.written);
        }
    }
}

/// The partition of a shard of the jobs of a status and a month. The first one is as before there were several.
pub(crate) fn month_shard(month: &str, shard: u32) -> String {
    if shard == 0 { month.to_owned() } else { format!("{month}#{shard}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::{s, text};

    #[test]
    fn readers_read_the_partitions_of_before_and_of_now() {
        let numbers = |written, before| {
            let shards = EndedShards::new(written, before);
            (shards.written(4), shards.read(4))
        };
        assert_eq!([numbers(1, 1), numbers(4, 1), numbers(1, 4)], [(4, 4), (16, 16), (4, 16)]);
        assert_eq!([numbers(0, 0), numbers(9, 9)], [(4, 4), (16, 16)]);
    }

    #[test]
    fn ended_jobs_stay_in_their_shard_and_spread() {
        let mut counts = [0_u32; 4];
        for n in 0..400 {
            let (id, mut item) = (format!("job_1704110400000_{n:032x}"), Item::new());
            item.insert("status_month".to_owned(), s("vidbuilder.failed#2024-01"));
            EndedShards::new(4, 1).place(&mut item, &id);
            let rest = text(&item, "status_month").expect("a text").strip_prefix("vidbuilder.failed#2024-01");
            let rest = rest.expect("its month").to_owned();
            counts[rest.strip_prefix('#').map_or(0, |shard| shard.parse().expect("a number"))] += 1;
            EndedShards::default().place(&mut item, &id);
            assert!(text(&item, "status_month").expect("a text").ends_with(&rest), "one shard changes nothing");
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_job_that_has_not_ended_gets_no_partition() {
        let mut item = Item::new();
        EndedShards::new(4, 1).place(&mut item, "job_1");
        assert!(item.is_empty());
    }

    #[test]
    fn attempts_at_a_count_have_different_shards() {
        let shards = CounterShards::new(8);
        let mut of: Vec<usize> = (0..8).map(|attempt| shards.of("job_1.7.2", attempt)).collect();
        of.sort_unstable();
        assert_eq!(of, (0..8).collect::<Vec<_>>());
        assert_eq!(CounterShards::new(0).of("job_1.7.2", 3), 0);
        assert_eq!(CounterShards::new(999).written(), 64);
    }

    #[test]
    fn one_shard_needs_no_note_in_the_table() {
        assert!(CounterShards::new(1).are_known());
        let several = CounterShards::new(2);
        assert!(!several.are_known());
        several.know();
        assert!(several.clone().are_known());
    }
}
