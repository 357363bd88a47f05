//! Making what a lost stream never made: events that an item remembers and that have no rows (`cargo xtask repair`).

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{Job, JobId, Status, Timestamp};
use serde::{Deserialize, Serialize};

use crate::jobs::change::JobStore;
use crate::outbox::fanout::{FanoutError, FanoutPorts, Plan, apply_plans, plan_event};
use crate::store::StoreError;
use crate::webhooks::subscriptions::Subscriptions;

/// Days of jobs that are looked through: as long as jobs are kept.
const DAYS: i64 = 31;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// Lists jobs.
#[async_trait]
pub trait JobLister: Send + Sync {
    /// A page of the jobs with `status` that were made on `day`, from `after` on.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn page(&self, status: Status, day: &str, after: Option<&str>) -> Result<Page, StoreError>;
}

/// A page of job ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The ids.
    pub ids: Vec<JobId>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// Where a repair stands: a day counted back from today, a status, and a place in its list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Days before today.
    pub day: i64,
    /// Place in [`Status::ALL`].
    pub status: usize,
    /// Place in the list.
    #[serde(default)]
    pub after: Option<String>,
}

/// What a part of a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repaired {
    /// Jobs that were read.
    pub scanned: usize,
    /// Deliveries that were made sure of.
    pub ensured: usize,
    /// Where to go on; none when done.
    pub cursor: Option<Cursor>,
}

/// Why a repair stopped.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Reading failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Writing failed.
    #[error(transparent)]
    Fanout(#[from] FanoutError),
}

/// What a repair needs.
pub struct RepairPorts<'a> {
    /// Lists jobs.
    pub lister: &'a dyn JobLister,
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Rows and messages.
    pub fanout: FanoutPorts<'a>,
    /// Who is told.
    pub subscriptions: &'a Subscriptions,
    /// How much later than its hint a delivery is due.
    pub grace: Duration,
}

/// Makes sure of every delivery since `since`, for one page of jobs from `cursor` on.
///
/// Rows that are there stay as they are: receivers see nothing new, whatever is repaired twice.
///
/// # Errors
/// [`RepairError`]; the same cursor can be tried again.
pub async fn repair(
    ports: &RepairPorts<'_>,
    since: Timestamp,
    cursor: Cursor,
    now: Timestamp,
) -> Result<Repaired, RepairError> {
    let Some(status) = Status::ALL.get(cursor.status).copied() else {
        return Ok(Repaired::default());
    };
    let day = Timestamp(now.0 - cursor.day * DAY_MS).day();
    let page = ports.lister.page(status, &day, cursor.after.as_deref()).await?;
    let mut plans = Vec::new();
    let mut scanned = 0;
    for id in &page.ids {
        let job = match ports.jobs.load(id).await {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            // One job must not keep the others from being repaired.
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(job_id = %id, %error, "a job can't be read and was not repaired");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        scanned += 1;
        plans.push(plan_missing(&job, since, ports.subscriptions, ports.grace));
    }
    apply_plans(&ports.fanout, &plans).await?;
    let ensured = plans.iter().map(|plan| plan.deliveries.len()).sum();
    Ok(Repaired { scanned, ensured, cursor: next(&cursor, page.next) })
}

fn plan_missing(job: &Job, since: Timestamp, subscriptions: &Subscriptions, grace: Duration) -> Plan {
    let mut plan = Plan::default();
    for emitted in job.emitted.iter().filter(|emitted| emitted.at >= since) {
        plan_event(&mut plan, job, emitted.id.clone(), emitted.event, emitted.at, subscriptions, grace);
    }
    plan
}

fn next(cursor: &Cursor, after: Option<String>) -> Option<Cursor> {
    if after.is_some() {
        return Some(Cursor { after, ..cursor.clone() });
    }
    if cursor.status + 1 < Status::ALL.len() {
        return Some(Cursor { status: cursor.status + 1, day: cursor.day, after: None });
    }
    (cursor.day + 1 < DAYS).then_some(Cursor { day: cursor.day + 1, status: 0, after: None })
}
