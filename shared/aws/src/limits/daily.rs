//! What a caller makes in a day: a row of the Counters table for each caller and day.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use reelhook_app::limits::DayCounter;
use reelhook_app::store::StoreError;
use reelhook_domain::Timestamp;

use crate::errors::store_error;
use crate::items::{n, s, ttl};
use crate::jobs::counters::CounterTable;

/// Days for which a count is kept, from its last change on.
const LIFE_DAYS: i64 = 2;
/// The name of the operation in errors.
const OPERATION: &str = "count what a caller makes";

#[async_trait]
impl DayCounter for CounterTable {
    // An attempt that the SDK repeats because its answer was lost counts again: the limit is never exceeded.
    async fn count_made(&self, caller: &str, most: u32, now: Timestamp) -> Result<bool, StoreError> {
        let update = self
            .client()
            .update_item()
            .table_name(self.name())
            .key("pk", s(format!("made#{caller}")))
            .key("sk", s(now.day()))
            .update_expression("ADD #count :one SET expires_at = :expires")
            .condition_expression("attribute_not_exists(#count) OR #count < :most")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":most", n(most))
            .expression_attribute_values(":expires", ttl(now, LIFE_DAYS));
        let Err(error) = update.send().await else { return Ok(true) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            _ => Err(store_error(OPERATION, error)),
        }
    }
}
