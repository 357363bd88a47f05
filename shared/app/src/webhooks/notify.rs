//! Notifies endpoints of an event that no outbox carries: one triggered manually, a test, or one about webhooks themselves.

use std::time::Duration;

use futures_util::StreamExt;
use reelhook_domain::{Delivery, DeliveryId};

use crate::outbox::messages::{DeliveryMessage, Hints, hint_at_deliveries};
use crate::store::StoreError;
use crate::webhooks::events::{DueBy, EventRow, EventStore, WRITES_AT_ONCE, delivery_of, hints};
use crate::webhooks::subscriptions::Subscriber;

/// How many deliveries an event has, and how many of them were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notified {
    /// One for each subscriber.
    pub total: usize,
    /// Written, and so certain to be attempted.
    pub accepted: usize,
}

/// What [`notify`] needs.
pub struct NotifyPorts<'a> {
    /// Events and deliveries.
    pub store: &'a dyn EventStore,
    /// The Deliveries queue.
    pub hints: &'a dyn Hints<DeliveryMessage>,
    /// How much later than its hint a delivery is due for the sweep.
    pub grace: Duration,
}

/// Writes an event and its deliveries, and sends hints for them. It is idempotent: what exists stays as it is.
///
/// # Errors
/// [`StoreError`] when no delivery was written.
pub async fn notify(
    ports: &NotifyPorts<'_>,
    event: &EventRow,
    to: impl Iterator<Item = &Subscriber>,
    traceparent: Option<&str>,
) -> Result<Notified, StoreError> {
    let deliveries: Vec<Delivery> = to.map(|one| delivery_of(event, one, ports.grace, traceparent)).collect();
    if deliveries.is_empty() {
        return Ok(Notified::default());
    }
    let ids: Vec<DeliveryId> = deliveries.iter().map(|delivery| delivery.id).collect();
    ports.store.put_event(event, &ids).await?;
    // Nothing writes those again that could not be written, so a row by which all are due would stay.
    let writes = deliveries.iter().map(|delivery| ports.store.put_delivery(delivery, DueBy::Itself));
    let writes: Vec<_> = writes.collect();
    let written: Vec<_> = futures_util::stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await;
    let (mut accepted, mut failed) = (Vec::new(), None);
    for (delivery, result) in deliveries.iter().zip(written) {
        match result {
            Ok(()) => accepted.push(delivery),
            Err(error) => {
                tracing::warn!(delivery_id = %delivery.id, %error, "failed to write a delivery");
                failed = Some(error);
            }
        }
    }
    if let (true, Some(error)) = (accepted.is_empty(), failed) {
        return Err(error);
    }
    let notified = Notified { total: deliveries.len(), accepted: accepted.len() };
    hint_at_deliveries(ports.hints, hints(accepted)).await;
    Ok(notified)
}
