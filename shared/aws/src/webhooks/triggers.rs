//! The tables of triggered events: events and deliveries, and idempotency records.

use async_trait::async_trait;
use reelhook_app::jobs::submit::KeyRow;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::events::{EventRow, EventStore};
use reelhook_app::webhooks::triggers::TriggerStore;
use reelhook_domain::{Delivery, Timestamp};

use crate::jobs::counters::CounterTable;
use crate::webhooks::deliveries::DeliveryTable;

/// The tables that a trigger writes.
pub struct TriggerTables {
    /// Events and deliveries.
    pub deliveries: DeliveryTable,
    /// Idempotency records.
    pub counters: CounterTable,
}

#[async_trait]
impl EventStore for TriggerTables {
    async fn put_event(&self, event: &EventRow) -> Result<(), StoreError> {
        self.deliveries.put_event(event).await
    }

    async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.deliveries.put_delivery(delivery).await
    }
}

#[async_trait]
impl TriggerStore for TriggerTables {
    async fn remember(&self, row: &KeyRow, now: Timestamp) -> Result<Option<KeyRow>, StoreError> {
        self.counters.remember(row, now).await
    }
}
