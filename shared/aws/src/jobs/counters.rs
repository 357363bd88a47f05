//! The Counters table: rows that are alone in their partition, and what is known of how its rows are spread. Its counters
//! are in `counts.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reelhook_app::retention::Days;
use reelhook_app::store::StoreError;

use crate::errors::store_error;
use crate::items::shards::CounterShards;
use crate::items::{Item, s};

/// The sort key of rows that are alone in their partition.
pub(crate) const ALONE: &str = "-";

/// The Counters table.
#[derive(Debug, Clone)]
pub struct CounterTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
    /// How many rows the slots of runs had when they were last read.
    rows: Arc<AtomicUsize>,
    /// The shards of the counters of ended jobs.
    pub(super) shards: CounterShards,
    /// How long counters are kept.
    pub(super) kept: CounterDays,
}

/// How long what counters count is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct CounterDays {
    /// Jobs and the lines of their logs.
    pub jobs: Days,
    /// Archived logs.
    pub archives: Days,
}

impl CounterDays {
    /// Days for which the counter of a day of jobs is kept: as long as all of them.
    pub fn of_jobs(self) -> i64 {
        self.jobs.count() + 1
    }
}

impl CounterTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        let kept = CounterDays { jobs: Days::MONTH, archives: Days::YEAR };
        Self {
            client,
            table: table.into(),
            rows: Arc::new(AtomicUsize::new(1)),
            shards: CounterShards::default(),
            kept,
        }
    }

    /// The same table, whose counters are kept as long as jobs and archived logs are.
    #[must_use]
    pub fn keeping(self, jobs: Days, archives: Days) -> Self {
        Self { kept: CounterDays { jobs, archives }, ..self }
    }

    /// The same table, which counts ended jobs in these shards.
    #[must_use]
    pub fn sharded(self, shards: CounterShards) -> Self {
        Self { shards, ..self }
    }

    pub(crate) fn client(&self) -> &aws_sdk_dynamodb::Client {
        &self.client
    }

    pub(crate) fn name(&self) -> &str {
        &self.table
    }

    /// Reads a row that may be a little behind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn get_eventually(
        &self,
        operation: &'static str,
        pk: &str,
        sk: &str,
    ) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk));
        Ok(get.send().await.map_err(|error| store_error(operation, error))?.item)
    }

    /// How many rows the slots of runs had when they were last read.
    pub(crate) fn known_rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// Remembers how many rows the slots of runs have.
    pub(crate) fn know_rows(&self, rows: usize) {
        self.rows.store(rows, Ordering::Relaxed);
    }

    /// Reads a row consistently.
    pub(crate) async fn get(&self, operation: &'static str, pk: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        let get =
            self.client.get_item().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk)).consistent_read(true);
        Ok(get.send().await.map_err(|error| store_error(operation, error))?.item)
    }
}
