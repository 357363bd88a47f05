//! The shards of the index of jobs under way: partitions by the hash of the id (ADR 55).

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::outbox::sweep::hash;

use crate::items::{Item, s};

/// The partition of jobs under way while there is one shard, and of the first of several.
pub(crate) const ACTIVE: &str = "active";
/// Shards at most.
pub(super) const MOST_SHARDS: usize = 16;

/// How many shards the index of jobs under way has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveShards {
    /// ACTIVE_SHARDS: those that jobs are written to.
    written: usize,
    /// Those that are read.
    read: usize,
}

impl Default for ActiveShards {
    fn default() -> Self {
        Self::new(1, 1)
    }
}

impl ActiveShards {
    /// `written` shards, of which there were `before` earlier, so that jobs may still be in that many.
    pub fn new(written: usize, before: usize) -> Self {
        let written = written.clamp(1, MOST_SHARDS);
        Self { written, read: before.clamp(written, MOST_SHARDS) }
    }

    /// The partitions that are read.
    pub(crate) fn partitions(self) -> impl Iterator<Item = AttributeValue> {
        (0..self.read).map(partition)
    }

    /// How many partitions are read.
    pub(crate) fn read(self) -> usize {
        self.read
    }

    /// Puts the item of a job that is under way into its shard.
    pub(crate) fn place(self, item: &mut Item, id: &str) {
        let shard = hash(id) as usize % self.written;
        if let Some(active) = item.get_mut("active")
            && *active == partition(0)
        {
            *active = partition(shard);
        }
    }
}

/// The partition of a shard.
pub(super) fn partition(shard: usize) -> AttributeValue {
    s(if shard == 0 { ACTIVE.to_owned() } else { format!("{ACTIVE}#{shard}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::text;

    #[test]
    fn readers_read_the_shards_of_before_and_of_now() {
        let read = |now, before| ActiveShards::new(now, before).partitions().collect::<Vec<_>>();
        assert_eq!(read(1, 1), [s("active")]);
        assert_eq!(read(2, 1), [s("active"), s("active#1")]);
        assert_eq!(read(1, 4), read(4, 1));
        assert_eq!(read(0, 99).len(), 16);
    }

    #[test]
    fn a_job_stays_in_its_shard_and_jobs_spread() {
        let mut counts = [0; 4];
        for n in 0..400 {
            let mut item: Item = [("active".to_owned(), s(ACTIVE))].into();
            ActiveShards::new(4, 1).place(&mut item, &format!("job_1704110400000_{n:032x}"));
            let shard =
                text(&item, "active").expect("a text").strip_prefix("active#").map_or(0, |n| n.parse().expect("n"));
            counts[shard] += 1_usize;
        }
        assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
    }

    #[test]
    fn an_ended_job_is_in_no_shard() {
        let mut ended = Item::new();
        let mut confirming: Item = [("active".to_owned(), s("confirming"))].into();
        for item in [&mut ended, &mut confirming] {
            let before = item.clone();
            for n in 0..9 {
                ActiveShards::new(16, 1).place(item, &format!("job_{n}"));
            }
            assert_eq!(*item, before);
        }
    }
}
