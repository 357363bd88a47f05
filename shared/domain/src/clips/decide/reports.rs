//! What webhooks and polls say about submissions.

use super::change::{Change, Outcome};
use super::{outcomes, output, submissions};
use crate::clips::event::{ReportKind, WorkerReport};
use crate::clips::reasons::Ignored;
use crate::clips::run::WorkerState;
use crate::clips::status::ClipStatus;
use crate::errors::cause::Cause;
use crate::{RenderId, brief};

/// Names of unusable files in an error at most.
const NAMED: usize = 3;

/// The worker reports on a submission.
pub(super) fn reported(
    change: &mut Change<'_>,
    number: u32,
    id: Option<&RenderId>,
    report: &WorkerReport,
    polled: bool,
) -> Outcome {
    let is_present = change.job.run.engine.worker().is_some_and(|run| run.number == number);
    if is_present && !change.is_active() {
        return late(change, report);
    }
    let run = change.submission(number)?;
    let was_sent = match run.state {
        WorkerState::Waiting { .. } => run.deadline.is_some(),
        WorkerState::Submitting { .. } | WorkerState::Unclear { .. } | WorkerState::Submitted { .. } => true,
        WorkerState::Ended => false,
    };
    if !was_sent || run.id().zip(id).is_some_and(|(known, other)| known != other) {
        return Err(Ignored::Stale.into());
    }
    note(change, number, id, polled)?;
    count(change, report);
    match report.kind {
        ReportKind::Queued => progressed(change, report),
        ReportKind::Running => {
            begin(change, number)?;
            progressed(change, report);
        }
        ReportKind::Completed => completed(change, number, report)?,
        ReportKind::Failed => {
            change.submission_mut(number)?.state = WorkerState::Ended;
            let error = report.error.as_deref().unwrap_or("The worker reported a failure without a reason");
            outcomes::fail(change, error);
        }
        ReportKind::Canceled => {
            change.submission_mut(number)?.state = WorkerState::Ended;
            outcomes::cancel(change);
        }
    }
    Ok(())
}

/// The worker has a submission. Its id is learned, and polls wait while it reports by itself.
fn note(change: &mut Change<'_>, number: u32, id: Option<&RenderId>, polled: bool) -> Outcome {
    let (now, policy) = (change.now, change.policy);
    let state = &mut change.submission_mut(number)?.state;
    if let WorkerState::Submitted { polls, missing, next_at, .. } = state {
        *missing = 0;
        if polled {
            *next_at = now.after(policy.poll_wait(*polls));
            *polls = polls.saturating_add(1);
        } else {
            *next_at = now.after(policy.silence);
            *polls = 0;
        }
    } else if let Some(id) = id {
        return submissions::learn(change, number, id);
    } else if let WorkerState::Waiting { .. } | WorkerState::Unclear { .. } = state {
        // It is there, so that it must not be sent again: a look-up finds its id.
        submissions::unclear(change, number, 0)?;
    }
    submissions::heard(change);
    Ok(())
}

/// The attempt is under way at the worker. The time that it was in the worker's queue does not count.
fn begin(change: &mut Change<'_>, number: u32) -> Outcome {
    if change.job.status == ClipStatus::Queued {
        let deadline = change.now.after(change.policy.deadline);
        change.submission_mut(number)?.deadline = Some(deadline);
        change.begin_running();
    }
    Ok(())
}

/// Takes the numbers of a report. Absent ones leave what is known, and none falls within an attempt.
fn count(change: &mut Change<'_>, report: &WorkerReport) {
    change.progress(report.progress.unwrap_or(0));
    let run = &mut change.job.run;
    run.clips_completed = run.clips_completed.max(report.clips_completed.unwrap_or(0));
    run.total_clips = report.total_clips.or(run.total_clips);
    if let Some(stage) = report.stage.as_deref().filter(|stage| !stage.is_empty()) {
        change.stage(stage);
    }
}

/// Clips of a submission that is under way are there as they are finished.
fn progressed(change: &mut Change<'_>, report: &WorkerReport) {
    let Some(output) = &report.output else { return };
    for clip in output::merge(change, output, true) {
        change.publish(clip);
    }
    change.count_clips();
}

fn completed(change: &mut Change<'_>, number: u32, report: &WorkerReport) -> Outcome {
    change.submission_mut(number)?.state = WorkerState::Ended;
    let output = report.output.as_deref();
    for clip in output.map(|output| output::merge(change, output, true)).unwrap_or_default() {
        change.show(clip);
    }
    if report.total_clips.is_none() {
        change.job.run.total_clips = u32::try_from(change.job.clips.len()).ok();
    }
    if let Some(unusable) = output.map(|output| output.unusable.as_slice()).filter(|unusable| !unusable.is_empty()) {
        let names = unusable.iter().take(NAMED).map(|name| format!("`{}`", brief(name)));
        let names = names.collect::<Vec<_>>().join(", ");
        let message = format!("{} files of the worker can't be used: {names}", unusable.len());
        change.raise(Cause::ClipFileUnusable, message, &names);
    }
    outcomes::succeed(change);
    Ok(())
}

/// A report after the end changes nothing. A completion that comes again may fill what was empty; it costs nothing.
fn late(change: &mut Change<'_>, report: &WorkerReport) -> Outcome {
    let output = match (change.job.status, report.kind, report.output.as_deref()) {
        (ClipStatus::Succeeded, ReportKind::Completed, Some(output)) => output,
        _ => return Err(Ignored::Ended.into()),
    };
    let had_files = change.job.ready_clips() > 0;
    let is_empty = change.job.clips.is_empty();
    for clip in output::merge(change, output, is_empty) {
        change.show(clip);
    }
    if change.job == *change.before {
        return Err(Ignored::Repeated.into());
    }
    if is_empty {
        change.job.run.total_clips = u32::try_from(change.job.clips.len()).ok();
    }
    change.count_clips();
    if !had_files && change.job.ready_clips() > 0 {
        // The note that there are none.
        change.job.error = None;
    }
    if output.unusable.is_empty() {
        change.resolve(Cause::ClipFileUnusable);
    }
    Ok(())
}
