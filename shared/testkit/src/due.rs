//! The due indexes of both tables in memory, with the shards of the real ones. As in AWS, jobs that wait without a slot
//! are in none.

use std::sync::Arc;

use async_trait::async_trait;
use reelhook_app::outbox::sweep::{DueDeliveries, DueIndex, PER_SHARD, shard};
use reelhook_app::store::StoreError;
use reelhook_domain::{DeliveryId, EventId, Job, JobId, Timestamp};

use crate::deliveries::MemoryDeliveries;
use crate::faults::Faults;
use crate::jobs::MemoryJobs;

/// Finds due jobs and deliveries. Its faults are named `due_jobs` and `due_deliveries`.
pub struct MemoryDue {
    jobs: Arc<MemoryJobs>,
    deliveries: Arc<MemoryDeliveries>,
    /// The injected faults.
    pub faults: Faults,
}

impl MemoryDue {
    /// The indexes over these tables.
    pub fn new(jobs: Arc<MemoryJobs>, deliveries: Arc<MemoryDeliveries>) -> Self {
        Self { jobs, deliveries, faults: Faults::default() }
    }
}

#[async_trait]
impl DueIndex<Job> for MemoryDue {
    async fn due(&self, of: u32, now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("due_jobs")?;
        let mut due = self.jobs.due_until(now);
        due.retain(|(_, id)| shard(id.as_str()) == of);
        done.answer(oldest(due))
    }
}

#[async_trait]
impl DueDeliveries for MemoryDue {
    async fn due_deliveries(&self, of: u32, now: Timestamp) -> Result<Vec<(DeliveryId, EventId)>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("due_deliveries")?;
        let mut due = self.deliveries.due_until(now);
        due.retain(|(_, (id, _))| shard(&id.to_string()) == of);
        done.answer(oldest(due))
    }
}

/// The longest overdue items first, as many as one sweep reads per shard.
fn oldest<T>(mut found: Vec<(Timestamp, T)>) -> Vec<T> {
    found.sort_by_key(|(due, _)| *due);
    found.truncate(PER_SHARD as usize);
    found.into_iter().map(|(_, id)| id).collect()
}
