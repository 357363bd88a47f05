//! The counters of ended jobs and of their logs: rows by day and status, in shards that transactions add to
//! (docs/adr/0062-shards-of-what-has-ended.md).

use std::collections::{BTreeMap, HashSet};

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use futures_util::future::try_join_all;
use reelhook_app::outbox::fanout::CountStep;
use reelhook_app::store::StoreError;
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{LogTally, Timestamp};

use crate::errors::store_error;
use crate::items::{Item, n, number, s, text, ttl};
use crate::jobs::counters::{ALONE, CounterDays, CounterTable};
use crate::retry::{RetryClock, send_update};
use crate::transactions::{Cancelled, cancelled, unmet};

/// The partition of the first shard of the counters; the sort key is day and status.
const FINALS: &str = "finals";
/// The sort key of the row in it that says how many shards there are; without that row there is one.
const SHARDS: &str = "shards";
/// The attribute of that row.
const MOST: &str = "most";
/// The counters of logs in those rows, in the order of a [`LogTally`].
const LOG_COUNTERS: [&str; 6] = ["log_info", "log_success", "log_warning", "log_error", "log_bytes", ARCHIVED];
/// The counter of archived logs, in a row of its own, because archives outlive their jobs.
const ARCHIVED: &str = "log_archived";
/// Days for which the marker of a counted step is kept: longer than a record of the stream.
const MARKER_DAYS: i64 = 3;
/// Steps that one transaction counts, at most. Each has a marker and adds to two rows at most, and DynamoDB takes 100 items
/// in a transaction.
const TOGETHER: usize = 32;

/// The partition of a shard of the counters. The first one is as before there were several.
pub(super) fn partition(shard: usize) -> String {
    if shard == 0 { FINALS.to_owned() } else { format!("{FINALS}#{shard}") }
}

impl CounterTable {
    /// The counters of ended jobs and of their logs over all days.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn totals(&self) -> Result<(QueueCounts, LogTally), StoreError> {
        let first = self.counters_of(0).await?;
        let shards = first.iter().find(|item| text(item, "sk") == Some(SHARDS)).map_or(1, most);
        let others = try_join_all((1..shards).map(|shard| self.counters_of(shard))).await?;
        let (mut days, mut log) = (BTreeMap::<&str, i64>::new(), LogTally::default());
        for item in first.iter().chain(others.iter().flatten()) {
            log = log + LOG_COUNTERS.map(|name| number(item, name).unwrap_or_default()).into();
            // A job that leaves a status may be counted in another shard than when it entered, so that a shard alone may be
            // below zero. A day is not.
            if let Some(counter) = text(item, "sk") {
                *days.entry(counter).or_default() += number(item, "count").unwrap_or_default();
            }
        }
        let of_status = |wanted: &str| {
            let days = days.iter().filter(|(sk, _)| sk.split_once('#').is_some_and(|(_, status)| status == wanted));
            days.map(|(_, count)| u64::try_from(*count).unwrap_or_default()).sum()
        };
        let [completed, failed, cancelled] = ["completed", "failed", "cancelled"].map(of_status);
        Ok((QueueCounts { completed, failed, cancelled, ..QueueCounts::default() }, log))
    }

    /// The rows of a shard of the counters.
    async fn counters_of(&self, shard: usize) -> Result<Vec<Item>, StoreError> {
        let query = self.client().query().table_name(self.name()).key_condition_expression("pk = :finals");
        let answer = query.expression_attribute_values(":finals", s(partition(shard))).send().await;
        Ok(answer.map_err(|error| store_error("read counters", error))?.items.unwrap_or_default())
    }

    /// The rows of a counter, one of each shard; empty where there is none. Strongly consistent.
    pub(super) async fn counter_rows(&self, sk: &str) -> Result<Vec<Item>, StoreError> {
        let shards = self.get("read counters", FINALS, SHARDS).await?.as_ref().map_or(1, most);
        let rows = (0..shards).map(|shard| async move { self.get("read counter", &partition(shard), sk).await });
        Ok(try_join_all(rows).await?.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Counts steps, each unless it was counted before: the markers of as many as fit and the counters in one transaction.
    /// Any shard will do, since the marker alone says whether a step was counted. One result for each step, in order.
    pub async fn count(&self, steps: &[CountStep], now: Timestamp) -> Vec<Result<(), StoreError>> {
        let mut results = Vec::with_capacity(steps.len());
        for together in steps.chunks(TOGETHER) {
            match self.count_together(together, now).await {
                Ok(()) => results.extend(together.iter().map(|_| Ok(()))),
                // What the store refuses again must not hide the steps beside it, nor be taken for one of them.
                Err(error) if !error.is_busy() && together.len() > 1 => {
                    for step in together.chunks(1) {
                        results.push(self.count_together(step, now).await);
                    }
                }
                Err(error) => results.extend(error.for_each(together.len()).into_iter().map(Err)),
            }
        }
        results
    }

    /// Counts steps in one transaction. Others write the same rows, so after a conflict it is sent again with those of the
    /// next shard, instead of with the whole batch of the stream. Steps that were counted before are left out.
    async fn count_together(&self, steps: &[CountStep], now: Timestamp) -> Result<(), StoreError> {
        let operation = "count";
        self.note_shards().await?;
        let mut ids = HashSet::new();
        let mut left: Vec<&CountStep> = steps.iter().filter(|step| ids.insert(step.id.as_str())).collect();
        let waits = RetryClock::of(self.client());
        let (mut retry, mut conflicts) = (waits.retry(), 0);
        retry.attempt().await;
        while let Some(first) = left.first() {
            let shard = partition(self.shards.of(first.id.as_str(), conflicts));
            let markers = left.iter().map(|step| self.marker(step, now));
            let counters = sums(&left, self.kept).into_iter().map(|sum| self.add(&shard, &sum, now));
            let write =
                self.client().transact_write_items().set_transact_items(Some(markers.chain(counters).collect()));
            let Err(error) = write.send().await else { return Ok(()) };
            let counted = unmet(&error);
            match cancelled(operation, error) {
                // Only markers have conditions: these steps were counted before, or by an attempt whose response was lost.
                Cancelled::Condition(_) => {
                    let others = left.into_iter().enumerate().filter(|(place, _)| !counted.contains(place));
                    left = others.map(|(_, step)| step).collect();
                }
                Cancelled::Conflict => {
                    conflicts += 1;
                    if !retry.attempt().await {
                        let source = "each attempt conflicted with another counter update".into();
                        return Err(StoreError::Busy { operation, source });
                    }
                }
                Cancelled::Failed(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Notes how many shards are written, before one of them is: readers read all shards that there ever were.
    async fn note_shards(&self) -> Result<(), StoreError> {
        if self.shards.are_known() {
            return Ok(());
        }
        let update = self
            .client()
            .update_item()
            .table_name(self.name())
            .key("pk", s(FINALS))
            .key("sk", s(SHARDS))
            .update_expression("SET #most = :most")
            .condition_expression("attribute_not_exists(#most) OR #most < :most")
            .expression_attribute_names("#most", MOST)
            .expression_attribute_values(":most", n(self.shards.written()));
        match send_update(self.client(), update).await {
            Ok(_) => {}
            // There were as many before.
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) => {}
            Err(error) => return Err(store_error("note shards", error)),
        }
        self.shards.know();
        Ok(())
    }

    /// The marker of a step, on condition that there is none.
    fn marker(&self, step: &CountStep, now: Timestamp) -> TransactWriteItem {
        let marker = Put::builder()
            .table_name(self.name())
            .item("pk", s(format!("counted#{}", step.id)))
            .item("sk", s(ALONE))
            .item("expires_at", ttl(now, MARKER_DAYS))
            .condition_expression("attribute_not_exists(pk)");
        TransactWriteItem::builder().put(marker.build().expect("table and item are set")).build()
    }

    /// Adds to the counters of a row.
    fn add(&self, shard: &str, sum: &Sum, now: Timestamp) -> TransactWriteItem {
        let terms: Vec<String> = sum.adds.iter().map(|(name, _)| format!("#{name} :{name}")).collect();
        let mut update = Update::builder()
            .table_name(self.name())
            .key("pk", s(shard))
            .key("sk", s(&sum.row))
            .update_expression(format!("ADD {} SET expires_at = :expires", terms.join(", ")))
            .expression_attribute_values(":expires", ttl(now, sum.days));
        for (name, added) in &sum.adds {
            update = update.expression_attribute_names(format!("#{name}"), *name);
            update = update.expression_attribute_values(format!(":{name}"), n(added));
        }
        TransactWriteItem::builder().update(update.build().expect("table and key are set")).build()
    }
}

/// The number of shards in the row that says it.
fn most(item: &Item) -> usize {
    number(item, MOST).and_then(|most| usize::try_from(most).ok()).map_or(1, |most| most.max(1))
}

/// What steps add to the counters of one row.
#[derive(Debug, PartialEq, Eq)]
struct Sum {
    /// The sort key of the row.
    row: String,
    /// The counters.
    adds: Vec<(&'static str, i64)>,
    /// Days for which it is kept.
    days: i64,
}

impl Sum {
    fn add(&mut self, name: &'static str, added: i64) {
        match self.adds.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += added,
            None => self.adds.push((name, added)),
        }
    }
}

/// What steps add, by row, and how long the rows are kept.
fn sums(steps: &[&CountStep], kept: CounterDays) -> Vec<Sum> {
    let mut sums: Vec<Sum> = Vec::new();
    for step in steps {
        // A step that counts log lines only has a row of its own.
        let (name, jobs) =
            step.status.map_or(("log", 0), |(status, entered)| (status.name(), if entered { 1 } else { -1 }));
        let of_log = LOG_COUNTERS.into_iter().zip(<[i64; 6]>::from(step.log)).filter(|(_, added)| *added != 0);
        let (archived, lines): (Vec<_>, Vec<_>) = of_log.partition(|(name, _)| *name == ARCHIVED);
        let jobs = [("count", jobs)].into_iter().chain(lines);
        let rows = [(name, kept.of_jobs(), jobs.collect::<Vec<_>>()), ("archived", kept.archives.count(), archived)];
        for (name, days, adds) in rows.into_iter().filter(|(_, _, adds)| !adds.is_empty()) {
            let row = format!("{}#{name}", step.day);
            let known = sums.iter().position(|sum| sum.row == row);
            let place = known.unwrap_or_else(|| {
                sums.push(Sum { row, adds: Vec::new(), days });
                sums.len() - 1
            });
            adds.into_iter().for_each(|(name, added)| sums[place].add(name, added));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use reelhook_app::retention::Days;
    use reelhook_domain::{EventId, Status};

    use super::*;

    const KEPT: CounterDays = CounterDays { jobs: Days::MONTH, archives: Days::YEAR };

    fn step(n: u32, entered: bool, log: LogTally) -> CountStep {
        let id = EventId::parse(&format!("job_{n}.7.2")).unwrap();
        CountStep { id, day: "2024-01-01".to_owned(), status: Some((Status::Failed, entered)), log }
    }

    #[test]
    fn steps_of_one_row_are_one_sum() {
        let log = LogTally { info: 2, bytes: 30, archived: 1, ..LogTally::default() };
        let steps = [step(1, true, log), step(2, true, LogTally::default()), step(3, false, log)];
        let failed = Sum {
            row: "2024-01-01#failed".to_owned(),
            adds: vec![("count", 1), ("log_info", 4), ("log_bytes", 60)],
            days: 31,
        };
        let archived = Sum { row: "2024-01-01#archived".to_owned(), adds: vec![(ARCHIVED, 2)], days: 365 };
        assert_eq!(sums(&steps.iter().collect::<Vec<_>>(), KEPT), [failed, archived]);
    }

    #[test]
    fn days_and_statuses_have_rows_of_their_own() {
        let none = LogTally::default();
        let other_day = CountStep { day: "2024-01-02".to_owned(), ..step(2, true, none) };
        let other_status = CountStep { status: Some((Status::Completed, true)), ..step(3, true, none) };
        let log_only = CountStep { status: None, log: LogTally { error: 1, ..none }, ..step(4, true, none) };
        let steps = [step(1, true, none), other_day, other_status, log_only];
        let sums = sums(&steps.iter().collect::<Vec<_>>(), KEPT);
        let rows: Vec<&str> = sums.iter().map(|sum| sum.row.as_str()).collect();
        assert_eq!(rows, ["2024-01-01#failed", "2024-01-02#failed", "2024-01-01#completed", "2024-01-01#log"]);
        assert_eq!(sums[3].adds, [("count", 0), ("log_error", 1)]);
    }
}
