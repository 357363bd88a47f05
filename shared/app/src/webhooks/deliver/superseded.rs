//! Older notifications that nobody needs any more, because a later one is told now.

use reelhook_domain::{Delivery, DeliveryId, DeliveryStatus, EventId, Outcome};

use super::{DeliverPorts, DueDelivery, one};
use crate::store::StoreError;
use crate::webhooks::endpoints::callback::callback_id;

/// Stops what a client need not be told any more, since what it is told now says more. What can't be stopped comes late,
/// and says so by its time.
pub(super) async fn stop(ports: &DeliverPorts<'_>, ready: impl Iterator<Item = &DueDelivery>) {
    let first = ready.filter(|due| due.delivery.attempts == 0);
    let older: Vec<(DeliveryId, EventId)> = first
        .filter_map(|due| {
            let event = due.event.callback.as_ref()?.supersedes.clone()?;
            let callback = callback_id(&due.event.callback.as_ref()?.url);
            (callback == due.delivery.endpoint_id).then(|| (DeliveryId::of(&event, &callback), event))
        })
        .collect();
    if older.is_empty() {
        return;
    }
    let stopped = async {
        let found = ports.store.load(&older).await?.into_iter().filter_map(|found| found.ok().flatten());
        let waiting = found.filter(|(delivery, _)| delivery.status == DeliveryStatus::Pending);
        let next: Vec<Delivery> =
            waiting.map(|(delivery, _)| one::end(ports, 0, &delivery, &Outcome::Superseded).next).collect();
        match next.is_empty() {
            true => Ok(()),
            false => ports.store.save_all(&next).await.into_iter().try_for_each(|saved| saved.map(drop)),
        }
    };
    let stopped: Result<(), StoreError> = stopped.await;
    if let Err(error) = stopped {
        tracing::warn!(%error, "an older notification was not stopped");
    }
}
