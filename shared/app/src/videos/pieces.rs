//! The pieces of a job's video: claims, heartbeats and reports (`crate::pieces`) in the events of jobs.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use reelhook_domain::pieces::Pieces;
use reelhook_domain::videos::render::RenderTask;
use reelhook_domain::{Event, Job, JobId, Timestamp, brief};

use crate::change::{ChangeError, Changed};
use crate::pieces::{PieceOwner, PieceReport, PieceWork, process_all, process_one, save};
use crate::videos::draw_error::DrawError;
use crate::videos::perform::{TaskOutcome, perform};
use crate::videos::ports::DrawPorts;
use crate::videos::speeds::note_speed;

pub use crate::pieces::{PieceOutcome, last_start};

/// Processes pieces of a job one after the other, until none is open or `last_start` is reached; returns the number of
/// reported ones.
///
/// # Errors
/// [`ChangeError`] as in [`process_piece`]; outcomes that were reported before stay reported.
pub async fn process_pieces(
    ports: &DrawPorts<'_>,
    id: &JobId,
    attempt: u32,
    last_start: Timestamp,
) -> Result<usize, ChangeError> {
    process_all(&owner(ports, id, attempt), &JobPieces { ports, attempt }, last_start).await
}

/// Claims an open piece of a job, performs its task, and reports the outcome.
///
/// # Errors
/// [`ChangeError`]; the piece is open again when its lease ends.
pub async fn process_piece(ports: &DrawPorts<'_>, id: &JobId, attempt: u32) -> Result<PieceOutcome, ChangeError> {
    process_one(&owner(ports, id, attempt), &JobPieces { ports, attempt }).await
}

fn owner<'a>(ports: &'a DrawPorts<'_>, id: &'a JobId, attempt: u32) -> PieceOwner<'a, Job> {
    PieceOwner {
        id,
        attempt: Some(attempt),
        store: ports.jobs,
        clock: ports.clock,
        timer: ports.timer,
        policy: ports.policy,
        heartbeat_interval: ports.policy.heartbeat_interval(),
    }
}

/// The pieces of one run attempt of a job.
struct JobPieces<'a> {
    ports: &'a DrawPorts<'a>,
    attempt: u32,
}

#[async_trait]
impl PieceWork for JobPieces<'_> {
    type Of = Job;
    type Task = RenderTask;

    fn claim_event(&self) -> Event {
        Event::ClaimPiece { attempt: self.attempt }
    }

    fn heartbeat_event(&self, claim: u32, units: u32) -> Event {
        Event::PieceProgressed { attempt: self.attempt, claim, units }
    }

    fn pieces(job: &Job) -> Option<&Pieces<RenderTask>> {
        job.run.engine.pieces()?.pieces.as_ref()
    }

    async fn perform(
        &self,
        job: &Job,
        claim: u32,
        task: &RenderTask,
        units: &Arc<AtomicU32>,
    ) -> Option<PieceReport<Event>> {
        let attempt = self.attempt;
        Some(match perform(self.ports, job, task, units).await {
            Ok(TaskOutcome::JobEnded) => return None,
            Ok(TaskOutcome::Done(video)) => PieceReport::Done(Event::PieceDone { attempt, claim, video }),
            Ok(TaskOutcome::Composed(plan)) => PieceReport::Done(Event::Composed { attempt, claim, plan }),
            Ok(TaskOutcome::Waits { render, percent, wait }) => {
                PieceReport::Waits(Event::PieceDeferred { attempt, claim, render, percent, wait })
            }
            Err(error) => {
                let sentence = failure(task, &error);
                tracing::warn!(job_id = %job.id, attempt, claim, error = brief(&sentence), "a piece failed");
                let permanent = error.is_permanent();
                PieceReport::Failed(Event::PieceFailed { attempt, claim, error: sentence, permanent })
            }
        })
    }

    async fn report(&self, owner: &PieceOwner<'_, Job>, event: &Event) -> Result<Changed<Job>, ChangeError> {
        let changed = save(owner, event).await?;
        if let Changed::Applied(job) = &changed {
            note_speed(self.ports.speeds, job).await;
        }
        Ok(changed)
    }
}

/// The sentence about a failed piece, which names the piece. The error of an asset names the asset's path instead, because
/// a scene may show an asset of the scene before.
fn failure(task: &RenderTask, error: &DrawError) -> String {
    match (task, error) {
        (_, DrawError::Asset { .. }) => error.to_string(),
        (RenderTask::Draw { scene, .. }, error) => format!("Scene {}: {error}", scene + 1),
        (_, DrawError::Input(error)) => error.clone(),
        (_, error) => format!("Failed to render video: {error}"),
    }
}
