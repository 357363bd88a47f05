//! Recoveries: rows of the Deliveries table with partitions of their own in its indexes.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use reelhook_app::retention::Days;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::webhooks::recover::RecoveryStore;
use reelhook_app::webhooks::recovery::{Recovery, RecoveryId};
use reelhook_domain::Timestamp;
use uuid::Uuid;

use crate::conditional::failed_put;
use crate::errors::store_error;
use crate::items::{Item, SCHEMA, json, n, read, s, text, ttl};
use crate::webhooks::deliveries::DeliveryTable;

/// The partition of recoveries in the indexes; no job has such an id.
const RECOVERIES: &str = "#recoveries";
/// The most recoveries that one sweep resumes.
const DUE: i32 = 20;

#[async_trait]
impl RecoveryStore for DeliveryTable {
    async fn insert(&self, recovery: &Recovery) -> Result<bool, StoreError> {
        let write_id = Uuid::new_v4().simple().to_string();
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item(recovery, &write_id, self.kept)));
        saved("put recovery", put.condition_expression("attribute_not_exists(pk)"), &write_id).await
    }

    async fn recovery(&self, id: &RecoveryId) -> Result<Option<Recovery>, StoreError> {
        let operation = "read recovery";
        let found = self.get_all(operation, &[key(id)]).await?;
        found.values().next().map(|item| read(operation, item, "body")).transpose()
    }

    async fn save_recovery(&self, recovery: &Recovery) -> Result<bool, StoreError> {
        let write_id = Uuid::new_v4().simple().to_string();
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item(recovery, &write_id, self.kept)))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(recovery.version - 1));
        saved("save recovery", put, &write_id).await
    }

    async fn newest_recoveries(&self, limit: usize) -> Result<Vec<Recovery>, StoreError> {
        let operation = "list recoveries";
        let query = self.client.query().table_name(&self.table).index_name("by-job");
        let query = query
            .key_condition_expression("job_id = :of")
            .expression_attribute_values(":of", s(RECOVERIES))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let keys: Vec<Item> = answer.items().iter().filter_map(id_of).map(|id| key(&id)).collect();
        let found = self.get_all(operation, &keys).await?;
        let mut all: Vec<Recovery> =
            found.values().map(|item| read(operation, item, "body")).collect::<Result<_, _>>()?;
        all.sort_by_key(|one| std::cmp::Reverse(one.created_at));
        Ok(all)
    }

    async fn due_recoveries(&self, now: Timestamp) -> Result<Vec<RecoveryId>, StoreError> {
        let query = self.client.query().table_name(&self.table).index_name("by-due");
        let query = query
            .key_condition_expression("due_shard = :of AND due_at <= :now")
            .expression_attribute_values(":of", s(RECOVERIES))
            .expression_attribute_values(":now", n(now.millis()))
            .limit(DUE);
        let answer = query.send().await.map_err(|error| store_error("find due recoveries", error))?;
        Ok(answer.items().iter().filter_map(id_of).collect())
    }
}

/// Whether a put's condition held; an own earlier put whose answer was lost counts as success.
async fn saved(operation: &'static str, put: PutItemFluentBuilder, write_id: &str) -> Result<bool, StoreError> {
    let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error) => {
            let saved = failed_put::<Recovery>(operation, error, write_id, |item| read(operation, item, "body"))?;
            Ok(saved == Saved::Done)
        }
    }
}

fn id_of(item: &Item) -> Option<RecoveryId> {
    RecoveryId::parse(text(item, "pk")?.strip_prefix("recovery#")?)
}

fn key(id: &RecoveryId) -> Item {
    [("pk".to_owned(), s(format!("recovery#{}", id.as_str()))), ("sk".to_owned(), s("recovery"))].into()
}

fn item(recovery: &Recovery, write_id: &str, kept: Days) -> Item {
    let mut item = key(&recovery.id);
    let mut set = |name: &str, value| item.insert(name.to_owned(), value);
    set("schema", n(SCHEMA));
    set("version", n(recovery.version));
    set("write_id", s(write_id));
    set("job_id", s(RECOVERIES));
    set("place", s(format!("{:013}.{}", recovery.created_at.millis(), recovery.id.as_str())));
    set("body", json(recovery));
    set("expires_at", ttl(recovery.created_at, kept.count()));
    if let Some(due) = recovery.due_at {
        set("due_shard", s(RECOVERIES));
        set("due_at", n(due.millis()));
    }
    item
}
