//! What the sweep finds due: a lost hint, a lease that ran out, a run or a render that takes too long.

use std::time::Duration;

use super::change::Change;
use super::renders::{CHECK_LEASE, CONFIRMATIONS, stop_confirming, time_out};
use super::{Ignored, drawing};
use crate::Decision;
use crate::jobs::job::{RenderWatch, Status};
use crate::{Effect, JobEffect, LogLevel, OutboundEvent};

/// A waiting job gets a new hint at least this often.
const LONGEST_HINT_WAIT: Duration = Duration::from_secs(15 * 60);

pub(super) fn tick(change: Change<'_>) -> Decision {
    if change.job.due_at.is_none_or(|due| due > change.now) {
        return change.ignore(Ignored::NotDue);
    }
    match change.job.status {
        Status::Pending => waiting(change),
        Status::Processing => running(change),
        Status::Rendering if change.job.drawing.is_some() => running(change),
        Status::Rendering => watched(change),
        Status::Completed => watched(change),
        Status::Failed | Status::Cancelled => change.ignore(Ignored::NotDue),
    }
}

/// The hint got lost, or the claim's lease ran out before the worker answered: offer it again.
fn waiting(mut change: Change<'_>) -> Decision {
    if change.job.start.claim.is_some() {
        change.release_slot();
        change.log("job_log", LogLevel::Warning, "The start was not confirmed in time, trying again");
    }
    let waited = change.job.start.ready_at;
    let next = Duration::from_millis(u64::try_from(change.now.0 - waited.0).unwrap_or(0))
        .clamp(change.policy.hint_grace, LONGEST_HINT_WAIT.max(change.policy.hint_grace));
    change.job.start.hint_at = change.now.after(next);
    change.then(Effect::Start { delay_s: 0 });
    change.apply()
}

fn running(mut change: Change<'_>) -> Decision {
    let timeout = change.policy.processing_timeout;
    let started = change.job.started_at.unwrap_or(change.job.updated_at);
    if started.after(timeout) > change.now {
        return if change.job.drawing.is_some() { drawing::tick(change) } else { watched(change) };
    }
    change.job.timeout_at = Some(change.now);
    change.stop_worker();
    if change.job.render_id.is_some() && !change.job.worker_done {
        change.job.workflow_incomplete = true;
        change.complete(None, "Workflow incomplete, a render was started", OutboundEvent::WorkflowIncomplete);
    } else {
        let minutes = timeout.as_secs().div_ceil(60);
        change.fail(&format!("Job timed out after {minutes} minutes"), OutboundEvent::Timeout);
    }
    change.apply()
}

/// A check of the render is due.
fn watched(mut change: Change<'_>) -> Decision {
    let (Some(watch), Some(render)) = (change.job.render.clone(), change.job.render_id.clone()) else {
        return change.ignore(Ignored::NotDue);
    };
    if watch.confirming > 0 {
        if watch.confirming >= CONFIRMATIONS {
            stop_confirming(&mut change);
        } else {
            let next_at = change.now.after(CHECK_LEASE);
            change.job.render = Some(RenderWatch { confirming: watch.confirming + 1, next_at, ..watch });
            change.then(JobEffect::CheckRender { render, check: 0, delay_s: 0 });
        }
        return change.apply();
    }
    let checks = &change.policy.render_checks;
    if usize::from(watch.checks) >= checks.len() {
        time_out(&mut change);
        return change.apply();
    }
    let since = watch.since.unwrap_or(change.now);
    let made = watch.checks + 1;
    let lease = change.now.after(CHECK_LEASE);
    let next_at = checks.get(usize::from(made)).map_or(lease, |next| since.after(*next));
    change.job.render = Some(RenderWatch { since: Some(since), checks: made, confirming: 0, next_at });
    change.then(JobEffect::CheckRender { render, check: made, delay_s: 0 });
    change.log("creatomate_monitoring", LogLevel::Info, format!("Checking the render ({made} of {})", checks.len()));
    change.apply()
}
