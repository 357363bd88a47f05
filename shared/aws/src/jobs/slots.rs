//! Slots of held connections: one item per pool, so that each pool has its own concurrency limit.

use async_trait::async_trait;
use reelhook_app::jobs::waiting::Slots;
use reelhook_app::store::{Saved, StoreError};
use reelhook_domain::Timestamp;

use crate::jobs::counters::CounterTable;
use crate::retry::RetryClock;

/// A pool of slots in the Counters table.
#[derive(Debug, Clone)]
pub struct SlotTable {
    counters: CounterTable,
    /// The item's key.
    pool: &'static str,
    max: usize,
}

impl SlotTable {
    /// Slots for `max` live connections.
    pub fn viewers(counters: CounterTable, max: usize) -> Self {
        Self { counters, pool: "viewers", max }
    }

    /// Slots for `max` requests that wait for the end of a job.
    pub fn waiters(counters: CounterTable, max: usize) -> Self {
        Self { counters, pool: "waiters", max }
    }
}

#[async_trait]
impl Slots for SlotTable {
    async fn acquire(&self, slot: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let waits = RetryClock::of(self.counters.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            let Ok(next) = self.counters.slots(self.pool).await?.take(slot, now, until, self.max) else {
                return Ok(false);
            };
            if self.counters.save_slots(self.pool, &next).await? == Saved::Done {
                return Ok(true);
            }
        }
        // Under contention the connection is admitted without a slot: one more does no harm.
        Ok(true)
    }

    async fn release(&self, slot: &str) {
        let waits = RetryClock::of(self.counters.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            let next = match self.counters.slots(self.pool).await {
                Ok(slots) => slots.free(&[slot]),
                Err(error) => {
                    tracing::warn!(%error, pool = self.pool, "failed to release a slot, it expires");
                    return;
                }
            };
            let Some(next) = next else { return };
            if matches!(self.counters.save_slots(self.pool, &next).await, Ok(Saved::Done)) {
                return;
            }
        }
    }
}
