//! The Counters table: the admission item, counters of final jobs, Idempotency-Keys, and render callbacks that wait.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use reelhook_app::jobs::reconcile::{Counter, CounterStore};
use reelhook_app::jobs::renders::{Callback, RenderStore};
use reelhook_app::jobs::submit::KeyRow;
use reelhook_app::limits::LeaseStore;
use reelhook_app::outbox::fanout::CountStep;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{Admission, JobId, LogTally, RenderId, Status, Timestamp};
use uuid::Uuid;

use crate::conditional::failed_put;
use crate::errors::store_error;
use crate::items::{Item, SCHEMA, is_expired, json, n, number, read, s, text, ttl};
use crate::jobs::table::JobTable;
use crate::retry::{RetryClock, send_update};
use crate::transactions::{Cancelled, cancelled};

/// The partition of counters of final jobs; the sort key is day and status.
const FINALS: &str = "finals";
/// The counters of logs in those rows, in the order of a [`LogTally`].
const LOG_COUNTERS: [&str; 6] = ["log_info", "log_success", "log_warning", "log_error", "log_bytes", ARCHIVED];
/// The counter of archived logs: in a row of its own, since archives outlive their jobs.
const ARCHIVED: &str = "log_archived";
/// Days that archives are kept.
const ARCHIVE_DAYS: i64 = 365;
/// The item that says who may start.
const ADMISSION: &str = "admission";
/// The sort key of rows that are alone in their partition.
const ALONE: &str = "-";
/// Days that a counter is kept: as long as the jobs it counts.
const COUNTER_DAYS: i64 = 31;
/// Days that it is remembered what was counted: longer than the stream.
const MARKER_DAYS: i64 = 3;
/// Who vouched for a callback that no run's token came with.
const OPERATOR: &str = "operator";
/// How long a minute's calls are kept, from its begin.
const RATE_S: i64 = 600;
/// How long a callback waits for its render to be known.
const PARKED_S: i64 = 3600;
/// A render is checked out of turn once in so many seconds.
const HINT_S: i64 = 10;

/// The Counters table.
#[derive(Debug, Clone)]
pub struct CounterTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl CounterTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    pub(crate) fn client(&self) -> &aws_sdk_dynamodb::Client {
        &self.client
    }

    pub(crate) fn name(&self) -> &str {
        &self.table
    }

    pub(crate) async fn get(&self, operation: &'static str, pk: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        let get =
            self.client.get_item().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk)).consistent_read(true);
        Ok(get.send().await.map_err(|error| store_error(operation, error))?.item)
    }

    /// The admission item; a new one where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn admission(&self) -> Result<Admission, StoreError> {
        self.slots(ADMISSION).await
    }

    /// The item under `pk` that holds slots; a new one where there is none.
    pub(crate) async fn slots(&self, pk: &str) -> Result<Admission, StoreError> {
        let operation = "load slots";
        let item = self.get(operation, pk, ALONE).await?;
        item.map_or_else(|| Ok(Admission::default()), |item| read(operation, &item, "body"))
    }

    /// Saves the admission item, one version on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn save_admission(&self, admission: &Admission) -> Result<Saved<Admission>, StoreError> {
        self.save_slots(ADMISSION, admission).await
    }

    /// Saves the slots under `pk`, one version on.
    pub(crate) async fn save_slots(&self, pk: &str, slots: &Admission) -> Result<Saved<Admission>, StoreError> {
        let operation = "save slots";
        let write_id = Uuid::new_v4().simple().to_string();
        let put = self.client.put_item().table_name(&self.table).set_item(Some(slots_item(pk, slots, &write_id)));
        let put = put
            .condition_expression("attribute_not_exists(pk) OR #version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(slots.version - 1))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Saved::Done),
            Err(error) => failed_put(operation, error, &write_id, |item| read(operation, item, "body")),
        }
    }

    /// The admission item's part of a claim.
    pub(crate) fn admission_put(&self, admission: &Admission) -> TransactWriteItem {
        let write_id = Uuid::new_v4().simple().to_string();
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(admission_item(admission, &write_id)))
            .condition_expression("attribute_not_exists(pk) OR #version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", n(admission.version - 1));
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    /// The key row's part of a submission: there is none yet, or it has expired.
    pub(crate) fn key_put(&self, row: &KeyRow, now: Timestamp) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(key_item(row)))
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", n(now.seconds()));
        TransactWriteItem::builder().put(put.build().expect("table and item are set")).build()
    }

    /// Writes a key's row; what is known of it, where somebody was there before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remember(&self, row: &KeyRow, now: Timestamp) -> Result<Option<KeyRow>, StoreError> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(key_item(row)));
        let put = put
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", n(now.seconds()));
        match put.send().await {
            Ok(_) => Ok(None),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                self.key(&row.caller, &row.key).await
            }
            Err(error) => Err(store_error("remember key", error)),
        }
    }

    /// The row of a key.
    pub(crate) async fn key(&self, caller: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        let Some(item) = self.get("read key", &key_partition(caller, key), ALONE).await? else { return Ok(None) };
        let field = |name: &str| text(&item, name).unwrap_or_default().to_owned();
        Ok(Some(KeyRow {
            caller: caller.to_owned(),
            key: key.to_owned(),
            body_hash: field("body_hash"),
            answer: field("answer"),
            expires_at: Timestamp(number(&item, "expires_at").unwrap_or_default() * 1000),
        }))
    }

    /// The counters of final jobs and of their logs over all days, which one query reads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn totals(&self) -> Result<(QueueCounts, LogTally), StoreError> {
        let query = self.client.query().table_name(&self.table).key_condition_expression("pk = :finals");
        let answer = query.expression_attribute_values(":finals", s(FINALS)).send().await;
        let answer = answer.map_err(|error| store_error("read counters", error))?;
        let (mut counts, mut log) = (QueueCounts::default(), LogTally::default());
        for item in answer.items() {
            log = log + LOG_COUNTERS.map(|name| number(item, name).unwrap_or_default()).into();
            let value = u64::try_from(number(item, "count").unwrap_or_default()).unwrap_or_default();
            match text(item, "sk").and_then(|sk| sk.split_once('#')).map(|(_, status)| status) {
                Some("completed") => counts.completed += value,
                Some("failed") => counts.failed += value,
                Some("cancelled") => counts.cancelled += value,
                _ => {}
            }
        }
        Ok((counts, log))
    }

    /// Counts a step unless it was counted: marker and counter in one transaction. Other transactions write the same
    /// row, so a conflict is retried here, and not with the whole batch of the stream.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count(&self, step: &CountStep, now: Timestamp) -> Result<(), StoreError> {
        let operation = "count";
        let marker = Put::builder()
            .table_name(&self.table)
            .item("pk", s(format!("counted#{}", step.id)))
            .item("sk", s(ALONE))
            .item("expires_at", ttl(now, MARKER_DAYS))
            .condition_expression("attribute_not_exists(pk)");
        // What is counted of a log alone stands in a row of its own.
        let (name, jobs) =
            step.status.map_or(("log", 0), |(status, entered)| (status.name(), if entered { 1 } else { -1 }));
        let of_log = LOG_COUNTERS.into_iter().zip(<[i64; 6]>::from(step.log)).filter(|(_, added)| *added != 0);
        let (archived, lines): (Vec<_>, Vec<_>) = of_log.partition(|(name, _)| *name == ARCHIVED);
        let adds = [vec![("count", jobs)], lines].concat();
        let mut updates = vec![self.add(&format!("{}#{name}", step.day), &adds, ttl(now, COUNTER_DAYS))];
        if !archived.is_empty() {
            updates.push(self.add(&format!("{}#archived", step.day), &archived, ttl(now, ARCHIVE_DAYS)));
        }
        let marker = TransactWriteItem::builder().put(marker.build().expect("table and item are set")).build();
        let items: Vec<TransactWriteItem> = [marker].into_iter().chain(updates).collect();
        let waits = RetryClock::of(&self.client);
        let mut retry = waits.retry();
        while retry.attempt().await {
            let write = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            match write.send().await {
                Ok(_) => return Ok(()),
                Err(error) => match cancelled(operation, error) {
                    // The marker is there: it was counted before, or by an attempt whose answer got lost.
                    Cancelled::Condition(_) => return Ok(()),
                    Cancelled::Conflict => {}
                    Cancelled::Failed(error) => return Err(error),
                },
            }
        }
        Err(StoreError::Busy { operation, source: "each attempt conflicted with another counter update".into() })
    }
}

impl CounterTable {
    /// Adds to counters of a row of final jobs, as a part of a transaction.
    fn add(&self, row: &str, adds: &[(&str, i64)], expires_at: AttributeValue) -> TransactWriteItem {
        let terms: Vec<String> = adds.iter().map(|(name, _)| format!("#{name} :{name}")).collect();
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(FINALS))
            .key("sk", s(row))
            .update_expression(format!("ADD {} SET expires_at = :expires", terms.join(", ")))
            .expression_attribute_values(":expires", expires_at);
        for (name, added) in adds {
            update = update.expression_attribute_names(format!("#{name}"), *name);
            update = update.expression_attribute_values(format!(":{name}"), n(added));
        }
        TransactWriteItem::builder().update(update.build().expect("table and key are set")).build()
    }
}

/// The admission item.
pub fn admission_item(admission: &Admission, write_id: &str) -> Item {
    slots_item(ADMISSION, admission, write_id)
}

fn slots_item(pk: &str, slots: &Admission, write_id: &str) -> Item {
    [
        ("pk", s(pk)),
        ("sk", s(ALONE)),
        ("schema", n(SCHEMA)),
        ("version", n(slots.version)),
        ("write_id", s(write_id)),
        ("body", json(slots)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn key_item(row: &KeyRow) -> Item {
    [
        ("pk", s(key_partition(&row.caller, &row.key))),
        ("sk", s(ALONE)),
        ("schema", n(SCHEMA)),
        ("body_hash", s(&row.body_hash)),
        ("answer", s(&row.answer)),
        ("expires_at", n(row.expires_at.seconds())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn key_partition(caller: &str, key: &str) -> String {
    format!("key#{caller}#{key}")
}

/// Counters and the jobs that they count.
pub struct Reconciler {
    /// Counters.
    pub counters: CounterTable,
    /// Jobs.
    pub jobs: JobTable,
}

impl Reconciler {
    fn update(
        &self,
        status: Status,
        day: &str,
    ) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        let counters = &self.counters;
        let update = counters.client.update_item().table_name(&counters.table);
        update.key("pk", s(FINALS)).key("sk", s(format!("{day}#{}", status.name())))
    }
}

#[async_trait]
impl CounterStore for Reconciler {
    async fn counter(&self, status: Status, day: &str) -> Result<Counter, StoreError> {
        let item = self.counters.get("read counter", FINALS, &format!("{day}#{}", status.name())).await?;
        let item = item.unwrap_or_default();
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
        let sent = send_update(&self.counters.client, update).await;
        sent.map_err(|error| store_error("suspect counter", error))?;
        Ok(())
    }

    async fn trust(&self, status: Status, day: &str) -> Result<(), StoreError> {
        let update = self.update(status, day).update_expression("REMOVE counted, counted_at_value");
        let sent = send_update(&self.counters.client, update).await;
        sent.map_err(|error| store_error("trust counter", error))?;
        Ok(())
    }

    async fn mend(&self, status: Status, day: &str, was: i64, to: i64) -> Result<(), StoreError> {
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
        match send_update(&self.counters.client, update).await {
            Ok(_) => Ok(()),
            // It moved meanwhile: next time.
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(store_error("mend counter", error)),
        }
    }
}

/// When the counter of a day may go.
fn counter_end(day: &str) -> AttributeValue {
    let began = Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap_or(Timestamp(0));
    ttl(began, COUNTER_DAYS + 1)
}

#[async_trait]
impl LeaseStore for CounterTable {
    async fn lease(&self, caller: &str, minute: i64, count: u32, limit: u32) -> Result<u32, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(format!("rate#{caller}")))
            .key("sk", s(format!("{minute:010}")))
            .update_expression("ADD #count :count SET expires_at = :expires")
            .expression_attribute_names("#count", "count")
            .expression_attribute_values(":count", n(count))
            .expression_attribute_values(":expires", n(minute * 60 + RATE_S))
            .return_values(ReturnValue::UpdatedNew);
        let answer = update.send().await.map_err(|error| store_error("lease calls", error))?;
        let leased = answer.attributes().and_then(|item| number(item, "count")).unwrap_or(i64::from(count));
        let before = u32::try_from(leased - i64::from(count)).unwrap_or(u32::MAX);
        Ok(limit.saturating_sub(before).min(count))
    }
}

/// Renders: which jobs know them, and callbacks that wait for one.
pub struct RenderTable {
    /// Callbacks that wait.
    pub counters: CounterTable,
    /// Jobs.
    pub jobs: JobTable,
}

#[async_trait]
impl RenderStore for RenderTable {
    async fn jobs_of(&self, render: &RenderId) -> Result<Vec<JobId>, StoreError> {
        self.jobs.of_render(render).await
    }

    async fn park(&self, render: &RenderId, callback: &Callback, now: Timestamp) -> Result<(), StoreError> {
        let counters = &self.counters;
        let by = callback.run.as_ref().map_or(OPERATOR, |run| run.job_id.as_str());
        let put = counters
            .client
            .put_item()
            .table_name(&counters.table)
            .item("pk", s(format!("render#{render}")))
            .item("sk", s("parked"))
            .item("body", json(callback))
            .item("by", s(by))
            .item("expires_at", n(now.seconds() + PARKED_S))
            .item("final", AttributeValue::Bool(callback.is_final()))
            // A run's token can't take the place of what somebody else left, the operator's can; and no word that comes
            // late takes the place of an end.
            .condition_expression(
                "attribute_not_exists(pk) OR expires_at <= :now OR \
                 ((#by = :by OR :by = :operator) AND (#final <> :true OR :final = :true))",
            )
            .expression_attribute_names("#by", "by")
            .expression_attribute_names("#final", "final")
            .expression_attribute_values(":final", AttributeValue::Bool(callback.is_final()))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":now", n(now.seconds()))
            .expression_attribute_values(":by", s(by))
            .expression_attribute_values(":operator", s(OPERATOR));
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                tracing::warn!(render_id = %render, by, "an early render callback found the place taken");
                Ok(())
            }
            Err(error) => Err(store_error("park callback", error)),
        }
    }

    async fn parked(&self, render: &RenderId, now: Timestamp) -> Result<Option<Callback>, StoreError> {
        let operation = "read parked callback";
        let item = self.counters.get(operation, &format!("render#{render}"), "parked").await?;
        item.filter(|item| !is_expired(item, now)).map(|item| read(operation, &item, "body")).transpose()
    }

    async fn may_hint(&self, render: &RenderId, now: Timestamp) -> Result<bool, StoreError> {
        let counters = &self.counters;
        let write_id = Uuid::new_v4().simple().to_string();
        let put = counters
            .client
            .put_item()
            .table_name(&counters.table)
            .item("pk", s(format!("render#{render}")))
            .item("sk", s("hint"))
            .item("write_id", s(&write_id))
            .item("expires_at", n(now.seconds() + HINT_S))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
            .expression_attribute_values(":now", n(now.seconds()));
        let error = match put.send().await {
            Ok(_) => return Ok(true),
            Err(error) => error,
        };
        match error.as_service_error() {
            // Our own write went through, only its answer got lost.
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                Ok(failed.item().is_some_and(|item| text(item, "write_id") == Some(&write_id)))
            }
            _ => Err(store_error("take hint", error)),
        }
    }
}
