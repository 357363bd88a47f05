//! What the due sweep finds of deliveries: their entries in the index by due time, and the rows by which several deliveries of
//! an event are due together until each of them was saved (ADR 61).

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::outbox::sweep::{DueDeliveries, PER_SHARD, SHARDS, hash};
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::deliver::SaveDeliveries;
use reelhook_app::webhooks::events::{ABANDONED, DueTogether};
use reelhook_domain::{DeliveryId, EventId, Timestamp};

use crate::batch::{BATCH_WRITE, delete, write_all};
use crate::errors::store_error;
use crate::items::shards::{EndedShards, MOST_ENDED_SHARDS};
use crate::items::{Item, n, s, text};
use crate::webhooks::deliveries::DeliveryTable;
use crate::webhooks::rows::{Key, NAMED, key, names, parsed_names, place};

/// Shards of the index by due time for one partition of rows by which deliveries are due together.
const SHARDS_OF_ROWS: u32 = 4;
/// The version of a delivery that was not saved after it was written: it has no entry of its own.
const WRITTEN: u64 = 1;

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
fn row_key(due: &DueTogether, shards: EndedShards) -> Key {
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

fn row_partition(number: u32) -> String {
    format!("due#{number}")
}

/// The deliveries that are due together by a row.
fn read(item: &Item) -> Option<DueTogether> {
    let (at, rest) = text(item, "sk")?.split_once('.')?;
    let (event, _) = rest.rsplit_once('#')?;
    let (event_id, deliveries) = (EventId::parse(event).ok()?, parsed_names(text(item, "named")?));
    Some(DueTogether { event_id, at: Timestamp(at.parse().ok()?), deliveries })
}

#[async_trait]
impl DueDeliveries for DeliveryTable {
    /// The shards that are read, and each minute another one of all, so that deliveries are found that are in none of those.
    fn parts(&self) -> u32 {
        self.shards.read(SHARDS) + 1
    }

    async fn due_deliveries(&self, part: u32, now: Timestamp) -> Result<Vec<(DeliveryId, EventId)>, StoreError> {
        let read = self.shards.read(SHARDS);
        let shard = if part < read { part } else { minute_of(now) % (MOST_ENDED_SHARDS * SHARDS) };
        if part >= read && shard < read {
            return Ok(Vec::new());
        }
        let mut due = self.in_index(shard, now).await?;
        if shard.is_multiple_of(SHARDS_OF_ROWS) {
            due.extend(self.in_rows(shard / SHARDS_OF_ROWS, now).await?);
        }
        Ok(due)
    }
}

impl DeliveryTable {
    /// Due deliveries with entries of their own.
    async fn in_index(&self, shard: u32, now: Timestamp) -> Result<Vec<(DeliveryId, EventId)>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-due")
            .key_condition_expression("due_shard = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", s(format!("due#{shard}")))
            .expression_attribute_values(":now", n(now.millis()))
            .limit(PER_SHARD);
        let answer = query.send().await.map_err(|error| store_error("find due deliveries", error))?;
        let (mut due, mut nameless) = (Vec::with_capacity(answer.items().len()), Vec::new());
        for item in answer.items() {
            let id = text(item, "pk").and_then(|pk| DeliveryId::parse(pk.strip_prefix("delivery#")?));
            let Some(id) = id else { continue };
            match text(item, "event_id").and_then(|event| EventId::parse(event).ok()) {
                Some(event) => due.push((id, event)),
                // Version 0.2 has sent an ended delivery again: it does not put back the event's id.
                None => nameless.push(id),
            }
        }
        if !nameless.is_empty() {
            due.extend(self.load_all(&nameless).await?.into_iter().map(|delivery| (delivery.id, delivery.event_id)));
        }
        Ok(due)
    }

    /// Deliveries that are due together and were not saved, the oldest first. Rows whose deliveries all were are removed. A
    /// row with a delivery that is still to be written stays until it is abandoned, and does not keep the sweep from those
    /// after it.
    async fn in_rows(&self, partition: u32, now: Timestamp) -> Result<Vec<(DeliveryId, EventId)>, StoreError> {
        // Rows begin with the time of their event.
        let until = format!("{:013}", now.before(self.grace).millis() + 1);
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :row AND sk < :until")
            .expression_attribute_values(":row", s(row_partition(partition)))
            .expression_attribute_values(":until", s(until))
            .limit(PER_SHARD);
        let (mut due, mut over): (_, Vec<Item>) = (Vec::new(), Vec::new());
        loop {
            let answer = query.clone().send().await;
            let answer = answer.map_err(|error| store_error("find deliveries that are due together", error))?;
            let rows: Vec<_> = answer.items().iter().filter_map(|item| Some((item, read(item)?))).collect();
            let ids: Vec<DeliveryId> = rows.iter().flat_map(|(_, row)| row.deliveries.iter().copied()).collect();
            let stored = self.load_all(&ids).await?;
            let versions: HashMap<DeliveryId, u64> = stored.into_iter().map(|one| (one.id, one.version)).collect();
            for (item, DueTogether { event_id, at, deliveries }) in rows {
                let is_unsaved = |id: &DeliveryId| versions.get(id).is_some_and(|version| *version == WRITTEN);
                let unsaved = deliveries.iter().copied().filter(is_unsaved);
                due.extend(unsaved.map(|id| (id, event_id.clone())));
                let is_abandoned = at.after(ABANDONED) < now;
                if deliveries.iter().all(|id| versions.get(id).map_or(is_abandoned, |version| *version > WRITTEN)) {
                    over.push(["pk", "sk"].map(|name| (name.to_owned(), item[name].clone())).into());
                }
            }
            match answer.last_evaluated_key {
                Some(last) if due.len() < PER_SHARD as usize => query = query.set_exclusive_start_key(Some(last)),
                Some(_) | None => break,
            }
        }
        if let Err(error) = self.remove(&over).await {
            tracing::warn!(%error, "rows of what was due were not removed, the next sweep will remove them");
        }
        Ok(due)
    }

    /// Removes the rows by which deliveries are due together.
    pub(crate) async fn remove_rows(&self, together: &[DueTogether]) -> Result<(), StoreError> {
        let keys: Vec<Item> = together.iter().map(|due| key(&row_key(due, self.shards))).collect();
        self.remove(&keys).await
    }

    async fn remove(&self, keys: &[Item]) -> Result<(), StoreError> {
        for chunk in keys.chunks(BATCH_WRITE) {
            let deletes = chunk.iter().cloned().map(delete).collect();
            write_all("remove rows of what was due", &self.client, &self.table, deletes).await?;
        }
        Ok(())
    }
}

/// The number of a minute.
fn minute_of(now: Timestamp) -> u32 {
    u32::try_from(now.seconds() / 60).unwrap_or_default()
}
