//! The pieces of a clip job: claims, heartbeats and reports (`crate::pieces`) in the events of clip jobs.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use reelhook_domain::clips::event::Event;
use reelhook_domain::clips::job::ClipPiece;
use reelhook_domain::pieces::Pieces;
use reelhook_domain::{ClipJob, ClipJobId, Timestamp, brief};

use crate::change::{ChangeError, Changed};
use crate::clips::perform::ports::ClipPorts;
use crate::clips::perform::{KeptSource, perform};
use crate::clips::raise;
use crate::pieces::{PieceOutcome, PieceOwner, PieceReport, PieceWork, process_all, process_one};

/// Processes pieces of a clip job one after the other, until none is open or `last_start` is reached; returns the
/// number of reported ones. They share one copy of the source on the disk.
///
/// # Errors
/// [`ChangeError`] as in [`process_piece`]; outcomes that were reported before stay reported.
pub async fn process_pieces(
    ports: &ClipPorts<'_>,
    id: &ClipJobId,
    last_start: Timestamp,
) -> Result<usize, ChangeError> {
    process_all(&owner(ports, id), &ClipPieces::new(ports), last_start).await
}

/// Claims an open piece of a clip job, performs its work, and reports the outcome.
///
/// # Errors
/// [`ChangeError`]; the piece is open again when its lease ends.
pub async fn process_piece(ports: &ClipPorts<'_>, id: &ClipJobId) -> Result<PieceOutcome, ChangeError> {
    process_one(&owner(ports, id), &ClipPieces::new(ports)).await
}

fn owner<'a>(ports: &'a ClipPorts<'_>, id: &'a ClipJobId) -> PieceOwner<'a, ClipJob> {
    PieceOwner {
        id,
        attempt: None,
        store: ports.jobs,
        clock: ports.clock,
        timer: ports.timer,
        policy: ports.policy,
        heartbeat_interval: ports.policy.heartbeat_interval(),
    }
}

/// The pieces of a clip job.
struct ClipPieces<'a> {
    ports: &'a ClipPorts<'a>,
    kept: KeptSource,
}

impl<'a> ClipPieces<'a> {
    fn new(ports: &'a ClipPorts<'a>) -> Self {
        Self { ports, kept: KeptSource::default() }
    }
}

#[async_trait]
impl PieceWork for ClipPieces<'_> {
    type Of = ClipJob;
    type Task = ClipPiece;
    /// They are percents.
    const UNITS_ARE_FRAMES: bool = false;

    fn claim_event(&self) -> Event {
        Event::ClaimPiece
    }

    fn heartbeat_event(&self, claim: u32, units: u32) -> Event {
        Event::PieceProgressed { claim, units }
    }

    fn pieces(job: &ClipJob) -> Option<&Pieces<ClipPiece>> {
        Some(&job.pieces)
    }

    async fn perform(
        &self,
        job: &ClipJob,
        claim: u32,
        piece: &ClipPiece,
        units: &Arc<AtomicU32>,
    ) -> Option<PieceReport<Event>> {
        Some(match perform(self.ports, &self.kept, job, piece, units).await {
            Ok(output) => PieceReport::Done(Event::PieceDone { claim, output: Box::new(output) }),
            Err(error) => {
                let (sentence, permanent) = (error.to_string(), error.is_permanent());
                tracing::warn!(job_id = %job.id, claim, error = brief(&sentence), "a piece failed");
                PieceReport::Failed(Event::PieceFailed { claim, error: sentence, permanent })
            }
        })
    }

    async fn report(&self, owner: &PieceOwner<'_, ClipJob>, event: &Event) -> Result<Changed<ClipJob>, ChangeError> {
        raise::report_piece(&self.ports.of_attempts(), owner.id, event).await
    }
}
