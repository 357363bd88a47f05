//! An event that no job's outbox carries, told to endpoints: by hand, as a test, or of webhooks themselves.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use reelhook_domain::{Delivery, DeliveryId, DeliveryStatus};

use crate::outbox::fanout::EventRow;
use crate::outbox::messages::{Delayed, DeliveryMessage, Hints, hint_at_deliveries};
use crate::store::StoreError;
use crate::webhooks::subscriptions::Subscriber;

/// Deliveries that are written at once.
pub(crate) const WRITES_AT_ONCE: usize = 16;

/// Where events and their deliveries are written.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Writes an event unless it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_event(&self, event: &EventRow) -> Result<(), StoreError>;

    /// Writes a delivery unless it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError>;
}

/// An event's delivery to one endpoint, due at once; its id follows from the two.
pub fn delivery_of(event: &EventRow, to: &Subscriber, grace: Duration, traceparent: Option<&str>) -> Delivery {
    Delivery {
        id: DeliveryId::of(&event.id, &to.id),
        event_id: event.id.clone(),
        event: event.event,
        job_id: event.job_id.clone(),
        endpoint_id: to.id.clone(),
        endpoint_name: to.name.clone(),
        status: DeliveryStatus::Pending,
        version: 1,
        created_at: event.at,
        attempts: 0,
        uncounted: 0,
        replayed_at: None,
        replay: false,
        recovery: None,
        next_attempt_at: event.at,
        wait_reason: None,
        lease_until: None,
        due_at: Some(event.at.after(grace)),
        finished_at: None,
        last_result: None,
        last: None,
        traceparent: traceparent.map(str::to_owned),
    }
}

/// The hint for a delivery that may be sent at once.
pub(crate) fn hint(delivery: &Delivery) -> Delayed<DeliveryMessage> {
    Delayed::now(DeliveryMessage::Deliver { delivery_id: delivery.id, event_id: delivery.event_id.clone() })
}

/// How many deliveries were asked for and accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notified {
    /// One for each endpoint that wants the event.
    pub total: usize,
    /// Written down, and so sure to be tried.
    pub accepted: usize,
}

/// What telling needs.
pub struct NotifyPorts<'a> {
    /// Events and deliveries.
    pub store: &'a dyn EventStore,
    /// The Deliveries queue.
    pub hints: &'a dyn Hints<DeliveryMessage>,
    /// How much later than its hint a delivery is due for the sweep.
    pub grace: Duration,
}

/// Writes an event and its deliveries, and hints at them. What is there stays as it is: telling again does no harm.
///
/// # Errors
/// [`StoreError`] when none was written.
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
    ports.store.put_event(event).await?;
    let writes: Vec<_> = deliveries.iter().map(|delivery| ports.store.put_delivery(delivery)).collect();
    let written: Vec<_> = futures_util::stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await;
    let (mut hints, mut failed) = (Vec::new(), None);
    for (delivery, result) in deliveries.iter().zip(written) {
        match result {
            Ok(()) => hints.push(hint(delivery)),
            Err(error) => {
                tracing::warn!(delivery_id = %delivery.id, %error, "a delivery was not written");
                failed = Some(error);
            }
        }
    }
    let accepted = hints.len();
    if let (0, Some(error)) = (accepted, failed) {
        return Err(error);
    }
    hint_at_deliveries(ports.hints, hints).await;
    Ok(Notified { total: deliveries.len(), accepted })
}
