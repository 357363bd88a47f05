//! The Projects table, which implements the ports of projects.

use std::sync::Arc;

use async_trait::async_trait;
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::outbox::sweep::DueIndex;
use reelhook_app::projects::store::NewProjects;
use reelhook_app::retention::Days;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::projects::project::Project;
use reelhook_domain::{ProjectId, Timestamp};

use crate::aggregates::AggregateTable;
use crate::items::packed::StoredForm;
use crate::jobs::counters::CounterTable;

/// The Projects table.
#[derive(Clone)]
pub struct ProjectTable {
    pub(super) items: AggregateTable<Project>,
}

impl ProjectTable {
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

    /// Reads a project that does not exist: a first call, which opens the connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_call(&self) -> Result<(), StoreError> {
        self.items.first_call().await
    }
}

#[async_trait]
impl AggregateStore<Project> for ProjectTable {
    async fn load(&self, id: &ProjectId) -> Result<Option<Project>, StoreError> {
        self.items.load(id).await
    }

    async fn save(&self, project: &Project) -> Result<Saved<Project>, StoreError> {
        self.items.save(project).await
    }
}

#[async_trait]
impl DueIndex<Project> for ProjectTable {
    async fn due(&self, shard: u32, now: Timestamp) -> Result<Vec<ProjectId>, StoreError> {
        self.items.due(shard, now).await
    }
}

#[async_trait]
impl NewProjects for ProjectTable {
    async fn insert(&self, project: &Project) -> Result<Saved<Project>, StoreError> {
        self.items.insert(project).await
    }

    async fn insert_with_key(
        &self,
        project: &Project,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError> {
        self.items.insert_with_key(project, record, now).await
    }
}

#[async_trait]
impl IdempotencyStore for ProjectTable {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.items.counters.record(caller, key, now).await
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.items.counters.remember(record, now).await
    }
}
