//! Claims: part of stage 2. Deliveries that another batch attempts are left to it, and attempts of crashed batches are
//! recorded before the next one begins.

use std::collections::HashMap;

use reelhook_domain::{Attempt, Delivery, DeliveryId, EndpointState, SendDecision};

use super::ports::DeliverPorts;
use super::types::{DueDelivery, Failures, failures_of};
use crate::store::StoreError;

/// The deliveries as they are stored now, without those that are no longer due.
pub(super) async fn read_again(
    ports: &DeliverPorts<'_>,
    due: Vec<DueDelivery>,
) -> Result<Vec<DueDelivery>, StoreError> {
    let ids: Vec<DeliveryId> = due.iter().map(|due| due.delivery.id).collect();
    let stored = ports.deliveries.load_all(&ids).await?;
    let mut stored: HashMap<DeliveryId, Delivery> = stored.into_iter().map(|one| (one.id, one)).collect();
    let now = ports.clock.now();
    let current = due.into_iter().filter_map(|due| {
        let delivery = stored.remove(&due.delivery.id).filter(|delivery| delivery.check(now).is_ok())?;
        Some(DueDelivery { delivery, ..due })
    });
    Ok(current.collect())
}

/// Drops deliveries that another batch attempts, and adds to others the attempts of batches that have crashed.
pub(super) async fn drop_claimed(
    ports: &DeliverPorts<'_>,
    state: &EndpointState,
    due: &mut Vec<DueDelivery>,
    failures: &mut Failures,
) {
    let now = ports.clock.now();
    let mut earlier = Vec::new();
    due.retain_mut(|DueDelivery { delivery, .. }| {
        while let Some(claimed) = state.claimed(delivery, now) {
            if claimed.in_progress {
                // Should that batch crash, its own message comes again, or the due sweep finds the delivery.
                return false;
            }
            earlier.extend(delivery.last.take().map(|last| (delivery.id, last)));
            *delivery = delivery.clone().with_claimed(&claimed);
        }
        true
    });
    if let Err(error) = keep(ports, &earlier).await {
        give_up(due, failures, error, |due| earlier.iter().any(|(id, _)| *id == due.delivery.id));
    }
}

/// Gives the newest attempts so far of deliveries that are sent rows of their own. False if that failed: these deliveries
/// are dropped, and the others are decided again.
pub(super) async fn keep_earlier(
    ports: &DeliverPorts<'_>,
    due: &mut Vec<DueDelivery>,
    decisions: &[SendDecision],
    failures: &mut Failures,
) -> bool {
    let sent = due.iter().zip(decisions).filter(|(_, decision)| **decision == SendDecision::Send);
    let earlier: Vec<(DeliveryId, Attempt)> =
        sent.filter_map(|(due, _)| Some((due.delivery.id, due.delivery.last.clone()?))).collect();
    let Err(error) = keep(ports, &earlier).await else { return true };
    give_up(due, failures, error, |due| due.delivery.last.is_some());
    false
}

async fn keep(ports: &DeliverPorts<'_>, attempts: &[(DeliveryId, Attempt)]) -> Result<(), StoreError> {
    if attempts.is_empty() { Ok(()) } else { ports.attempts.keep(attempts).await }
}

/// Drops the deliveries that an error is about.
fn give_up(
    due: &mut Vec<DueDelivery>,
    failures: &mut Failures,
    error: StoreError,
    about: impl Fn(&DueDelivery) -> bool,
) {
    let dropped: Vec<usize> = due.extract_if(.., |due| about(due)).map(|due| due.index).collect();
    failures.extend(failures_of(dropped, error));
}
