//! The tables that a manual trigger writes: events, deliveries and idempotency records.

use async_trait::async_trait;
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::events::{DueBy, EventRow, EventStore};
use reelhook_domain::{Delivery, DeliveryId, Timestamp};

use crate::jobs::counters::CounterTable;
use crate::webhooks::deliveries::DeliveryTable;

/// Deliveries and idempotency records.
pub struct TriggerTables {
    /// Events and deliveries.
    pub deliveries: DeliveryTable,
    /// Idempotency records.
    pub counters: CounterTable,
}

#[async_trait]
impl EventStore for TriggerTables {
    async fn put_event(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<(), StoreError> {
        self.deliveries.put_event(event, deliveries).await
    }

    async fn put_due(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError> {
        self.deliveries.put_due(event, deliveries).await
    }

    async fn put_delivery(&self, delivery: &Delivery, due_by: DueBy) -> Result<(), StoreError> {
        self.deliveries.put_delivery(delivery, due_by).await
    }
}

#[async_trait]
impl IdempotencyStore for TriggerTables {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.counters.record(caller, key, now).await
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.counters.remember(record, now).await
    }
}
