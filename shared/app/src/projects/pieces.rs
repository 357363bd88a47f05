//! The pieces of a project: claims, heartbeats and reports (`crate::pieces`) in the events of projects.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use reelhook_domain::pieces::Pieces;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::project::{Project, ProjectPiece};
use reelhook_domain::{ProjectId, Timestamp, brief};

use crate::change::ChangeError;
use crate::pieces::{PieceOutcome, PieceOwner, PieceReport, PieceWork, process_all, process_one};
use crate::projects::perform::perform;
use crate::projects::perform::ports::PiecePorts;

/// Processes pieces of a project one after the other, until none is open or `last_start` is reached; returns the number
/// of reported ones.
///
/// # Errors
/// [`ChangeError`] as in [`process_piece`]; outcomes that were reported before stay reported.
pub async fn process_pieces(
    ports: &PiecePorts<'_>,
    id: &ProjectId,
    last_start: Timestamp,
) -> Result<usize, ChangeError> {
    process_all(&owner(ports, id), &ProjectPieces { ports }, last_start).await
}

/// Claims an open piece of a project, performs its work, and reports the outcome.
///
/// # Errors
/// [`ChangeError`]; the piece is open again when its lease ends.
pub async fn process_piece(ports: &PiecePorts<'_>, id: &ProjectId) -> Result<PieceOutcome, ChangeError> {
    process_one(&owner(ports, id), &ProjectPieces { ports }).await
}

fn owner<'a>(ports: &'a PiecePorts<'_>, id: &'a ProjectId) -> PieceOwner<'a, Project> {
    PieceOwner {
        id,
        attempt: None,
        store: ports.projects,
        clock: ports.clock,
        timer: ports.timer,
        policy: ports.policy,
        heartbeat_interval: ports.policy.heartbeat_interval(),
    }
}

/// The pieces of a project.
struct ProjectPieces<'a> {
    ports: &'a PiecePorts<'a>,
}

#[async_trait]
impl PieceWork for ProjectPieces<'_> {
    type Of = Project;
    type Task = ProjectPiece;

    fn claim_event(&self) -> Event {
        Event::ClaimPiece
    }

    fn heartbeat_event(&self, claim: u32, units: u32) -> Event {
        Event::PieceProgressed { claim, units }
    }

    fn pieces(project: &Project) -> Option<&Pieces<ProjectPiece>> {
        Some(&project.pieces)
    }

    async fn perform(
        &self,
        project: &Project,
        claim: u32,
        piece: &ProjectPiece,
        units: &Arc<AtomicU32>,
    ) -> Option<PieceReport<Event>> {
        Some(match perform(self.ports, project, piece, units).await {
            Ok(output) => PieceReport::Done(Event::PieceDone { claim, output: Box::new(output) }),
            Err(error) => {
                let (sentence, permanent) = (error.to_string(), error.is_permanent());
                tracing::warn!(project_id = %project.id, claim, error = brief(&sentence), "a piece failed");
                PieceReport::Failed(Event::PieceFailed { claim, error: sentence, permanent })
            }
        })
    }
}
