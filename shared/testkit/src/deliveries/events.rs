//! What writes events and deliveries: each delivery is named by its event, and the due sweep finds it.

use async_trait::async_trait;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::events::{DueBy, DueTogether, EventRow, EventStore};
use reelhook_domain::{Delivery, DeliveryId, EventId};

use super::MemoryDeliveries;

impl MemoryDeliveries {
    /// Writes an event unless it exists, and the names of its deliveries.
    pub fn put_event_of(&self, event: &EventRow, deliveries: &[DeliveryId]) {
        self.put_event(event);
        self.state().named.extend(deliveries);
    }

    /// Makes several deliveries of an event due together.
    pub fn put_due_of(&self, event: &EventRow, deliveries: &[DeliveryId]) -> DueBy {
        if deliveries.len() < 2 {
            return DueBy::Itself;
        }
        let (event_id, deliveries) = (event.id.clone(), deliveries.to_vec());
        self.state().due_together.insert(event_id.clone(), DueTogether { event_id, at: event.at, deliveries });
        DueBy::Event
    }

    /// The events whose deliveries are due together.
    pub fn due_together(&self) -> Vec<EventId> {
        self.state().due_together.keys().cloned().collect()
    }

    /// Writes a delivery unless it exists.
    ///
    /// # Panics
    /// When its event has not named it: no list would have it. When it has no entry of its own, and is not due with others:
    /// the due sweep would not find it.
    pub fn put_named(&self, delivery: &Delivery, due_by: DueBy) {
        let state = self.state();
        assert!(state.named.contains(&delivery.id), "the event of delivery `{}` does not name it", delivery.id);
        let is_known = state.deliveries.contains_key(&delivery.id);
        let together = state.due_together.get(&delivery.event_id);
        let is_due = due_by == DueBy::Itself || together.is_some_and(|due| due.deliveries.contains(&delivery.id));
        assert!(is_due || is_known, "delivery `{}` is not due", delivery.id);
        drop(state);
        self.put_delivery(delivery);
    }
}

#[async_trait]
impl EventStore for MemoryDeliveries {
    async fn put_event(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("put_event")?;
        self.put_event_of(event, deliveries);
        done.answer(())
    }

    async fn put_due(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("put_due")?;
        done.answer(self.put_due_of(event, deliveries))
    }

    async fn put_delivery(&self, delivery: &Delivery, due_by: DueBy) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        let done = self.faults.check("put_delivery")?;
        self.put_named(delivery, due_by);
        done.answer(())
    }
}
