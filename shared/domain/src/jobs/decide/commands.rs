//! Commands of people: cancel, clear, retry, complete, monitor, delete.

use std::time::Duration;

use super::change::Change;
use crate::Decision;
use crate::jobs::activity::{Activity, Incomplete};
use crate::jobs::reasons::{Ignored, Rejected};
use crate::jobs::status::Status;
use crate::{Effect, History, JobEffect, LogEvent, LogLevel, OutboundEvent, Timestamp, WebUrl};

/// A retry that is repeated within this time has the result of the first.
const RETRY_REPEAT: Duration = Duration::from_secs(10);
/// The error of a job that was cancelled.
const CANCELLED_ERROR: &str = "Process stopped by user request";

pub(super) fn cancel(mut change: Change<'_>) -> Decision {
    match change.job.status {
        Status::Pending | Status::Processing | Status::Rendering => {}
        Status::Cancelled => return change.ignore(Ignored::AlreadySo),
        status @ (Status::Completed | Status::Failed) => return change.reject(Rejected::CannotCancel(status)),
    }
    change.job.status = Status::Cancelled;
    change.job.run.times.cancelled_at = Some(change.now);
    change.job.run.error = Some(CANCELLED_ERROR.to_owned());
    change.show(&Activity::Cancelled);
    change.stop_worker();
    change.log(LogEvent::Note, LogLevel::Warning, "Job cancelled");
    change.notify(OutboundEvent::Cancelled);
    change.apply()
}

/// Cancels a job that was waiting at the time of the clear. A job that has started or was queued again since is kept.
pub(super) fn clear(change: Change<'_>, until: Timestamp) -> Decision {
    if change.job.status == Status::Pending && change.job.waiting_since() <= until {
        cancel(change)
    } else {
        change.ignore(Ignored::AlreadySo)
    }
}

pub(super) fn retry(mut change: Change<'_>) -> Decision {
    let repeated = change.job.retries.by_hand_at.is_some_and(|at| change.now.since(at) < RETRY_REPEAT);
    match change.job.status {
        Status::Failed => {}
        status @ (Status::Pending | Status::Processing | Status::Rendering | Status::Completed | Status::Cancelled) => {
            return if repeated {
                change.ignore(Ignored::AlreadySo)
            } else {
                change.reject(Rejected::CannotRetry(status))
            };
        }
    }
    change.begin_next_run(Duration::ZERO);
    change.job.retries.by_hand_at = Some(change.now);
    change.log(LogEvent::Note, LogLevel::Info, format!("Job retry initiated (attempt {})", change.job.retries.used));
    change.apply()
}

pub(super) fn complete(mut change: Change<'_>, video_url: &WebUrl) -> Decision {
    if change.job.run.engine.steps().is_none() {
        // Its video is stored by our own renderers.
        let status = change.job.status;
        return change.reject(Rejected::CannotComplete(status));
    }
    match change.job.status {
        Status::Processing | Status::Rendering => {}
        Status::Completed if change.job.run.video_url.is_none() => {}
        status @ (Status::Pending | Status::Completed | Status::Failed | Status::Cancelled) => {
            return change.reject(Rejected::CannotComplete(status));
        }
    }
    if change.job.status == Status::Processing && change.worker_is_busy() {
        change.stop_worker();
    }
    change.complete(video_url.as_written().to_owned());
    change.apply()
}

/// Checks the render now and continues its polling. A job that completed without its video is rendering again.
pub(super) fn monitor(mut change: Change<'_>) -> Decision {
    let Some(render) = change.job.render_id().cloned() else { return change.reject(Rejected::NoRender) };
    if change.job.run.video_url.is_some() {
        return change.reject(Rejected::VideoExists);
    }
    match change.job.status {
        Status::Pending | Status::Processing | Status::Rendering => {}
        Status::Completed if change.job.run.incomplete == Some(Incomplete::WorkflowIncomplete) => {
            return change.reject(Rejected::WorkflowIncomplete);
        }
        Status::Completed => {
            change.job.run.times.completed_at = None;
            if change.job.run.render_timed_out() {
                change.job.run.incomplete = None;
            }
            if let Some(task) = change.render_mut() {
                task.polls = None;
            }
            change.begin_rendering();
            change.show(&Activity::CheckingRender);
        }
        status @ (Status::Failed | Status::Cancelled) => return change.reject(Rejected::CannotMonitor(status)),
    }
    change.then(JobEffect::CheckRender { render, check: 0, delay_s: 0 });
    change.log(LogEvent::Polled, LogLevel::Info, "Render monitoring started");
    change.apply()
}

/// Counts the archived log, once.
pub(super) fn log_archived(mut change: Change<'_>) -> Decision {
    if change.job.ledger.log.archived > 0 {
        return change.ignore(Ignored::AlreadySo);
    }
    change.job.ledger.log.archived = 1;
    change.apply()
}

pub(super) fn delete(mut change: Change<'_>) -> Decision {
    match change.job.status {
        Status::Completed | Status::Failed | Status::Cancelled => {}
        status @ (Status::Pending | Status::Processing | Status::Rendering) => {
            return change.reject(Rejected::CannotDelete(status));
        }
    }
    change.job.deleted_at = Some(change.now);
    change.job.history = Some(History::default());
    change.notify(OutboundEvent::Deleted);
    remove_videos(&mut change);
    change.then(Effect::Purge);
    change.apply()
}

/// Deletes the videos and keeps the job.
pub(super) fn delete_video(mut change: Change<'_>) -> Decision {
    if change.job.videos().is_empty() || !change.job.status.is_final() {
        return change.reject(Rejected::NoVideo);
    }
    remove_videos(&mut change);
    change.job.run.video_url = None;
    change.log(LogEvent::Note, LogLevel::Info, "Video deleted");
    change.apply()
}

fn remove_videos(change: &mut Change<'_>) {
    let videos = change.job.run.engine.pieces_mut().map(|run| std::mem::take(&mut run.videos)).unwrap_or_default();
    let keys: Vec<String> = videos.into_iter().map(|video| video.key).collect();
    if !keys.is_empty() {
        change.then(Effect::RemoveFiles { keys });
    }
}
