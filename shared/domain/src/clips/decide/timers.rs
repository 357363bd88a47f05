//! Timers of a due job: pieces, the lease of a submission, the deadline, and lost hints.

use super::change::{Change, Outcome};
use super::{due, outcomes, pieces, submissions};
use crate::clips::reasons::Ignored;
use crate::clips::run::{Engine, WorkerState};
use crate::clips::status::ClipStatus;

pub(super) fn tick(change: &mut Change<'_>) -> Outcome {
    let now = change.now;
    if change.job.due_at.is_none_or(|due| due > now) {
        return Err(Ignored::NothingToDo.into());
    }
    pieces::sweep(change);
    if due::deadline(&change.job, change.policy).is_some_and(|deadline| deadline <= now) {
        time_out(change);
    }
    if let Some(number) = change.job.run.engine.worker().map(|run| run.number)
        && due::lease_until(&change.job).is_some_and(|lease| lease <= now)
    {
        // The launcher was lost with the answer.
        submissions::lost(change, number)?;
    }
    if change.job.hinted_at.is_some_and(|at| at.after(change.policy.hint_grace) <= now) {
        change.job.hinted_at = None;
    }
    Ok(())
}

/// The attempt did not begin or did not end before its deadline.
fn time_out(change: &mut Change<'_>) {
    let is_queued = change.job.status == ClipStatus::Queued;
    let limit = if is_queued { change.policy.queued } else { change.policy.deadline };
    let minutes = limit.as_secs().div_ceil(60);
    let error = match &change.job.run.engine {
        Engine::Own(_) => format!("The clips were not cut within {minutes} min"),
        Engine::Worker(run) => match run.state {
            WorkerState::Waiting { .. } => format!("The worker did not accept the job within {minutes} min"),
            WorkerState::Submitting { .. } | WorkerState::Unclear { .. } => {
                format!("The answer to the submission was lost, and nothing came within {minutes} min")
            }
            WorkerState::Submitted { .. } | WorkerState::Ended => {
                let missed = if is_queued { "begin" } else { "end" };
                format!("The worker did not {missed} the job within {minutes} min")
            }
        },
    };
    outcomes::fail(change, &error);
}
