//! The JobEvents table: append-only rows of log lines and live events; and the tables that fanout writes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::logs::{LOG_SHARDS, Line, LogStore, Page, day_place, log_shard};
use reelhook_app::outbox::fanout::{CountStep, FanoutStore};
use reelhook_app::outbox::rows::{LogLine, LogRow, StoredLive, sort_key};
use reelhook_app::retention::Days;
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::watch::LiveStore;
use reelhook_app::webhooks::events::{DueBy, EventRow, EventStore};
use reelhook_domain::{Admission, Delivery, DeliveryId, SlotRow, Slots, Subject, Timestamp};

use crate::batch::{BATCH_WRITE, delete, put, write_all};
use crate::errors::store_error;
use crate::items::shards::EndedShards;
use crate::items::{Item, n, number, s, text, ttl};
use crate::jobs::counters::CounterTable;
use crate::jobs::event_rows::{self, LINE, LIVE_ATTRIBUTES};
use crate::webhooks::deliveries::DeliveryTable;

/// The attribute of rows with live events that says when they were written: fanout may be late, so that their version is
/// older. A row that is written again gets a later one.
const WRITTEN_AT: &str = "written_at";
/// Rows that are read to find the next one with live events.
const FEW: i32 = 20;

/// The JobEvents table.
#[derive(Debug, Clone)]
pub struct JobEventTable {
    client: aws_sdk_dynamodb::Client,
    table: String,
    /// The shards of the index by day.
    shards: EndedShards,
    /// How long rows are kept.
    kept: Days,
}

impl JobEventTable {
    /// The table called `table`.
    pub fn new(client: aws_sdk_dynamodb::Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into(), shards: EndedShards::default(), kept: Days::default() }
    }

    /// The same table, whose index by day has these shards.
    #[must_use]
    pub fn sharded(self, shards: EndedShards) -> Self {
        Self { shards, ..self }
    }

    /// The same table, which keeps rows for so long.
    #[must_use]
    pub fn keeping(self, kept: Days) -> Self {
        Self { kept, ..self }
    }

    fn of_subject_query(&self, subject: &Subject, condition: &str, place: Option<&str>) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table);
        let query = query.expression_attribute_values(":job", s(subject.as_str())).consistent_read(true);
        match place {
            Some(place) => query
                .key_condition_expression(format!("job_id = :job AND {condition}"))
                .expression_attribute_values(":place", s(place)),
            None => query.key_condition_expression("job_id = :job"),
        }
    }

    /// The rows with live events after a version.
    fn live_query(&self, subject: &Subject, after: u64, attributes: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("job_id = :job AND seq > :after")
            .filter_expression(LIVE_ATTRIBUTES.map(|name| format!("attribute_exists({name})")).join(" OR "))
            .projection_expression(attributes)
            .expression_attribute_values(":job", s(subject.as_str()))
            // It sorts after every row of that version.
            .expression_attribute_values(":after", s(format!("{after:010}.~")))
            .consistent_read(true)
    }

    async fn live_rows(&self, subject: &Subject, after: u64, limit: i32) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        let operation = "read live events";
        let attributes = format!("seq, {}", LIVE_ATTRIBUTES.join(", "));
        let mut start = None;
        loop {
            let query = self.live_query(subject, after, &attributes).set_exclusive_start_key(start).limit(limit);
            let answer = query.send().await.map_err(|error| store_error(operation, error))?;
            let rows = answer.items().iter().map(|item| event_rows::live(operation, item, after));
            let mut found = rows.collect::<Result<Vec<_>, StoreError>>()?.concat();
            found.truncate(usize::try_from(limit).unwrap_or_default());
            start = answer.last_evaluated_key;
            // A page may hold log lines only, and live events may follow.
            if !found.is_empty() || start.is_none() {
                return Ok(found);
            }
        }
    }

    async fn remove(&self, subject: &Subject) -> Result<(), StoreError> {
        let operation = "remove log";
        loop {
            let query = self.client.query().table_name(&self.table).key_condition_expression("job_id = :job");
            let query = query.expression_attribute_values(":job", s(subject.as_str()));
            let query = query.projection_expression("job_id, seq");
            let answer = query.limit(BATCH_WRITE as i32).consistent_read(true).send().await;
            let keys = answer.map_err(|error| store_error(operation, error))?.items.unwrap_or_default();
            if keys.is_empty() {
                return Ok(());
            }
            write_all(operation, &self.client, &self.table, keys.into_iter().map(delete).collect()).await?;
        }
    }

    async fn put_chunk(&self, chunk: &[LogRow], now: Timestamp) -> Result<(), StoreError> {
        let shards = self.shards.written(LOG_SHARDS);
        let requests = chunk.iter().map(|row| put(log_item(row, shards, self.kept, now))).collect();
        write_all("write log", &self.client, &self.table, requests).await
    }
}

/// The lines of a query's answer. The sort keys of rows are in the attribute `sort`; `place` makes those of lines inside of
/// rows from the ones in their log.
async fn page(
    query: QueryFluentBuilder,
    sort: &str,
    place: impl Fn(&LogLine, String) -> String,
    rows: usize,
) -> Result<Page, StoreError> {
    let operation = "read log";
    let answer = query.limit(i32::try_from(rows).unwrap_or(i32::MAX)).send().await;
    let answer = answer.map_err(|error| store_error(operation, error))?;
    let at = |item: &Item| text(item, sort).unwrap_or_default().to_owned();
    let mut lines = Vec::new();
    for item in answer.items().iter().filter(|item| item.contains_key(LINE)) {
        let (line, earlier) = event_rows::lines(operation, item)?;
        lines.push(Line { place: at(item), line });
        lines.extend(earlier.into_iter().map(|(seq, line)| Line { place: place(&line, seq), line }));
    }
    let last = answer.last_evaluated_key().map(at);
    Ok(Page { lines, last })
}

#[async_trait]
impl LogStore for JobEventTable {
    fn shards(&self) -> u32 {
        self.shards.read(LOG_SHARDS)
    }

    fn kept(&self) -> Days {
        self.kept
    }

    async fn of_subject(&self, subject: &Subject, before: Option<&str>, rows: usize) -> Result<Page, StoreError> {
        let query = self.of_subject_query(subject, "seq < :place", before).scan_index_forward(false);
        page(query, "seq", |_, seq| seq, rows).await
    }

    async fn of_subject_since(&self, subject: &Subject, after: Option<&str>, rows: usize) -> Result<Page, StoreError> {
        page(self.of_subject_query(subject, "seq > :place", after), "seq", |_, seq| seq, rows).await
    }

    async fn of_day(&self, day: &str, shard: u32, from: &str, before: &str, rows: usize) -> Result<Page, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-day")
            .key_condition_expression("day_shard = :day AND place BETWEEN :from AND :before")
            .expression_attribute_values(":day", s(format!("{day}#{shard}")))
            .expression_attribute_values(":from", s(from))
            .expression_attribute_values(":before", s(before))
            .scan_index_forward(false);
        let mut page = page(query, "place", |line, seq| day_place(line.at, &line.subject, &seq), rows).await?;
        // BETWEEN includes both ends.
        page.lines.retain(|line| line.place != before);
        Ok(page)
    }
}

#[async_trait]
impl LiveStore for JobEventTable {
    async fn live_since(
        &self,
        subject: &Subject,
        after: u64,
        limit: i32,
    ) -> Result<Vec<(u64, StoredLive)>, StoreError> {
        self.live_rows(subject, after, limit).await
    }

    /// A packed row has the versions before its own, so that of a version is the first one from it on.
    async fn written_at(&self, subject: &Subject, version: u64) -> Result<Option<Timestamp>, StoreError> {
        let operation = "read when live events were written";
        let mut start = None;
        loop {
            let query = self.live_query(subject, version.saturating_sub(1), WRITTEN_AT).set_exclusive_start_key(start);
            let answer = query.limit(FEW).send().await.map_err(|error| store_error(operation, error))?;
            if let Some(row) = answer.items().first() {
                return Ok(number(row, WRITTEN_AT).map(Timestamp));
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(None);
            }
        }
    }
}

/// The item of a row, whose day has so many partitions in the index, and which is kept for so long; written now.
fn log_item(row: &LogRow, shards: u32, kept: Days, now: Timestamp) -> Item {
    let seq = sort_key(row.version, row.index);
    let mut item: Item =
        [("job_id", s(row.subject.as_str())), ("seq", s(&seq)), ("expires_at", ttl(row.at, kept.count()))]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
    if row.entry.is_some() {
        item.insert("day_shard".to_owned(), s(format!("{}#{}", row.at.day(), log_shard(&row.subject, shards))));
        item.insert("place".to_owned(), s(day_place(row.at, &row.subject, &seq)));
    }
    item.extend(event_rows::attributes(row).into_iter().map(|(name, value)| (name.to_owned(), value)));
    if LIVE_ATTRIBUTES.iter().any(|name| item.contains_key(*name)) {
        item.insert(WRITTEN_AT.to_owned(), n(now.millis()));
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
    /// The clock, from which rows have their expiry, and those with live events the time at which they were written.
    pub now: fn() -> Timestamp,
}

#[async_trait]
impl EventStore for FanoutTables {
    async fn put_event(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<(), StoreError> {
        self.deliveries.put_event(event, deliveries).await
    }

    async fn put_due(&self, event: &EventRow, deliveries: &[DeliveryId]) -> Result<DueBy, StoreError> {
        self.deliveries.put_due(event, deliveries).await
    }

    async fn put_delivery(&self, delivery: &Delivery, due_by: DueBy) -> Result<(), StoreError> {
        self.deliveries.put_delivery(delivery, due_by).await
    }
}

#[async_trait]
impl FanoutStore for FanoutTables {
    async fn put_logs(&self, rows: &[LogRow]) -> Vec<Result<(), StoreError>> {
        let mut results = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(BATCH_WRITE) {
            match self.log.put_chunk(chunk, (self.now)()).await {
                Ok(()) => results.extend(chunk.iter().map(|_| Ok(()))),
                Err(error) => results.extend(error.for_each(chunk.len()).into_iter().map(Err)),
            }
        }
        results
    }

    async fn remove_logs(&self, subject: &Subject) -> Result<(), StoreError> {
        self.log.remove(subject).await
    }

    async fn count(&self, steps: &[CountStep]) -> Vec<Result<(), StoreError>> {
        self.counters.count(steps, (self.now)()).await
    }
}

#[async_trait]
impl AdmissionStore for FanoutTables {
    async fn admission(&self) -> Result<Slots, StoreError> {
        self.counters.admission().await
    }

    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError> {
        self.counters.save_admission(changed).await
    }

    async fn some_rows(&self, numbers: &BTreeSet<usize>) -> Result<Vec<SlotRow>, StoreError> {
        self.counters.some_rows(numbers).await
    }
}
