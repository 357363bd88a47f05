//! The rows of the Deliveries table: their keys and stored forms, and the places by which deliveries are listed (ADR 61).
//!
//! The row of an event names the deliveries of the event, and has the entry in the index by day. It is in the partition of its
//! subject, which lists the subject's deliveries. Older versions, and this one with [`StoredForm::Text`], keep events
//! elsewhere, and have each delivery in both indexes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::outbox::sweep::{SHARDS, hash};
use reelhook_app::retention::Days;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::deliveries::{DELIVERY_SHARDS, ListedDelivery, delivery_cursor, delivery_shard};
use reelhook_app::webhooks::events::{DueBy, EventRow};
use reelhook_domain::{Attempt, Delivery, DeliveryId, EventId, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::batch::Update;
use crate::items::packed::{StoredForm, body_of_webhook, read_item};
use crate::items::shards::EndedShards;
use crate::items::{Item, SCHEMA, json, n, s, text, ttl};

/// Days that events are kept longer than deliveries, whose attempts span days.
const EVENT_MORE_DAYS: i64 = 5;
/// The most deliveries that one row names: the place stays within the 1,024 bytes of a sort key.
pub(crate) const NAMED: usize = 30;
/// The digits of a delivery's id in a place.
const DIGITS: usize = 32;
/// The prefix of partitions with the events of a subject, and of those in the index by day that name deliveries.
const EVENTS: &str = "events#";

/// Partition and sort key of a row.
pub(crate) type Key = (String, String);

/// A key as attributes.
pub(crate) fn key((pk, sk): &Key) -> Item {
    [("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))].into()
}

/// The partition of a delivery and of its attempts.
pub(crate) fn delivery_partition(id: DeliveryId) -> String {
    format!("delivery#{id}")
}

/// The key of a delivery.
pub(crate) fn delivery_key(id: DeliveryId) -> Key {
    (delivery_partition(id), "delivery".to_owned())
}

/// The partition with the events of a subject.
pub(crate) fn subject_partition(subject: &str) -> String {
    format!("{EVENTS}{subject}")
}

/// The key of an event. Only its id is known to those who look for it: `<subject>.<version>.<n>` of nearly all events.
pub(crate) fn event_key(id: &EventId) -> Key {
    let id = id.as_str();
    match id.rmatch_indices('.').nth(1) {
        Some((dot, _)) => (subject_partition(&id[..dot]), id[dot + 1..].to_owned()),
        None => (subject_partition(id), "event".to_owned()),
    }
}

/// The key of an event that an older version wrote.
pub(crate) fn older_event_key(id: &EventId) -> Key {
    (format!("event#{id}"), "event".to_owned())
}

/// The partition in the index by day of a shard's deliveries that have entries of their own.
pub(crate) fn day_of_deliveries(day: &str, shard: u32) -> String {
    format!("{day}#{shard}")
}

/// The partition in the index by day of a shard's rows that name deliveries. Older versions do not read it.
pub(crate) fn day_of_events(day: &str, shard: u32) -> String {
    format!("{EVENTS}{day}#{shard}")
}

/// The rows of an event. The last one names these deliveries, at most 30.
pub fn event_items(event: &EventRow, deliveries: &[DeliveryId], shards: EndedShards, kept: Days) -> Vec<Item> {
    let at = event_key(&event.id);
    let mut item = key(&at);
    item.insert("body".to_owned(), body_of_webhook(event));
    item.insert("expires_at".to_owned(), event_expiry(event, kept));
    if at.0 == subject_partition(event.subject.as_str()) {
        item.extend(naming(event, deliveries, shards));
        return vec![item];
    }
    // The id begins with another subject's, for example that of a webhook that is about a delivery.
    vec![item, naming_item(event, event.id.to_string(), deliveries, shards, kept)]
}

/// The row of further deliveries of an event: beyond those that its own row names, or of endpoints that were added later.
pub(crate) fn further_item(event: &EventRow, deliveries: &[DeliveryId], shards: EndedShards, kept: Days) -> Item {
    let first = deliveries.first().map(ToString::to_string).unwrap_or_default();
    naming_item(event, format!("{}#{first}", event.id), deliveries, shards, kept)
}

/// A row that only names deliveries of an event.
fn naming_item(event: &EventRow, sk: String, deliveries: &[DeliveryId], shards: EndedShards, kept: Days) -> Item {
    let mut item = key(&(subject_partition(event.subject.as_str()), sk));
    item.extend(naming(event, deliveries, shards));
    item.insert("expires_at".to_owned(), event_expiry(event, kept));
    item
}

/// The attributes that name deliveries of an event, also in the index by day.
fn naming(event: &EventRow, deliveries: &[DeliveryId], shards: EndedShards) -> [(String, AttributeValue); 2] {
    let place = format!("{:013}.{}", event.at.millis(), names(deliveries));
    let shard = hash(event.id.as_str()) % shards.written(DELIVERY_SHARDS);
    let day = day_of_events(&event.at.day(), shard);
    [("place".to_owned(), s(place)), ("day_shard".to_owned(), s(day))]
}

/// The deliveries that a row names, with their cursors.
pub(crate) fn named(item: &Item) -> Vec<ListedDelivery> {
    let Some((at, ids)) = text(item, "place").and_then(|place| place.split_once('.')) else { return Vec::new() };
    parsed_names(ids).into_iter().map(|id| (format!("{at}.{id}"), id)).collect()
}

/// The time of an event and the deliveries that its row names, if the row does.
pub(crate) fn place(item: &Item) -> Option<(Timestamp, Vec<DeliveryId>)> {
    let (at, ids) = text(item, "place")?.split_once('.')?;
    Some((Timestamp(at.parse().ok()?), parsed_names(ids)))
}

/// The ids of deliveries as rows name them.
pub(crate) fn names(deliveries: &[DeliveryId]) -> String {
    deliveries.iter().map(|id| id.0.simple().to_string()).collect()
}

/// The deliveries with these names.
pub(crate) fn parsed_names(names: &str) -> Vec<DeliveryId> {
    names.as_bytes().chunks(DIGITS).filter_map(|id| Uuid::try_parse_ascii(id).ok()).map(DeliveryId).collect()
}

/// An event as older versions read it.
pub(crate) fn older_event_item(event: &EventRow, kept: Days) -> Item {
    let mut item = key(&older_event_key(&event.id));
    item.insert("schema".to_owned(), n(SCHEMA));
    item.insert("job_id".to_owned(), s(event.subject.as_str()));
    item.insert("body".to_owned(), json(event));
    item.insert("expires_at".to_owned(), event_expiry(event, kept));
    item
}

/// A new delivery; `write_id` identifies the write.
pub fn delivery_item(
    delivery: &Delivery,
    due_by: DueBy,
    write_id: &str,
    form: StoredForm,
    shards: EndedShards,
    kept: Days,
) -> Item {
    let mut item = key(&delivery_key(delivery.id));
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set("version", n(delivery.version));
    set("write_id", s(write_id));
    set("body", body(delivery, form));
    set("expires_at", expiry(delivery, kept));
    if let (DueBy::Itself, Some(due)) = (due_by, delivery.due_at) {
        set("due_shard", due_shard(delivery.id, shards));
        set("due_at", n(due.millis()));
        set("event_id", s(delivery.event_id.as_str()));
    }
    if form == StoredForm::Text {
        set("schema", n(SCHEMA));
        set("job_id", s(delivery.subject.as_str()));
        set("place", s(delivery_cursor(delivery)));
        let shard = delivery_shard(delivery.id, shards.written(DELIVERY_SHARDS));
        set("day_shard", s(day_of_deliveries(&delivery.created_at.day(), shard)));
    }
    item
}

/// The attributes that change from one version of a delivery to the next.
pub(crate) fn delivery_update(
    delivery: &Delivery,
    write_id: &str,
    form: StoredForm,
    shards: EndedShards,
    kept: Days,
) -> Update {
    let mut set = vec![
        ("version", n(delivery.version)),
        ("write_id", s(write_id)),
        ("body", body(delivery, form)),
        ("expires_at", expiry(delivery, kept)),
    ];
    if let Some(due) = delivery.due_at {
        let event_id = s(delivery.event_id.as_str());
        let due_shard = due_shard(delivery.id, shards);
        set.extend([("due_shard", due_shard), ("due_at", n(due.millis())), ("event_id", event_id)]);
    }
    Update {
        key: [s(delivery_partition(delivery.id)), s("delivery")],
        set,
        remove: match delivery.due_at {
            Some(_) => &[],
            // The due index alone reads the event's id.
            None => &["due_shard", "due_at", "event_id"],
        },
        version: n(delivery.version - 1),
    }
}

/// The row of an attempt that is no longer the newest of its delivery.
pub(crate) fn attempt_item(id: DeliveryId, attempt: &Attempt, kept: Days) -> Item {
    let mut item = key(&(delivery_partition(id), format!("attempt#{:06}", attempt.number)));
    item.insert("schema".to_owned(), n(SCHEMA));
    item.insert("body".to_owned(), json(attempt));
    item.insert("expires_at".to_owned(), ttl(attempt.started_at, kept.count()));
    item
}

/// Reads a delivery from its item of any version.
///
/// # Errors
/// [`StoreError::Unreadable`].
pub fn read_delivery(operation: &'static str, item: &Item) -> Result<Delivery, StoreError> {
    read_row(operation, item)
}

/// Reads an event or a delivery from its item of any version.
pub(crate) fn read_row<T: DeserializeOwned>(operation: &'static str, item: &Item) -> Result<T, StoreError> {
    read_item(operation, item).map(|(row, _)| row)
}

/// Whether a delivery was created in the form of older versions: its event is then the one in their place, which its
/// attempts so far have sent.
pub(crate) fn is_older(delivery: &Item) -> bool {
    delivery.contains_key("place")
}

/// Rows that were read, by their keys.
#[derive(Default)]
pub(crate) struct Rows(HashMap<Key, Item>);

impl Rows {
    /// Adds rows.
    pub fn add(&mut self, items: Vec<Item>) {
        let of = |item: &Item, name: &str| text(item, name).unwrap_or_default().to_owned();
        self.0.extend(items.into_iter().map(|item| ((of(&item, "pk"), of(&item, "sk")), item)));
    }

    /// Adds other rows.
    pub fn add_all(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The row with this key.
    pub fn get(&self, key: &Key) -> Option<&Item> {
        self.0.get(key)
    }

    /// The event of a delivery, whose row this is.
    pub fn event_of(&self, delivery: &Item, event: &EventId) -> Option<&Item> {
        let (own, older) = (self.get(&event_key(event)), self.get(&older_event_key(event)));
        if is_older(delivery) { older.or(own) } else { own.or(older) }
    }
}

fn body<T: Serialize>(value: &T, form: StoredForm) -> AttributeValue {
    match form {
        // Unlike a text, it makes an older dispatcher, which would not find the event, leave the delivery to a newer one.
        StoredForm::Compressed => body_of_webhook(value),
        StoredForm::Text => json(value),
    }
}

fn expiry(delivery: &Delivery, kept: Days) -> AttributeValue {
    ttl(delivery.finished_at.unwrap_or(delivery.next_attempt_at), kept.count())
}

/// When an event expires: never before a delivery of it that waits for its endpoint, however short deliveries are kept.
pub(crate) fn event_expiry(event: &EventRow, kept: Days) -> AttributeValue {
    ttl(event.at, kept.max(Days::MONTH).count() + EVENT_MORE_DAYS)
}

fn due_shard(id: DeliveryId, shards: EndedShards) -> AttributeValue {
    s(format!("due#{}", hash(&id.to_string()) % shards.written(SHARDS)))
}

#[cfg(test)]
mod tests {
    use reelhook_domain::{OutboundEvent, Subject};
    use serde_json::Value;

    use super::*;

    fn id(text: &str) -> EventId {
        EventId::parse(text).unwrap()
    }

    #[test]
    fn an_event_is_found_by_its_id_alone() {
        let check = |event: &str, pk: &str, sk: &str| {
            assert_eq!(event_key(&id(event)), (pk.to_owned(), sk.to_owned()), "{event}");
        };
        check("job_1704110400000_abc.21.1", "events#job_1704110400000_abc", "21.1");
        check("a.job.7.0", "events#a.job", "7.0");
        check("trigger_1_abc.1.0", "events#trigger_1_abc", "1.0");
        check("odd.1", "events#odd.1", "event");
        check("odd", "events#odd", "event");
    }

    #[test]
    fn an_event_outlives_deliveries_that_wait_however_short_deliveries_are_kept() {
        let event = EventRow {
            id: id("job_1.21.1"),
            event: OutboundEvent::Completed,
            subject: Subject::parse("job_1").unwrap(),
            at: Timestamp::EPOCH,
            data: Value::Null.into(),
            callback: None,
            submitted_at: None,
        };
        for (kept, days) in [("1", 35), ("30", 35), ("31", 36), ("365", 370)] {
            let item = &event_items(&event, &[], EndedShards::default(), kept.parse().unwrap())[0];
            assert_eq!(item["expires_at"], n(days * 24 * 3600), "{kept}");
        }
    }

    #[test]
    fn a_row_names_thirty_deliveries_within_the_length_of_a_sort_key() {
        let ids: Vec<DeliveryId> = (0..NAMED as u128).map(|bits| DeliveryId(Uuid::from_u128(bits << 64))).collect();
        let event = EventRow {
            id: id("job_1.21.1"),
            event: OutboundEvent::Completed,
            subject: Subject::parse("job_1").unwrap(),
            at: Timestamp(1_704_110_400_000),
            data: Value::Null.into(),
            callback: None,
            submitted_at: None,
        };
        let items = event_items(&event, &ids, EndedShards::default(), Days::MONTH);
        assert_eq!(items.len(), 1);
        assert!(text(&items[0], "place").unwrap().len() <= 1024);
        let expected: Vec<ListedDelivery> = ids.iter().map(|id| (format!("1704110400000.{id}"), *id)).collect();
        assert_eq!(named(&items[0]), expected);
        assert!(named(&Item::new()).is_empty());
    }
}
