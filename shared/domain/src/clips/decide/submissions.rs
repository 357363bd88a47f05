//! Submissions to the worker: claims, answers, lost answers and their look-ups, and polls without a report.

use std::time::Duration;

use super::change::{Change, Outcome};
use super::outcomes;
use crate::clips::effect::ClipEffect;
use crate::clips::event::LookedUp;
use crate::clips::reasons::Ignored;
use crate::clips::run::WorkerState;
use crate::{OutboundEvent, RenderId};

/// The launcher claims the waiting submission.
pub(super) fn claim(change: &mut Change<'_>) -> Outcome {
    if !change.is_active() {
        return Err(Ignored::Ended.into());
    }
    let (now, policy) = (change.now, change.policy);
    let Some(run) = change.job.run.engine.worker_mut() else { return Err(Ignored::NothingToDo.into()) };
    match run.state {
        WorkerState::Waiting { ready_at } if ready_at <= now => {}
        WorkerState::Waiting { .. }
        | WorkerState::Submitting { .. }
        | WorkerState::Unclear { .. }
        | WorkerState::Submitted { .. }
        | WorkerState::Ended => return Err(Ignored::NothingToDo.into()),
    }
    run.deadline = run.deadline.or(Some(now.after(policy.queued)));
    run.state = WorkerState::Submitting { lease_until: now.after(policy.submit_lease) };
    Ok(())
}

/// The worker accepted a submission.
pub(super) fn submitted(change: &mut Change<'_>, number: u32, id: &RenderId) -> Outcome {
    let run = change.submission(number)?;
    match run.state {
        WorkerState::Submitted { .. } | WorkerState::Ended => return Err(Ignored::Repeated.into()),
        WorkerState::Waiting { .. } if run.deadline.is_none() => return Err(Ignored::Stale.into()),
        // The answer of an earlier request of the same submission comes late: the worker has it, and gets no second one.
        WorkerState::Waiting { .. } | WorkerState::Submitting { .. } | WorkerState::Unclear { .. } => {}
    }
    learn(change, number, id)
}

/// The worker's id for a submission is known: it is polled from now on, unless the worker reports by itself.
pub(super) fn learn(change: &mut Change<'_>, number: u32, id: &RenderId) -> Outcome {
    let next_at = change.now.after(change.policy.silence);
    change.submission_mut(number)?.state = WorkerState::Submitted { id: id.clone(), polls: 0, missing: 0, next_at };
    change.then(ClipEffect::Index { number, worker_id: Some(id.clone()) });
    heard(change);
    Ok(())
}

/// The worker has said something about the present submission. The first time shows that it has accepted it.
pub(super) fn heard(change: &mut Change<'_>) {
    let now = change.now;
    let Some(run) = change.job.run.engine.worker_mut() else { return };
    if run.heard_at.replace(now).is_none() {
        change.notify(OutboundEvent::ClipsStarted, None);
    }
}

/// The worker refused a submission: it waits and is sent again, unless it would always be refused.
pub(super) fn refused(
    change: &mut Change<'_>,
    number: u32,
    error: &str,
    wait: Option<Duration>,
    permanent: bool,
) -> Outcome {
    match change.submission(number)?.state {
        WorkerState::Submitting { .. } | WorkerState::Unclear { .. } => {}
        WorkerState::Waiting { .. } | WorkerState::Submitted { .. } | WorkerState::Ended => {
            return Err(Ignored::Repeated.into());
        }
    }
    let (now, policy) = (change.now, change.policy);
    let run = change.submission_mut(number)?;
    run.refusals = run.refusals.saturating_add(1);
    let refusals = run.refusals;
    let wait = wait.unwrap_or_default().max(policy.retry_wait(refusals));
    run.state = WorkerState::Waiting { ready_at: now.after(wait) };
    if permanent {
        outcomes::fail(change, &format!("The worker refused the job: {error}"));
    } else if refusals >= policy.refusals {
        outcomes::fail(change, &format!("The worker refused the job {refusals} times: {error}"));
    }
    Ok(())
}

/// The answer to a submission was lost: it is looked up, and never sent again blindly.
pub(super) fn lost(change: &mut Change<'_>, number: u32) -> Outcome {
    match change.submission(number)?.state {
        WorkerState::Submitting { .. } => {}
        WorkerState::Waiting { .. }
        | WorkerState::Unclear { .. }
        | WorkerState::Submitted { .. }
        | WorkerState::Ended => return Err(Ignored::Repeated.into()),
    }
    unclear(change, number, 0)
}

/// The submission is looked up after a wait; so many look-ups have not found it so far.
pub(super) fn unclear(change: &mut Change<'_>, number: u32, lookups: u32) -> Outcome {
    let next_at = change.now.after(change.policy.poll_wait(lookups));
    change.submission_mut(number)?.state = WorkerState::Unclear { lookups, next_at };
    Ok(())
}

/// A submission whose answer was lost was looked up. If the worker does not have it often enough, it was never there and
/// is sent again, under the same number.
pub(super) fn looked_up(change: &mut Change<'_>, number: u32, found: &LookedUp) -> Outcome {
    let WorkerState::Unclear { lookups, next_at } = change.submission(number)?.state else {
        return Err(Ignored::Repeated.into());
    };
    let now = change.now;
    let lookups = match found {
        LookedUp::Found(id) => return learn(change, number, id),
        // A look-up that comes too early, such as that of a second launcher, shows nothing that the one before has not
        // shown.
        LookedUp::Missing | LookedUp::Unanswered if next_at > now => return Err(Ignored::NothingToDo.into()),
        LookedUp::Missing => lookups.saturating_add(1),
        LookedUp::Unanswered => return unclear(change, number, lookups),
    };
    if lookups < change.policy.lookups {
        return unclear(change, number, lookups);
    }
    change.submission_mut(number)?.state = WorkerState::Waiting { ready_at: now };
    Ok(())
}

/// A poll had no usable answer. A submission that the worker does not know any more is sent again under a new number.
pub(super) fn poll_failed(change: &mut Change<'_>, number: u32, is_missing: bool) -> Outcome {
    let (now, policy) = (change.now, change.policy);
    let WorkerState::Submitted { polls, missing, next_at, .. } = &mut change.submission_mut(number)?.state else {
        return Err(Ignored::Repeated.into());
    };
    if *next_at > now {
        return Err(Ignored::NothingToDo.into());
    }
    *next_at = now.after(policy.poll_wait(*polls));
    *polls = polls.saturating_add(1);
    *missing = missing.saturating_add(is_missing.into());
    if *missing >= policy.missing_polls { forgotten(change, number) } else { Ok(()) }
}

fn forgotten(change: &mut Change<'_>, number: u32) -> Outcome {
    let (now, policy) = (change.now, change.policy);
    let run = change.submission_mut(number)?;
    run.state = WorkerState::Waiting { ready_at: now };
    if run.lost >= policy.resubmissions {
        let error = format!("The worker has lost the job, which was submitted {} times", run.lost.saturating_add(1));
        outcomes::fail(change, &error);
        return Ok(());
    }
    run.lost = run.lost.saturating_add(1);
    run.number = number.saturating_add(1);
    change.then(ClipEffect::Index { number: number.saturating_add(1), worker_id: None });
    Ok(())
}
