//! The JobEvents table: a job's log, append-only, and the rows that fanout writes as a whole.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{DeleteRequest, PutRequest, WriteRequest};
use reelhook_app::fanout::{CountStep, EventRow, FanoutStore, LiveRow, LogRow};
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::watch::LiveStore;
use reelhook_domain::{Admission, Delivery, JobId, Timestamp};
use serde_json::Value;

use crate::counters::CounterTable;
use crate::deliveries::DeliveryTable;
use crate::errors::store_error;
use crate::items::{Item, is_expired, json, read, s, text, ttl};

/// Days that log lines are kept.
const RETENTION_DAYS: i64 = 30;
/// Rows of one BatchWriteItem.
const BATCH_WRITE: usize = 25;
/// Calls for rows that come back unprocessed.
const TRIES: usize = 4;

/// The JobEvents table.
#[derive(Debug, Clone)]
pub struct JobEventTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl JobEventTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// The newest `limit` lines of a job's log, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn latest(&self, job: &JobId, limit: i32, now: Timestamp) -> Result<Vec<Value>, StoreError> {
        let operation = "read log";
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("job_id = :job")
            .expression_attribute_values(":job", s(job.as_str()))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(limit);
        let answer = query.send().await.map_err(|error| store_error(operation, error))?;
        let shown = |item: &&Item| !is_expired(item, now) && item.contains_key("line");
        let alive = answer.items().iter().rev().filter(shown);
        alive.map(|item| read(operation, item, "line")).collect()
    }

    async fn live_rows(&self, job: &JobId, after: u64, limit: i32) -> Result<Vec<(u64, LiveRow)>, StoreError> {
        let operation = "read live events";
        let version = |item: &Item| text(item, "seq").and_then(|seq| seq.split('.').next()?.parse().ok());
        let mut start = None;
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("job_id = :job AND seq > :after")
                .filter_expression("attribute_exists(live)")
                .projection_expression("seq, live")
                .expression_attribute_values(":job", s(job.as_str()))
                // Behind every row of that version.
                .expression_attribute_values(":after", s(format!("{after:010}.~")))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .limit(limit);
            let answer = query.send().await.map_err(|error| store_error(operation, error))?;
            let items = answer.items().iter();
            let found: Vec<(u64, LiveRow)> = items
                .map(|item| Ok((version(item).unwrap_or_default(), read(operation, item, "live")?)))
                .collect::<Result<_, StoreError>>()?;
            start = answer.last_evaluated_key;
            // A page may hold log lines only: what viewers saw then stands behind it.
            if !found.is_empty() || start.is_none() {
                return Ok(found);
            }
        }
    }

    async fn remove(&self, job: &JobId) -> Result<(), StoreError> {
        let operation = "remove log";
        loop {
            let query = self.client.query().table_name(&self.table).key_condition_expression("job_id = :job");
            let query = query.expression_attribute_values(":job", s(job.as_str())).projection_expression("job_id, seq");
            let answer = query.limit(BATCH_WRITE as i32).consistent_read(true).send().await;
            let keys = answer.map_err(|error| store_error(operation, error))?.items.unwrap_or_default();
            if keys.is_empty() {
                return Ok(());
            }
            let request = |key: Item| {
                let delete = DeleteRequest::builder().set_key(Some(key)).build().expect("the key is set");
                WriteRequest::builder().delete_request(delete).build()
            };
            // What comes back unprocessed is found by the next query.
            let requests = keys.into_iter().map(request).collect();
            let answer = self.client.batch_write_item().request_items(&self.table, requests).send().await;
            answer.map_err(|error| store_error(operation, error))?;
        }
    }

    async fn put_chunk(&self, chunk: &[LogRow]) -> Result<(), StoreError> {
        let operation = "write log";
        let request = |row: &LogRow| {
            let put = PutRequest::builder().set_item(Some(log_item(row))).build().expect("the item is set");
            WriteRequest::builder().put_request(put).build()
        };
        let mut left: Vec<WriteRequest> = chunk.iter().map(request).collect();
        for _ in 0..TRIES {
            let answer = self.client.batch_write_item().request_items(&self.table, left).send().await;
            let answer = answer.map_err(|error| store_error(operation, error))?;
            left = answer.unprocessed_items.unwrap_or_default().remove(&self.table).unwrap_or_default();
            if left.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Busy { operation, source: format!("{} rows stayed unprocessed", left.len()).into() })
    }
}

#[async_trait]
impl LiveStore for JobEventTable {
    async fn live_since(&self, job: &JobId, after: u64, limit: i32) -> Result<Vec<(u64, LiveRow)>, StoreError> {
        self.live_rows(job, after, limit).await
    }
}

fn log_item(row: &LogRow) -> Item {
    let mut item: Item = [
        ("job_id", s(row.job_id.as_str())),
        ("seq", s(format!("{:010}.{:02}", row.version, row.index))),
        ("expires_at", ttl(row.at, RETENTION_DAYS)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(line) = &row.line {
        item.insert("line".to_owned(), json(line));
    }
    if let Some(live) = &row.live {
        item.insert("live".to_owned(), json(live));
    }
    item
}

/// The tables that fanout writes.
pub struct FanoutTables {
    /// Log lines.
    pub log: JobEventTable,
    /// Events and deliveries.
    pub deliveries: DeliveryTable,
    /// Counters and admission.
    pub counters: CounterTable,
    /// The time, for how long rows are kept.
    pub now: fn() -> Timestamp,
}

#[async_trait]
impl FanoutStore for FanoutTables {
    async fn put_logs(&self, rows: &[LogRow]) -> Vec<Result<(), StoreError>> {
        let mut results = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(BATCH_WRITE) {
            match self.log.put_chunk(chunk).await {
                Ok(()) => results.extend(chunk.iter().map(|_| Ok(()))),
                Err(error) => results.extend(error.for_each(chunk.len()).into_iter().map(Err)),
            }
        }
        results
    }

    async fn put_event(&self, event: &EventRow) -> Result<(), StoreError> {
        self.deliveries.put_event(event).await
    }

    async fn put_delivery(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.deliveries.put_delivery(delivery).await
    }

    async fn remove_logs(&self, job: &JobId) -> Result<(), StoreError> {
        self.log.remove(job).await
    }

    async fn count(&self, step: &CountStep) -> Result<(), StoreError> {
        self.counters.count(step, (self.now)()).await
    }

    async fn admission(&self) -> Result<Admission, StoreError> {
        self.counters.admission().await
    }

    async fn save_admission(&self, admission: &Admission) -> Result<Saved<Admission>, StoreError> {
        self.counters.save_admission(admission).await
    }
}
