//! What callbacks and polls say about tasks.

use super::change::{Change, Outcome, Refusal};
use super::outcomes::{self, Why};
use super::{launches, size};
use crate::RenderId;
use crate::projects::event::TaskReport;
use crate::projects::policy::Backend;
use crate::projects::project::MAX_URLS;
use crate::projects::reasons::Ignored;
use crate::projects::task::{TaskRef, TaskState};

/// The progress of a task under way at most.
const UNFINISHED: u8 = 99;

/// A callback or a poll reports on a task.
pub(super) fn reported(
    change: &mut Change<'_>,
    task: &TaskRef,
    id: Option<&RenderId>,
    report: &TaskReport,
    polled: bool,
) -> Outcome {
    if let (TaskReport::Completed(output), Some(index)) = (report, late_video(change, task)) {
        return outcomes::late_video_completed(change, index, task, output, id);
    }
    let found = change.current(task)?;
    let was_sent = match found.state {
        TaskState::Waiting { .. } => found.deadline.is_some(),
        TaskState::Submitting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } => true,
        TaskState::Own => false,
    };
    if !was_sent || found.id().zip(id).is_some_and(|(known, other)| known != other) {
        return Err(Ignored::Stale.into());
    }
    // A report with the token of a submission whose answer was lost, or is on its way, names its id.
    let unknown = id.filter(|_| found.id().is_none());
    if let Some(id) = unknown {
        launches::learn(change, task, id)?;
    }
    let changed = match report {
        TaskReport::Completed(output) if !size::has_room_for(change, task, output) => {
            let most = MAX_URLS / 1024;
            let error = format!(
                "the URLs of its files are too long: those of a project and the ids of its tasks have at most {most} KiB \
                 in all"
            );
            outcomes::failed(change, task, Why::TooLarge, &error);
            true
        }
        TaskReport::Completed(output) => return outcomes::completed(change, task, output),
        TaskReport::Failed(error) => {
            outcomes::failed(change, task, Why::Reported, error);
            true
        }
        TaskReport::UnderWay(percent) => {
            let risen = progressed(change, task, *percent)?;
            (polled && poll_later(change, task)?) || risen
        }
        TaskReport::Unknown => polled && poll_later(change, task)?,
        TaskReport::Unusable if polled => poll_later(change, task)?,
        TaskReport::Unusable => poll_now(change, task)?,
    };
    if changed || unknown.is_some() { Ok(()) } else { Err(Ignored::Repeated.into()) }
}

/// The index of the scene whose attempt has failed and whose video a service may still end.
fn late_video(change: &Change<'_>, task: &TaskRef) -> Option<usize> {
    match change.policy.video.backend {
        Backend::Own => None,
        Backend::Service { .. } => change.project.late_video(task),
    }
}

/// Raises the progress of a task, which never falls; whether it has risen.
fn progressed(change: &mut Change<'_>, task: &TaskRef, percent: u8) -> Result<bool, Refusal> {
    let found = change.current_mut(task)?;
    let before = found.progress;
    found.progress = before.max(percent.min(UNFINISHED));
    Ok(found.progress > before)
}

/// The next poll comes after a longer wait; whether the task is polled at all.
fn poll_later(change: &mut Change<'_>, task: &TaskRef) -> Result<bool, Refusal> {
    let (now, policy) = (change.now, change.policy);
    let TaskState::Submitted { polls, next_at, .. } = &mut change.current_mut(task)?.state else { return Ok(false) };
    *polls = polls.saturating_add(1);
    *next_at = now.after(policy.poll_wait(*polls));
    Ok(true)
}

/// The next poll comes at once; whether it would have come later.
fn poll_now(change: &mut Change<'_>, task: &TaskRef) -> Result<bool, Refusal> {
    let now = change.now;
    let TaskState::Submitted { next_at, .. } = &mut change.current_mut(task)?.state else { return Ok(false) };
    let before = *next_at;
    *next_at = before.min(now);
    Ok(before > now)
}
