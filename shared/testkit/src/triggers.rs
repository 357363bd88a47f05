//! An in-memory store of triggered events, their deliveries and idempotency records.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::events::{DueBy, EventRow, EventStore};
use reelhook_domain::{Delivery, DeliveryId, Timestamp};

use crate::deliveries::MemoryDeliveries;
use crate::faults::Faults;

/// What triggers write; faults go by the port's names: `put_event`, `put_due`, `put_delivery`, `record`, `remember`.
#[derive(Debug, Default)]
pub struct MemoryTriggers {
    /// Events and deliveries.
    pub deliveries: MemoryDeliveries,
    records: Mutex<BTreeMap<(String, String), IdempotencyRecord>>,
    /// Failures to come.
    pub faults: Faults,
}

#[async_trait]
impl EventStore for MemoryTriggers {
    async fn put_event(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("put_event", &event.id)?;
        self.deliveries.put_event_of(event, deliveries);
        done.answer(())
    }

    async fn put_due(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("put_due", &event.id)?;
        done.answer(self.deliveries.put_due_of(event, deliveries))
    }

    async fn put_delivery(&self, delivery: &Delivery, due_by: DueBy) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("put_delivery", &delivery.endpoint_name)?;
        self.deliveries.put_named(delivery, due_by);
        done.answer(())
    }
}

#[async_trait]
impl IdempotencyStore for MemoryTriggers {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        tokio::task::yield_now().await;
        let known = self.records.lock().unwrap().get(&(caller.to_owned(), key.to_owned())).cloned();
        self.faults.check("record")?.answer(known.filter(|known| known.expires_at > now))
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("remember")?;
        let mut records = self.records.lock().unwrap();
        let key = (record.caller.clone(), record.key.clone());
        let known = records.get(&key).filter(|known| known.expires_at > now).cloned();
        if known.is_none() {
            records.insert(key, record.clone());
        }
        done.answer(known)
    }
}
