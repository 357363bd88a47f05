//! What a design does for each job, as far as it takes capacity: version 0.2, and what is built.

use crate::agenda::{MILLISECOND, Micros, SECOND};

/// How runs are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// One after the other, each by a transaction over one admission item and the job.
    OneByOne,
    /// Up to 16 at once, by a transaction over the jobs and one of several rows, which has the numbers of its slots (ADR 55
    /// and 71).
    InBatches,
}

/// A change of a job that is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The job is created.
    Create,
    /// A run is claimed.
    Claim,
    /// A claim whose lease has expired is released.
    Release,
    /// The external worker has accepted the run.
    Start,
    /// A report changes nothing but progress.
    Report,
    /// The report that the external worker has done its part: rendering begins.
    Render,
    /// The last report.
    End,
}

/// Write units of one change.
#[derive(Clone, Copy, Debug)]
pub struct Units {
    /// Of the item.
    pub item: u32,
    /// Of the index of active jobs.
    pub active: u32,
}

/// The callers' path.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// Requests a second.
    pub rate: f64,
    /// Requests at once.
    pub burst: f64,
    /// Whether reports come through the API too, and not over a Function URL.
    pub has_reports: bool,
    /// Whether a submission reads the index of active jobs, and not counters that the instance keeps for a second.
    pub counts_active: bool,
}

/// What `fanout` writes.
#[derive(Clone, Copy, Debug)]
pub struct Fanout {
    /// Whether it gets every version of a job, and not only the first and the last.
    pub every_version: bool,
    /// Batches of a shard at the same time.
    pub parallelization: usize,
    /// Log rows of a job, each with an entry in an index by day.
    pub log_rows: u32,
    /// Entries of an event in an index by day: one of each delivery, or one that names them.
    pub entries: u32,
    /// Messages that name the deliveries of an event.
    pub messages: u32,
    /// Shards of the row that counts ended jobs, by transactions.
    pub counters: usize,
    /// Ended jobs of a batch that one transaction counts, at most.
    pub counted_together: u32,
    /// Shards of the indexes by day.
    pub day_shards: usize,
}

/// A design.
#[derive(Clone, Copy, Debug)]
pub struct Design {
    /// Its name in documents.
    pub name: &'static str,
    /// Shards of the index of active jobs.
    pub shards: usize,
    /// Rows that grant slots.
    pub rows: usize,
    /// Partitions that the Jobs table has grown to.
    pub partitions: usize,
    /// How runs are claimed.
    pub claims: Claims,
    /// Invocations of the launcher at the same time.
    pub launchers: usize,
    /// The callers' path.
    pub api: Api,
    /// What `fanout` writes.
    pub fanout: Fanout,
    /// Shards of the index by status.
    pub status_shards: usize,
    /// Whether jobs are in the index by status before they end.
    pub status_of_active: bool,
    /// Lambda's concurrent executions.
    pub executions: usize,
}

/// Reports on a job: the start and the end of each of eight steps, and the end of its render, which ends it.
pub const REPORTS: u8 = 17;
/// The report with which rendering begins: it gives the slot back.
pub const RENDERING: u8 = 16;
/// Events that subscribers are notified about: that rendering begins, and the end.
pub const EVENTS: u32 = 2;
/// The bound of the order: a job may start before one that is at most this much older.
pub const ORDER: Micros = 2 * SECOND;
/// How long the external worker takes to accept a run.
pub const RESPONSE: Micros = 250 * MILLISECOND;

impl Design {
    /// Version 0.2: one partition of active jobs, one admission item, and reports through the API.
    pub fn before() -> Self {
        Self {
            name: "0.2",
            shards: 1,
            rows: 1,
            partitions: 16,
            claims: Claims::OneByOne,
            launchers: 10,
            api: Api { rate: 1_000.0, burst: 500.0, has_reports: true, counts_active: true },
            fanout: Fanout {
                every_version: true,
                parallelization: 2,
                log_rows: 20,
                entries: 2,
                messages: 2,
                counters: 1,
                counted_together: 1,
                day_shards: 4,
            },
            status_shards: 1,
            status_of_active: true,
            executions: 1_000,
        }
    }

    /// What is built (ADR 50 to 71), with `shards` shards of active jobs (`ActiveShards`), and reports at a Function URL. With
    /// several shards there are four times as many rows of slots and of counters (`AdmissionShards`, `CounterShards`), and a
    /// quarter as many shards of what has ended (`EndedShards`); the API takes as much as an account may (`ApiRate`).
    pub fn as_built(shards: usize) -> Self {
        let name = match shards {
            1 => "as built, 1",
            4 => "as built, 4",
            16 => "as built, 16",
            _ => "as built",
        };
        let (is_one, ended) = (shards == 1, shards.div_ceil(4));
        let rows = if is_one { 1 } else { 4 * shards };
        let (rate, burst) = if is_one { (1_000.0, 500.0) } else { (10_000.0, 5_000.0) };
        Self {
            name,
            shards,
            rows,
            partitions: 16 * shards,
            claims: Claims::InBatches,
            // WorkConcurrency: the default, or more.
            launchers: if is_one { 10 } else { 25 * shards },
            api: Api { rate, burst, has_reports: false, counts_active: false },
            fanout: Fanout {
                every_version: false,
                parallelization: 2,
                log_rows: 1,
                entries: 1,
                messages: 1,
                counters: rows,
                counted_together: 32,
                day_shards: 4 * ended,
            },
            status_shards: ended,
            status_of_active: false,
            executions: if is_one { 1_000 } else { 10_000 },
        }
    }

    /// Whether no job starts before one that is more than [`ORDER`] older, apart from the delay of the index. What is built reads
    /// 32 entries of each shard, or 128, claimed ones included: jobs behind those are hidden while other shards show some.
    pub fn keeps_order(&self) -> bool {
        match self.claims {
            Claims::OneByOne => true,
            Claims::InBatches => false,
        }
    }

    /// The write units of a change. An entry of an index that moves is two writes.
    pub fn units(&self, change: Change) -> Units {
        let (item, active) = match (self.claims, change) {
            (Claims::OneByOne, Change::Create) => (2, 1),
            // A transaction writes the item twice, to prepare and to commit; its entry in the index follows once.
            (Claims::OneByOne, Change::Claim) => (4, 2),
            (Claims::OneByOne, Change::Release | Change::Start | Change::Render) => (3, 2),
            (Claims::OneByOne, Change::Report) => (3, 0),
            (Claims::OneByOne, Change::End) => (3, 1),
            (Claims::InBatches, Change::Create | Change::End) => (1, 1),
            (Claims::InBatches, Change::Report | Change::Release) => (1, 0),
            // A claim moves no entry, so the start does (shared/aws/tests/it/jobs/items.rs, a_step_moves_no_index_entry).
            (Claims::InBatches, Change::Claim) => (2, 0),
            (Claims::InBatches, Change::Start | Change::Render) => (1, 2),
        };
        Units { item, active }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_takes_the_units_that_the_code_writes() {
        let of_job = |design: Design| {
            let changes = [Change::Create, Change::Claim, Change::Start, Change::Render, Change::End];
            let others = std::iter::repeat_n(Change::Report, usize::from(REPORTS) - 2);
            let units = changes.into_iter().chain(others).map(|change| design.units(change));
            units.fold((0, 0), |sum, units| (sum.0 + units.item, sum.1 + units.active))
        };
        assert_eq!(of_job(Design::before()), (60, 8));
        assert_eq!(of_job(Design::as_built(1)), (21, 6));
    }
}
