//! What the due sweep finds of deliveries: their entries in the index by due time, and the rows by which several deliveries of
//! an event are due together.

use std::collections::HashMap;

use async_trait::async_trait;
use reelhook_app::outbox::sweep::{DueDeliveries, PER_SHARD, SHARDS};
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::deliver::SaveDeliveries;
use reelhook_app::webhooks::events::{ABANDONED, DueTogether};
use reelhook_domain::{DeliveryId, EventId, Timestamp};

use crate::batch::{BATCH_WRITE, delete, write_all};
use crate::errors::store_error;
use crate::items::shards::MOST_ENDED_SHARDS;
use crate::items::{Item, n, s, text};
use crate::webhooks::deliveries::DeliveryTable;
use crate::webhooks::rows::key;
use crate::webhooks::together::{SHARDS_OF_ROWS, read, row_key, row_partition};

/// The version of a delivery that was not saved after it was written: it has no entry of its own.
const WRITTEN: u64 = 1;

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
