//! When a clip job needs the due sweep again: a pure function of its state.

use crate::Timestamp;
use crate::clips::job::ClipJob;
use crate::clips::policy::ClipPolicy;
use crate::clips::run::{Engine, WorkerState};

/// The time at which the due sweep acts on a job; none if nothing of it is under way.
pub(super) fn due_at(job: &ClipJob, policy: &ClipPolicy) -> Option<Timestamp> {
    let hint = job.hinted_at.map(|at| at.after(policy.hint_grace));
    [job.pieces.due_at(), hint, lease_until(job), deadline(job, policy)].into_iter().flatten().min()
}

/// When the present attempt has failed at the latest; none before it was claimed, and after its end.
pub(super) fn deadline(job: &ClipJob, policy: &ClipPolicy) -> Option<Timestamp> {
    if job.status.is_final() {
        return None;
    }
    match &job.run.engine {
        Engine::Worker(run) => run.deadline,
        Engine::Own(_) => job.started_at.map(|at| at.after(policy.deadline)),
    }
}

/// When the lease of the submission that is being sent ends.
pub(super) fn lease_until(job: &ClipJob) -> Option<Timestamp> {
    match job.run.engine.worker()?.state {
        WorkerState::Submitting { lease_until } => Some(lease_until),
        WorkerState::Waiting { .. }
        | WorkerState::Unclear { .. }
        | WorkerState::Submitted { .. }
        | WorkerState::Ended => None,
    }
}
