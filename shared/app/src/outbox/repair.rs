//! Repair after a lost stream: writes the missing rows of webhook events that items record, and ends reservations of credits
//! (`cargo xtask repair`).

use std::time::Duration;

use async_trait::async_trait;
use reelhook_domain::{JobId, Status, Timestamp};
use serde::{Deserialize, Serialize};

use crate::clips::store::ClipList;
use crate::files::links::FileLinks;
use crate::jobs::store::JobStore;
use crate::outbox::fanout::{FanoutError, FanoutPorts, apply_plans, plan_emitted};
use crate::outbox::source::FanoutSource;
use crate::projects::store::ProjectList;
use crate::retention::{Days, KeepsJobs};
use crate::store::StoreError;
use crate::webhooks::subscriptions::Subscriptions;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Projects or clip jobs of one page: each may be large.
const PAGE: usize = 20;

/// Lists jobs.
#[async_trait]
pub trait JobLister: KeepsJobs + Send + Sync {
    /// A page of the jobs with `status` that were created on `day`, after the cursor `after`.
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
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// A position in a repair: a day counted back from today, a status, and a cursor in the list of its jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cursor {
    /// Days before today.
    pub day: i64,
    /// The index in [`Status::ALL`].
    pub status: usize,
    /// The cursor in the list.
    #[serde(default)]
    pub after: Option<String>,
}

/// Where a repair goes on: projects come after the jobs, and clip jobs after the projects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// Among the jobs.
    Jobs(Cursor),
    /// Among the clip jobs.
    Clips {
        /// The cursor in their list; empty for its beginning.
        clips: String,
    },
    /// Among the projects.
    Projects {
        /// The cursor in their list; none for its beginning.
        projects: Option<String>,
    },
}

/// The result of one part of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Repaired {
    /// Jobs or projects that were read.
    pub scanned: usize,
    /// Deliveries whose rows exist now.
    pub ensured: usize,
    /// Where the next part begins; none if the repair is done.
    pub cursor: Option<Cursor>,
}

/// Why a part of a repair failed.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Reading failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Writing failed.
    #[error(transparent)]
    Fanout(#[from] FanoutError),
}

/// The ports and settings that a repair needs.
pub struct RepairPorts<'a> {
    /// Lists jobs.
    pub lister: &'a dyn JobLister,
    /// Jobs.
    pub jobs: &'a dyn JobStore,
    /// Rows and messages.
    pub fanout: FanoutPorts<'a>,
    /// The subscriptions of all endpoints.
    pub subscriptions: &'a Subscriptions,
    /// Links to files of projects.
    pub links: FileLinks<'a>,
    /// How much later than its hint a delivery is due.
    pub grace: Duration,
}

/// Writes the missing deliveries since `since` of one page of jobs, from `cursor` on.
///
/// Rows that exist stay as they are: receivers get nothing twice, even if a part is repaired again.
///
/// # Errors
/// [`RepairError`]; the part can be repaired again with the same cursor.
pub async fn repair(
    ports: &RepairPorts<'_>,
    since: Timestamp,
    cursor: Cursor,
    now: Timestamp,
) -> Result<Repaired, RepairError> {
    let Some(status) = Status::ALL.get(cursor.status).copied() else {
        return Ok(Repaired::default());
    };
    let day = now.before(DAY.saturating_mul(u32::try_from(cursor.day).unwrap_or_default())).day();
    let page = ports.lister.page(status, &day, cursor.after.as_deref()).await?;
    let mut plans = Vec::new();
    let mut scanned = 0;
    for id in &page.ids {
        let job = match ports.jobs.load(id).await {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            // One unreadable job must not stop the repair of the others.
            Err(error @ StoreError::Unreadable { .. }) => {
                tracing::error!(job_id = %id, %error, "failed to read a job, it was not repaired");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        scanned += 1;
        plans.push(plan_emitted(&job, since, ports.subscriptions, ports.links, ports.grace));
    }
    apply_plans(&ports.fanout, &plans).await?;
    let ensured = plans.iter().map(|plan| plan.deliveries.len()).sum();
    Ok(Repaired { scanned, ensured, cursor: next(&cursor, page.next, ports.lister.jobs_kept()) })
}

/// Writes the missing deliveries since `since` of one page of projects, from `cursor` on. The answer has the numbers, and
/// the cursor of the next page; none after the last.
///
/// # Errors
/// As [`repair`].
pub async fn repair_projects(
    ports: &RepairPorts<'_>,
    projects: &dyn ProjectList,
    since: Timestamp,
    cursor: Option<&str>,
) -> Result<(Repaired, Option<String>), RepairError> {
    let page = projects.page(cursor, PAGE).await?;
    Ok((repair_page(ports, &page.projects, since).await?, page.next))
}

/// Like [`repair_projects`], for one page of clip jobs. Reservations of their attempts that have ended end in the
/// ledger, too.
///
/// # Errors
/// As [`repair`].
pub async fn repair_clips(
    ports: &RepairPorts<'_>,
    clips: &dyn ClipList,
    since: Timestamp,
    cursor: Option<&str>,
) -> Result<(Repaired, Option<String>), RepairError> {
    let page = clips.page(None, None, cursor, PAGE).await?;
    Ok((repair_page(ports, &page.jobs, since).await?, page.next))
}

/// Writes the missing deliveries since `since` of these aggregates.
async fn repair_page<A: FanoutSource>(
    ports: &RepairPorts<'_>,
    page: &[A],
    since: Timestamp,
) -> Result<Repaired, RepairError> {
    let plan = |of: &A| plan_emitted(of, since, ports.subscriptions, ports.links, ports.grace);
    let plans: Vec<_> = page.iter().map(plan).collect();
    apply_plans(&ports.fanout, &plans).await?;
    let ensured = plans.iter().map(|plan| plan.deliveries.len()).sum();
    Ok(Repaired { scanned: page.len(), ensured, cursor: None })
}

/// Where a repair of jobs that are kept for so long goes on.
fn next(cursor: &Cursor, after: Option<String>, kept: Days) -> Option<Cursor> {
    if after.is_some() {
        return Some(Cursor { after, ..cursor.clone() });
    }
    if cursor.status + 1 < Status::ALL.len() {
        return Some(Cursor { status: cursor.status + 1, day: cursor.day, after: None });
    }
    (cursor.day < kept.count()).then_some(Cursor { day: cursor.day + 1, status: 0, after: None })
}
