//! The stored form of a run in pieces: a stage from which the tasks of its pieces follow.

use reelhook_domain::pieces::{Piece, PieceClaim, Pieces};
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::videos::render::{RenderPlan, RenderTask, Renderer};
use reelhook_domain::{ExternalTask, PiecesRun, RenderId, Timestamp};
use serde::{Deserialize, Serialize};

/// The stage of the stored pieces, which decides their tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredStage {
    Composing,
    Scenes,
    Joining,
    Remote,
}

/// The stored form of a run in pieces that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredPieces {
    stage: StoredStage,
    /// The plan of the job, which has it as well: readers before this version take it from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) film: Option<RenderPlan>,
    pub(super) renderer: Renderer,
    pieces: Vec<StoredPiece>,
    claims: u32,
    moved_at: Timestamp,
    hint_at: Timestamp,
    shown_at: Timestamp,
}

/// The stored form of a piece; its task follows from the stage and from its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredPiece {
    #[serde(default, skip_serializing_if = "is_zero")]
    frames: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    done: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<StoredClaim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    crashes: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    render: Option<RenderId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct StoredClaim {
    number: u32,
    lease_until: Timestamp,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl StoredPieces {
    pub(super) fn of(pieces: &Pieces<RenderTask>, run: &PiecesRun) -> Self {
        let stage = match pieces.list.first().map(|piece| &piece.task) {
            Some(RenderTask::Compose) | None => StoredStage::Composing,
            Some(RenderTask::Draw { .. }) => StoredStage::Scenes,
            Some(RenderTask::Join { .. }) => StoredStage::Joining,
            Some(RenderTask::Remote { .. }) => StoredStage::Remote,
        };
        Self {
            stage,
            film: run.plan.clone(),
            renderer: run.renderer,
            pieces: pieces.list.iter().map(StoredPiece::of).collect(),
            claims: pieces.claims,
            moved_at: pieces.moved_at,
            hint_at: pieces.hint_at,
            shown_at: pieces.shown_at,
        }
    }

    /// The pieces, whose tasks follow from the plan of the job.
    pub(super) fn into_pieces(self, film: Option<&RenderPlan>) -> Pieces<RenderTask> {
        let stage = self.stage;
        let rendition = |index: usize| {
            let renditions = film.map(|film| film.renditions.as_slice()).unwrap_or_default();
            renditions.get(index).copied().unwrap_or(Rendition::Landscape)
        };
        let (scenes, frames) = film.map_or((&[][..], 0), |film| (film.scenes.as_slice(), film.frames()));
        let piece = |(index, stored): (usize, StoredPiece)| match stage {
            StoredStage::Composing => stored.into_piece(0, |_| RenderTask::Compose),
            StoredStage::Scenes => {
                let scene = index % scenes.len().max(1);
                let rendition = rendition(index / scenes.len().max(1));
                let size = scenes.get(scene).copied().unwrap_or_default();
                stored.into_piece(size, |_| RenderTask::Draw { rendition, scene })
            }
            StoredStage::Joining => stored.into_piece(frames, |_| RenderTask::Join { rendition: rendition(index) }),
            StoredStage::Remote => stored.into_piece(frames, |render| {
                let task = render.map(|id| ExternalTask::new(Default::default(), id));
                RenderTask::Remote { rendition: rendition(index), task }
            }),
        };
        Pieces {
            list: self.pieces.into_iter().enumerate().map(piece).collect(),
            claims: self.claims,
            moved_at: self.moved_at,
            hint_at: self.hint_at,
            shown_at: self.shown_at,
        }
    }
}

impl StoredPiece {
    fn of(piece: &Piece<RenderTask>) -> Self {
        let claim = |claim: &PieceClaim| StoredClaim { number: claim.number, lease_until: claim.lease_until };
        Self {
            frames: piece.units,
            done: piece.done,
            claim: piece.claim.as_ref().map(claim),
            ready_at: piece.ready_at,
            crashes: piece.crashes,
            render: match &piece.task {
                RenderTask::Remote { task, .. } => task.as_ref().map(|task| task.id.clone()),
                RenderTask::Compose | RenderTask::Draw { .. } | RenderTask::Join { .. } => None,
            },
        }
    }

    fn into_piece(self, size: u32, task: impl FnOnce(Option<RenderId>) -> RenderTask) -> Piece<RenderTask> {
        Piece {
            task: task(self.render),
            size,
            units: self.frames,
            done: self.done,
            claim: self.claim.map(|claim| PieceClaim { number: claim.number, lease_until: claim.lease_until }),
            ready_at: self.ready_at,
            crashes: self.crashes,
        }
    }
}
