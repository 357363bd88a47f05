//! Timers of a due job: a lost hint, an expired lease, a poll of a render, or a time limit.

use std::time::Duration;

use super::change::Change;
use super::pieces;
use super::renders::time_out;
use super::starts::expire_claim;
use crate::jobs::activity::Incomplete;
use crate::jobs::reasons::Ignored;
use crate::jobs::status::Status;
use crate::jobs::task::DuePoll;
use crate::{Decision, Effect, JobEffect, LogEvent, LogLevel, OutboundEvent};

/// The maximum time between two hints for a waiting job.
const LONGEST_HINT_WAIT: Duration = Duration::from_secs(15 * 60);

pub(super) fn tick(change: Change<'_>) -> Decision {
    if change.job.due_at.is_none_or(|due| due > change.now) {
        return change.ignore(Ignored::NotDue);
    }
    match change.job.status {
        Status::Pending => waiting(change),
        Status::Processing => running(change),
        Status::Rendering if is_in_pieces(&change) => running(change),
        Status::Rendering => polled(change),
        Status::Completed => polled(change),
        Status::Failed | Status::Cancelled => change.ignore(Ignored::NotDue),
    }
}

/// Sends a hint again: the last one was lost, or the lease of the claim expired before the worker responded.
fn waiting(mut change: Change<'_>) -> Decision {
    // A claim leaves the due time where it was, so the job may be due before the lease expires: it is due then.
    if let Some(claim) = change.job.run.start.claim.as_ref().filter(|claim| claim.lease_until > change.now) {
        change.job.run.start.hint_at = claim.lease_until;
        return change.apply();
    }
    expire_claim(&mut change);
    let waited = change.job.run.start.ready_at;
    let next =
        change.now.since(waited).clamp(change.policy.hint_grace, LONGEST_HINT_WAIT.max(change.policy.hint_grace));
    change.job.run.start.hint_at = change.now.after(next);
    change.then(Effect::Start { delay_s: 0 });
    change.apply()
}

fn running(mut change: Change<'_>) -> Decision {
    let timeout = change.policy.processing_timeout;
    let started = change.job.run.times.started_at.unwrap_or(change.job.updated_at);
    if started.after(timeout) > change.now {
        return if is_in_pieces(&change) { pieces::sweep(change) } else { polled(change) };
    }
    change.job.run.times.timed_out_at = Some(change.now);
    change.stop_worker();
    if change.job.render_id().is_some() && change.worker_is_busy() {
        change.complete_without_video(Incomplete::WorkflowIncomplete, OutboundEvent::WorkflowIncomplete);
    } else {
        let minutes = timeout.as_secs().div_ceil(60);
        change.fail(&format!("Job timed out after {minutes} minutes"), OutboundEvent::Timeout);
    }
    change.apply()
}

/// Whether our own renderers process the run; then no render at an outside service is polled.
fn is_in_pieces(change: &Change<'_>) -> bool {
    change.job.run.engine.pieces().is_some()
}

/// A poll of the render is due.
fn polled(mut change: Change<'_>) -> Decision {
    let Some(render) = change.job.render_id().cloned() else { return change.ignore(Ignored::NotDue) };
    let (now, policy) = (change.now, change.policy);
    let due = change.render_mut().and_then(|task| task.poll(now, &policy.render_checks));
    match due {
        None => return change.ignore(Ignored::NotDue),
        Some(DuePoll::Unconfirmed) => change.log_unconfirmed(),
        Some(DuePoll::Confirm) => change.then(JobEffect::CheckRender { render, check: 0, delay_s: 0 }),
        Some(DuePoll::DeadlinePassed) => time_out(&mut change),
        Some(DuePoll::Scheduled(check)) => {
            change.then(JobEffect::CheckRender { render, check, delay_s: 0 });
            let all = policy.render_checks.len();
            change.log(LogEvent::Polled, LogLevel::Info, format!("Checking the render ({check} of {all})"));
        }
    }
    change.apply()
}
