//! The lists of jobs that the queue shows, from indexes that hold keys only.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::future::try_join_all;
use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::store::StoreError;
use reelhook_domain::{Job, JobId, JobKind, Status, Timestamp};

use crate::errors::store_error;
use crate::items::{Item, is_expired, n, number, s, text};
use crate::jobs::item::{ACTIVE, from_item, status_month};
use crate::jobs::table::{JobTable, ids};
use crate::retry::RetryClock;

/// Keys that one BatchGetItem takes.
const BATCH_GET: usize = 100;
/// Running jobs that are listed, at most.
const RUNNING: i32 = 100;

#[async_trait]
impl QueueStore for JobTable {
    async fn newest(
        &self,
        family: Option<JobKind>,
        status: Status,
        month: &str,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        let read = |family: JobKind| {
            let values = [(":month", s(status_month(family, status, month))), (":until", n(until.millis()))];
            let query = self.query("by-status", "status_month = :month AND created_at <= :until", &values);
            listed(query.scan_index_forward(false), limit)
        };
        let mut found = try_join_all(partitions(family).iter().copied().map(read)).await?.concat();
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        found.truncate(limit);
        Ok(found)
    }

    async fn oldest(
        &self,
        status: Status,
        month: &str,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        if from > until {
            return Ok(Vec::new());
        }
        let read = |family: JobKind| {
            let month = s(status_month(family, status, month));
            let values = [(":month", month), (":from", n(from.millis())), (":until", n(until.millis()))];
            let condition = "status_month = :month AND created_at BETWEEN :from AND :until";
            listed(self.query("by-status", condition, &values), limit)
        };
        let mut found = try_join_all(JobKind::ALL.iter().copied().map(read)).await?.concat();
        found.sort_by_key(|(at, _)| *at);
        found.truncate(limit);
        Ok(found)
    }

    async fn load_all(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let operation = "load jobs";
        let mut found = Vec::with_capacity(ids.len());
        let waits = RetryClock::of(&self.client);
        for chunk in ids.chunks(BATCH_GET) {
            let keys = chunk.iter().map(|id| [("id".to_owned(), s(id.as_str()))].into()).collect();
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).build().expect("keys are set");
            let (mut wanted, mut retry) = (Some(wanted), waits.retry());
            while let Some(next) = wanted.take() {
                if !retry.attempt().await {
                    return Err(StoreError::Busy { operation, source: "keys stayed unprocessed".into() });
                }
                let answer = self.client.batch_get_item().request_items(&self.table, next).send().await;
                let answer = answer.map_err(|error| store_error(operation, error))?;
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    if is_expired(&item, self.clock.now()) {
                        continue;
                    }
                    match from_item(operation, &item) {
                        Ok(job) => found.push(job),
                        // One unreadable job does not fail the list.
                        Err(error) => tracing::error!(%error, "failed to read a job, it is not listed"),
                    }
                }
                wanted = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
            }
        }
        Ok(found)
    }

    async fn running(&self) -> Result<Vec<JobId>, StoreError> {
        // `pending` sorts before `processing` and `rendering`, `starting` sorts after them.
        let values = [(":active", s(ACTIVE)), (":first", s("processing#")), (":last", s("rendering#~"))];
        let query = self.query("by-active", "active = :active AND active_rank BETWEEN :first AND :last", &values);
        let answer = query.limit(RUNNING).send().await.map_err(|error| store_error("find running jobs", error))?;
        Ok(ids(answer.items()))
    }
}

/// Where jobs of a family are listed. Before version 0.2, all jobs were in the partition of workflows.
fn partitions(family: Option<JobKind>) -> &'static [JobKind] {
    match family {
        Some(JobKind::Workflow) => &[JobKind::Workflow],
        Some(JobKind::Video) | None => JobKind::ALL,
    }
}

/// The jobs that a query of the index by status finds, with their creation times.
async fn listed(query: QueryFluentBuilder, limit: usize) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
    let answer = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
    let answer = answer.map_err(|error| store_error("list jobs", error))?;
    let entry = |item: &Item| Some((Timestamp(number(item, "created_at")?), JobId::parse(text(item, "id")?).ok()?));
    Ok(answer.items().iter().filter_map(entry).collect())
}
