//! The stored form of the work of our renderers for a project.

use reelhook_domain::SceneId;
use reelhook_domain::pieces::Pieces;
use reelhook_domain::projects::project::ProjectPiece;
use serde::{Deserialize, Serialize};

/// The stored form of a project's pieces.
pub(super) type StoredPieces = crate::items::pieces::StoredPieces<StoredWork>;

/// The stored form of what a piece is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoredWork {
    Card { scene: SceneId, attempt: u32 },
    Copy { scene: SceneId, attempt: u32 },
    LastFrame { scene: SceneId, attempt: u32 },
    Concat { generation: u32 },
    CopyFinal { generation: u32 },
}

impl From<&Pieces<ProjectPiece>> for StoredPieces {
    fn from(pieces: &Pieces<ProjectPiece>) -> Self {
        Self::of(pieces, |piece| match piece.clone() {
            ProjectPiece::Card { scene, attempt } => StoredWork::Card { scene, attempt },
            ProjectPiece::Copy { scene, attempt } => StoredWork::Copy { scene, attempt },
            ProjectPiece::LastFrame { scene, attempt } => StoredWork::LastFrame { scene, attempt },
            ProjectPiece::Concat { generation } => StoredWork::Concat { generation },
            ProjectPiece::CopyFinal { generation } => StoredWork::CopyFinal { generation },
        })
    }
}

impl From<StoredPieces> for Pieces<ProjectPiece> {
    fn from(stored: StoredPieces) -> Self {
        stored.into_pieces(|work| match work {
            StoredWork::Card { scene, attempt } => ProjectPiece::Card { scene, attempt },
            StoredWork::Copy { scene, attempt } => ProjectPiece::Copy { scene, attempt },
            StoredWork::LastFrame { scene, attempt } => ProjectPiece::LastFrame { scene, attempt },
            StoredWork::Concat { generation } => ProjectPiece::Concat { generation },
            StoredWork::CopyFinal { generation } => ProjectPiece::CopyFinal { generation },
        })
    }
}
