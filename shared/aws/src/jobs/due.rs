//! Due jobs and deliveries, for the due sweep.

use async_trait::async_trait;
use reelhook_app::outbox::sweep::DueStore;
use reelhook_app::store::StoreError;
use reelhook_domain::{DeliveryId, EventId, JobId, Timestamp};

use crate::jobs::table::JobTable;
use crate::webhooks::deliveries::DeliveryTable;

/// The two tables with a due index.
pub struct DueTables {
    /// Jobs.
    pub jobs: JobTable,
    /// Deliveries.
    pub deliveries: DeliveryTable,
}

#[async_trait]
impl DueStore for DueTables {
    async fn due_jobs(&self, shard: u32, now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        self.jobs.due(shard, now).await
    }

    async fn due_deliveries(&self, shard: u32, now: Timestamp) -> Result<Vec<(DeliveryId, EventId)>, StoreError> {
        self.deliveries.due(shard, now).await
    }
}
