//! The stored form of pieces, whatever work they are.

use reelhook_domain::Timestamp;
use reelhook_domain::pieces::{Piece, PieceClaim, Pieces};
use serde::{Deserialize, Serialize};

use crate::items::is_default;

/// The stored form of pieces; `W` is that of their work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredPieces<W> {
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    list: Vec<StoredPiece<W>>,
    #[serde(default, skip_serializing_if = "is_default")]
    claims: u32,
    moved_at: Timestamp,
    hint_at: Timestamp,
    shown_at: Timestamp,
}

/// The stored form of a piece.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredPiece<W> {
    work: W,
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

impl<W> StoredPieces<W> {
    /// The stored form of pieces whose work has the stored form that `work` returns.
    pub fn of<T>(pieces: &Pieces<T>, work: impl Fn(&T) -> W) -> Self {
        let claim = |claim: &PieceClaim| StoredClaim { number: claim.number, lease_until: claim.lease_until };
        let piece = |piece: &Piece<T>| StoredPiece {
            work: work(&piece.task),
            size: piece.size,
            units: piece.units,
            done: piece.done,
            claim: piece.claim.as_ref().map(claim),
            ready_at: piece.ready_at,
            crashes: piece.crashes,
        };
        Self {
            list: pieces.list.iter().map(piece).collect(),
            claims: pieces.claims,
            moved_at: pieces.moved_at,
            hint_at: pieces.hint_at,
            shown_at: pieces.shown_at,
        }
    }

    /// The pieces; `task` reads the stored form of their work.
    pub fn into_pieces<T>(self, task: impl Fn(W) -> T) -> Pieces<T> {
        let claim = |claim: StoredClaim| PieceClaim { number: claim.number, lease_until: claim.lease_until };
        let piece = |piece: StoredPiece<W>| Piece {
            task: task(piece.work),
            size: piece.size,
            units: piece.units,
            done: piece.done,
            claim: piece.claim.map(claim),
            ready_at: piece.ready_at,
            crashes: piece.crashes,
        };
        Pieces {
            list: self.list.into_iter().map(piece).collect(),
            claims: self.claims,
            moved_at: self.moved_at,
            hint_at: self.hint_at,
            shown_at: self.shown_at,
        }
    }
}
