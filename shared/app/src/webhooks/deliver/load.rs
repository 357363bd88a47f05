//! Stage 1, load: reads the deliveries that a batch of hints names, with the states of the endpoints that are expected in
//! it, and selects those that are due.

use std::collections::BTreeMap;
use std::time::Duration;

use reelhook_domain::{DeliveryId, EventId, NotSendable, Outcome};

use super::ports::{DeliverPorts, LoadedBatch};
use super::superseded;
use super::types::{Change, DueBatch, DueDelivery, Results, hint_at};
use crate::store::StoreError;

/// A message that comes up to this much too early was delayed by a clock that rounds to seconds: it is sent again.
const EARLY: Duration = Duration::from_secs(2);

/// Reads deliveries with their events, and selects those that are due.
pub(super) async fn load(
    ports: &DeliverPorts<'_>,
    hints: &[(DeliveryId, EventId)],
    results: &mut Results,
) -> Result<DueBatch, StoreError> {
    let loaded_at = ports.clock.now();
    let expected = ports.endpoint_cache.recent.expected(loaded_at);
    let LoadedBatch { deliveries, states, due_together } = ports.deliveries.load(hints, &expected).await?;
    let (due, changes, early) = (BTreeMap::new(), Vec::new(), Vec::new());
    let mut batch = DueBatch { due, states, due_together, loaded_at, changes, early };
    let mut seen: Vec<DeliveryId> = Vec::with_capacity(hints.len());
    let now = ports.clock.now();
    for (index, entry) in deliveries.into_iter().enumerate() {
        let (delivery, event) = match entry {
            Ok(Some(found)) => found,
            Ok(None) => {
                tracing::warn!(delivery_id = %hints[index].0, "hint for a delivery that does not exist");
                continue;
            }
            Err(error) => {
                results[index] = Err(error);
                continue;
            }
        };
        if seen.contains(&delivery.id) {
            continue;
        }
        seen.push(delivery.id);
        match delivery.check(now) {
            Ok(()) => {}
            Err(NotSendable::NotDue(until)) if until.since(now) <= EARLY => {
                batch.early.extend(hint_at(&delivery, until, now));
                continue;
            }
            Err(NotSendable::Final | NotSendable::NotDue(_) | NotSendable::Leased(_)) => continue,
        }
        let Some(event) = event else {
            batch.changes.push(Change::stop(ports, index, delivery, &Outcome::Empty));
            continue;
        };
        if !batch.due.contains_key(&delivery.endpoint_id) {
            batch.due.insert(delivery.endpoint_id.clone(), Vec::with_capacity(hints.len()));
        }
        let due = batch.due.get_mut(&delivery.endpoint_id).expect("it was inserted");
        due.push(DueDelivery { index, delivery, event });
    }
    superseded::stop(ports, batch.due.values().flatten()).await;
    Ok(batch)
}
