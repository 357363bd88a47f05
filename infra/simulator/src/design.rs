//! What a design does for each job, as far as it takes capacity: the one of today, and the one with shards.

use crate::agenda::{MILLISECOND, Micros, SECOND};

/// How runs are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// One after the other, each by a transaction over one admission item and the job.
    OneByOne,
    /// Up to 16 at once, by a transaction over the jobs and one of several rows, which has the names of its slots.
    BatchByName,
    /// Ten at once: tokens of an admission row, and then a conditional put for each job.
    TenByToken,
}

/// A change of a job that is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The job is created.
    Create,
    /// A run is claimed.
    Claim,
    /// The external worker has accepted the run.
    Start,
    /// A report changes nothing but progress.
    Report,
    /// A report with which rendering begins.
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
    /// Entries of a job in the index of deliveries by day.
    pub delivery_rows: u32,
    /// Whether ended jobs are counted by transactions on one row, and not with the slots that they give back.
    pub counts_by_transaction: bool,
    /// Shards of that row.
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
    /// Shards of the index of active jobs, and admission rows.
    pub shards: usize,
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

/// Reports of steps in a run; the last one ends it.
pub const REPORTS: u8 = 17;
/// The report with which rendering begins.
pub const RENDERING: u8 = 15;
/// The bound of the order: a job may start before one that is at most this much older.
pub const ORDER: Micros = 2 * SECOND;
/// How long the external worker takes to accept a run.
pub const RESPONSE: Micros = 250 * MILLISECOND;

impl Design {
    /// Version 0.2: one partition of active jobs, one admission item.
    pub fn of_today() -> Self {
        Self {
            name: "today",
            shards: 1,
            partitions: 16,
            claims: Claims::OneByOne,
            launchers: 10,
            api: Api { rate: 1_000.0, burst: 500.0, has_reports: true, counts_active: true },
            fanout: Fanout {
                every_version: true,
                parallelization: 2,
                log_rows: 20,
                delivery_rows: 4,
                counts_by_transaction: true,
                counters: 1,
                counted_together: 1,
                day_shards: 4,
            },
            status_shards: 1,
            status_of_active: true,
            executions: 1_000,
        }
    }

    /// Active jobs and admission in `shards` shards.
    pub fn sharded(shards: usize) -> Self {
        let name = match shards {
            1 => "N = 1",
            4 => "N = 4",
            16 => "N = 16",
            _ => "sharded",
        };
        Self {
            name,
            shards,
            partitions: 16 * shards,
            claims: Claims::TenByToken,
            launchers: if shards == 1 { 10 } else { 20 * shards },
            api: Api { rate: 10_000.0, burst: 5_000.0, has_reports: false, counts_active: false },
            fanout: Fanout {
                every_version: false,
                parallelization: 1,
                log_rows: 1,
                delivery_rows: 1,
                counts_by_transaction: false,
                counters: 1,
                counted_together: 1,
                day_shards: shards.max(4),
            },
            status_shards: shards,
            status_of_active: false,
            executions: 10_000,
        }
    }

    /// The same, with the names of slots in rows (ADR 55), transactions, and the indexes of version 0.2.
    pub fn named(shards: usize) -> Self {
        let design = Self::sharded(shards);
        Self {
            name: if shards == 16 { "names, N = 16" } else { "names" },
            claims: Claims::BatchByName,
            fanout: Fanout { counts_by_transaction: true, day_shards: 4, parallelization: 2, ..design.fanout },
            status_shards: 1,
            ..design
        }
    }

    /// The same with shards of the counters of ended jobs, which count many in one transaction, and of the indexes of what has
    /// ended (ADR 62): as many as there can be.
    pub fn ended_in_shards(self) -> Self {
        let fanout = Fanout { counters: 64, counted_together: 32, day_shards: 16, ..self.fanout };
        Self { name: if self.shards == 16 { "ended, N = 16" } else { "ended" }, fanout, status_shards: 4, ..self }
    }

    /// The write units of a change.
    pub fn units(&self, change: Change) -> Units {
        let (item, active) = match (self.claims, change) {
            (Claims::OneByOne, Change::Create) => (2, 1),
            // The transaction counts twice, also in the index.
            (Claims::OneByOne, Change::Claim) => (4, 2),
            (Claims::OneByOne, Change::Start | Change::Render) => (3, 2),
            (Claims::OneByOne, Change::Report) => (3, 0),
            (Claims::OneByOne, Change::End) => (3, 1),
            (Claims::TenByToken | Claims::BatchByName, Change::Create) => (1, 1),
            (Claims::BatchByName, Change::Claim) => (2, 4),
            (Claims::TenByToken, Change::Claim) => (1, 2),
            (Claims::TenByToken | Claims::BatchByName, Change::Start | Change::Report | Change::Render) => (1, 0),
            (Claims::TenByToken | Claims::BatchByName, Change::End) => (1, 1),
        };
        Units { item, active }
    }
}
