//! The lists of jobs that the queue shows, from indexes that hold keys only.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use futures_util::future::try_join_all;
use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::store::StoreError;
use reelhook_domain::{Job, JobId, JobKind, OwnerId, Status, Timestamp};

use crate::aggregates::AggregateTable;
use crate::errors::store_error;
use crate::items::{Item, n, number, s, text};
use crate::jobs::item::status_month;
use crate::jobs::table::JobTable;

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
            let query = self.items.query("by-status", "status_month = :month AND created_at <= :until", &values);
            listed(query.scan_index_forward(false), limit)
        };
        let mut found = try_join_all(partitions(family).iter().copied().map(read)).await?.concat();
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
        found.truncate(limit);
        Ok(found)
    }

    async fn newest_of(
        &self,
        owner: &OwnerId,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        let values = [(":owner", s(owner.as_str())), (":until", n(until.millis()))];
        let query = self.items.query("by-owner", "#owner = :owner AND created_at <= :until", &values);
        let query = query.expression_attribute_names("#owner", "owner").scan_index_forward(false);
        listed(query, limit).await
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
            listed(self.items.query("by-status", condition, &values), limit)
        };
        let mut found = try_join_all(JobKind::ALL.iter().copied().map(read)).await?.concat();
        found.sort_by_key(|(at, _)| *at);
        found.truncate(limit);
        Ok(found)
    }

    async fn load_all(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        self.items.load_all(ids).await
    }

    async fn running(&self) -> Result<Vec<JobId>, StoreError> {
        // `pending` sorts before `processing` and `rendering`, `starting` sorts after them.
        let found = try_join_all(self.items.shards.partitions().map(|active| async move {
            let values = [(":active", active), (":first", s("processing#")), (":last", s("rendering#~"))];
            let condition = "active = :active AND active_rank BETWEEN :first AND :last";
            let query = self.items.query("by-active", condition, &values).limit(RUNNING);
            let answer = query.send().await.map_err(|error| store_error("find running jobs", error))?;
            Ok::<_, StoreError>(AggregateTable::<Job>::ids(answer.items()))
        }));
        Ok(found.await?.into_iter().flatten().take(RUNNING as usize).collect())
    }
}

/// Where jobs of a family are listed. Before version 0.2, all jobs were in the partition of workflows.
fn partitions(family: Option<JobKind>) -> &'static [JobKind] {
    match family {
        Some(JobKind::Workflow) => &[JobKind::Workflow],
        Some(JobKind::Video) | None => JobKind::ALL,
    }
}

/// The jobs that a query of an index by status or owner finds, with their creation times.
async fn listed(query: QueryFluentBuilder, limit: usize) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
    let answer = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await;
    let answer = answer.map_err(|error| store_error("list jobs", error))?;
    let entry = |item: &Item| Some((Timestamp(number(item, "created_at")?), JobId::parse(text(item, "id")?).ok()?));
    Ok(answer.items().iter().filter_map(entry).collect())
}
