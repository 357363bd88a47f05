//! Idempotency records in the Counters table: a row per caller and key, which expires after a day.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use crate::errors::store_error;
use crate::items::{Item, SCHEMA, n, number, s, text};
use crate::jobs::counters::{ALONE, CounterTable};

/// The key has no record, or an expired one that TTL has not removed yet.
const UNUSED: &str = "attribute_not_exists(pk) OR expires_at <= :now";

#[async_trait]
impl IdempotencyStore for CounterTable {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        Ok(self.stored_record(caller, key).await?.filter(|record| record.expires_at > now))
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let put = self.client().put_item().table_name(self.name()).set_item(Some(record_item(record)));
        let put = put.condition_expression(UNUSED).expression_attribute_values(":now", n(now.seconds()));
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                self.stored_record(&record.caller, &record.key).await
            }
            Err(error) => Err(store_error("remember key", error)),
        }
    }
}

impl CounterTable {
    /// The record's part of a transaction that also makes the resource.
    pub(crate) fn record_put(&self, record: &IdempotencyRecord, now: Timestamp) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(self.name())
            .set_item(Some(record_item(record)))
            .condition_expression(UNUSED)
            .expression_attribute_values(":now", n(now.seconds()));
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    /// The record of a caller's key, also if it has expired: it is what a failed condition found.
    pub(crate) async fn stored_record(&self, caller: &str, key: &str) -> Result<Option<IdempotencyRecord>, StoreError> {
        let Some(item) = self.get("read key", &partition(caller, key), ALONE).await? else { return Ok(None) };
        let field = |name: &str| text(&item, name).unwrap_or_default().to_owned();
        Ok(Some(IdempotencyRecord {
            caller: caller.to_owned(),
            key: key.to_owned(),
            body_hash: field("body_hash"),
            answer: field("answer"),
            expires_at: Timestamp::from_seconds(number(&item, "expires_at").unwrap_or_default()),
        }))
    }
}

fn record_item(record: &IdempotencyRecord) -> Item {
    [
        ("pk", s(partition(&record.caller, &record.key))),
        ("sk", s(ALONE)),
        ("schema", n(SCHEMA)),
        ("body_hash", s(&record.body_hash)),
        ("answer", s(&record.answer)),
        ("expires_at", n(record.expires_at.seconds())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn partition(caller: &str, key: &str) -> String {
    format!("key#{caller}#{key}")
}
