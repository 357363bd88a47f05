//! The lists of jobs that the queue shows, from indexes that hold keys only: ended jobs by status and month, the others from
//! the index of jobs that are under way.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt};
use reelhook_app::jobs::logs::{Active, ActiveJobs};
use reelhook_app::jobs::queue::QueueStore;
use reelhook_app::outbox::repair::Page;
use reelhook_app::store::StoreError;
use reelhook_domain::{Job, JobId, JobKind, OwnerId, Status, Timestamp};

use crate::aggregates::AggregateTable;
use crate::errors::store_error;
use crate::items::shards::month_shard;
use crate::items::{Item, n, number, s, text};
use crate::jobs::active::{self, Entry, Stage};
use crate::jobs::item::status_month;
use crate::jobs::table::{DAY, JobTable, PAGE};

/// Running jobs that are listed, at most.
const RUNNING: i32 = 100;
/// Jobs that are read at once.
const READS_AT_ONCE: usize = 8;
/// Entries in one page, at most, where a list reads many. Each page has twice as many as the one before.
const LARGEST_PAGE: i32 = 1000;

/// A job under way: when it was created, its kind, and its id.
type Created = (Timestamp, JobKind, JobId);

/// Jobs under way that are wanted: those of a family that were created in a span.
struct Wanted {
    family: Option<JobKind>,
    from: Timestamp,
    until: Timestamp,
}

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
        if !status.is_final() {
            let (from, end) = month_of(month)?;
            let wanted = Wanted { family, from, until: until.min(end) };
            let mut found = self.under_way(status, &wanted, limit).await?;
            found.sort_by(|(a, _), (b, _)| b.cmp(a));
            found.truncate(limit);
            return Ok(found);
        }
        let read = |(family, shard): (JobKind, u32)| {
            let month = s(month_shard(&status_month(family, status, month), shard));
            let values = [(":month", month), (":until", n(until.millis()))];
            let query = self.items.query("by-status", "status_month = :month AND created_at <= :until", &values);
            listed(query.scan_index_forward(false), limit)
        };
        let mut found = try_join_all(self.ended_in(partitions(family)).into_iter().map(read)).await?.concat();
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
        if !status.is_final() {
            let (first, last) = month_of(month)?;
            let wanted = Wanted { family: None, from: from.max(first), until: until.min(last) };
            let mut found = self.under_way(status, &wanted, usize::MAX).await?;
            found.sort_by_key(|(at, _)| *at);
            found.truncate(limit);
            return Ok(found);
        }
        let read = |(family, shard): (JobKind, u32)| {
            let month = s(month_shard(&status_month(family, status, month), shard));
            let values = [(":month", month), (":from", n(from.millis())), (":until", n(until.millis()))];
            let condition = "status_month = :month AND created_at BETWEEN :from AND :until";
            listed(self.items.query("by-status", condition, &values), limit)
        };
        let mut found = try_join_all(self.ended_in(JobKind::ALL).into_iter().map(read)).await?.concat();
        found.sort_by_key(|(at, _)| *at);
        found.truncate(limit);
        Ok(found)
    }

    async fn load_all(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        self.items.load_all(ids).await
    }

    async fn running(&self) -> Result<Vec<JobId>, StoreError> {
        let found = try_join_all(self.items.shards.partitions().map(|partition| async move {
            let query = self.items.query("by-active", active::RANGE, &active::running(partition)).limit(RUNNING);
            let answer = query.send().await.map_err(|error| store_error("find running jobs", error))?;
            Ok::<_, StoreError>(AggregateTable::<Job>::ids(answer.items()))
        }));
        Ok(found.await?.into_iter().flatten().take(RUNNING as usize).collect())
    }
}

impl JobTable {
    /// The jobs of a status that are under way, in no order: all that are wanted, or at least the `newest` of them.
    async fn under_way(
        &self,
        status: Status,
        wanted: &Wanted,
        newest: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError> {
        if wanted.from > wanted.until {
            return Ok(Vec::new());
        }
        let shards = self.items.shards.partitions().map(|partition| async move {
            let mut found = Vec::new();
            for stage in Stage::of_status(status) {
                found.extend(self.of_stage(partition.clone(), *stage, wanted, newest).await?);
            }
            Ok::<_, StoreError>(found)
        });
        Ok(try_join_all(shards).await?.into_iter().flatten().map(|(at, _, id)| (at, id)).collect())
    }

    /// The jobs of a stage in one shard, as [`Self::under_way`] says.
    async fn of_stage(
        &self,
        partition: AttributeValue,
        stage: Stage,
        wanted: &Wanted,
        newest: usize,
    ) -> Result<Vec<Created>, StoreError> {
        let (first, mut last, mut start) = (stage.begin(), stage.end(), None);
        let mut limit = i32::try_from(newest).unwrap_or(i32::MAX).max(PAGE);
        let mut found: Vec<Created> = Vec::new();
        loop {
            let range = active::range(partition.clone(), first.as_str(), last.as_str());
            let query = self.items.query("by-active", active::RANGE, &range);
            let query = query.scan_index_forward(false).set_exclusive_start_key(start).limit(limit);
            let answer = query.send().await.map_err(|error| store_error("list jobs under way", error))?;
            let entries: Vec<Entry> = answer.items().iter().filter_map(Entry::read).collect();
            let end = entries.last().map(|last| (last.at, last.class)).filter(|_| stage == Stage::Pending);
            let of_page = self.created(entries).await?;
            found.extend(of_page.into_iter().filter(|(at, kind, _)| {
                (wanted.from..=wanted.until).contains(at) && wanted.family.is_none_or(|family| family == *kind)
            }));
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
            if let Some((at, class)) = end {
                // Waiting jobs of a class come by the time from which they may start, which is not before their creation:
                // if the others of this one are not wanted, the class before it is next.
                let newer = found.iter().filter(|(created, ..)| *created >= at).count();
                if newer >= newest || at < wanted.from {
                    (last, start) = (class.begin(), None);
                    if last <= first {
                        return Ok(found);
                    }
                }
            }
            limit = limit.saturating_mul(2).min(LARGEST_PAGE.max(limit));
        }
    }

    /// When the jobs of these entries were created, and their kinds. An entry of a version before 0.3 does not say: its job
    /// is read.
    async fn created(&self, entries: Vec<Entry>) -> Result<Vec<Created>, StoreError> {
        let reads = entries.into_iter().map(async |entry| match entry.created {
            Some((at, kind)) => Ok(Some((at, kind, entry.id))),
            None => match self.items.load(&entry.id).await {
                Ok(job) => Ok(job.map(|job| (job.created_at, job.kind, job.id))),
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(%error, "failed to read an item, it is not listed");
                    Ok(None)
                }
                Err(error) => Err(error),
            },
        });
        let reads = futures_util::stream::iter(reads).buffered(READS_AT_ONCE);
        reads.try_filter_map(async |found| Ok(found)).try_collect().await
    }

    /// A page of the jobs of a status that are under way and were created on a day; the cursor is `created/id`.
    pub(super) async fn page_under_way(
        &self,
        status: Status,
        day: &str,
        after: Option<&str>,
    ) -> Result<Page, StoreError> {
        let first = Timestamp::parse_day(day).ok_or_else(|| bad_time(day))?;
        let wanted = Wanted { family: None, from: first, until: before_next(first.after(DAY)) };
        let mut found = self.under_way(status, &wanted, usize::MAX).await?;
        found.sort();
        let after = after
            .and_then(|after| after.split_once('/'))
            .and_then(|(created, id)| Some((Timestamp(created.parse().ok()?), JobId::parse(id).ok()?)));
        if let Some(after) = after {
            found.retain(|entry| *entry > after);
        }
        let more = found.len() > PAGE as usize;
        found.truncate(PAGE as usize);
        let next = found.last().filter(|_| more).map(|(created, id)| format!("{}/{id}", created.millis()));
        Ok(Page { ids: found.into_iter().map(|(_, id)| id).collect(), next })
    }
}

/// The first and the last millisecond of a month such as `2024-01`.
fn month_of(month: &str) -> Result<(Timestamp, Timestamp), StoreError> {
    let day = |text: &str| Timestamp::parse_day(text).ok_or_else(|| bad_time(month));
    let first = day(&format!("{month}-01"))?;
    // The 32nd day after the first is in the next month.
    let later = first.after(DAY * 32).day();
    let next = day(&format!("{}-01", later.get(..7).unwrap_or_default()))?;
    Ok((first, before_next(next)))
}

/// The last millisecond before a time.
fn before_next(at: Timestamp) -> Timestamp {
    at.before(Duration::from_millis(1))
}

fn bad_time(text: &str) -> StoreError {
    StoreError::Unreadable { operation: "list jobs", reason: format!("`{text}` is not a day or month of UTC") }
}

#[async_trait]
impl ActiveJobs for JobTable {
    async fn active(&self, most: usize) -> Result<Active, StoreError> {
        let found = try_join_all(self.items.shards.partitions().map(|active| self.last_ranks(active, most))).await?;
        let mut all = found.iter().all(|(_, all)| *all);
        let mut ranks: Vec<(String, JobId)> = found.into_iter().flat_map(|(ranks, _)| ranks).collect();
        ranks.sort_by(|a, b| b.cmp(a));
        all &= ranks.len() <= most;
        Ok(Active { ids: ranks.into_iter().take(most).map(|(_, id)| id).collect(), all })
    }

    async fn read(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        self.items.load_all(ids).await
    }
}

impl JobTable {
    /// The last jobs in a shard by rank, at most `most`, and whether these are all. From the last, ranks begin with
    /// `starting`, `rendering`, `processing` and `pending`.
    async fn last_ranks(
        &self,
        active: AttributeValue,
        most: usize,
    ) -> Result<(Vec<(String, JobId)>, bool), StoreError> {
        let (mut ranks, mut start) = (Vec::new(), None);
        loop {
            let query = self.items.query("by-active", "active = :active", &[(":active", active.clone())]);
            let query = query.scan_index_forward(false).limit(i32::try_from(most - ranks.len()).unwrap_or(i32::MAX));
            let answer = query.set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| store_error("find active jobs", error))?;
            ranks.extend(answer.items().iter().filter_map(|item| {
                let id = JobId::parse(text(item, "id")?).ok()?;
                Some((text(item, "active_rank").unwrap_or_default().to_owned(), id))
            }));
            start = answer.last_evaluated_key;
            if start.is_none() || ranks.len() >= most {
                return Ok((ranks, start.is_none()));
            }
        }
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
