//! The ends of attempts: success, failure and cancellation.

use super::bounds;
use super::change::{Change, Outcome};
use super::charge;
use crate::clips::effect::ClipEffect;
use crate::clips::reasons::Ignored;
use crate::clips::run::WorkerState;
use crate::clips::status::ClipStatus;
use crate::errors::cause::Cause;
use crate::{OutboundEvent, brief};

/// The note of a job that succeeded without clips.
const NO_CLIPS: &str = "No clips were found in the source";
/// The note of a job that succeeded with clips whose files can't be used.
const NO_FILES: &str = "No file of the clips can be used";

/// The attempt has succeeded. Without a clip that people can play it costs nothing.
pub(super) fn succeed(change: &mut Change<'_>) {
    change.begin_running();
    change.progress(100);
    change.count_clips();
    end(change, ClipStatus::Succeeded);
    if change.job.ready_clips() > 0 {
        charge::charge(change);
    } else {
        let note = if change.job.clips.is_empty() { NO_CLIPS } else { NO_FILES };
        change.job.error = Some(note.to_owned());
        charge::release(change);
    }
    change.notify(OutboundEvent::ClipsCompleted, None);
}

/// The attempt has failed.
pub(super) fn fail(change: &mut Change<'_>, error: &str) {
    end(change, ClipStatus::Failed);
    change.job.error = Some(bounds::text(error, bounds::ERROR));
    charge::release(change);
    change.notify(OutboundEvent::ClipsFailed, None);
    change.raise(Cause::ClipsFailed, format!("The clip job failed: {}", brief(error)), error);
}

/// A person, or the worker, has canceled the attempt.
pub(super) fn cancel(change: &mut Change<'_>) {
    end(change, ClipStatus::Canceled);
    charge::release(change);
    change.notify(OutboundEvent::ClipsCanceled, None);
}

/// The worker did not confirm the cancellation of a submission that is not needed: it is sent again.
pub(super) fn cancel_again(change: &mut Change<'_>, number: u32) -> Outcome {
    if !change.job.is_unwanted(number) {
        return Err(Ignored::Stale.into());
    }
    change.then(ClipEffect::CancelWork { number });
    Ok(())
}

/// Ends the attempt. A submission that the worker may still have is canceled; copies of files that are there go on.
fn end(change: &mut Change<'_>, status: ClipStatus) {
    if let Some(run) = change.job.run.engine.worker_mut() {
        let (number, state) = (run.number, std::mem::replace(&mut run.state, WorkerState::Ended));
        match state {
            WorkerState::Submitting { .. } | WorkerState::Unclear { .. } | WorkerState::Submitted { .. } => {
                change.then(ClipEffect::CancelWork { number });
            }
            WorkerState::Waiting { .. } | WorkerState::Ended => {}
        }
    }
    change.job.pieces.list.retain(|piece| piece.task.is_aftermath());
    change.job.status = status;
    change.job.ended_at = Some(change.now);
}
