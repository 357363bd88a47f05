//! Starts of runs: the claim, the worker's response, and the failure of a run outside of its steps.

use std::time::Duration;

use super::change::{Change, whole_seconds};
use crate::Decision;
use crate::jobs::reasons::Ignored;
use crate::jobs::run::Claim;
use crate::jobs::status::Status;
use crate::{Effect, LogEvent, LogLevel, WebUrl};

/// The maximum size of a stored error, in bytes (ARCHITECTURE.md, The tables).
const ERROR_LIMIT: usize = 4096;

pub(super) fn claim(mut change: Change<'_>) -> Decision {
    let start = &change.job.run.start;
    let is_claimed = start.claim.as_ref().is_some_and(|claim| claim.lease_until > change.now);
    if change.job.status != Status::Pending || is_claimed || start.ready_at > change.now {
        return change.ignore(Ignored::NotReady);
    }
    expire_claim(&mut change);
    let slot = change.job.next_slot();
    change.job.run.start.claims += 1;
    change.job.run.start.claim = Some(Claim { slot, lease_until: change.now.after(change.policy.claim_lease) });
    change.apply()
}

/// Ends a claim whose lease has expired: the start was not confirmed.
pub(super) fn expire_claim(change: &mut Change<'_>) {
    if change.job.run.start.claim.is_some() {
        change.release_slot();
        change.log(LogEvent::Note, LogLevel::Warning, "The start was not confirmed in time, will retry");
    }
}

pub(super) fn started(
    mut change: Change<'_>,
    attempt: u32,
    worker_id: &Option<String>,
    cancel_url: &Option<WebUrl>,
) -> Decision {
    if attempt != change.job.run.attempt {
        return change.ignore(Ignored::StaleAttempt);
    }
    match change.job.status {
        Status::Completed | Status::Failed | Status::Cancelled => return change.ignore(Ignored::FinalJob),
        Status::Pending => change.begin_run(),
        Status::Processing | Status::Rendering => {
            let known =
                change.job.run.engine.external().is_some_and(|external| {
                    external.worker.id == *worker_id && external.worker.cancel_url == *cancel_url
                });
            if known {
                return change.ignore(Ignored::Duplicate);
            }
        }
    }
    let Some(external) = change.external_mut() else { return change.ignore(Ignored::NotStarted) };
    external.worker.id = worker_id.clone();
    external.worker.cancel_url = cancel_url.clone();
    change.apply()
}

pub(super) fn deferred(mut change: Change<'_>, attempt: u32, wait: Option<Duration>, reason: &str) -> Decision {
    if attempt != change.job.run.attempt {
        return change.ignore(Ignored::StaleAttempt);
    }
    if change.job.status != Status::Pending || change.job.run.start.claim.is_none() {
        return change.ignore(Ignored::NotReady);
    }
    let delay = change.policy.start_backoff(change.job.run.start.failures, wait);
    change.release_slot();
    change.job.run.start.failures = change.job.run.start.failures.saturating_add(1);
    change.job.run.start.ready_at = change.now.after(delay);
    change.job.run.start.hint_at = change.job.run.start.ready_at.after(change.policy.hint_grace);
    change.then(Effect::Start { delay_s: whole_seconds(delay) });
    change.log(
        LogEvent::Note,
        LogLevel::Warning,
        format!("The worker did not accept the job, next attempt in {} s: {reason}", delay.as_secs()),
    );
    change.apply()
}

pub(super) fn run_failed(mut change: Change<'_>, attempt: u32, error: &str) -> Decision {
    if attempt != change.job.run.attempt {
        return change.ignore(Ignored::StaleAttempt);
    }
    match change.job.status {
        Status::Pending | Status::Processing => {}
        Status::Rendering => return change.ignore(Ignored::AlreadySo),
        Status::Completed | Status::Failed | Status::Cancelled => return change.ignore(Ignored::FinalJob),
    }
    change.fail_run(cut(error));
    change.apply()
}

/// Cuts an error to the maximum size.
pub(super) fn cut(text: &str) -> &str {
    crate::cut(text, ERROR_LIMIT)
}
