//! Reconciliation: what the counters of final states say, and what a count of the jobs themselves gives.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem, Update};
use reelhook_app::jobs::reconcile::{Counter, CounterStore};
use reelhook_app::store::StoreError;
use reelhook_domain::{Status, Timestamp};

use crate::errors::store_error;
use crate::items::{n, number, s, ttl};
use crate::jobs::counters::CounterTable;
use crate::jobs::counts::partition;
use crate::jobs::table::JobTable;
use crate::retry::{RetryClock, send_update};
use crate::transactions::{Cancelled, cancelled};

/// Counters and the jobs that they count.
pub struct Reconciler {
    /// Counters.
    pub counters: CounterTable,
    /// Jobs.
    pub jobs: JobTable,
}

impl Reconciler {
    /// An update of the row of the first shard, which has what was suspected of the counter.
    fn update(&self, status: Status, day: &str) -> UpdateItemFluentBuilder {
        let update = self.counters.client().update_item().table_name(self.counters.name());
        update.key("pk", s(partition(0))).key("sk", s(row(status, day)))
    }

    /// The value of a counter in each shard; none where it has no row there.
    async fn values(&self, status: Status, day: &str) -> Result<Vec<Option<i64>>, StoreError> {
        let rows = self.counters.counter_rows(&row(status, day)).await?;
        Ok(rows.iter().map(|item| number(item, "count")).collect())
    }

    /// When the counter of a day expires.
    fn counter_end(&self, day: &str) -> AttributeValue {
        let began = Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap_or(Timestamp::EPOCH);
        ttl(began, self.counters.kept.of_jobs() + 1)
    }

    /// A part of a transaction: the row of another shard has still this value.
    fn unchanged(&self, shard: usize, sk: &str, value: Option<i64>) -> TransactWriteItem {
        let mut check = ConditionCheck::builder()
            .table_name(self.counters.name())
            .key("pk", s(partition(shard)))
            .key("sk", s(sk))
            .condition_expression(value.map_or("attribute_not_exists(#count)", |_| "#count = :was"))
            .expression_attribute_names("#count", "count");
        if let Some(value) = value {
            check = check.expression_attribute_values(":was", n(value));
        }
        TransactWriteItem::builder().condition_check(check.build().expect("table, key and condition are set")).build()
    }
}

/// The sum of the shards of a counter.
fn sum(values: &[Option<i64>]) -> i64 {
    values.iter().flatten().sum()
}

#[async_trait]
impl CounterStore for Reconciler {
    async fn counter(&self, status: Status, day: &str) -> Result<Counter, StoreError> {
        let rows = self.counters.counter_rows(&row(status, day)).await?;
        let suspected = rows.first().and_then(|item| number(item, "counted").zip(number(item, "counted_at_value")));
        let value = rows.iter().filter_map(|item| number(item, "count")).sum();
        Ok(Counter { value, suspected })
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
            .expression_attribute_values(":end", self.counter_end(day))
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
        let (operation, sk, values) = ("mend counter", row(status, day), self.values(status, day).await?);
        if sum(&values) != was {
            // The counter changed meanwhile; the next reconciliation compares again.
            return Ok(());
        }
        let first = values.first().copied().flatten().unwrap_or_default();
        let update = Update::builder()
            .table_name(self.counters.name())
            .key("pk", s(partition(0)))
            .key("sk", s(&sk))
            .update_expression(
                "SET #count = :to, expires_at = if_not_exists(expires_at, :end) REMOVE counted, counted_at_value",
            )
            .condition_expression("#count = :was OR attribute_not_exists(#count)")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":end", self.counter_end(day))
            .expression_attribute_values(":to", n(first + to - was))
            .expression_attribute_values(":was", n(first));
        let update = TransactWriteItem::builder().update(update.build().expect("table and key are set")).build();
        let others = values.iter().enumerate().skip(1).map(|(shard, value)| self.unchanged(shard, &sk, *value));
        let items: Vec<TransactWriteItem> = [update].into_iter().chain(others).collect();
        let waits = RetryClock::of(self.counters.client());
        let mut retry = waits.retry();
        while retry.attempt().await {
            let write = self.counters.client().transact_write_items().set_transact_items(Some(items.clone()));
            let Err(error) = write.send().await else { return Ok(()) };
            match cancelled(operation, error) {
                // As above.
                Cancelled::Condition(_) => return Ok(()),
                Cancelled::Conflict => {}
                Cancelled::Failed(error) => return Err(error),
            }
        }
        Err(StoreError::Busy { operation, source: "the counter was written during each attempt".into() })
    }
}

/// The sort key of the counter of a status and a day.
fn row(status: Status, day: &str) -> String {
    format!("{day}#{}", status.name())
}
