//! The way of a delivery (docs/contract/webhooks.md): load, admit, settle, send, record, and the health of its endpoint.
//!
//! A batch to one endpoint usually makes three calls: one to load, one for the admission, which claims the attempts, and
//! one to record them. No attempt waits for another endpoint, not even for its admission: the lease of a claim has begun.

mod admit;
mod answer;
mod attempt;
mod chat;
mod claims;
mod health;
mod load;
pub(crate) mod message;
mod notices;
mod ports;
mod record;
mod send;
mod settle;
mod superseded;
mod types;

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::future::{join, join_all, join4};
use reelhook_domain::{DeliveryId, EventId};

use crate::outbox::messages::hint_at_deliveries;

use admit::Decided;
pub(crate) use chat::ChatText;
pub use message::is_reserved_header;
pub use ports::{
    AttemptRecorder, DeliverPorts, DeliveryRows, EndpointAdmission, EndpointHealthStore, LoadedBatch, LoadedDelivery,
    SaveDeliveries,
};
use types::{DueBatch, Failures, Finished, Results};

/// Processes a batch of hints; one answer for each, in order. A message with an error comes again.
pub async fn deliver(ports: &DeliverPorts<'_>, hints: &[(DeliveryId, EventId)]) -> Results {
    let mut results: Results = hints.iter().map(|_| Ok(())).collect();
    let batch = match load::load(ports, hints, &mut results).await {
        Ok(batch) => batch,
        Err(error) => return error.for_each(hints.len()).into_iter().map(Err).collect(),
    };
    let DueBatch { due, mut states, due_together, loaded_at, changes, early } = batch;
    let (sender, finished) = unbounded();
    let endpoints = due.into_iter().map(|(id, due)| {
        let state = states.remove(&id);
        deliver_to(ports, admit::admit(ports, id, due, state, loaded_at), sender.clone())
    });
    let endpoints: Vec<_> = endpoints.collect();
    // The channel ends with the last attempt.
    drop(sender);
    let (failures, unsettled, unrecorded, ()) = join4(
        join_all(endpoints),
        settle::settle(ports, changes),
        record::save(ports, finished, due_together),
        hint_at_deliveries(ports.hints, early),
    )
    .await;
    for (index, error) in failures.into_iter().flatten().chain(unsettled).chain(unrecorded) {
        results[index] = Err(error);
    }
    results
}

/// Sends the deliveries that are admitted to one endpoint, and settles the others.
async fn deliver_to(
    ports: &DeliverPorts<'_>,
    admission: impl Future<Output = Decided>,
    finished: UnboundedSender<Finished>,
) -> Failures {
    let Decided { batch, changes, mut failures } = admission.await;
    let attempts = async move {
        // Without a batch the sender is dropped: the channel must not wait for this endpoint.
        if let Some(batch) = batch {
            attempt::attempt(ports, batch, finished).await;
        }
    };
    let ((), unsettled) = join(attempts, settle::settle(ports, changes)).await;
    failures.extend(unsettled);
    failures
}
