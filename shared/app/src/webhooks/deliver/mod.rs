//! The way of a delivery (docs/contract/webhooks.md): load, admit, claim, send, record, and the health of its endpoint.
//!
//! A batch makes few calls: one to load, one for each endpoint's admission, one to claim, and one to record all attempts
//! that end while the call before is in progress. No attempt waits for another endpoint.

mod admit;
mod answer;
mod chat;
mod claim;
mod health;
mod load;
pub(crate) mod message;
mod notices;
mod ports;
mod record;
mod send;
mod superseded;
mod types;

use std::time::Duration;

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::future::{join, join_all};
use reelhook_domain::{BatchOutcome, DeliveryId, EventId};

use crate::outbox::messages::hint_at_deliveries;

pub(crate) use chat::ChatText;
pub use message::is_reserved_header;
pub use ports::{
    AttemptRecorder, DeliverPorts, DeliveryRows, EndpointAdmission, EndpointHealthStore, LoadedDelivery, SaveDeliveries,
};
use types::{DueBatch, EndpointBatch, Finished, Results};

/// Processes a batch of hints; one answer for each, in order. A message with an error comes again.
pub async fn deliver(ports: &DeliverPorts<'_>, hints: &[(DeliveryId, EventId)]) -> Results {
    let mut results: Results = hints.iter().map(|_| Ok(())).collect();
    let DueBatch { due, mut changes, early } = match load::load(ports, hints, &mut results).await {
        Ok(batch) => batch,
        Err(error) => return error.for_each(hints.len()).into_iter().map(Err).collect(),
    };
    let mut batches = admit::admit(ports, due, &mut changes, &mut results).await;
    claim::claim(ports, &mut batches, changes, &mut results).await;
    hint_at_deliveries(ports.hints, early).await;
    let (sender, finished) = unbounded();
    let attempts = async move {
        join_all(batches.into_iter().map(|batch| attempt(ports, batch, sender.clone()))).await;
        drop(sender);
    };
    join(attempts, record::save(ports, finished, &mut results)).await;
    results
}

/// Sends the deliveries of one endpoint concurrently, and reports their results to its health.
async fn attempt(ports: &DeliverPorts<'_>, batch: EndpointBatch, finished: UnboundedSender<Finished>) {
    let EndpointBatch { slot, due } = batch;
    let endpoint = &*slot.endpoint;
    let count = u64::try_from(due.len()).unwrap_or(1).max(1);
    // Operational events cause no operational events about their receiver, so that no loop arises.
    let notifies = due.iter().any(|due| !due.delivery.event.is_operational());
    let attempts = due.into_iter().map(|due| async {
        let sent = send::send(ports, endpoint, due).await;
        let (result, took) = (sent.result, sent.took);
        // The receiver of the channel lives as long as the batch.
        let _ = finished.unbounded_send(record::finish(ports, endpoint, sent).await);
        (result, took)
    });
    let mut total = BatchOutcome::default();
    let mut total_time = Duration::ZERO;
    for (result, took) in join_all(attempts).await {
        total.accepted += result.accepted;
        total.failed += result.failed;
        total.overloaded |= result.overloaded;
        total.pause_until = total.pause_until.max(result.pause_until);
        total_time += took;
    }
    total.latency_ms = u64::try_from(total_time.as_millis()).unwrap_or(u64::MAX) / count;
    health::report(ports, &slot, &total, notifies).await;
}
