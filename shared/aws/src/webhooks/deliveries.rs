//! The Deliveries table: events and deliveries are put once, loaded together, and changed in batches.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use futures_util::future::join_all;
use reelhook_app::retention::Days;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::deliver::{AttemptRecorder, DeliveryRows, LoadedBatch, LoadedDelivery, SaveDeliveries};
use reelhook_app::webhooks::events::{DueBy, DueTogether, EventRow, EventStore};
use reelhook_domain::{Attempt, Delivery, DeliveryId, EndpointId, EventId, Policy};
use uuid::Uuid;

use crate::batch::{BATCH_WRITE, Read, STATEMENTS, by_name, get_all, get_from, put, update_all, write_all};
use crate::errors::store_error;
use crate::items::Item;
use crate::items::packed::StoredForm;
use crate::items::shards::EndedShards;
use crate::webhooks::endpoints::{EndpointTable, state, state_key};
use crate::webhooks::rows::{
    Key, NAMED, Rows, attempt_item, delivery_item, delivery_key, delivery_partition, delivery_update, event_expiry,
    event_items, event_key, further_item, is_older, key, named, older_event_item, older_event_key, read_row,
};
use crate::webhooks::together::{are_due_together, due_together, row_item};

/// The attributes of events and deliveries that are loaded.
const LOADED: &[&str] = &["pk", "sk", "body", "place"];

/// The Deliveries table.
#[derive(Debug, Clone)]
pub struct DeliveryTable {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
    form: StoredForm,
    /// The shards of the indexes by day and by due time.
    pub(crate) shards: EndedShards,
    /// How long deliveries are kept.
    pub(crate) kept: Days,
    /// How long after its event a delivery is due for the sweep, if it is due together with others.
    pub(crate) grace: Duration,
    /// The table whose states are read together with deliveries.
    endpoints: Option<String>,
}

impl DeliveryTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        let (form, shards) = (StoredForm::default(), EndedShards::default());
        let (kept, grace) = (Days::default(), Policy::default().hint_grace);
        Self { client, table: table.into(), form, shards, kept, grace, endpoints: None }
    }

    /// The same, with events and deliveries written in this form.
    #[must_use]
    pub fn storing(self, form: StoredForm) -> Self {
        Self { form, ..self }
    }

    /// The same, whose indexes by day and by due time have these shards.
    #[must_use]
    pub fn sharded(self, shards: EndedShards) -> Self {
        Self { shards, ..self }
    }

    /// The same, which keeps deliveries for so long.
    #[must_use]
    pub fn keeping(self, kept: Days) -> Self {
        Self { kept, ..self }
    }

    /// The same, whose sweep finds deliveries that are due together so long after their event.
    #[must_use]
    pub fn due_after(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// The same, which reads states of these endpoints together with deliveries.
    #[must_use]
    pub fn beside(self, endpoints: &EndpointTable) -> Self {
        Self { endpoints: Some(endpoints.table.clone()), ..self }
    }

    /// Puts an item, unless there is one with its key: then the answer is that one.
    async fn put_new(&self, operation: &'static str, item: Item) -> Result<Option<Item>, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(None) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Some(failed.item().cloned().unwrap_or_default()))
            }
            _ => Err(store_error(operation, error)),
        }
    }

    /// The rows with these keys that exist; strongly consistent.
    pub(crate) async fn rows(&self, operation: &'static str, keys: &BTreeSet<Key>) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        if !keys.is_empty() {
            let mut found = get_from(operation, &self.client, vec![self.read(keys)]).await?;
            rows.add(found.remove(&self.table).unwrap_or_default());
        }
        Ok(rows)
    }

    fn read(&self, keys: &BTreeSet<Key>) -> Read<'_> {
        Read { table: &self.table, attributes: LOADED, is_consistent: true, keys: keys.iter().map(key).collect() }
    }

    /// The items with these keys that exist, by partition; strongly consistent.
    pub(crate) async fn get_all(
        &self,
        operation: &'static str,
        keys: &[Item],
    ) -> Result<HashMap<String, Item>, StoreError> {
        get_all(operation, &self.client, &self.table, "pk", keys).await
    }
}

#[async_trait]
impl EventStore for DeliveryTable {
    async fn put_event(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<(), StoreError> {
        let operation = "put event";
        if self.form == StoredForm::Text {
            return self.put_new(operation, older_event_item(event, self.kept)).await.map(drop);
        }
        let (first, _) = deliveries.split_at(deliveries.len().min(NAMED));
        let mut known = None;
        for item in event_items(event, first, self.shards, self.kept) {
            known = self.put_new(operation, item).await?;
        }
        let mut left = unnamed(deliveries, first, known.as_ref());
        while let Some(next) = left.first().copied() {
            let (chunk, _) = left.split_at(left.len().min(NAMED));
            let known = self.put_new(operation, further_item(event, chunk, self.shards, self.kept)).await?;
            left = unnamed(&left, chunk, known.as_ref());
            // The row has its key from this one.
            left.retain(|id| *id != next);
        }
        Ok(())
    }

    async fn put_due(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError> {
        // Functions of older versions find deliveries by their own entries.
        if self.form == StoredForm::Text || !are_due_together(deliveries.len()) {
            return Ok(DueBy::Itself);
        }
        let (event_id, deliveries) = (event.id.clone(), deliveries.to_vec());
        let together = DueTogether { event_id, at: event.at, deliveries };
        let item = row_item(&together, event_expiry(event, self.kept), self.shards);
        let names = item.get("named").cloned();
        let known = self.put_new("put row of what is due", item).await?;
        // A row of this key with other names is there by chance.
        Ok(if known.is_none_or(|known| known.get("named") == names.as_ref()) { DueBy::Event } else { DueBy::Itself })
    }

    async fn put_delivery(&self, delivery: &Delivery, due_by: DueBy) -> Result<(), StoreError> {
        let item = delivery_item(delivery, due_by, &new_write_id(), self.form, self.shards, self.kept);
        self.put_new("put delivery", item).await.map(drop)
    }
}

/// Those of these deliveries that a row does not name, which was put with `first` of them unless it was `known` before.
fn unnamed(deliveries: &[DeliveryId], first: &[DeliveryId], known: Option<&Item>) -> Vec<DeliveryId> {
    let named: BTreeSet<DeliveryId> = match known {
        Some(item) => named(item).into_iter().map(|(_, id)| id).collect(),
        None => first.iter().copied().collect(),
    };
    deliveries.iter().copied().filter(|id| !named.contains(id)).collect()
}

#[async_trait]
impl SaveDeliveries for DeliveryTable {
    async fn load_all(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
        let operation = "read deliveries";
        let mut unique = BTreeSet::new();
        // DynamoDB refuses a key that comes twice.
        let ids: Vec<DeliveryId> = ids.iter().copied().filter(|id| unique.insert(*id)).collect();
        let keys: Vec<Item> = ids.iter().map(|id| key(&delivery_key(*id))).collect();
        let found = self.get_all(operation, &keys).await?;
        let in_order = ids.iter().filter_map(|id| found.get(&delivery_partition(*id)));
        let readable = |item: &Item| match read_row(operation, item) {
            Ok(delivery) => Some(delivery),
            Err(error) => {
                // One unreadable delivery must not hide the others.
                tracing::error!(%error, "unreadable delivery left out");
                None
            }
        };
        Ok(in_order.filter_map(readable).collect())
    }

    async fn save_all(&self, deliveries: &[&Delivery]) -> Vec<Result<Saved<Delivery>, StoreError>> {
        let operation = "save deliveries";
        // A call changes each delivery once, so its id distinguishes its writes from all others.
        let write_id = new_write_id();
        let update = |delivery: &&Delivery| delivery_update(delivery, &write_id, self.form, self.shards, self.kept);
        let stored = |item: &Item| read_row(operation, item);
        let calls = deliveries
            .chunks(STATEMENTS)
            .map(|chunk| update_all(operation, &self.client, &self.table, chunk, &write_id, update, stored));
        join_all(calls.collect::<Vec<_>>()).await.into_iter().flatten().collect()
    }
}

#[async_trait]
impl DeliveryRows for DeliveryTable {
    async fn load(&self, ids: &[(DeliveryId, EventId)], endpoints: &[EndpointId]) -> Result<LoadedBatch, StoreError> {
        let operation = "load deliveries";
        let wanted = ids.iter().flat_map(|(delivery, event)| [delivery_key(*delivery), event_key(event)]);
        let wanted: BTreeSet<Key> = wanted.collect();
        let mut reads = vec![self.read(&wanted)];
        let endpoints: &[EndpointId] = if self.endpoints.is_some() { endpoints } else { &[] };
        if let Some(table) = &self.endpoints {
            let keys = endpoints.iter().map(state_key).collect();
            reads.push(Read { table, attributes: &[], is_consistent: true, keys });
        }
        let mut found = get_from(operation, &self.client, reads).await?;
        let states = self.endpoints.as_ref().and_then(|table| found.remove(table)).unwrap_or_default();
        let states = by_name(states.into_iter(), "id");
        let mut rows = Rows::default();
        rows.add(found.remove(&self.table).unwrap_or_default());
        // Events of deliveries that an older version created, and of those that this one did in the form of older ones.
        let missing = ids.iter().filter(|(delivery, event)| {
            let row = rows.get(&delivery_key(*delivery));
            row.is_some_and(|row| is_older(row) || rows.get(&event_key(event)).is_none())
        });
        let missing: BTreeSet<Key> = missing.map(|(_, event)| older_event_key(event)).collect();
        rows.add_all(self.rows(operation, &missing).await?);
        let mut events: HashMap<(&EventId, bool), Arc<EventRow>> = HashMap::with_capacity(ids.len());
        let mut deliveries: Vec<LoadedDelivery> = Vec::with_capacity(ids.len());
        for (id, event) in ids {
            let Some(item) = rows.get(&delivery_key(*id)) else {
                deliveries.push(Ok(None));
                continue;
            };
            let same = (event, is_older(item));
            let loaded = || -> LoadedDelivery {
                let delivery = read_row(operation, item)?;
                let row = match (events.get(&same), rows.event_of(item, event)) {
                    (Some(row), _) => Some(Arc::clone(row)),
                    (None, Some(row)) => Some(Arc::new(read_row(operation, row)?)),
                    (None, None) => None,
                };
                Ok(Some((delivery, row)))
            };
            let loaded = loaded();
            if let Ok(Some((_, Some(row)))) = &loaded {
                events.insert(same, Arc::clone(row));
            }
            deliveries.push(loaded);
        }
        let of_event = |(event, _): &(&EventId, bool)| due_together(event, rows.get(&event_key(event))?);
        Ok(LoadedBatch {
            due_together: events.keys().filter_map(of_event).collect(),
            deliveries,
            states: endpoints
                .iter()
                .map(|id| (id.clone(), states.get(id.as_str()).map(state).unwrap_or_default()))
                .collect(),
        })
    }

    async fn remove_due(&self, together: &[DueTogether]) -> Result<(), StoreError> {
        self.remove_rows(together).await
    }
}

#[async_trait]
impl AttemptRecorder for DeliveryTable {
    async fn keep(&self, attempts: &[(DeliveryId, Attempt)]) -> Result<(), StoreError> {
        for chunk in attempts.chunks(BATCH_WRITE) {
            let puts = chunk.iter().map(|(id, attempt)| put(attempt_item(*id, attempt, self.kept))).collect();
            write_all("keep attempts", &self.client, &self.table, puts).await?;
        }
        Ok(())
    }
}

/// A random id of one write: long enough to tell it from the one that was stored.
fn new_write_id() -> String {
    format!("{:016x}", Uuid::new_v4().as_u64_pair().1)
}
