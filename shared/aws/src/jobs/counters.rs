//! The Counters table, and its counters: jobs per day and final state, and the tallies of their logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use reelhook_app::outbox::fanout::CountStep;
use reelhook_app::store::StoreError;
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{LogTally, Timestamp};

use crate::errors::store_error;
use crate::items::{Item, n, number, s, text, ttl};
use crate::retry::RetryClock;
use crate::transactions::{Cancelled, cancelled};

/// The partition of counters of final jobs; the sort key is day and status.
pub(crate) const FINALS: &str = "finals";
/// The sort key of rows that are alone in their partition.
pub(crate) const ALONE: &str = "-";
/// Days for which a counter is kept: as long as the jobs that it counts.
pub(crate) const COUNTER_DAYS: i64 = 31;
/// The counters of logs in those rows, in the order of a [`LogTally`].
const LOG_COUNTERS: [&str; 6] = ["log_info", "log_success", "log_warning", "log_error", "log_bytes", ARCHIVED];
/// The counter of archived logs, in a row of its own, because archives outlive their jobs.
const ARCHIVED: &str = "log_archived";
/// Days for which archives are kept.
const ARCHIVE_DAYS: i64 = 365;
/// Days for which the marker of a counted step is kept: longer than a record of the stream.
const MARKER_DAYS: i64 = 3;

/// The Counters table.
#[derive(Debug, Clone)]
pub struct CounterTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
    /// How many rows the slots of runs had when they were last read.
    rows: Arc<AtomicUsize>,
}

impl CounterTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into(), rows: Arc::new(AtomicUsize::new(1)) }
    }

    pub(crate) fn client(&self) -> &aws_sdk_dynamodb::Client {
        &self.client
    }

    pub(crate) fn name(&self) -> &str {
        &self.table
    }

    /// Reads a row that may be a little behind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn get_eventually(
        &self,
        operation: &'static str,
        pk: &str,
        sk: &str,
    ) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk));
        Ok(get.send().await.map_err(|error| store_error(operation, error))?.item)
    }

    /// How many rows the slots of runs had when they were last read.
    pub(crate) fn known_rows(&self) -> usize {
        self.rows.load(Ordering::Relaxed)
    }

    /// Remembers how many rows the slots of runs have.
    pub(crate) fn know_rows(&self, rows: usize) {
        self.rows.store(rows, Ordering::Relaxed);
    }

    /// Reads a row consistently.
    pub(crate) async fn get(&self, operation: &'static str, pk: &str, sk: &str) -> Result<Option<Item>, StoreError> {
        let get =
            self.client.get_item().table_name(&self.table).key("pk", s(pk)).key("sk", s(sk)).consistent_read(true);
        Ok(get.send().await.map_err(|error| store_error(operation, error))?.item)
    }

    /// The counters of final jobs and of their logs over all days, in one query.
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
    /// row, so a conflict is retried here instead of with the whole batch of the stream.
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
        // A step that counts log lines only has a row of its own.
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
                    // The marker exists: the step was counted before, or by an attempt whose response was lost.
                    Cancelled::Condition(_) => return Ok(()),
                    Cancelled::Conflict => {}
                    Cancelled::Failed(error) => return Err(error),
                },
            }
        }
        Err(StoreError::Busy { operation, source: "each attempt conflicted with another counter update".into() })
    }

    /// Adds to the counters of a row, as a part of a transaction.
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
