//! An in-memory store of triggered events, their deliveries and idempotency records.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use reelhook_app::jobs::submit::KeyRow;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::events::{EventRow, EventStore};
use reelhook_app::webhooks::triggers::TriggerStore;
use reelhook_domain::{Delivery, Timestamp};

use crate::deliveries::MemoryDeliveries;
use crate::faults::Faults;

/// The rows that triggers write. The faults are named `put_event`, `put_delivery` and `remember`.
#[derive(Debug, Default)]
pub struct MemoryTriggers {
    /// Events and deliveries.
    pub deliveries: MemoryDeliveries,
    keys: Mutex<BTreeMap<(String, String), KeyRow>>,
    /// The injected faults.
    pub faults: Faults,
}

#[async_trait]
impl EventStore for MemoryTriggers {
    async fn put_event(&self, event: &EventRow) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("put_event", &event.id)?;
        self.deliveries.put_event(event);
        done.answer(())
    }

    async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check_about("put_delivery", &delivery.endpoint_name)?;
        self.deliveries.put_delivery(delivery);
        done.answer(())
    }
}

#[async_trait]
impl TriggerStore for MemoryTriggers {
    async fn remember(&self, row: &KeyRow, _now: Timestamp) -> Result<Option<KeyRow>, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("remember")?;
        let mut keys = self.keys.lock().unwrap();
        let key = (row.caller.clone(), row.key.clone());
        let known = keys.get(&key).cloned();
        if known.is_none() {
            keys.insert(key, row.clone());
        }
        done.answer(known)
    }
}
