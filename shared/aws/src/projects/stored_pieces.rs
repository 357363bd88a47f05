//! The stored form of the work of our renderers for a project.

use reelhook_domain::pieces::{Piece, PieceClaim, Pieces};
use reelhook_domain::projects::project::ProjectPiece;
use reelhook_domain::{SceneId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::items::is_default;

/// The stored form of pieces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredPieces {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    list: Vec<StoredPiece>,
    #[serde(default, skip_serializing_if = "is_default")]
    claims: u32,
    moved_at: Timestamp,
    hint_at: Timestamp,
    shown_at: Timestamp,
}

/// The stored form of a piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredPiece {
    work: StoredWork,
    #[serde(default, skip_serializing_if = "is_default")]
    size: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    units: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    done: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<StoredClaim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ready_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    crashes: u32,
}

/// The stored form of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredClaim {
    #[serde(rename = "no")]
    number: u32,
    lease_until: Timestamp,
}

/// The stored form of what a piece is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredWork {
    Card { scene: SceneId, attempt: u32 },
    Copy { scene: SceneId, attempt: u32 },
    LastFrame { scene: SceneId, attempt: u32 },
    Concat { generation: u32 },
    CopyFinal { generation: u32 },
}

impl From<&Pieces<ProjectPiece>> for StoredPieces {
    fn from(pieces: &Pieces<ProjectPiece>) -> Self {
        Self {
            list: pieces.list.iter().map(StoredPiece::from).collect(),
            claims: pieces.claims,
            moved_at: pieces.moved_at,
            hint_at: pieces.hint_at,
            shown_at: pieces.shown_at,
        }
    }
}

impl From<StoredPieces> for Pieces<ProjectPiece> {
    fn from(stored: StoredPieces) -> Self {
        Self {
            list: stored.list.into_iter().map(Piece::from).collect(),
            claims: stored.claims,
            moved_at: stored.moved_at,
            hint_at: stored.hint_at,
            shown_at: stored.shown_at,
        }
    }
}

impl From<&Piece<ProjectPiece>> for StoredPiece {
    fn from(piece: &Piece<ProjectPiece>) -> Self {
        let claim = |claim: &PieceClaim| StoredClaim { number: claim.number, lease_until: claim.lease_until };
        Self {
            work: match piece.task.clone() {
                ProjectPiece::Card { scene, attempt } => StoredWork::Card { scene, attempt },
                ProjectPiece::Copy { scene, attempt } => StoredWork::Copy { scene, attempt },
                ProjectPiece::LastFrame { scene, attempt } => StoredWork::LastFrame { scene, attempt },
                ProjectPiece::Concat { generation } => StoredWork::Concat { generation },
                ProjectPiece::CopyFinal { generation } => StoredWork::CopyFinal { generation },
            },
            size: piece.size,
            units: piece.units,
            done: piece.done,
            claim: piece.claim.as_ref().map(claim),
            ready_at: piece.ready_at,
            crashes: piece.crashes,
        }
    }
}

impl From<StoredPiece> for Piece<ProjectPiece> {
    fn from(stored: StoredPiece) -> Self {
        let claim = |claim: StoredClaim| PieceClaim { number: claim.number, lease_until: claim.lease_until };
        Self {
            task: match stored.work {
                StoredWork::Card { scene, attempt } => ProjectPiece::Card { scene, attempt },
                StoredWork::Copy { scene, attempt } => ProjectPiece::Copy { scene, attempt },
                StoredWork::LastFrame { scene, attempt } => ProjectPiece::LastFrame { scene, attempt },
                StoredWork::Concat { generation } => ProjectPiece::Concat { generation },
                StoredWork::CopyFinal { generation } => ProjectPiece::CopyFinal { generation },
            },
            size: stored.size,
            units: stored.units,
            done: stored.done,
            claim: stored.claim.map(claim),
            ready_at: stored.ready_at,
            crashes: stored.crashes,
        }
    }
}
