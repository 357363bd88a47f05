//! The queue for its operator: counts, lists, the pause switch, and clears.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::{try_join_all, try_join3};
use reelhook_domain::{Admission, ClearCutoffs, Event, Job, JobId, JobKind, OwnerId, Policy, Status, Timestamp};

use crate::change::{ChangeError, Changed, change_loaded};
use crate::clock::ClockAndRandom;
use crate::jobs::admission::followed;
use crate::jobs::claims::StartStore;
use crate::jobs::store::JobStore;
use crate::jobs::submit::SubmitStore;
use crate::outbox::messages::{Delayed, Hints, WorkMessage, send_all};
use crate::retention::{Days, KeepsJobs};
use crate::retry::Retry;
use crate::store::{Saved, StoreError};
use crate::views::streamgank::QueueCounts;

/// Attempts at a change of the admission item.
const ATTEMPTS: u32 = 20;
/// The maximum number of pages that one list reads if clears hide their jobs, or a filter leaves them out.
const PAGES: usize = 5;
/// The number of jobs in one page of a list that no index filters, by metadata or within the jobs of an owner, so that the
/// jobs are loaded first.
const SEARCHED: usize = 200;
/// The maximum number of hidden jobs in one page of a removal.
const REMOVED_AT_ONCE: usize = 200;
/// The number of jobs that are changed at the same time.
const CHANGES_AT_ONCE: usize = 8;
/// The months of jobs that a list reads at least.
const LEAST_MONTHS: usize = 3;
/// How long before its end a listed job may have been created.
const UNDER_WAY: Duration = Duration::from_secs(28 * 24 * 3600);
/// A day of UTC.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads the jobs of the queue.
#[async_trait]
pub trait QueueStore: StartStore + SubmitStore + KeepsJobs {
    /// Jobs of a status that were created in a month (`2024-01`), up to a time, newest first; eventually consistent. With a
    /// family, jobs of other families may be among them.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn newest(
        &self,
        family: Option<JobKind>,
        status: Status,
        month: &str,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError>;

    /// Jobs of an owner that were created up to a time, newest first; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn newest_of(
        &self,
        owner: &OwnerId,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError>;

    /// Jobs of a status that were created in a month, from a time up to another, oldest first; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn oldest(
        &self,
        status: Status,
        month: &str,
        from: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, JobId)>, StoreError>;

    /// The jobs with these ids, in any order; those that do not exist are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn load_all(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError>;

    /// Jobs that are processing or rendering, at most 100; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn running(&self) -> Result<Vec<JobId>, StoreError>;
}

/// A job in an index: when it was created, and its id.
type Entry = (Timestamp, JobId);

/// Selects the jobs of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Only jobs of this family; none for jobs of all families.
    pub family: Option<JobKind>,
    /// Only jobs with this status; none for jobs with any status.
    pub status: Option<Status>,
    /// Only jobs whose metadata has each of these members, by name and value.
    pub metadata: Vec<(String, String)>,
    /// Only jobs of this owner; none for an operator, who sees all.
    pub owner: Option<OwnerId>,
}

impl JobFilter {
    /// The same filter, of the jobs that a caller may see: an owner's own, or all.
    #[must_use]
    pub fn seen_by(self, owner: Option<&OwnerId>) -> Self {
        Self { owner: owner.cloned(), ..self }
    }

    /// Whether an index finds exactly the jobs that match.
    fn is_indexed(&self) -> bool {
        self.metadata.is_empty() && self.owner.is_none()
    }

    fn matches(&self, job: &Job) -> bool {
        let has = |(name, value): &(String, String)| job.request.metadata.get(name) == Some(value.as_str());
        let is_theirs = self.owner.is_none() || self.owner == job.origin.owner;
        is_theirs
            && self.family.is_none_or(|family| job.kind == family)
            && self.status.is_none_or(|status| job.status == status)
            && self.metadata.iter().all(has)
    }
}

/// The cursor of a list: the next page has jobs that were created at `until` or before, except for the listed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The creation time of the last listed job.
    pub until: Timestamp,
    /// Jobs of the same millisecond that are already listed.
    pub listed: BTreeSet<JobId>,
}

impl Cursor {
    /// The cursor after these jobs, which were found at this one.
    fn after(self, found: &[Entry]) -> Self {
        let Some((until, _)) = found.last() else { return self };
        let mut listed: BTreeSet<JobId> =
            found.iter().filter(|(at, _)| at == until).map(|(_, id)| id.clone()).collect();
        if *until == self.until {
            listed.extend(self.listed);
        }
        Self { until: *until, listed }
    }
}

/// A page of the list of jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// The cursor of the next page.
    pub next: Option<Cursor>,
}

/// Lists the jobs that a filter matches, newest first. The number of reads does not grow with the number of jobs: a
/// list that is filtered by metadata, or of an owner, examines 1,000 jobs, so a page may have fewer jobs than the
/// limit, or none, and a cursor.
///
/// # Errors
/// [`StoreError`].
pub async fn list(
    store: &dyn QueueStore,
    now: Timestamp,
    filter: &JobFilter,
    limit: usize,
    cursor: Option<Cursor>,
) -> Result<Listed, StoreError> {
    let cleared = cutoffs(store).await?;
    let mut cursor = cursor.unwrap_or(Cursor { until: now, listed: BTreeSet::new() });
    let mut jobs = Vec::new();
    for _ in 0..PAGES {
        let most = if filter.is_indexed() { limit - jobs.len() } else { SEARCHED };
        let (found, more) = page(store, now, filter, most, &cursor).await?;
        let ids: Vec<JobId> = found.iter().map(|(_, id)| id.clone()).collect();
        let mut loaded: BTreeMap<JobId, Job> =
            store.load_all(&ids).await?.into_iter().map(|job| (job.id.clone(), job)).collect();
        let mut examined = 0;
        for id in &ids {
            if jobs.len() == limit {
                break;
            }
            examined += 1;
            let shown = |job: &Job| job.deleted_at.is_none() && !cleared.hides(job) && filter.matches(job);
            jobs.extend(loaded.remove(id).filter(shown));
        }
        if examined == found.len() && !more {
            return Ok(Listed { jobs, next: None });
        }
        cursor = cursor.after(&found[..examined]);
        if jobs.len() == limit {
            break;
        }
    }
    Ok(Listed { jobs, next: Some(cursor) })
}

/// The cutoffs of clears, which the first row of slots has.
async fn cutoffs(store: &dyn QueueStore) -> Result<ClearCutoffs, StoreError> {
    let first = store.some_rows(&[0].into()).await?.into_iter().next();
    Ok(first.map(|first| first.row.cleared).unwrap_or_default())
}

/// The newest jobs at a cursor, at most `most`, from indexes that hold keys only; and whether there are more.
async fn page(
    store: &dyn QueueStore,
    now: Timestamp,
    filter: &JobFilter,
    most: usize,
    cursor: &Cursor,
) -> Result<(Vec<Entry>, bool), StoreError> {
    // One more shows whether there is a next page.
    let read = most + 1 + cursor.listed.len();
    let mut found = match &filter.owner {
        Some(owner) => store.newest_of(owner, cursor.until, read).await?,
        None => of_statuses(store, now, filter, cursor.until, read).await?,
    };
    // A job whose status just changed may be listed under both statuses.
    found.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.cmp(y)));
    found.dedup_by(|a, b| a.1 == b.1);
    found.retain(|(_, id)| !cursor.listed.contains(id));
    let more = found.len() > most;
    found.truncate(most);
    Ok((found, more))
}

/// The newest jobs of a filter's statuses, at most `limit` of each status and month.
async fn of_statuses(
    store: &dyn QueueStore,
    now: Timestamp,
    filter: &JobFilter,
    until: Timestamp,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let statuses: Vec<Status> = filter.status.map_or(Status::ALL.to_vec(), |status| vec![status]);
    let months = months(now, store.jobs_kept());
    let reads = statuses
        .iter()
        .flat_map(|status| months.iter().map(|month| store.newest(filter.family, *status, month, until, limit)));
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

/// The months in which listed jobs may have been created, the newest first: three, or as many as ended jobs are kept and
/// four weeks more.
fn months(now: Timestamp, kept: Days) -> Vec<String> {
    let oldest = now.before(kept.duration() + UNDER_WAY);
    let day_of_month = |at: Timestamp| at.day().get(8..).and_then(|day| day.parse().ok()).unwrap_or(1_u32);
    // The last day of each month before.
    let ends = std::iter::successors(Some(now), |at| Some(at.before(DAY * day_of_month(*at))));
    let listed = ends.enumerate().take_while(|(place, end)| *place < LEAST_MONTHS || *end >= oldest);
    listed.map(|(_, end)| end.day().chars().take(7).collect()).collect()
}

/// The status of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStatus {
    /// Jobs by status.
    pub counts: QueueCounts,
    /// Jobs that are processing or rendering.
    pub active: Vec<JobId>,
    /// The number of runs under way.
    pub running: usize,
    /// Whether no further job starts.
    pub paused: bool,
}

/// The status of the queue, from three bounded reads and the counters.
///
/// # Errors
/// [`StoreError`].
pub async fn status(store: &dyn QueueStore, now: Timestamp) -> Result<QueueStatus, StoreError> {
    let (counts, admission, active) = try_join3(store.queue_counts(), store.admission(), store.running()).await?;
    let cleared = &admission.first().cleared;
    let counts = QueueCounts {
        pending: cleared.shown(Status::Pending, counts.pending),
        completed: cleared.shown(Status::Completed, counts.completed),
        failed: cleared.shown(Status::Failed, counts.failed),
        cancelled: cleared.shown(Status::Cancelled, counts.cancelled),
        ..counts
    };
    Ok(QueueStatus { counts, active, running: admission.running(now), paused: admission.first().paused })
}

/// Pauses or resumes the queue; `None` switches to the other. Returns whether it was processing and whether it now is.
///
/// # Errors
/// [`StoreError`].
pub async fn toggle(
    store: &dyn QueueStore,
    work: &dyn Hints<WorkMessage>,
    clock: &dyn ClockAndRandom,
    processing: Option<bool>,
) -> Result<(bool, bool), StoreError> {
    let mut was = true;
    let mut is = true;
    update(store, clock, |admission| {
        was = !admission.paused;
        is = processing.unwrap_or(!was);
        (was != is).then(|| admission.pause(!is))
    })
    .await?;
    if is {
        // If this hint is lost, the due sweep sends hints for waiting jobs.
        send_all(work, vec![Delayed::now(WorkMessage::start())]).await?;
    }
    Ok((was, is))
}

/// Hides waiting and ended jobs; the due sweep removes them.
///
/// # Errors
/// [`StoreError`].
pub async fn clear(store: &dyn QueueStore, clock: &dyn ClockAndRandom) -> Result<(), StoreError> {
    let now = clock.now();
    let counts = store.queue_counts().await?;
    update(store, clock, |admission| Some(admission.clear(now, |status| counts.of(status)))).await
}

/// Hides failed jobs; the due sweep removes them. Returns the number of newly hidden jobs.
///
/// # Errors
/// [`StoreError`].
pub async fn clear_failed(store: &dyn QueueStore, clock: &dyn ClockAndRandom) -> Result<u64, StoreError> {
    let now = clock.now();
    let counts = store.queue_counts().await?;
    let mut newly = 0;
    update(store, clock, |admission| {
        let (next, hidden) = admission.clear_failed(now, counts.failed);
        newly = hidden;
        Some(next)
    })
    .await?;
    Ok(newly)
}

async fn update(
    store: &dyn QueueStore,
    clock: &dyn ClockAndRandom,
    mut next: impl FnMut(&Admission) -> Option<Admission>,
) -> Result<(), StoreError> {
    let mut retry = Retry::new(clock, ATTEMPTS);
    while retry.attempt().await {
        let slots = store.admission().await?;
        let is_so = match next(slots.first()) {
            Some(next) => store.save_admission(&slots.with_first(next)).await? == Saved::Done,
            None => true,
        };
        if is_so {
            // From then on no claim succeeds that was decided before.
            if slots.rows() > 1 {
                followed(store, clock).await?;
            }
            return Ok(());
        }
    }
    Err(StoreError::Busy { operation: "change the queue", source: "it changed during each attempt".into() })
}

/// The ports of the removal of hidden jobs.
pub struct RemovalPorts<'a> {
    /// The queue.
    pub queue: &'a dyn QueueStore,
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
}

/// Cancels and deletes hidden jobs, up to a maximum for one sweep; returns the number of removed jobs.
///
/// # Errors
/// [`ChangeError`]; the next sweep continues.
pub async fn remove_cleared(ports: &RemovalPorts<'_>) -> Result<usize, ChangeError> {
    remove_hidden(ports, cutoffs(ports.queue).await?).await
}

/// Does as [`remove_cleared`], with the cutoffs that were read.
///
/// # Errors
/// As [`remove_cleared`].
pub async fn remove_hidden(ports: &RemovalPorts<'_>, cleared: ClearCutoffs) -> Result<usize, ChangeError> {
    if cleared.is_empty() {
        return Ok(0);
    }
    let mut removed: BTreeMap<Status, u64> = BTreeMap::new();
    let mut done = true;
    for status in cleared.hidden.keys() {
        for month in months(ports.clock.now(), ports.queue.jobs_kept()) {
            let (count, nothing_left) = remove_of_month(ports, &cleared, *status, &month).await?;
            if count > 0 {
                *removed.entry(*status).or_default() += count;
            }
            done &= nothing_left;
        }
    }
    update(ports.queue, ports.clock, |admission| {
        // A clear in the meantime has hidden more jobs.
        let same = admission.cleared.all == cleared.all && admission.cleared.failed == cleared.failed;
        Some(admission.removed(&removed, done && same))
    })
    .await?;
    Ok(removed.values().sum::<u64>() as usize)
}

/// Removes hidden jobs of a status that were created in a month, the oldest first; returns their number, and whether none is
/// left.
async fn remove_of_month(
    ports: &RemovalPorts<'_>,
    cleared: &ClearCutoffs,
    status: Status,
    month: &str,
) -> Result<(u64, bool), ChangeError> {
    let Some(latest) = cleared.all.max(cleared.failed) else { return Ok((0, true)) };
    let event = if status == Status::Pending { Event::Clear { until: latest } } else { Event::Delete };
    let (mut from, mut removed, mut found) = (Timestamp::EPOCH, 0, false);
    for _ in 0..PAGES {
        let page = ports.queue.oldest(status, month, from, latest, REMOVED_AT_ONCE).await?;
        let ids: Vec<JobId> = page.iter().map(|(_, id)| id.clone()).collect();
        let hidden = ports.queue.load_all(&ids).await?;
        let hidden: Vec<Job> = hidden.into_iter().filter(|job| job.status == status && cleared.hides(job)).collect();
        found |= !hidden.is_empty();
        let changes = hidden.into_iter().map(|job| change_loaded(ports.jobs, ports.clock, ports.policy, job, &event));
        let changes: Vec<_> = futures_util::stream::iter(changes).buffer_unordered(CHANGES_AT_ONCE).collect().await;
        for changed in changes {
            removed += u64::from(matches!(changed?, Changed::Applied(_)));
        }
        match page.last() {
            Some((last, _)) if page.len() >= REMOVED_AT_ONCE => from = *last,
            // After a removal, the next sweep checks that no hidden job is left.
            _ => return Ok((removed, !found)),
        }
        if found {
            break;
        }
    }
    // If the pages had only visible jobs, the count of hidden jobs decides.
    Ok((removed, !found && cleared.shown(status, 1) == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_jobs_were_created_in_three_months_unless_they_are_kept_longer() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        for kept in [Days::MONTH, "7".parse().unwrap()] {
            assert_eq!(months(at("2024-03-31T00:00:00Z"), kept), ["2024-03", "2024-02", "2024-01"]);
            assert_eq!(months(at("2024-01-01T00:00:00Z"), kept), ["2024-01", "2023-12", "2023-11"]);
            assert_eq!(months(at("2023-03-01T00:00:00Z"), kept), ["2023-03", "2023-02", "2023-01"]);
        }
        let long = months(at("2024-03-31T00:00:00Z"), "90".parse().unwrap());
        assert_eq!(long, ["2024-03", "2024-02", "2024-01", "2023-12"]);
        // 118 days before.
        let longer = months(at("2024-01-01T00:00:00Z"), "90".parse().unwrap());
        assert_eq!(longer, ["2024-01", "2023-12", "2023-11", "2023-10", "2023-09"]);
    }
}
