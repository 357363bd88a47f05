//! What the stages of a delivery hand to each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot::Sender;
use reelhook_domain::{
    BatchOutcome, Delivery, EndpointId, EndpointState, Outcome, RateLimit, Slot, Timestamp, WaitReason,
};

use super::ports::DeliverPorts;
use crate::metrics::deliveries;
use crate::outbound::{OutboundError, OutboundResponse};
use crate::outbox::messages::{Delayed, DeliveryMessage};
use crate::store::StoreError;
use crate::webhooks::endpoints::Endpoint;
use crate::webhooks::events::{DueTogether, EventRow};

/// Waits up to this long get a hint; the due sweep finds longer ones.
const LONGEST_HINT: Duration = Duration::from_secs(900);

/// The answers to a batch's messages, in order; a message with an error comes again.
pub(super) type Results = Vec<Result<(), StoreError>>;

/// Messages that come again, and why.
pub(super) type Failures = Vec<(usize, StoreError)>;

/// A delivery that is due, with its event.
pub(super) struct DueDelivery {
    /// The message that named it.
    pub index: usize,
    /// The delivery.
    pub delivery: Delivery,
    /// Its event.
    pub event: Arc<EventRow>,
}

/// A loaded batch.
pub(super) struct DueBatch {
    /// Deliveries that are due, by endpoint.
    pub due: BTreeMap<EndpointId, Vec<DueDelivery>>,
    /// States of endpoints that were read ahead.
    pub states: HashMap<EndpointId, EndpointState>,
    /// Deliveries that may be due together.
    pub due_together: Vec<DueTogether>,
    /// A time before the deliveries were read.
    pub loaded_at: Timestamp,
    /// Deliveries that end without being sent.
    pub changes: Vec<Change>,
    /// Messages that came too early.
    pub early: Vec<Delayed<DeliveryMessage>>,
}

/// The slot that a batch holds at an endpoint.
pub(super) struct EndpointSlot {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// Its state before the admission.
    pub state: EndpointState,
    /// The slot, with the claims of the deliveries in order.
    pub slot: Slot,
    /// The revision of the state after the admission.
    pub revision: u64,
    /// The batches of this instance to the endpoint in succession, with this one.
    pub batches: u32,
    /// Whether the delivery is the probe of an open circuit.
    pub probe: bool,
    /// Whether its results are reported even if they are no news.
    pub must_report: bool,
}

/// The deliveries that are admitted to one endpoint.
pub(super) struct EndpointBatch {
    /// The slot they use.
    pub slot: EndpointSlot,
    /// The deliveries.
    pub due: Vec<DueDelivery>,
}

/// A delivery after its attempt.
pub(super) struct Sent {
    /// The message that named it.
    pub index: usize,
    /// The delivery with the attempt that was begun.
    pub delivery: Delivery,
    /// The answer to the request.
    pub answer: Result<OutboundResponse, OutboundError>,
    /// What the answer means for the delivery.
    pub outcome: Outcome,
    /// What the answer means for the endpoint.
    pub result: BatchOutcome,
    /// How long the attempt took.
    pub took: Duration,
    /// When the attempt ended.
    pub ended_at: Timestamp,
    /// When what the event says is completed was submitted.
    pub submitted_at: Option<Timestamp>,
}

/// The end of an attempt, to be saved.
pub(super) struct Finished {
    /// The message that named the delivery.
    pub index: usize,
    /// The delivery's next version, or why it must not be saved.
    pub change: Result<Change, StoreError>,
    /// Hears whether the attempt is recorded.
    pub recorded: Sender<bool>,
}

/// A delivery's next version, to be saved.
pub(super) struct Change {
    /// The message that named it.
    pub index: usize,
    /// The next version.
    pub next: Delivery,
    /// When the delivery is due again.
    pub next_due: Option<Timestamp>,
}

impl Change {
    /// Ends a delivery without sending it.
    pub fn stop(ports: &DeliverPorts<'_>, index: usize, delivery: Delivery, outcome: &Outcome) -> Self {
        let schedule = &ports.settings.policy.schedule;
        let (next, reason) = delivery.finish(outcome, ports.clock.now(), schedule, 0.0, ports.grace);
        tracing::warn!(delivery_id = %next.id, endpoint = next.endpoint_name, reason, "delivery stopped");
        deliveries::ended(&next);
        Self { index, next, next_due: None }
    }

    /// Lets a delivery wait without using up an attempt; `rate` is the endpoint's limit, if the endpoint is known.
    pub fn wait(
        ports: &DeliverPorts<'_>,
        index: usize,
        delivery: &Delivery,
        until: Timestamp,
        wait_reason: WaitReason,
        rate: Option<RateLimit>,
    ) -> Self {
        let (delivery_id, name) = (delivery.id, &delivery.endpoint_name);
        match wait_reason {
            // A delivery with a reservation that waits for a slot was logged before.
            WaitReason::RateLimit if delivery.wait_reason != Some(WaitReason::RateLimit) => {
                let max = rate.map_or(0, |rate| rate.max);
                let next = u64::from(max) + 1;
                tracing::warn!(%delivery_id, %until, "Rate limit exceeded for webhook {name}: {next}/{max}");
            }
            WaitReason::UnknownEndpoint => tracing::warn!(%delivery_id, endpoint = name, %until,
                "endpoint is unknown: the settings are older than the delivery, or a key is missing"),
            WaitReason::RateLimit | WaitReason::Concurrency | WaitReason::Circuit | WaitReason::Pause => {
                tracing::info!(%delivery_id, endpoint = name, %until, ?wait_reason, "delivery waits for its endpoint");
            }
        }
        deliveries::waits(wait_reason);
        Self { index, next: delivery.defer(until, wait_reason, ports.grace), next_due: Some(until) }
    }

    /// The hint for the time when the delivery is due again.
    pub fn hint(&self, now: Timestamp) -> Option<Delayed<DeliveryMessage>> {
        self.next_due.and_then(|until| hint_at(&self.next, until, now))
    }
}

/// A hint for `until`, if a queue can delay it that long.
pub(super) fn hint_at(delivery: &Delivery, until: Timestamp, now: Timestamp) -> Option<Delayed<DeliveryMessage>> {
    let wait = until.wait_from(now);
    (wait <= LONGEST_HINT).then(|| Delayed {
        message: DeliveryMessage::of(delivery.id, delivery.event_id.clone()),
        delay_s: u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(900),
    })
}

/// An error for each of these messages.
pub(super) fn failures_of(indexes: Vec<usize>, error: StoreError) -> Failures {
    let errors = error.for_each(indexes.len());
    indexes.into_iter().zip(errors).collect()
}
