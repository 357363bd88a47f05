//! The Clips table, which implements the store of clip jobs and their due index.

use std::sync::Arc;

use async_trait::async_trait;
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbox::sweep::DueIndex;
use reelhook_app::retention::Days;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::{ClipJob, ClipJobId, Timestamp};

use crate::aggregates::AggregateTable;
use crate::items::packed::StoredForm;
use crate::jobs::counters::CounterTable;

/// The Clips table.
#[derive(Clone)]
pub struct ClipTable {
    pub(super) items: AggregateTable<ClipJob>,
}

impl ClipTable {
    /// The table of this name, with the Counters table.
    pub fn new(
        client: aws_sdk_dynamodb::Client,
        table: impl Into<String>,
        counters: CounterTable,
        clock: Arc<dyn ClockAndRandom>,
    ) -> Self {
        Self { items: AggregateTable::new(client, table, counters, clock) }
    }

    /// The same table, with items written in this form.
    #[must_use]
    pub fn storing(self, form: StoredForm) -> Self {
        Self { items: self.items.storing(form) }
    }

    /// The same table, which keeps those that have ended for so long.
    #[must_use]
    pub fn keeping(mut self, kept: Days) -> Self {
        self.items.kept = kept;
        self
    }

    /// Reads a job that does not exist: a first call, which opens the connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_call(&self) -> Result<(), StoreError> {
        self.items.first_call().await
    }
}

#[async_trait]
impl AggregateStore<ClipJob> for ClipTable {
    async fn load(&self, id: &ClipJobId) -> Result<Option<ClipJob>, StoreError> {
        self.items.load(id).await
    }

    async fn save(&self, job: &ClipJob) -> Result<Saved<ClipJob>, StoreError> {
        self.items.save(job).await
    }
}

#[async_trait]
impl DueIndex<ClipJob> for ClipTable {
    async fn due(&self, shard: u32, now: Timestamp) -> Result<Vec<ClipJobId>, StoreError> {
        self.items.due(shard, now).await
    }
}
