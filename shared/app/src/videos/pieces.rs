//! Pieces from a renderer's side: claim one, keep its lease with heartbeats, and report its outcome (ADR 21).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::{Either, select};
use reelhook_domain::videos::render::RenderTask;
use reelhook_domain::{Event, Ignored, Job, JobId, Subject, Timestamp, brief};

use crate::change::{ChangeError, Changed, change};
use crate::retry::Retry;
use crate::videos::draw_error::DrawError;
use crate::videos::perform::{TaskOutcome, perform};
use crate::videos::ports::DrawPorts;
use crate::videos::speeds::note_speed;

/// Attempts at a claim when many renderers of one job start at once; each makes several attempts at a change.
const CLAIM_ATTEMPTS: u32 = 5;

/// The outcome of a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceOutcome {
    /// No piece was open.
    NothingOpen,
    /// A piece is done, waits, or failed, and its job was updated.
    Reported,
    /// The piece belongs to another claim, or the job has ended.
    Lost,
}

/// The latest time at which an invocation starts another piece: when two thirds of its time are left, so that each piece
/// has about as much time as the first one.
pub fn last_start(began: Timestamp, deadline: Timestamp) -> Timestamp {
    deadline.before(deadline.since(began) / 3 * 2)
}

/// Processes pieces of a job one after the other, until none is open or `last_start` is reached; returns the number of
/// reported ones. A piece whose hint was lost is thus claimed by the next renderer, before the due sweep.
///
/// # Errors
/// [`ChangeError`] as in [`process_piece`]; outcomes that were reported before stay reported.
pub async fn process_pieces(
    ports: &DrawPorts<'_>,
    id: &JobId,
    attempt: u32,
    last_start: Timestamp,
) -> Result<usize, ChangeError> {
    let mut reported = 0;
    while process_piece(ports, id, attempt).await? == PieceOutcome::Reported {
        reported += 1;
        if ports.clock.now() >= last_start {
            break;
        }
    }
    Ok(reported)
}

/// Claims an open piece of a job, performs its task, and reports the outcome.
///
/// # Errors
/// [`ChangeError`]; the piece is open again when its lease ends.
pub async fn process_piece(ports: &DrawPorts<'_>, id: &JobId, attempt: u32) -> Result<PieceOutcome, ChangeError> {
    let report = |event: Event| async move { change(ports.jobs, ports.clock, ports.policy, id, &event).await };
    let (mut claim, mut retry) =
        (Err(ChangeError::Contended(Subject::Job(id.clone()))), Retry::new(ports.clock, CLAIM_ATTEMPTS));
    while matches!(claim, Err(ChangeError::Contended(_))) && retry.attempt().await {
        claim = report(Event::ClaimPiece { attempt }).await;
    }
    let Changed::Applied(job) = claim? else { return Ok(PieceOutcome::NothingOpen) };
    let Some((claim, task)) = newest_claim(&job) else { return Ok(PieceOutcome::NothingOpen) };
    tracing::info!(job_id = %id, attempt, claim, ?task, "claimed a piece");
    let began = ports.clock.now();
    let drawn = Arc::new(AtomicU32::new(0));
    let work = Box::pin(perform(ports, &job, task, &drawn));
    let lease = Box::pin(keep_lease(ports, id, attempt, claim, &drawn));
    let event = match select(work, lease).await {
        Either::Right((reason, _)) => {
            tracing::info!(job_id = %id, attempt, claim, ?reason, "lost a piece");
            return Ok(PieceOutcome::Lost);
        }
        Either::Left((Ok(outcome), _)) => match outcome {
            TaskOutcome::JobEnded => return Ok(PieceOutcome::Reported),
            TaskOutcome::Done(video) => Event::PieceDone { attempt, claim, video },
            TaskOutcome::Composed(plan) => Event::Composed { attempt, claim, plan },
            TaskOutcome::Waits { render, percent, wait } => {
                Event::PieceDeferred { attempt, claim, render, percent, wait }
            }
        },
        Either::Left((Err(error), _)) => {
            let sentence = failure(task, &error);
            tracing::warn!(job_id = %id, attempt, claim, error = brief(&sentence), "a piece failed");
            Event::PieceFailed { attempt, claim, error: sentence, permanent: error.is_permanent() }
        }
    };
    let changed = report(event).await?;
    let duration_ms = ports.clock.now().millis_since(began);
    tracing::info!(job_id = %id, attempt, claim, duration_ms, outcome = changed.name(), "reported a piece");
    match changed {
        Changed::Applied(job) => {
            note_speed(ports.speeds, &job).await;
            Ok(PieceOutcome::Reported)
        }
        Changed::Ignored(..) | Changed::Rejected(..) | Changed::NotFound => Ok(PieceOutcome::Lost),
    }
}

/// The claim with which a job was just saved, and the task of its piece.
fn newest_claim(job: &Job) -> Option<(u32, &RenderTask)> {
    let pieces = job.run.engine.pieces()?.pieces.as_ref()?;
    let index = pieces.claimed(pieces.claims)?;
    Some((pieces.claims, &pieces.list[index].task))
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

/// Sends heartbeats until the claim is lost; returns why it is.
async fn keep_lease(ports: &DrawPorts<'_>, id: &JobId, attempt: u32, claim: u32, drawn: &AtomicU32) -> Ignored {
    loop {
        ports.timer.after(ports.policy.heartbeat_interval()).await;
        let event = Event::PieceProgressed { attempt, claim, units: drawn.load(Ordering::Relaxed) };
        match change(ports.jobs, ports.clock, ports.policy, id, &event).await {
            Ok(Changed::Applied(_)) => {}
            Ok(Changed::Ignored(reason, _)) => return reason,
            Ok(Changed::Rejected(..) | Changed::NotFound) => return Ignored::FinalJob,
            // The lease outlasts several missed heartbeats.
            Err(error) => tracing::warn!(job_id = %id, attempt, claim, %error, "failed to save a heartbeat"),
        }
    }
}
