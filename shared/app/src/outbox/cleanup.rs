//! What has to be done again and again: the due sweep, removals, recoveries, and each hour the counters. A part that
//! fails does not keep the others from running.

use std::fmt::Display;
use std::time::Duration;

use reelhook_domain::Timestamp;
use serde::Serialize;

use crate::change::ChangeError;
use crate::jobs::admission::arrange;
use crate::jobs::queue::{RemovalPorts, remove_cleared, remove_hidden};
use crate::jobs::reconcile::{CounterStore, reconcile};
use crate::outbox::sweep::{SweepPorts, sweep};
use crate::store::StoreError;
use crate::webhooks::recover::{RecoverPorts, resume_all};

/// An hour in seconds. The cleanup in the first minute of each hour reconciles counters.
const HOUR_S: i64 = 3600;
/// The time that a cleanup spends on recoveries.
const RECOVERY_BUDGET: Duration = Duration::from_secs(35);
/// The time that one page of a recovery may need before the deadline of the invocation.
const LAST_PAGE: Duration = Duration::from_secs(8);

/// The ports of a cleanup.
pub struct CleanupPorts<'a> {
    /// The due sweep, and the clock.
    pub sweep: SweepPorts<'a>,
    /// The removal of jobs that a clear has hidden.
    pub removal: RemovalPorts<'a>,
    /// ADMISSION_SHARDS: the rows that grant slots to runs.
    pub slot_rows: usize,
    /// STORED_FORM: whether slots get numbers.
    pub slot_numbers: bool,
    /// The counters.
    pub counters: &'a dyn CounterStore,
    /// Recoveries.
    pub recoveries: RecoverPorts<'a>,
}

/// The result of a cleanup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CleanupReport {
    /// Jobs and projects that were due.
    pub jobs_due: usize,
    /// Jobs and projects that changed because they were due.
    pub jobs_changed: usize,
    /// Deliveries that got a new hint.
    pub deliveries_hinted: usize,
    /// Jobs that a clear had hidden and that were removed.
    pub removed: usize,
    /// Recoveries that were worked on.
    pub recoveries: usize,
    /// Counters that were corrected.
    pub counters_mended: usize,
    /// Parts that failed; the next cleanup retries them.
    pub failed: usize,
}

/// Cleans up once. Counters are reconciled each hour, or if the caller asks for it; recoveries end before `deadline`,
/// the end of the invocation.
pub async fn clean_up(ports: &CleanupPorts<'_>, reconciles: bool, deadline: Option<Timestamp>) -> CleanupReport {
    let swept = sweep(&ports.sweep).await;
    let mut failed = swept.failed;
    let removed = part(arrange_and_remove(ports).await, &mut failed);
    let now = ports.sweep.clock.now();
    let reconciles = reconciles || begins_an_hour(now);
    let counters_mended = if reconciles { part(reconcile(ports.counters, now).await, &mut failed) } else { 0 };
    let recoveries = part(resume_all(&ports.recoveries, end_of_recoveries(now, deadline)).await, &mut failed);
    CleanupReport {
        jobs_due: swept.jobs_due,
        jobs_changed: swept.jobs_changed,
        deliveries_hinted: swept.deliveries_hinted,
        removed,
        recoveries,
        counters_mended,
        failed,
    }
}

/// Arranges the slots as the settings say, and removes hidden jobs: the slots' rows say which, so they are read once.
async fn arrange_and_remove(ports: &CleanupPorts<'_>) -> Result<usize, ChangeError> {
    let RemovalPorts { queue, clock, .. } = &ports.removal;
    let slots = arrange(*queue, *clock, ports.slot_rows, ports.slot_numbers).await?;
    remove_hidden(&ports.removal, slots.first().cleared.clone()).await
}

/// Sweeps and removes hidden jobs when a person requests it; returns the number of changed jobs and hinted deliveries.
///
/// # Errors
/// [`ChangeError`]; the next cleanup continues.
pub async fn clean_up_now(due: &SweepPorts<'_>, removal: &RemovalPorts<'_>) -> Result<usize, ChangeError> {
    let swept = sweep(due).await;
    let removed = remove_cleared(removal).await?;
    if swept.failed > 0 {
        let source = format!("{} parts of the sweep failed", swept.failed).into();
        return Err(StoreError::Busy { operation: "sweep", source }.into());
    }
    Ok(swept.jobs_changed + swept.deliveries_hinted + removed)
}

/// The result of a part of the cleanup. A failure is counted and logged.
fn part<E: Display>(result: Result<usize, E>, failed: &mut usize) -> usize {
    result.unwrap_or_else(|error| {
        *failed += 1;
        tracing::error!(%error, "part of the sweep failed, the next sweep will retry it");
        0
    })
}

/// Whether `now` is in the first minute of an hour.
fn begins_an_hour(now: Timestamp) -> bool {
    now.seconds() % HOUR_S < 60
}

/// The time at which no other page of a recovery is begun.
fn end_of_recoveries(now: Timestamp, deadline: Option<Timestamp>) -> Timestamp {
    let budget = now.after(RECOVERY_BUDGET);
    deadline.map_or(budget, |deadline| budget.min(deadline.before(LAST_PAGE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_reconciled_once_an_hour() {
        let minutes = (0..24 * 60_i64).filter(|minute| begins_an_hour(Timestamp::from_seconds(minute * 60 + 30)));
        assert_eq!(minutes.collect::<Vec<i64>>(), (0..24).map(|hour| hour * 60).collect::<Vec<i64>>());
    }

    #[test]
    fn recoveries_leave_time_for_a_page_before_the_deadline() {
        let at = Timestamp::from_seconds;
        let check = |deadline: Option<i64>, expected: i64| {
            assert_eq!(end_of_recoveries(at(1000), deadline.map(at)), at(expected), "{deadline:?}");
        };
        check(None, 1035);
        check(Some(1060), 1035);
        check(Some(1043), 1035);
        check(Some(1040), 1032);
        check(Some(1005), 997);
    }
}
