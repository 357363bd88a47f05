//! Stage 3, claim: leases what was admitted, and saves what waits or ends without being sent.

use reelhook_domain::{ATTEMPT_MARGIN, Attempt, Delivery, DeliveryId, DeliveryStatus};

use super::notices::note_notification;
use super::ports::DeliverPorts;
use super::types::{Change, EndpointBatch, Results, fail};
use crate::outbox::messages::hint_at_deliveries;
use crate::store::Saved;

/// Begins an attempt of each admitted delivery and saves it together with `changes`; deliveries that could not be claimed
/// are removed from their batches.
pub(super) async fn claim(
    ports: &DeliverPorts<'_>,
    batches: &mut [EndpointBatch],
    mut changes: Vec<Change>,
    results: &mut Results,
) {
    let now = ports.clock.now();
    keep_earlier(ports, batches, results).await;
    for batch in &mut *batches {
        let lease_until = now.after(batch.slot.endpoint.policy.timeout + ATTEMPT_MARGIN);
        for due in &mut batch.due {
            let next = due.delivery.begin(now, lease_until);
            due.delivery = next.clone();
            changes.push(Change { index: due.index, next, next_due: None });
        }
    }
    note_stopped(ports, &mut changes, results).await;
    if changes.is_empty() {
        return;
    }
    let next: Vec<Delivery> = changes.iter().map(|change| change.next.clone()).collect();
    let mut hints = Vec::new();
    let mut claimed = vec![false; results.len()];
    for (change, saved) in changes.iter().zip(ports.deliveries.save_all(&next).await) {
        match saved {
            Ok(Saved::Done) => {
                claimed[change.index] = true;
                hints.extend(change.hint(now));
            }
            // Another invocation claimed it.
            Ok(Saved::Conflict(_)) => {}
            Err(error) => results[change.index] = Err(error),
        }
    }
    for batch in batches {
        batch.due.retain(|due| claimed[due.index]);
    }
    hint_at_deliveries(ports.hints, hints).await;
}

/// Raises an error about each notification that ends without being sent; a delivery whose error could not be raised is
/// not saved, so that its message comes again.
async fn note_stopped(ports: &DeliverPorts<'_>, changes: &mut Vec<Change>, results: &mut Results) {
    let now = ports.clock.now();
    let mut kept = Vec::with_capacity(changes.len());
    for change in changes.drain(..) {
        let noted = match change.next.status {
            DeliveryStatus::Stopped => note_notification(ports, &change.next, now).await,
            DeliveryStatus::Pending | DeliveryStatus::Delivered | DeliveryStatus::Exhausted => Ok(()),
        };
        match noted {
            Ok(()) => kept.push(change),
            Err(error) => results[change.index] = Err(error),
        }
    }
    *changes = kept;
}

/// Gives the newest attempts so far rows of their own; deliveries whose attempts could not be kept are removed from their
/// batches.
async fn keep_earlier(ports: &DeliverPorts<'_>, batches: &mut [EndpointBatch], results: &mut Results) {
    let due = batches.iter().flat_map(|batch| &batch.due);
    let earlier: Vec<(DeliveryId, Attempt)> =
        due.filter_map(|due| Some((due.delivery.id, due.delivery.last.clone()?))).collect();
    if earlier.is_empty() {
        return;
    }
    if let Err(error) = ports.attempts.keep(&earlier).await {
        let mut indexes = Vec::with_capacity(earlier.len());
        for batch in batches {
            let repeated = batch.due.extract_if(.., |due| due.delivery.last.is_some());
            indexes.extend(repeated.map(|due| due.index));
        }
        fail(results, &indexes, error);
    }
}
