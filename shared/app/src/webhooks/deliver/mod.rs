//! The way of a delivery (docs/contract/webhooks.md): load, admit, settle, send, record, and the health of its endpoint.
//!
//! A batch to one endpoint usually makes three calls: one to load, one for the admission, which claims the attempts, and
//! one to record them. No attempt waits for another endpoint.

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

use futures_channel::mpsc::unbounded;
use futures_util::future::{join_all, join3};
use reelhook_domain::{DeliveryId, EventId};

use crate::outbox::messages::hint_at_deliveries;

use admit::Decided;
pub(crate) use chat::ChatText;
pub use message::is_reserved_header;
pub use ports::{
    AttemptRecorder, DeliverPorts, DeliveryRows, EndpointAdmission, EndpointHealthStore, LoadedBatch, LoadedDelivery,
    SaveDeliveries,
};
use types::{DueBatch, Failures, Results};

/// Processes a batch of hints; one answer for each, in order. A message with an error comes again.
pub async fn deliver(ports: &DeliverPorts<'_>, hints: &[(DeliveryId, EventId)]) -> Results {
    let mut results: Results = hints.iter().map(|_| Ok(())).collect();
    let DueBatch { due, states, loaded_at, mut changes, early } = match load::load(ports, hints, &mut results).await {
        Ok(batch) => batch,
        Err(error) => return error.for_each(hints.len()).into_iter().map(Err).collect(),
    };
    let (mut batches, mut failures) = (Vec::with_capacity(due.len()), Failures::new());
    for Decided { batch, changes: others, failures: failed } in admit::admit(ports, due, states, loaded_at).await {
        batches.extend(batch);
        changes.extend(others);
        failures.extend(failed);
    }
    hint_at_deliveries(ports.hints, early).await;
    let (sender, finished) = unbounded();
    let attempts: Vec<_> = batches.into_iter().map(|batch| attempt::attempt(ports, batch, sender.clone())).collect();
    // The channel ends with the last attempt.
    drop(sender);
    let (_, unsettled, unrecorded) =
        join3(join_all(attempts), settle::settle(ports, changes), record::save(ports, finished)).await;
    for (index, error) in failures.into_iter().chain(unsettled).chain(unrecorded) {
        results[index] = Err(error);
    }
    results
}
