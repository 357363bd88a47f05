//! What people ask for: cancel, retry, complete, delete.

use std::time::Duration;

use super::change::Change;
use super::{Ignored, Rejected};
use crate::Decision;
use crate::jobs::job::{Dialect, Status};
use crate::{Effect, JobEffect, LogLevel, OutboundEvent, Timestamp};

/// A repeated retry within this time answers like the first.
const RETRY_REPEAT_MS: i64 = 10_000;
/// The error of a job that was cancelled.
const CANCELLED_ERROR: &str = "Process stopped by user request";

pub(super) fn cancel(mut change: Change<'_>) -> Decision {
    match change.job.status {
        Status::Pending | Status::Processing | Status::Rendering => {}
        Status::Cancelled => return change.ignore(Ignored::AlreadySo),
        status @ (Status::Completed | Status::Failed) => return change.reject(Rejected::CannotCancel(status)),
    }
    change.job.status = Status::Cancelled;
    change.job.cancelled_at = Some(change.now);
    change.job.error = Some(CANCELLED_ERROR.to_owned());
    change.show(match change.job.dialect {
        Dialect::StreamGank => "Job cancelled by user",
        Dialect::VidBuilder => "Cancelled",
    });
    change.stop_worker();
    change.log("job_log", LogLevel::Warning, "Job cancelled");
    change.notify(OutboundEvent::Cancelled);
    change.apply()
}

/// A clear hides what waited then: only that is cancelled, and not what runs or waits anew by now.
pub(super) fn clear(change: Change<'_>, until: Timestamp) -> Decision {
    if change.job.status == Status::Pending && change.job.waiting_since() <= until {
        cancel(change)
    } else {
        change.ignore(Ignored::AlreadySo)
    }
}

pub(super) fn retry(mut change: Change<'_>) -> Decision {
    let repeated = change.job.retried_at.is_some_and(|at| change.now.0 - at.0 < RETRY_REPEAT_MS);
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
    change.begin_attempt(Duration::ZERO);
    change.job.retried_at = Some(change.now);
    change.log("job_log", LogLevel::Info, format!("Job retry initiated (attempt {})", change.job.retry_count));
    change.apply()
}

pub(super) fn complete(mut change: Change<'_>, video_url: &str) -> Decision {
    if change.job.dialect == Dialect::VidBuilder {
        // Its video is a file of ours.
        let status = change.job.status;
        return change.reject(Rejected::CannotComplete(status));
    }
    match change.job.status {
        Status::Processing | Status::Rendering => {}
        Status::Completed if change.job.video_url.is_none() => {}
        status @ (Status::Pending | Status::Completed | Status::Failed | Status::Cancelled) => {
            return change.reject(Rejected::CannotComplete(status));
        }
    }
    if change.job.status == Status::Processing && !change.job.worker_done {
        change.stop_worker();
    }
    change.complete(Some(video_url.to_owned()), "Video generation completed!", OutboundEvent::Completed);
    change.apply()
}

/// Has the render asked about now, and watched on; a job that ended without its video renders again.
pub(super) fn monitor(mut change: Change<'_>) -> Decision {
    let Some(render) = change.job.render_id.clone() else { return change.reject(Rejected::NoRender) };
    if change.job.video_url.is_some() {
        return change.reject(Rejected::VideoExists);
    }
    match change.job.status {
        Status::Pending | Status::Processing | Status::Rendering => {}
        Status::Completed if change.job.workflow_incomplete => return change.reject(Rejected::WorkflowIncomplete),
        Status::Completed => {
            change.job.completed_at = None;
            change.job.render_timeout = false;
            change.job.render = None;
            change.begin_rendering();
            change.show("Checking the render");
        }
        status @ (Status::Failed | Status::Cancelled) => return change.reject(Rejected::CannotMonitor(status)),
    }
    change.then(JobEffect::CheckRender { render, check: 0, delay_s: 0 });
    change.log("creatomate_monitoring", LogLevel::Info, "Render monitoring started");
    change.apply()
}

/// Its log is in the archive, and counted there once.
pub(super) fn log_archived(mut change: Change<'_>) -> Decision {
    if change.job.log.archived > 0 {
        return change.ignore(Ignored::AlreadySo);
    }
    change.job.log.archived = 1;
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
    change.notify(OutboundEvent::Deleted);
    remove_videos(&mut change);
    change.then(Effect::Purge);
    change.apply()
}

/// Deletes the pictures, and keeps the job.
pub(super) fn delete_video(mut change: Change<'_>) -> Decision {
    if change.job.videos.is_empty() || !change.job.status.is_final() {
        return change.reject(Rejected::NoVideo);
    }
    remove_videos(&mut change);
    change.job.video_url = None;
    change.log("job_log", LogLevel::Info, "Video deleted");
    change.apply()
}

fn remove_videos(change: &mut Change<'_>) {
    let keys: Vec<String> = change.job.videos.drain(..).map(|video| video.key).collect();
    if !keys.is_empty() {
        change.then(Effect::RemoveFiles { keys });
    }
}
