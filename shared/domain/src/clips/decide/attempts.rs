//! The beginning of attempts: a new one replaces the run and all that came of the one before.

use super::change::Change;
use crate::clips::effect::ClipEffect;
use crate::clips::job::ClipPiece;
use crate::clips::run::{Engine, OwnRun, Run, WorkerRun, WorkerState};
use crate::clips::status::ClipStatus;

/// Begins an attempt for which so many credits are reserved.
pub(super) fn begin(change: &mut Change<'_>, reserved: u64) {
    let job = &mut change.job;
    let (submissions, before) = match &job.run.engine {
        Engine::Worker(run) => (run.number, 0),
        Engine::Own(run) => (run.submissions, run.cuts),
    };
    let cuts = job.clips.iter().map(|clip| clip.cuts).max().unwrap_or(0).max(before);
    let attempt = job.run.attempt.saturating_add(1);
    let (engine, stage) = if change.policy.has_worker {
        let state = WorkerState::Waiting { ready_at: change.now };
        let number = submissions.saturating_add(1);
        let run = WorkerRun { number, lost: 0, refusals: 0, deadline: None, heard_at: None, state };
        (Engine::Worker(run), "Waiting for the worker")
    } else {
        (Engine::Own(OwnRun { source: None, planned: false, cuts, submissions }), "Waiting for a renderer")
    };
    job.run = Run::new(attempt, engine, stage);
    job.status = ClipStatus::Queued;
    (job.started_at, job.ended_at, job.error) = (None, None, None);
    (job.clips, job.transcript, job.plan) = (Vec::new(), None, None);
    job.credits.reserved = reserved;
    job.pieces.list.clear();
    match job.run.engine.worker().map(|run| run.number) {
        // Our own id is the external id of the first submission.
        Some(number) if number > 1 => change.then(ClipEffect::Index { number, worker_id: None }),
        Some(_) => {}
        None => change.open(ClipPiece::Probe),
    }
}
