//! Timers of a due project: lost hints, expired leases of submissions, deadlines of tasks, and pieces.

use super::change::{Change, Outcome};
use super::outcomes::{self, Why};
use super::{launches, pieces, tasks};
use crate::projects::project::Phase;
use crate::projects::reasons::Ignored;
use crate::projects::task::{Task, TaskRef, TaskState};

pub(super) fn tick(change: &mut Change<'_>) -> Outcome {
    let now = change.now;
    if change.project.due_at.is_none_or(|due| due > now) {
        return Err(Ignored::NothingToDo.into());
    }
    pieces::sweep(change);
    if change.project.phase != Phase::Running {
        // Tasks that the end of the project had no room to cancel.
        tasks::abandon_all(change);
        return Ok(());
    }
    let lost = late(change, |task| match task.state {
        TaskState::Submitting { lease_until } => lease_until <= now,
        TaskState::Waiting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } | TaskState::Own => false,
    });
    for task in lost {
        // The launcher was lost with the answer.
        launches::lost(change, &task)?;
    }
    for task in late(change, |task| task.deadline.is_some_and(|deadline| deadline <= now)) {
        if change.has_room() {
            time_out(change, &task);
        }
    }
    if change.project.hinted_at.is_some_and(|at| at.after(change.policy.hint_grace) <= now) {
        change.project.hinted_at = None;
    }
    if change.project.waits_for_slot() {
        change.start(now);
    }
    Ok(())
}

/// The tasks for which something is late.
fn late(change: &Change<'_>, is_late: impl Fn(&Task) -> bool) -> Vec<TaskRef> {
    change.project.tasks().filter(|(_, task)| is_late(task)).map(|(task, _)| task).collect()
}

/// A task did not end before its deadline.
fn time_out(change: &mut Change<'_>, task: &TaskRef) {
    let minutes = change.policy.stage(task.stage()).deadline.as_secs().div_ceil(60);
    // A stitch that failed for good has ended the other tasks, too.
    let Some(found) = change.project.task(task) else { return };
    let (why, error) = match found.state {
        TaskState::Waiting { .. } => (Why::NotAccepted, format!("the service did not accept it within {minutes} min")),
        TaskState::Submitting { .. } | TaskState::Unclear { .. } => {
            (Why::Unclear, format!("the answer to its submission was lost, and nothing came within {minutes} min"))
        }
        TaskState::Submitted { .. } => (Why::TimedOut, format!("it did not end within {minutes} min")),
        TaskState::Own => return,
    };
    outcomes::failed(change, task, why, &error);
}
