//! The Jobs table, which implements the ports of jobs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use futures_util::future::try_join_all;
use reelhook_app::change::AggregateStore;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::idempotency::{IdempotencyRecord, IdempotencyStore};
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::jobs::claims::{Claimed, Look, Ready, StartStore};
use reelhook_app::jobs::submit::SubmitStore;
use reelhook_app::outbox::fanout::Viewers;
use reelhook_app::outbox::need::{FanoutNeed, fanout_need};
use reelhook_app::outbox::repair::{JobLister, Page};
use reelhook_app::outbox::sweep::{DueIndex, PER_SWEEP, SHARDS};
use reelhook_app::retention::{Days, KeepsJobs};
use reelhook_app::store::{Saved, StoreError};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{Admission, Job, JobId, JobKind, Lane, RenderId, SlotRow, Slots, Status, Timestamp};
use tokio::sync::Mutex;

use crate::aggregates::AggregateTable;
use crate::errors::store_error;
use crate::items::packed::StoredForm;
use crate::items::shards::{EndedShards, month_shard};
use crate::items::{n, s, text};
use crate::jobs::active::shards::ActiveShards;
use crate::jobs::active::{self, Stage, pending, ready};
use crate::jobs::counters::CounterTable;
use crate::jobs::item::status_month;

/// The maximum number of active jobs that one read counts.
const COUNTED: i32 = 1000;
/// Active jobs that one read unit counts. More of them are counted once a second.
const CHEAP: u64 = 80;
/// How long counts of many active jobs are cached.
const FRESH_ACTIVE: Duration = Duration::from_secs(1);
/// How long counters of final jobs are cached.
const FRESH_COUNTS: Duration = Duration::from_secs(5);
/// The number of ids in a page.
pub(super) const PAGE: i32 = 100;
/// A day of UTC.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
/// Waiting jobs that the due sweep loads where it can't know otherwise whether they are claimed.
const OLDEST: usize = 100;
/// The prefix of cursors among VidBuilder's jobs, which are listed after StreamGank's.
const VIDEOS: &str = "vidbuilder/";

/// The Jobs table.
#[derive(Clone)]
pub struct JobTable {
    pub(crate) items: AggregateTable<Job>,
    active: Arc<Mutex<Option<(Instant, QueueCounts)>>>,
    finals: Arc<Mutex<Option<(Instant, QueueCounts)>>>,
    /// Whether there are viewers; without it, they are assumed.
    viewers: Option<Arc<dyn Viewers>>,
}

impl JobTable {
    /// The table of this name, with the Counters table.
    pub fn new(
        client: aws_sdk_dynamodb::Client,
        table: impl Into<String>,
        counters: CounterTable,
        clock: Arc<dyn ClockAndRandom>,
    ) -> Self {
        let items = AggregateTable::new(client, table, counters, clock);
        Self { items, active: Arc::default(), finals: Arc::default(), viewers: None }
    }

    /// The same table, whose index of jobs under way has these shards.
    #[must_use]
    pub fn sharded(mut self, shards: ActiveShards) -> Self {
        self.items.shards = shards;
        self
    }

    /// The same table, whose index by status has these shards.
    #[must_use]
    pub fn ended_in_shards(mut self, shards: EndedShards) -> Self {
        self.items.ended = shards;
        self
    }

    /// The same table, which keeps those that have ended for so long.
    #[must_use]
    pub fn keeping(mut self, kept: Days) -> Self {
        self.items.kept = kept;
        self
    }

    /// The table, with the flag that there are viewers: without viewers, a version that only shows its progress needs no
    /// fanout.
    #[must_use]
    pub fn with_viewers(self, viewers: impl Viewers + 'static) -> Self {
        Self { viewers: Some(Arc::new(viewers)), ..self }
    }

    /// Whether fanout has to process a version.
    async fn needs_fanout(&self, job: &Job) -> bool {
        match (fanout_need(job), &self.viewers) {
            (FanoutNeed::Nothing, _) => false,
            (FanoutNeed::Effects, _) | (FanoutNeed::Viewers, None) => true,
            (FanoutNeed::Viewers, Some(viewers)) => viewers.any(self.items.clock.now()).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "failed to read whether there are viewers, they are assumed");
                true
            }),
        }
    }

    /// The same table, with items written in this form.
    #[must_use]
    pub fn storing(self, form: StoredForm) -> Self {
        Self { items: self.items.storing(form), ..self }
    }

    /// Reads a job that does not exist: a first call, which opens the connection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_call(&self) -> Result<(), StoreError> {
        self.items.first_call().await
    }

    /// The jobs that recorded a render id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn of_render(&self, render: &RenderId) -> Result<Vec<JobId>, StoreError> {
        let query =
            self.items.query("by-render", "render_id = :render", &[(":render", s(render.as_str()))]).limit(PAGE);
        let answer = query.send().await.map_err(|error| store_error("find jobs of render", error))?;
        Ok(AggregateTable::<Job>::ids(answer.items()))
    }

    /// Counts the ended jobs of a status that were created on a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count(&self, status: Status, day: &str) -> Result<i64, StoreError> {
        let mut total = 0;
        for (family, shard) in self.ended_in(JobKind::ALL) {
            let mut start = None;
            loop {
                let query = self.of_day(family, shard, status, day)?.select(Select::Count);
                let answer = query.set_exclusive_start_key(start).send().await;
                let answer = answer.map_err(|error| store_error("count jobs", error))?;
                total += i64::from(answer.count());
                start = answer.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(total)
    }

    /// The partitions of the index by status, for a status and a month, that have the ended jobs of these families: each in
    /// each shard.
    pub(super) fn ended_in(&self, families: &[JobKind]) -> Vec<(JobKind, u32)> {
        let shards = self.items.ended.read(1);
        families.iter().flat_map(|family| (0..shards).map(move |shard| (*family, shard))).collect()
    }

    /// A query of the ended jobs of a family and status in a shard that were created on a day.
    fn of_day(&self, family: JobKind, shard: u32, status: Status, day: &str) -> Result<QueryFluentBuilder, StoreError> {
        let first = Timestamp::parse_day(day).ok_or_else(|| StoreError::Unreadable {
            operation: "list jobs",
            reason: format!("`{day}` is not a day such as `2024-01-31`"),
        })?;
        let month = s(month_shard(&status_month(family, status, day), shard));
        let last = first.after(DAY).before(Duration::from_millis(1));
        let values = [(":month", month), (":first", n(first.millis())), (":last", n(last.millis()))];
        Ok(self.items.query("by-status", "status_month = :month AND created_at BETWEEN :first AND :last", &values))
    }

    /// The number of jobs that have not ended, by status; eventually consistent. Where there are many, the numbers may be a
    /// second old.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn active_counts(&self) -> Result<QueueCounts, StoreError> {
        let mut kept = self.active.lock().await;
        if let Some((at, counts)) = *kept
            && at.elapsed() < FRESH_ACTIVE
        {
            return Ok(counts);
        }
        let shards = try_join_all(self.items.shards.partitions().map(|active| self.counts_of(active))).await?;
        let counts = shards.into_iter().fold(QueueCounts::default(), |sum, counts| QueueCounts {
            pending: sum.pending + counts.pending,
            processing: sum.processing + counts.processing,
            rendering: sum.rendering + counts.rendering,
            ..sum
        });
        let is_many = counts.pending + counts.processing + counts.rendering > CHEAP;
        *kept = is_many.then(|| (Instant::now(), counts));
        Ok(counts)
    }

    async fn counts_of(&self, active: AttributeValue) -> Result<QueueCounts, StoreError> {
        let values = [(":active", active.clone())];
        let ranks = self.ranks(self.items.query("by-active", "active = :active", &values)).await?;
        let mut counts = counted(&ranks);
        if ranks.len() >= COUNTED as usize {
            // The page has only waiting jobs if there are many of them, so the running jobs are counted by another query.
            let values = [(":active", active), (":first", s(Stage::Processing.begin()))];
            let query = self.items.query("by-active", "active = :active AND active_rank >= :first", &values);
            let running = counted(&self.ranks(query).await?);
            counts = QueueCounts { processing: running.processing, rendering: running.rendering, ..counts };
        }
        Ok(counts)
    }

    async fn ranks(&self, query: QueryFluentBuilder) -> Result<Vec<String>, StoreError> {
        let answer = query.limit(COUNTED).projection_expression("active_rank").send().await;
        let answer = answer.map_err(|error| store_error("count active jobs", error))?;
        Ok(answer.items().iter().map(|item| text(item, "active_rank").unwrap_or_default().to_owned()).collect())
    }

    /// Counts a new job in the kept counts, so that the next one gets the next position.
    async fn note_new(&self) {
        if let Some((_, counts)) = self.active.lock().await.as_mut() {
            counts.pending += 1;
        }
    }

    async fn final_counts(&self) -> Result<QueueCounts, StoreError> {
        let mut kept = self.finals.lock().await;
        if let Some((at, counts)) = *kept
            && at.elapsed() < FRESH_COUNTS
        {
            return Ok(counts);
        }
        let (counts, _) = self.items.counters.totals().await?;
        *kept = Some((Instant::now(), counts));
        Ok(counts)
    }
}

/// Counts jobs by the status with which their ranks start.
fn counted(ranks: &[String]) -> QueueCounts {
    let mut counts = QueueCounts::default();
    for rank in ranks {
        match rank.split('#').next() {
            Some("processing") => counts.processing += 1,
            Some("rendering") => counts.rendering += 1,
            _ => counts.pending += 1,
        }
    }
    counts
}

/// The partition that a cursor among ended jobs is in, and the rest of the cursor: `created/id`. It is the cursor itself in
/// the first shard of workflows, as before there were others.
fn partition_of(cursor: &str) -> ((JobKind, u32), &str) {
    let (family, rest) = match cursor.strip_prefix(VIDEOS) {
        Some(rest) => (JobKind::Video, rest),
        None => (JobKind::Workflow, cursor),
    };
    let in_shard = rest.strip_prefix('#').and_then(|rest| rest.split_once('/'));
    match in_shard.and_then(|(shard, rest)| Some((shard.parse().ok()?, rest))) {
        Some((shard, rest)) => ((family, shard), rest),
        None => ((family, 0), rest),
    }
}

/// The prefix that names a partition in a cursor.
fn cursor_prefix(family: JobKind, shard: u32) -> String {
    let family = match family {
        JobKind::Workflow => "",
        JobKind::Video => VIDEOS,
    };
    if shard == 0 { family.to_owned() } else { format!("{family}#{shard}/") }
}

#[async_trait]
impl AggregateStore<Job> for JobTable {
    async fn load(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        self.items.load(id).await
    }

    async fn save(&self, job: &Job) -> Result<Saved<Job>, StoreError> {
        if self.needs_fanout(job).await { self.items.save(job).await } else { self.items.save_quietly(job).await }
    }
}

#[async_trait]
impl DueIndex<Job> for JobTable {
    /// The shards of `by-due`, where versions before 0.3 wrote due times, the ranges of `by-active`, and claimed jobs.
    fn parts(&self) -> u32 {
        SHARDS + active::due_ranges(self.items.shards) as u32 + 1
    }

    async fn due(&self, part: u32, now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        let Some(index) = part.checked_sub(SHARDS) else { return self.items.due(part, now).await };
        let shards = self.items.shards;
        if index as usize == active::due_ranges(shards) {
            return self.claimed(now).await;
        }
        let Some(range) = active::due(shards, index as usize, now) else { return Ok(Vec::new()) };
        let query = self.items.query("by-active", active::RANGE, &range).limit(PER_SWEEP / shards.read() as i32);
        let answer = query.send().await.map_err(|error| store_error("find due jobs", error))?;
        Ok(AggregateTable::<Job>::ids(answer.items()))
    }
}

impl JobTable {
    /// The jobs that hold a slot and wait: they are claimed, and the lease of the claim may have ended. The next claim renews
    /// it where a slot is free and no other job waits; else only the due sweep frees the slot that it holds. So it looks for
    /// them in all lanes, not in those alone from which jobs are started.
    async fn claimed(&self, now: Timestamp) -> Result<Vec<JobId>, StoreError> {
        let from = Lane::at((self.items.clock.random() & u128::from(u64::MAX)) as u64);
        let waiting = pending::pending(&self.items, from).await?;
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        let slots = self.items.counters.admission().await?;
        let holders = slots.holders(now);
        let (mut claimed, others): (Vec<JobId>, Vec<JobId>) =
            waiting.into_iter().partition(|job| holders.contains(job));
        if !holders.are_all {
            // The rows have forgotten whose their older slots are. Claims are made of the oldest jobs: their ids are the
            // first, since they begin with their times.
            let oldest = &others[..others.len().min(OLDEST)];
            let has_expired = |job: &Job| job.run.start.claim.as_ref().is_some_and(|claim| claim.lease_until <= now);
            claimed.extend(self.items.load_all(oldest).await?.into_iter().filter(has_expired).map(|job| job.id));
        }
        Ok(claimed)
    }
}

#[async_trait]
impl SubmitStore for JobTable {
    async fn queue_counts(&self) -> Result<QueueCounts, StoreError> {
        let (active, finals) = tokio::try_join!(self.active_counts(), self.final_counts())?;
        Ok(QueueCounts { completed: finals.completed, failed: finals.failed, cancelled: finals.cancelled, ..active })
    }

    async fn insert(&self, job: &Job) -> Result<Saved<Job>, StoreError> {
        let saved = self.items.insert(job).await?;
        if saved == Saved::Done {
            self.note_new().await;
        }
        Ok(saved)
    }

    async fn insert_with_key(
        &self,
        job: &Job,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Saved<IdempotencyRecord>, StoreError> {
        let saved = self.items.insert_with_key(job, record, now).await?;
        if saved == Saved::Done {
            self.note_new().await;
        }
        Ok(saved)
    }
}

#[async_trait]
impl IdempotencyStore for JobTable {
    async fn record(&self, caller: &str, key: &str, now: Timestamp) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.items.counters.record(caller, key, now).await
    }

    async fn remember(
        &self,
        record: &IdempotencyRecord,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.items.counters.remember(record, now).await
    }
}

#[async_trait]
impl AdmissionStore for JobTable {
    async fn admission(&self) -> Result<Slots, StoreError> {
        self.items.counters.admission().await
    }

    async fn recent_admission(&self) -> Result<Slots, StoreError> {
        self.items.counters.recent_admission().await
    }

    async fn save_admission(&self, changed: &SlotRow) -> Result<Saved<Admission>, StoreError> {
        self.items.counters.save_admission(changed).await
    }

    async fn some_rows(&self, numbers: &BTreeSet<usize>) -> Result<Vec<SlotRow>, StoreError> {
        self.items.counters.some_rows(numbers).await
    }
}

#[async_trait]
impl StartStore for JobTable {
    async fn ready(&self, look: &Look) -> Result<Ready, StoreError> {
        ready::ready(&self.items, look).await
    }

    async fn claim(&self, jobs: &[Job], rows: &[SlotRow]) -> Result<Claimed, StoreError> {
        let rows = rows.iter().map(|row| self.items.counters.admission_put(row)).collect();
        self.items.claim(jobs, rows).await
    }
}

impl KeepsJobs for JobTable {
    fn jobs_kept(&self) -> Days {
        self.items.kept
    }
}

#[async_trait]
impl JobLister for JobTable {
    async fn page(&self, status: Status, day: &str, after: Option<&str>) -> Result<Page, StoreError> {
        if !status.is_final() {
            return self.page_under_way(status, day, after).await;
        }
        let partitions = self.ended_in(JobKind::ALL);
        // Where its partition is no longer read, the day begins anew: repairing a job again changes nothing.
        let begun = after.map(partition_of).and_then(|(of, rest)| {
            let skipped = partitions.iter().position(|partition| *partition == of)?;
            Some((skipped, rest))
        });
        let (skipped, mut cursor) = begun.map_or((0, None), |(skipped, rest)| (skipped, Some(rest)));
        let mut found = Vec::new();
        for (family, shard) in partitions.into_iter().skip(skipped) {
            let start = cursor.take().and_then(|cursor| {
                let (created, id) = cursor.split_once('/')?;
                let month = s(month_shard(&status_month(family, status, day), shard));
                let key = [("status_month", month), ("created_at", n(created)), ("id", s(id))];
                Some(key.map(|(name, value)| (name.to_owned(), value)).into())
            });
            let query = self.of_day(family, shard, status, day)?.limit(PAGE);
            let answer = query.set_exclusive_start_key(start).send().await;
            let answer = answer.map_err(|error| store_error("list jobs", error))?;
            found.extend(AggregateTable::<Job>::ids(answer.items()));
            let last = answer.last_evaluated_key().and_then(|key| {
                let created = key.get("created_at")?.as_n().ok()?;
                Some(format!("{created}/{}", text(key, "id")?))
            });
            if let Some(last) = last {
                let next = format!("{}{last}", cursor_prefix(family, shard));
                return Ok(Page { ids: found, next: Some(next) });
            }
        }
        Ok(Page { ids: found, next: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_its_partition() {
        for (family, shard, prefix) in [
            (JobKind::Workflow, 0, ""),
            (JobKind::Video, 0, "vidbuilder/"),
            (JobKind::Workflow, 2, "#2/"),
            (JobKind::Video, 3, "vidbuilder/#3/"),
        ] {
            assert_eq!(cursor_prefix(family, shard), prefix);
            let cursor = format!("{prefix}1704110400000/job_1");
            assert_eq!(partition_of(&cursor), ((family, shard), "1704110400000/job_1"));
        }
    }
}
