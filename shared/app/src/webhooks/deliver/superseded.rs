//! Stops older notifications of a client that the one to be sent now replaces.

use reelhook_domain::{Delivery, DeliveryId, DeliveryStatus, EventId, Outcome};

use super::ports::DeliverPorts;
use super::types::{Change, DueDelivery};
use crate::store::StoreError;
use crate::webhooks::endpoints::callback::callback_id;

/// Stops the pending notifications that these replace. A notification that could not be stopped arrives late, which its
/// time shows.
pub(super) async fn stop(ports: &DeliverPorts<'_>, due: impl Iterator<Item = &DueDelivery>) {
    let first = due.filter(|due| due.delivery.attempts == 0);
    let older: Vec<(DeliveryId, EventId)> = first
        .filter_map(|due| {
            let callback = due.event.callback.as_ref()?;
            let event = callback.supersedes.clone()?;
            let endpoint = callback_id(&callback.url);
            (endpoint == due.delivery.endpoint_id).then(|| (DeliveryId::of(&event, &endpoint), event))
        })
        .collect();
    if older.is_empty() {
        return;
    }
    if let Err(error) = stop_all(ports, &older).await {
        tracing::warn!(%error, "superseded notifications not stopped");
    }
}

async fn stop_all(ports: &DeliverPorts<'_>, older: &[(DeliveryId, EventId)]) -> Result<(), StoreError> {
    let found =
        ports.deliveries.load(older, &[]).await?.deliveries.into_iter().filter_map(|found| found.ok().flatten());
    let pending = found.filter(|(delivery, _)| delivery.status == DeliveryStatus::Pending);
    let next: Vec<Delivery> =
        pending.map(|(delivery, _)| Change::stop(ports, 0, delivery, &Outcome::Superseded).next).collect();
    if next.is_empty() {
        return Ok(());
    }
    ports.deliveries.save_all(&next.iter().collect::<Vec<_>>()).await.into_iter().try_for_each(|saved| saved.map(drop))
}
