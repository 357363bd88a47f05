//! A webhook event as it is stored, and the deliveries that follow from it: what writes events and what sends them share it.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Delivery, DeliveryId, DeliveryStatus, EventId, OutboundEvent, Subject, Timestamp, WebUrl};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::outbox::messages::{Delayed, DeliveryMessage};
use crate::store::StoreError;
pub use crate::webhooks::event_data::EventData;
use crate::webhooks::subscriptions::Subscriber;

/// Events or deliveries that are written concurrently.
pub(crate) const WRITES_AT_ONCE: usize = 16;

/// A webhook event, written once; its deliveries refer to it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// `<subject>.<version>.<n>`.
    pub id: EventId,
    /// Its kind.
    pub event: OutboundEvent,
    /// What it is about.
    pub subject: Subject,
    /// When it happened.
    pub at: Timestamp,
    /// The `data` member of its webhooks.
    pub data: EventData,
    /// The client's own URL that is notified too.
    pub callback: Option<Callback>,
    /// When what it says is completed was submitted; none for other events, and for those of versions before 0.3.
    pub submitted_at: Option<Timestamp>,
}

/// The stored form of an event. Version 0.2 reads it too: it ignores `exact`.
#[derive(Serialize, Deserialize)]
struct StoredEvent<D> {
    id: EventId,
    event: OutboundEvent,
    #[serde(rename = "job_id")]
    subject: Subject,
    at: Timestamp,
    data: D,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback: Option<Callback>,
    /// Whether `data` is written as webhooks contain it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    exact: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    submitted_at: Option<Timestamp>,
}

impl Serialize for EventRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (text, exact) = self.data.to_stored();
        let data: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
        let (id, subject, callback) = (self.id.clone(), self.subject.clone(), self.callback.clone());
        let (event, at, submitted_at) = (self.event, self.at, self.submitted_at);
        StoredEvent { id, event, subject, at, data, callback, exact, submitted_at }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EventRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = StoredEvent::<Box<RawValue>>::deserialize(deserializer)?;
        let StoredEvent { id, event, subject, at, data, callback, exact, submitted_at } = stored;
        Ok(Self { id, event, subject, at, data: EventData::stored(data, exact), callback, submitted_at })
    }
}

/// A client's own URL that is notified of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// The URL.
    pub url: WebUrl,
    /// The earlier event whose delivery to this URL is obsolete once this one exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<EventId>,
}

/// How old an event is for whose deliveries that are still missing no function is at work any more: its record is a day in
/// the stream at most (Amazon DynamoDB Developer Guide, *Change data capture for DynamoDB Streams*).
pub const ABANDONED: Duration = Duration::from_secs(48 * 3600);

/// How the due sweep finds a delivery until it is saved for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueBy {
    /// By an entry of its own.
    Itself,
    /// By a row that it shares with the other deliveries of its event.
    Event,
}

/// Deliveries of an event that the due sweep finds by one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTogether {
    /// The event.
    pub event_id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// The deliveries, in the order in which the event names them.
    pub deliveries: Vec<DeliveryId>,
}

/// Stores events and their deliveries.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Writes an event unless it exists, and the names of its deliveries, by which these are listed. Other deliveries than
    /// those that were named before are added.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_event(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<(), StoreError>;

    /// Makes these deliveries of an event due, before any of them is written: together if that costs less. The row that says
    /// so stays until each of them was saved after it was written, or until [`ABANDONED`] if some are never written: an
    /// event that is older than half of that must not have one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_due(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError>;

    /// Writes a delivery unless it exists; its event has named it, and [`put_due`](Self::put_due) has answered `due_by`, if
    /// it is not due by itself.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn put_delivery(&self, delivery: &Delivery, due_by: DueBy) -> Result<(), StoreError>;
}

/// An event's delivery to one endpoint, due immediately; its id follows from the two.
pub fn delivery_of(event: &EventRow, to: &Subscriber, grace: Duration, traceparent: Option<&str>) -> Delivery {
    Delivery {
        id: DeliveryId::of(&event.id, &to.id),
        event_id: event.id.clone(),
        event: event.event,
        subject: event.subject.clone(),
        endpoint_id: to.id.clone(),
        endpoint_name: to.name.clone(),
        status: DeliveryStatus::Pending,
        version: 1,
        created_at: event.at,
        attempts: 0,
        uncounted: 0,
        replayed_at: None,
        replay: false,
        recovery: None,
        next_attempt_at: event.at,
        wait_reason: None,
        lease_until: None,
        due_at: Some(event.at.after(grace)),
        finished_at: None,
        last_result: None,
        last: None,
        traceparent: traceparent.map(str::to_owned),
    }
}

/// The hint for a delivery that may be sent immediately.
pub(crate) fn hint(delivery: &Delivery) -> Delayed<DeliveryMessage> {
    Delayed::now(DeliveryMessage::of(delivery.id, delivery.event_id.clone()))
}

/// The hints for deliveries that may be sent immediately: those of one event share a message, as far as it has room.
pub(crate) fn hints<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> Vec<Delayed<DeliveryMessage>> {
    let mut hints: Vec<Delayed<DeliveryMessage>> = Vec::new();
    for delivery in deliveries {
        let is_added = hints.last_mut().is_some_and(|last| last.message.add(delivery.id, &delivery.event_id));
        if !is_added {
            hints.push(hint(delivery));
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_event_keeps_when_its_work_was_submitted_and_older_rows_have_no_such_time() {
        let older = json!({ "id": "job_1.9.1", "event": "job.completed", "job_id": "job_1", "at": 1000, "data": {} });
        let read: EventRow = serde_json::from_str(&older.to_string()).unwrap();
        assert_eq!(read.submitted_at, None);
        let written = |row: &EventRow| serde_json::from_str::<Value>(&serde_json::to_string(row).unwrap()).unwrap();
        assert_eq!(written(&read).get("submitted_at"), None, "it is written as it was stored");
        let newer = EventRow { submitted_at: Some(Timestamp(500)), ..read };
        assert_eq!(written(&newer)["submitted_at"], 500);
        let again: EventRow = serde_json::from_str(&serde_json::to_string(&newer).unwrap()).unwrap();
        assert_eq!((again.submitted_at, again.at), (newer.submitted_at, newer.at));
    }
}
