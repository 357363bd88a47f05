//! Slots of open connections: a row for each pool, with the time at which each connection's slot ends.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::live::ports::{ConnectionSlots, Pool};
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use super::connections::{ConnectionTable, Updated, conditional};
use crate::items::{Item, n};
use crate::retry::RetryClock;

/// The name of the operations in errors.
const OPERATION: &str = "claim slot of connection";
/// The sort key of a pool.
const SLOTS: &str = "slots";
/// Slots that one update removes at most: an expression has at most 300 operators.
const AT_ONCE: usize = 100;

#[async_trait]
impl ConnectionSlots for ConnectionTable {
    async fn acquire(
        &self,
        pool: &Pool,
        connection: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let waits = RetryClock::of(&self.client);
        let mut retry = waits.retry();
        while retry.attempt().await {
            let take = self
                .update_of(&key(pool), SLOTS)
                .update_expression("SET slots.#id = :until, expires_at = :expires")
                // An attempt that the SDK repeats, because its answer was lost, has its slot already.
                .condition_expression("attribute_exists(pk) AND (size(slots) < :most OR attribute_exists(slots.#id))")
                .expression_attribute_names("#id", connection)
                .expression_attribute_values(":until", n(until.millis()))
                .expression_attribute_values(":expires", n(until.seconds()))
                .expression_attribute_values(":most", n(pool.most));
            match conditional(OPERATION, take).await? {
                Updated::Done(_) => return Ok(true),
                Updated::Unmet(Some(full)) => {
                    let ended = ended(&full, now);
                    if ended.is_empty() {
                        return Ok(false);
                    }
                    remove(self, pool, &ended).await?;
                }
                Updated::Unmet(None) => {
                    let first = HashMap::from([(connection.to_owned(), n(until.millis()))]);
                    let begin = self
                        .update_of(&key(pool), SLOTS)
                        .update_expression("SET slots = :slots, expires_at = :expires")
                        .condition_expression("attribute_not_exists(pk)")
                        .expression_attribute_values(":slots", AttributeValue::M(first))
                        .expression_attribute_values(":expires", n(until.seconds()));
                    if matches!(conditional(OPERATION, begin).await?, Updated::Done(_)) {
                        return Ok(true);
                    }
                }
            }
        }
        Err(StoreError::Busy { operation: OPERATION, source: "the slots changed during each attempt".into() })
    }

    async fn release(&self, pool: &Pool, connection: &str) {
        if let Err(error) = remove(self, pool, &[connection]).await {
            tracing::warn!(%error, connection, "failed to release the slot of a connection, it expires");
        }
    }
}

/// The partition of a pool. No id of a connection has a `#`.
fn key(pool: &Pool) -> String {
    format!("pool#{}", pool.name)
}

/// The connections whose slots have ended without a release.
fn ended(item: &Item, now: Timestamp) -> Vec<&str> {
    let slots = item.get("slots").and_then(|slots| slots.as_m().ok());
    let ended = slots.into_iter().flatten().filter(|(_, until)| has_ended(until, now));
    ended.map(|(connection, _)| connection.as_str()).take(AT_ONCE).collect()
}

fn has_ended(until: &AttributeValue, now: Timestamp) -> bool {
    let until: Option<i64> = until.as_n().ok().and_then(|until| until.parse().ok());
    until.is_none_or(|until| until <= now.millis())
}

/// Removes the slots of connections.
async fn remove(table: &ConnectionTable, pool: &Pool, connections: &[&str]) -> Result<(), StoreError> {
    let mut update = table.update_of(&key(pool), SLOTS).condition_expression("attribute_exists(pk)");
    let mut slots = Vec::new();
    for (index, connection) in connections.iter().enumerate() {
        slots.push(format!("slots.#c{index}"));
        update = update.expression_attribute_names(format!("#c{index}"), *connection);
    }
    conditional(OPERATION, update.update_expression(format!("REMOVE {}", slots.join(", ")))).await.map(drop)
}
