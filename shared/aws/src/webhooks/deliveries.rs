//! The Deliveries table: a row for each event, each delivery, and each attempt but the newest.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use reelhook_app::outbox::sweep::{DueDeliveries, PER_SHARD, SHARDS, hash};
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::deliver::{AttemptRecorder, DeliveryRows, LoadedBatch, LoadedDelivery, SaveDeliveries};
use reelhook_app::webhooks::deliveries::{
    DELIVERY_DAYS, DELIVERY_SHARDS, DeliveryDetails, DeliveryQueries, ListedDelivery, delivery_cursor, delivery_shard,
};
use reelhook_app::webhooks::events::{EventRow, EventStore};
use reelhook_domain::{Attempt, Delivery, DeliveryId, EndpointId, EventId, Subject, Timestamp};
use uuid::Uuid;

use crate::batch::{BATCH_WRITE, Read, STATEMENTS, Update, by_name, get_all, get_from, put, update_all, write_all};
use crate::errors::store_error;
use crate::items::shards::{EndedShards, MOST_ENDED_SHARDS};
use crate::items::{Item, SCHEMA, json, n, read, s, text, ttl};
use crate::webhooks::endpoints::{EndpointTable, state, state_key};

/// How many of the newest attempts one delivery is shown with.
const SHOWN_ATTEMPTS: i32 = 100;

/// The Deliveries table.
#[derive(Debug, Clone)]
pub struct DeliveryTable {
    pub(crate) client: aws_sdk_dynamodb::Client,
    pub(crate) table: String,
    /// The table whose states are read together with deliveries.
    endpoints: Option<String>,
    /// The shards of the indexes by day and by due time.
    shards: EndedShards,
}

impl DeliveryTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into(), endpoints: None, shards: EndedShards::default() }
    }

    /// The same, whose indexes by day and by due time have these shards.
    #[must_use]
    pub fn sharded(self, shards: EndedShards) -> Self {
        Self { shards, ..self }
    }

    /// The same, which reads states of these endpoints together with deliveries.
    #[must_use]
    pub fn beside(self, endpoints: &EndpointTable) -> Self {
        Self { endpoints: Some(endpoints.table.clone()), ..self }
    }

    async fn put_if_absent(&self, operation: &'static str, item: Item) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error(operation, error)),
        }
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
}

#[async_trait]
impl EventStore for DeliveryTable {
    async fn put_event(&self, event: &EventRow) -> Result<(), StoreError> {
        let mut item = key(&event_partition(&event.id), "event");
        item.insert("schema".to_owned(), n(SCHEMA));
        item.insert("job_id".to_owned(), s(event.subject.as_str()));
        item.insert("body".to_owned(), json(event));
        // Longer than a delivery whose attempts span days.
        item.insert("expires_at".to_owned(), ttl(event.at, DELIVERY_DAYS + 5));
        self.put_if_absent("put event", item).await
    }

    async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.put_if_absent("put delivery", delivery_item(delivery, self.shards, &new_write_id())).await
    }
}

#[async_trait]
impl SaveDeliveries for DeliveryTable {
    async fn load_all(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
        let operation = "read deliveries";
        let keys: Vec<Item> = ids.iter().map(|id| key(&delivery_partition(*id), "delivery")).collect();
        let found = self.get_all(operation, &keys).await?;
        let in_order = ids.iter().filter_map(|id| found.get(&delivery_partition(*id)));
        let readable = |item: &Item| match read(operation, item, "body") {
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
        let update = |delivery: &&Delivery| delivery_update(delivery, self.shards, &write_id);
        let stored = |item: &Item| read(operation, item, "body");
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
        let mut keys: Vec<Item> = Vec::with_capacity(ids.len() * 2);
        for (index, (delivery, event)) in ids.iter().enumerate() {
            let before = &ids[..index];
            if before.iter().all(|(other, _)| other != delivery) {
                keys.push(key(&delivery_partition(*delivery), "delivery"));
            }
            if before.iter().all(|(_, other)| other != event) {
                keys.push(key(&event_partition(event), "event"));
            }
        }
        let mut reads = vec![Read { table: &self.table, attributes: &["pk", "body"], keys }];
        let endpoints: &[EndpointId] = if self.endpoints.is_some() { endpoints } else { &[] };
        if let Some(table) = &self.endpoints {
            let keys = endpoints.iter().map(state_key).collect();
            reads.push(Read { table, attributes: &[], keys });
        }
        let mut found = get_from(operation, &self.client, reads).await?;
        let mut found_in = |table: Option<&String>, name| {
            by_name(table.and_then(|table| found.remove(table)).unwrap_or_default().into_iter(), name)
        };
        let (rows, states) = (found_in(Some(&self.table), "pk"), found_in(self.endpoints.as_ref(), "id"));
        let mut events: HashMap<&EventId, Arc<EventRow>> = HashMap::with_capacity(ids.len());
        let mut deliveries: Vec<LoadedDelivery> = Vec::with_capacity(ids.len());
        for (id, event) in ids {
            let loaded = || -> LoadedDelivery {
                let Some(delivery) = rows.get(&delivery_partition(*id)) else { return Ok(None) };
                let delivery = read(operation, delivery, "body")?;
                let row = match (events.get(event), rows.get(&event_partition(event))) {
                    (Some(row), _) => Some(Arc::clone(row)),
                    (None, Some(row)) => Some(Arc::new(read(operation, row, "body")?)),
                    (None, None) => None,
                };
                Ok(Some((delivery, row)))
            };
            let loaded = loaded();
            if let Ok(Some((_, Some(row)))) = &loaded {
                events.insert(event, Arc::clone(row));
            }
            deliveries.push(loaded);
        }
        Ok(LoadedBatch {
            deliveries,
            states: endpoints
                .iter()
                .map(|id| (id.clone(), states.get(id.as_str()).map(state).unwrap_or_default()))
                .collect(),
        })
    }
}

#[async_trait]
impl AttemptRecorder for DeliveryTable {
    async fn keep(&self, attempts: &[(DeliveryId, Attempt)]) -> Result<(), StoreError> {
        for chunk in attempts.chunks(BATCH_WRITE) {
            let puts = chunk.iter().map(|(id, attempt)| put(attempt_item(*id, attempt))).collect();
            write_all("keep attempts", &self.client, &self.table, puts).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl DeliveryQueries for DeliveryTable {
    fn shards(&self) -> u32 {
        self.shards.read(DELIVERY_SHARDS)
    }

    async fn of_subject(
        &self,
        subject: &Subject,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let query = self.client.query().table_name(&self.table).index_name("by-job");
        let query = query.key_condition_expression("job_id = :of AND place < :place");
        let query = query.expression_attribute_values(":of", s(subject.as_str()));
        listed(query.scan_index_forward(false), before, limit).await
    }

    async fn of_day(
        &self,
        day: &str,
        shard: u32,
        before: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let query = self.client.query().table_name(&self.table).index_name("by-day");
        let query = query.key_condition_expression("day_shard = :of AND place < :place");
        let query = query.expression_attribute_values(":of", s(format!("{day}#{shard}")));
        listed(query.scan_index_forward(false), before, limit).await
    }

    async fn of_day_after(
        &self,
        day: &str,
        shard: u32,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ListedDelivery>, StoreError> {
        let query = self.client.query().table_name(&self.table).index_name("by-day");
        let query = query.key_condition_expression("day_shard = :of AND place > :place");
        let query = query.expression_attribute_values(":of", s(format!("{day}#{shard}")));
        listed(query.scan_index_forward(true), after, limit).await
    }

    async fn details(&self, id: DeliveryId) -> Result<Option<DeliveryDetails>, StoreError> {
        let operation = "read delivery";
        let partition = delivery_partition(id);
        let found = self.get_all(operation, &[key(&partition, "delivery")]).await?;
        let Some(item) = found.get(&partition) else { return Ok(None) };
        let delivery: Delivery = read(operation, item, "body")?;
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("pk = :pk AND begins_with(sk, :attempts)")
            .expression_attribute_values(":pk", s(&partition))
            .expression_attribute_values(":attempts", s("attempt#"))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(SHOWN_ATTEMPTS);
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let rows = answer.items().iter().rev().map(|item| read(operation, item, "body"));
        let attempts = delivery.all_attempts(rows.collect::<Result<_, _>>()?);
        let event = self.get_all(operation, &[key(&event_partition(&delivery.event_id), "event")]).await?;
        let event = event.into_values().next().map(|item| read(operation, &item, "body")).transpose()?;
        Ok(Some(DeliveryDetails { delivery, event, attempts }))
    }
}

/// Cursors and ids of the deliveries that a query of an index finds before or after a cursor.
async fn listed(query: QueryFluentBuilder, cursor: &str, limit: usize) -> Result<Vec<ListedDelivery>, StoreError> {
    let query = query.expression_attribute_values(":place", s(cursor));
    let answer = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
    let answer = answer.map_err(|error| store_error("list deliveries", error))?;
    let entry = |item: &Item| {
        let id = DeliveryId::parse(text(item, "pk")?.strip_prefix("delivery#")?)?;
        Some((text(item, "place")?.to_owned(), id))
    };
    Ok(answer.items().iter().filter_map(entry).collect())
}

fn delivery_partition(id: DeliveryId) -> String {
    format!("delivery#{id}")
}

fn event_partition(id: &EventId) -> String {
    format!("event#{id}")
}

fn key(pk: &str, sk: &str) -> Item {
    [("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))].into()
}

fn delivery_item(delivery: &Delivery, shards: EndedShards, write_id: &str) -> Item {
    let mut item = key(&delivery_partition(delivery.id), "delivery");
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set("schema", n(SCHEMA));
    set("version", n(delivery.version));
    set("write_id", s(write_id));
    set("event_id", s(delivery.event_id.as_str()));
    set("job_id", s(delivery.subject.as_str()));
    set("place", s(delivery_cursor(delivery)));
    let of_day = delivery_shard(delivery.id, shards.written(DELIVERY_SHARDS));
    set("day_shard", s(format!("{}#{of_day}", delivery.created_at.day())));
    set("body", json(delivery));
    set("expires_at", expiry(delivery));
    if let Some(due) = delivery.due_at {
        set("due_shard", due_shard(delivery.id, shards));
        set("due_at", n(due.millis()));
    }
    item
}

/// A random id of one write: long enough to tell it from the one that was stored.
fn new_write_id() -> String {
    format!("{:016x}", Uuid::new_v4().as_u64_pair().1)
}

/// The attributes that change from one version of a delivery to the next.
fn delivery_update(delivery: &Delivery, shards: EndedShards, write_id: &str) -> Update {
    let mut set = vec![
        ("version", n(delivery.version)),
        ("write_id", s(write_id)),
        ("body", json(delivery)),
        ("expires_at", expiry(delivery)),
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
            // The due index alone reads the event's id, and without it a result stays below 1 KB.
            None => &["due_shard", "due_at", "event_id"],
        },
        version: n(delivery.version - 1),
    }
}

fn expiry(delivery: &Delivery) -> AttributeValue {
    ttl(delivery.finished_at.unwrap_or(delivery.next_attempt_at), DELIVERY_DAYS)
}

fn due_shard(id: DeliveryId, shards: EndedShards) -> AttributeValue {
    s(format!("due#{}", hash(&id.to_string()) % shards.written(SHARDS)))
}

/// The number of a minute.
fn minute_of(now: Timestamp) -> u32 {
    u32::try_from(now.seconds() / 60).unwrap_or_default()
}

fn attempt_item(id: DeliveryId, attempt: &Attempt) -> Item {
    let mut item = key(&delivery_partition(id), &format!("attempt#{:06}", attempt.number));
    item.insert("schema".to_owned(), n(SCHEMA));
    item.insert("body".to_owned(), json(attempt));
    item.insert("expires_at".to_owned(), ttl(attempt.started_at, DELIVERY_DAYS));
    item
}
