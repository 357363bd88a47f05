//! Stage 3, settle: saves what waits or ends without being sent.

use reelhook_domain::{Delivery, DeliveryStatus};

use super::notices::note_notification;
use super::ports::DeliverPorts;
use super::types::{Change, Failures};
use crate::outbox::messages::hint_at_deliveries;
use crate::store::Saved;

/// Saves these next versions, and sends hints for the deliveries that wait; the messages of those that failed come again.
pub(super) async fn settle(ports: &DeliverPorts<'_>, changes: Vec<Change>) -> Failures {
    let mut failures = Failures::new();
    let changes = with_notes(ports, changes, &mut failures).await;
    if changes.is_empty() {
        return failures;
    }
    let now = ports.clock.now();
    let next: Vec<&Delivery> = changes.iter().map(|change| &change.next).collect();
    let mut hints = Vec::new();
    for (change, saved) in changes.iter().zip(ports.deliveries.save_all(&next).await) {
        match saved {
            Ok(Saved::Done) => hints.extend(change.hint(now)),
            // Another invocation changed it, and knows what happens next.
            Ok(Saved::Conflict(_)) => {}
            Err(error) => failures.push((change.index, error)),
        }
    }
    hint_at_deliveries(ports.hints, hints).await;
    failures
}

/// Raises an error about each notification that ends without being sent; a delivery whose error could not be raised is
/// not saved, so that its message comes again.
async fn with_notes(ports: &DeliverPorts<'_>, changes: Vec<Change>, failures: &mut Failures) -> Vec<Change> {
    let now = ports.clock.now();
    let mut noted = Vec::with_capacity(changes.len());
    for change in changes {
        let result = match change.next.status {
            DeliveryStatus::Stopped => note_notification(ports, &change.next, now).await,
            DeliveryStatus::Pending | DeliveryStatus::Delivered | DeliveryStatus::Exhausted => Ok(()),
        };
        match result {
            Ok(()) => noted.push(change),
            Err(error) => failures.push((change.index, error)),
        }
    }
    noted
}
