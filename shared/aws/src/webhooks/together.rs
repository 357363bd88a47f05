//! The rows by which several deliveries of an event are due together until each of them was saved (ADR 61).

use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::outbox::sweep::{SHARDS, hash};
use reelhook_app::webhooks::events::DueTogether;
use reelhook_domain::{EventId, Timestamp};

use crate::items::shards::EndedShards;
use crate::items::{Item, s, text};
use crate::webhooks::rows::{Key, NAMED, key, names, parsed_names, place};

/// Shards of the index by due time for one partition of rows by which deliveries are due together.
pub(crate) const SHARDS_OF_ROWS: u32 = 4;

/// Whether so many deliveries of an event are due together. One has an entry of its own, which costs less than a row.
pub(crate) fn are_due_together(count: usize) -> bool {
    (2..=NAMED).contains(&count)
}

/// The deliveries of an event that its row names, if they are due together.
pub(crate) fn due_together(event: &EventId, row: &Item) -> Option<DueTogether> {
    let (at, deliveries) = place(row)?;
    are_due_together(deliveries.len()).then(|| DueTogether { event_id: event.clone(), at, deliveries })
}

/// The key of the row by which deliveries are due together. Those that another list of the event names have another row.
pub(crate) fn row_key(due: &DueTogether, shards: EndedShards) -> Key {
    let partition = hash(due.event_id.as_str()) % shards.written(SHARDS / SHARDS_OF_ROWS);
    let list = hash(&names(&due.deliveries));
    (row_partition(partition), format!("{:013}.{}#{list:08x}", due.at.millis(), due.event_id))
}

/// The row by which deliveries are due together.
pub(crate) fn row_item(due: &DueTogether, expires_at: AttributeValue, shards: EndedShards) -> Item {
    let mut item = key(&row_key(due, shards));
    item.insert("named".to_owned(), s(names(&due.deliveries)));
    item.insert("expires_at".to_owned(), expires_at);
    item
}

/// The partition of such rows with this number.
pub(crate) fn row_partition(number: u32) -> String {
    format!("due#{number}")
}

/// The deliveries that are due together by a row.
pub(crate) fn read(item: &Item) -> Option<DueTogether> {
    let (at, rest) = text(item, "sk")?.split_once('.')?;
    let (event, _) = rest.rsplit_once('#')?;
    let (event_id, deliveries) = (EventId::parse(event).ok()?, parsed_names(text(item, "named")?));
    Some(DueTogether { event_id, at: Timestamp(at.parse().ok()?), deliveries })
}
