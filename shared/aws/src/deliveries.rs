//! The Deliveries table: an event's row once, a delivery's row, and a row for each of its attempts.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use reelhook_app::deliver::{DeliveryStore, EndpointState, Learned, Loaded};
use reelhook_app::deliveries::{DELIVERY_DAYS, DeliveryBook, Placed, Told, delivery_place, delivery_shard};
use reelhook_app::fanout::EventRow;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::sweep::{PER_SHARD, shard};
use reelhook_domain::{Attempt, Delivery, DeliveryId, EndpointId, EventId, JobId, RateWindow, Timestamp};
use uuid::Uuid;

use crate::conditional::failed_put;
use crate::endpoints::EndpointTable;
use crate::errors::store_error;
use crate::items::{Item, SCHEMA, json, n, read, s, text, ttl};
use crate::transactions::{Cancelled, cancelled};

/// The newest attempts that one delivery is shown with.
const TOLD_ATTEMPTS: i32 = 100;
/// Keys that one BatchGetItem takes.
const BATCH_GET: usize = 100;

/// The Deliveries table, with the endpoints beside it.
#[derive(Debug, Clone)]
pub struct DeliveryTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
    endpoints: Option<EndpointTable>,
}

impl DeliveryTable {
    /// The table called `table`; sending needs the endpoints as well.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>, endpoints: Option<EndpointTable>) -> Self {
        Self { client, table: table.into(), endpoints }
    }

    fn endpoints(&self) -> Result<&EndpointTable, StoreError> {
        let missing =
            || StoreError::Refused { operation: "endpoints", source: "this function has no endpoints".into() };
        self.endpoints.as_ref().ok_or_else(missing)
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

    /// Writes an event unless it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_event(&self, event: &EventRow) -> Result<(), StoreError> {
        let mut item = key(&event_partition(&event.id), "event");
        item.insert("schema".to_owned(), n(SCHEMA));
        item.insert("job_id".to_owned(), s(event.job_id.as_str()));
        item.insert("body".to_owned(), json(event));
        // Longer than a delivery that is tried for days.
        item.insert("expires_at".to_owned(), ttl(event.at, DELIVERY_DAYS + 5));
        self.put_if_absent("put event", item).await
    }

    /// Writes a delivery unless it is there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.put_if_absent("put delivery", delivery_item(delivery, &Uuid::new_v4().simple().to_string())).await
    }

    /// The items with these keys that are there, by partition; read consistently.
    async fn get_all(&self, operation: &'static str, keys: &[Item]) -> Result<HashMap<String, Item>, StoreError> {
        let mut found: HashMap<String, Item> = HashMap::new();
        for chunk in keys.chunks(BATCH_GET) {
            let wanted = KeysAndAttributes::builder().set_keys(Some(chunk.to_vec())).consistent_read(true).build();
            let mut wanted = Some(wanted.expect("keys are set"));
            // Keys that come back unprocessed are asked for again; the SDK's own retries cover throttling of the call.
            for _ in 0..5 {
                let Some(next) = wanted.take() else { break };
                let answer = self.client.batch_get_item().request_items(&self.table, next).send().await;
                let answer = answer.map_err(|error| store_error(operation, error))?;
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    found.insert(text(&item, "pk").unwrap_or_default().to_owned(), item);
                }
                wanted = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
            }
            if wanted.is_some() {
                return Err(StoreError::Busy { operation, source: "keys stayed unprocessed".into() });
            }
        }
        Ok(found)
    }

    /// Deliveries of a shard that are due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self, shard: u32, now: Timestamp) -> Result<Vec<(DeliveryId, EventId)>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-due")
            .key_condition_expression("due_shard = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", s(format!("due#{shard}")))
            .expression_attribute_values(":now", n(now.0))
            .limit(PER_SHARD);
        let answer = query.send().await.map_err(|error| store_error("find due deliveries", error))?;
        Ok(answer
            .items()
            .iter()
            .filter_map(|item| {
                let id = DeliveryId::parse(text(item, "pk")?.strip_prefix("delivery#")?)?;
                Some((id, EventId::parse(text(item, "event_id")?).ok()?))
            })
            .collect())
    }
}

#[async_trait]
impl DeliveryStore for DeliveryTable {
    async fn load(&self, ids: &[(DeliveryId, EventId)]) -> Result<Vec<Loaded>, StoreError> {
        let operation = "load deliveries";
        let mut keys: Vec<Item> = Vec::with_capacity(ids.len() * 2);
        for (delivery, event) in ids {
            for key in [key(&delivery_partition(*delivery), "delivery"), key(&event_partition(event), "event")] {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        let found = self.get_all(operation, &keys).await?;
        let rows = |(delivery, event): &(DeliveryId, EventId)| {
            let rows = (found.get(&delivery_partition(*delivery)), found.get(&event_partition(event)));
            let (Some(delivery), event) = rows else { return Ok(None) };
            let event = event.map(|event| read(operation, event, "body")).transpose()?;
            Ok(Some((read(operation, delivery, "body")?, event)))
        };
        Ok(ids.iter().map(rows).collect())
    }

    async fn begin(&self, delivery: &Delivery, attempt: &Attempt) -> Result<Saved<Delivery>, StoreError> {
        let operation = "begin attempt";
        let write_id = Uuid::new_v4().simple().to_string();
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(delivery_item(delivery, &write_id)))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(delivery.version - 1));
        let row = Put::builder().table_name(&self.table).set_item(Some(attempt_item(attempt)));
        let put = TransactWriteItem::builder().put(put.build().expect("table and item are set")).build();
        let row = TransactWriteItem::builder().put(row.build().expect("table and item are set")).build();
        match self.client.transact_write_items().transact_items(put).transact_items(row).send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) => match cancelled(operation, error) {
                Cancelled::Condition(_) | Cancelled::Conflict => Ok(Saved::Conflict(None)),
                Cancelled::Failed(error) => Err(error),
            },
        }
    }

    async fn complete(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(attempt_item(attempt)));
        put.send().await.map_err(|error| store_error("complete attempt", error))?;
        Ok(())
    }

    async fn save(&self, delivery: &Delivery) -> Result<Saved<Delivery>, StoreError> {
        let operation = "save delivery";
        let write_id = Uuid::new_v4().simple().to_string();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(delivery_item(delivery, &write_id)))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(delivery.version - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) => failed_put(operation, error, &write_id, |item| read(operation, item, "body")),
        }
    }

    async fn endpoint(&self, id: &EndpointId) -> Result<EndpointState, StoreError> {
        self.endpoints()?.state(id).await
    }

    async fn reserve(&self, id: &EndpointId, old: RateWindow, new: RateWindow) -> Result<bool, StoreError> {
        self.endpoints()?.reserve(id, old, new).await
    }

    async fn learn(&self, id: &EndpointId, learned: Learned) -> Result<(), StoreError> {
        self.endpoints()?.learn(id, learned).await
    }

    async fn disable(&self, id: &EndpointId, reason: &str, now: Timestamp) -> Result<(), StoreError> {
        self.endpoints()?.disable(id, reason, now).await
    }
}

#[async_trait]
impl DeliveryBook for DeliveryTable {
    async fn of_job(&self, job: &JobId, before: &str, limit: usize) -> Result<Vec<Placed>, StoreError> {
        let query = self.client.query().table_name(&self.table).index_name("by-job");
        let query = query.key_condition_expression("job_id = :of AND place < :before");
        placed(query.expression_attribute_values(":of", s(job.as_str())), before, limit).await
    }

    async fn of_day(&self, day: &str, shard: u32, before: &str, limit: usize) -> Result<Vec<Placed>, StoreError> {
        let query = self.client.query().table_name(&self.table).index_name("by-day");
        let query = query.key_condition_expression("day_shard = :of AND place < :before");
        placed(query.expression_attribute_values(":of", s(format!("{day}#{shard}"))), before, limit).await
    }

    async fn load_all(&self, ids: &[DeliveryId]) -> Result<Vec<Delivery>, StoreError> {
        let operation = "list deliveries";
        let keys: Vec<Item> = ids.iter().map(|id| key(&delivery_partition(*id), "delivery")).collect();
        let found = self.get_all(operation, &keys).await?;
        let in_order = ids.iter().filter_map(|id| found.get(&delivery_partition(*id)));
        let readable = |item: &Item| match read(operation, item, "body") {
            Ok(delivery) => Some(delivery),
            Err(error) => {
                // One delivery must not keep the list from being shown.
                tracing::error!(%error, "a delivery can't be read and is not listed");
                None
            }
        };
        Ok(in_order.filter_map(readable).collect())
    }

    async fn tell(&self, id: DeliveryId) -> Result<Option<Told>, StoreError> {
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
            .limit(TOLD_ATTEMPTS);
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let attempts = answer.items().iter().rev().map(|item| read(operation, item, "body"));
        let attempts = attempts.collect::<Result<_, _>>()?;
        let event = self.get_all(operation, &[key(&event_partition(&delivery.event_id), "event")]).await?;
        let event = event.into_values().next().map(|item| read(operation, &item, "body")).transpose()?;
        Ok(Some(Told { delivery, event, attempts }))
    }

    async fn replace(&self, delivery: &Delivery) -> Result<Saved<Delivery>, StoreError> {
        self.save(delivery).await
    }
}

/// Places and ids that a query of an index finds before a place, newest first.
async fn placed(query: QueryFluentBuilder, before: &str, limit: usize) -> Result<Vec<Placed>, StoreError> {
    let query = query.expression_attribute_values(":before", s(before)).scan_index_forward(false);
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

fn delivery_item(delivery: &Delivery, write_id: &str) -> Item {
    let mut item = key(&delivery_partition(delivery.id), "delivery");
    let mut set = |name: &str, value: AttributeValue| item.insert(name.to_owned(), value);
    set("schema", n(SCHEMA));
    set("version", n(delivery.version));
    set("write_id", s(write_id));
    set("event_id", s(delivery.event_id.as_str()));
    set("job_id", s(delivery.job_id.as_str()));
    set("place", s(delivery_place(delivery)));
    set("day_shard", s(format!("{}#{}", delivery.created_at.day(), delivery_shard(delivery.id))));
    set("body", json(delivery));
    set("expires_at", ttl(delivery.finished_at.unwrap_or(delivery.next_attempt_at), DELIVERY_DAYS));
    if let Some(due) = delivery.due_at {
        set("due_shard", s(format!("due#{}", shard(&delivery.id.to_string()))));
        set("due_at", n(due.0));
    }
    item
}

fn attempt_item(attempt: &Attempt) -> Item {
    let mut item = key(&delivery_partition(attempt.delivery_id), &format!("attempt#{:06}", attempt.number));
    item.insert("schema".to_owned(), n(SCHEMA));
    item.insert("body".to_owned(), json(attempt));
    item.insert("expires_at".to_owned(), ttl(attempt.started_at, DELIVERY_DAYS));
    item
}
