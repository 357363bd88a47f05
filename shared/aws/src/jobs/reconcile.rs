//! Reconciliation: what the counters of final states say, and what a count of the jobs themselves gives.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use reelhook_app::jobs::reconcile::{Counter, CounterStore};
use reelhook_app::store::StoreError;
use reelhook_domain::{Status, Timestamp};

use crate::errors::store_error;
use crate::items::{n, number, s, ttl};
use crate::jobs::counters::{COUNTER_DAYS, CounterTable, FINALS};
use crate::jobs::table::JobTable;
use crate::retry::send_update;

/// Counters and the jobs that they count.
pub struct Reconciler {
    /// Counters.
    pub counters: CounterTable,
    /// Jobs.
    pub jobs: JobTable,
}

impl Reconciler {
    fn update(&self, status: Status, day: &str) -> UpdateItemFluentBuilder {
        let update = self.counters.client().update_item().table_name(self.counters.name());
        update.key("pk", s(FINALS)).key("sk", s(row(status, day)))
    }
}

#[async_trait]
impl CounterStore for Reconciler {
    async fn counter(&self, status: Status, day: &str) -> Result<Counter, StoreError> {
        let item = self.counters.get("read counter", FINALS, &row(status, day)).await?.unwrap_or_default();
        let suspected = number(&item, "counted").zip(number(&item, "counted_at_value"));
        Ok(Counter { value: number(&item, "count").unwrap_or_default(), suspected })
    }

    async fn count_jobs(&self, status: Status, day: &str) -> Result<i64, StoreError> {
        self.jobs.count(status, day).await
    }

    async fn suspect(&self, status: Status, day: &str, counted: i64, value: i64) -> Result<(), StoreError> {
        let update = self
            .update(status, day)
            .update_expression(
                "SET counted = :counted, counted_at_value = :value, expires_at = if_not_exists(expires_at, :end)",
            )
            .expression_attribute_values(":end", counter_end(day))
            .expression_attribute_values(":counted", n(counted))
            .expression_attribute_values(":value", n(value));
        let sent = send_update(self.counters.client(), update).await;
        sent.map_err(|error| store_error("suspect counter", error))?;
        Ok(())
    }

    async fn trust(&self, status: Status, day: &str) -> Result<(), StoreError> {
        let update = self.update(status, day).update_expression("REMOVE counted, counted_at_value");
        let sent = send_update(self.counters.client(), update).await;
        sent.map_err(|error| store_error("trust counter", error))?;
        Ok(())
    }

    async fn correct(&self, status: Status, day: &str, was: i64, to: i64) -> Result<(), StoreError> {
        let update = self
            .update(status, day)
            .update_expression(
                "SET #count = :to, expires_at = if_not_exists(expires_at, :end) REMOVE counted, counted_at_value",
            )
            .expression_attribute_values(":end", counter_end(day))
            .condition_expression("#count = :was OR attribute_not_exists(#count)")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":to", n(to))
            .expression_attribute_values(":was", n(was));
        match send_update(self.counters.client(), update).await {
            Ok(_) => Ok(()),
            // The counter changed meanwhile; the next reconciliation compares again.
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error("mend counter", error)),
        }
    }
}

/// The sort key of the counter of a status and a day.
fn row(status: Status, day: &str) -> String {
    format!("{day}#{}", status.name())
}

/// When the counter of a day expires.
fn counter_end(day: &str) -> AttributeValue {
    let began = Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap_or(Timestamp::EPOCH);
    ttl(began, COUNTER_DAYS + 1)
}
