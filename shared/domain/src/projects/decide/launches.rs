//! Submissions of tasks to services: claims, answers, lost answers, and look-ups of these.

use std::time::Duration;

use super::change::{Change, Outcome};
use super::outcomes::{self, Why};
use super::{size, tasks};
use crate::projects::effect::ProjectEffect;
use crate::projects::reasons::Ignored;
use crate::projects::task::{Stage, TaskRef, TaskState};
use crate::{RenderId, Timestamp, WebUrl};

/// The launcher claims a waiting task. A scene's video is charged with the first claim of its attempt.
pub(super) fn claim(change: &mut Change<'_>, task: &TaskRef) -> Outcome {
    let (now, policy) = (change.now, change.policy);
    let found = change.current(task)?;
    if !found.can_be_claimed(now) {
        return Err(Ignored::NothingToDo.into());
    }
    let is_first = found.deadline.is_none();
    if let (Stage::Video, Some(scene)) = (task.stage(), task.scene()) {
        let index = change.index_of(scene)?;
        let cost = if is_first { policy.video_cost(&change.project.scenes[index].spec) } else { 0 };
        if !change.project.can_pay(cost) {
            return Err(Ignored::NothingToDo.into());
        }
        change.project.spent = change.project.spent.saturating_add(cost);
        change.project.served_at = now;
        tasks::give_frame(change, index);
    }
    let deadline = now.after(policy.stage(task.stage()).deadline);
    let found = change.current_mut(task)?;
    found.claims = found.claims.saturating_add(1);
    found.deadline = found.deadline.or(Some(deadline));
    found.state = TaskState::Submitting { lease_until: now.after(policy.submit_lease) };
    Ok(())
}

/// The service accepted a submission.
pub(super) fn submitted(
    change: &mut Change<'_>,
    task: &TaskRef,
    id: &RenderId,
    status_url: Option<&WebUrl>,
) -> Outcome {
    let named = status_url.filter(|url| size::has_room_for_status(&change.project, url)).cloned();
    let found = change.current(task)?;
    let is_known = found.id() == Some(id);
    match found.state {
        // A callback was faster than the answer, which alone names the URL of the status.
        TaskState::Submitted { status_url: None, .. } if is_known && named.is_some() => {}
        TaskState::Submitted { .. } => return Err(Ignored::Repeated.into()),
        TaskState::Own => return Err(Ignored::Stale.into()),
        TaskState::Waiting { .. } if found.deadline.is_none() => return Err(Ignored::Stale.into()),
        // The answer of an earlier submission of the same task comes late: the service has it, and gets no second one.
        TaskState::Waiting { .. } | TaskState::Submitting { .. } | TaskState::Unclear { .. } => {}
    }
    if !is_known {
        learn(change, task, id)?;
    }
    if let TaskState::Submitted { status_url, .. } = &mut change.current_mut(task)?.state {
        *status_url = named;
    }
    Ok(())
}

/// The service's id for a task is known: it is polled from now on.
pub(super) fn learn(change: &mut Change<'_>, task: &TaskRef, id: &RenderId) -> Outcome {
    let next_at = change.now.after(change.policy.poll_wait(0));
    change.current_mut(task)?.state = TaskState::Submitted { id: id.clone(), polls: 0, next_at, status_url: None };
    change.then(ProjectEffect::IndexTask { stage: task.stage(), id: id.clone(), task: task.to_string() });
    Ok(())
}

/// The service refused a submission: it waits and is sent again, unless it would always be refused.
pub(super) fn refused(
    change: &mut Change<'_>,
    task: &TaskRef,
    error: &str,
    wait: Option<Duration>,
    permanent: bool,
) -> Outcome {
    match change.current(task)?.state {
        TaskState::Submitting { .. } | TaskState::Unclear { .. } => {}
        TaskState::Waiting { .. } | TaskState::Submitted { .. } => return Err(Ignored::Repeated.into()),
        TaskState::Own => return Err(Ignored::Stale.into()),
    }
    if permanent {
        outcomes::failed(change, task, Why::Refused, error);
        return Ok(());
    }
    // As long again as it has waited since its first claim, so that the waits double.
    let (first, longest) = (change.policy.retry_wait(1), change.policy.retry_wait(u32::MAX));
    let waited = claimed_at(change, task).map_or(Duration::ZERO, |at| change.now.since(at));
    let wait = wait.unwrap_or_default().max(waited.clamp(first, longest));
    wait_again(change, task, wait)
}

/// When a task was first claimed.
fn claimed_at(change: &Change<'_>, task: &TaskRef) -> Option<Timestamp> {
    let deadline = change.project.task(task)?.deadline?;
    Some(deadline.before(change.policy.stage(task.stage()).deadline))
}

fn wait_again(change: &mut Change<'_>, task: &TaskRef, wait: Duration) -> Outcome {
    let ready_at = change.now.after(wait);
    change.current_mut(task)?.state = TaskState::Waiting { ready_at };
    if task.stage() == Stage::Video {
        change.start(ready_at);
    }
    Ok(())
}

/// The answer to a submission was lost: it is looked up where the service has a list, and never sent again blindly.
pub(super) fn lost(change: &mut Change<'_>, task: &TaskRef) -> Outcome {
    match change.current(task)?.state {
        TaskState::Submitting { .. } => {}
        TaskState::Waiting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } => {
            return Err(Ignored::Repeated.into());
        }
        TaskState::Own => return Err(Ignored::Stale.into()),
    }
    let has_list = change.policy.stage(task.stage()).backend.has_list();
    let next_at = has_list.then(|| change.now.after(change.policy.lookup_wait(0)));
    change.current_mut(task)?.state = TaskState::Unclear { lookups: 0, next_at };
    Ok(())
}

/// A task whose answer was lost was looked up. If the list does not have it often enough, over the lease of a submission,
/// it was never there and is sent again, under the same number.
pub(super) fn looked_up(change: &mut Change<'_>, task: &TaskRef, found: Option<&RenderId>, answered: bool) -> Outcome {
    let TaskState::Unclear { lookups, next_at } = change.current(task)?.state else {
        return Err(Ignored::Repeated.into());
    };
    if let Some(id) = found {
        return learn(change, task, id);
    }
    // One that comes too early, such as that of a second launcher, shows nothing that the one before has not shown.
    let counts = answered && next_at.is_some_and(|at| at <= change.now);
    let lookups = lookups.saturating_add(counts.into());
    if counts && lookups >= change.policy.lookups {
        return wait_again(change, task, Duration::ZERO);
    }
    let next_at = next_at.map(|_| change.now.after(change.policy.lookup_wait(lookups)));
    change.current_mut(task)?.state = TaskState::Unclear { lookups, next_at };
    Ok(())
}
