//! A run that we do ourselves: pieces that renderers claim, draw and hand in, each under a lease of its own.

use serde::{Deserialize, Serialize};

use crate::videos::film::{Film, Rendition};
use crate::{RenderId, Timestamp};

/// Who draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Renderer {
    /// We do, scene by scene.
    #[default]
    Own,
    /// Creatomate, each picture as a whole.
    Creatomate,
}

/// What of a film rules how it is drawn; the film itself stays in storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderPlan {
    /// Who draws it.
    pub renderer: Renderer,
    /// The pictures that are made.
    #[serde(rename = "formats")]
    pub renditions: Vec<Rendition>,
    /// Frames of each scene.
    pub scenes: Vec<u32>,
}

impl RenderPlan {
    /// The plan of a film.
    pub fn of(film: &Film, renderer: Renderer) -> Self {
        let scenes = film.scenes.iter().map(|scene| scene.frames).collect();
        Self { renderer, renditions: film.renditions().to_vec(), scenes }
    }

    /// Frames of one picture.
    pub fn frames(&self) -> u32 {
        self.scenes.iter().sum()
    }

    /// Frames of all pictures.
    pub fn all_frames(&self) -> u32 {
        self.frames() * u32::try_from(self.renditions.len()).unwrap_or(u32::MAX)
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        f64::from(self.frames()) / f64::from(crate::videos::film::FRAME_RATE)
    }
}

/// A picture of a film that is made and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVideo {
    /// Which picture.
    pub format: Rendition,
    /// Where it is in the bucket.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// A signed link to it.
    pub link: String,
}

/// Where a drawing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// What the film shows is being found out: one piece.
    Composing,
    /// Scenes are drawn: one piece for each scene of each picture, picture by picture.
    Scenes,
    /// Scenes are joined: one piece for each picture.
    Joining,
    /// Creatomate draws: one piece for each picture.
    Remote,
}

/// Who is at a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceClaim {
    /// The claim's own number, since a piece may be claimed again.
    pub number: u32,
    /// After this the piece is free again.
    pub lease_until: Timestamp,
}

/// One piece of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Piece {
    /// Frames that are drawn.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frames: u32,
    /// Whether it is done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// Who is at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<PieceClaim>,
    /// Not to be claimed before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// Claims whose leases ran out, or whose renderers had trouble.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub crashes: u32,
    /// The render at Creatomate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render: Option<RenderId>,
}

impl Piece {
    /// Whether nobody is at it, and it is not done.
    pub fn is_open(&self) -> bool {
        !self.done && self.claim.is_none()
    }

    /// Whether the lease of its claim has run out.
    pub fn lost_at(&self, now: Timestamp) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.lease_until <= now)
    }
}

/// What a piece asks of its renderer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Find out what the film shows.
    Compose,
    /// Draw a scene.
    Scene {
        /// For which picture.
        format: Rendition,
        /// Its place in the film.
        scene: usize,
    },
    /// Join the scenes of a picture.
    Join {
        /// Which.
        format: Rendition,
    },
    /// Have Creatomate draw a picture.
    Remote {
        /// Which.
        format: Rendition,
        /// The render, once it was submitted.
        render: Option<RenderId>,
    },
}

/// A run that we do ourselves, while it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawing {
    /// Where it is.
    pub stage: Stage,
    /// Of what; none before it was composed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<RenderPlan>,
    /// Who draws what is composed.
    pub renderer: Renderer,
    /// The pieces of the stage.
    pub pieces: Vec<Piece>,
    /// Claims ever made.
    pub claims: u32,
    /// When a piece last changed hands.
    pub moved_at: Timestamp,
    /// When the sweep hints again, should pieces be open still.
    pub hint_at: Timestamp,
    /// When viewers were last shown its progress.
    pub shown_at: Timestamp,
}

impl Drawing {
    /// What a piece asks of its renderer.
    pub fn task(&self, piece: usize) -> Task {
        let renditions = self.film.as_ref().map(|film| film.renditions.as_slice()).unwrap_or_default();
        let format = |index: usize| renditions.get(index).copied().unwrap_or(Rendition::Landscape);
        match self.stage {
            Stage::Composing => Task::Compose,
            Stage::Scenes => {
                let scenes = self.film.as_ref().map_or(1, |film| film.scenes.len()).max(1);
                Task::Scene { format: format(piece / scenes), scene: piece % scenes }
            }
            Stage::Joining => Task::Join { format: format(piece) },
            Stage::Remote => Task::Remote { format: format(piece), render: self.pieces[piece].render.clone() },
        }
    }

    /// A piece as people know it.
    pub fn piece_name(&self, piece: usize) -> String {
        match self.task(piece) {
            Task::Compose => "The script".to_owned(),
            Task::Scene { scene, .. } => format!("Scene {}", scene + 1),
            Task::Join { .. } | Task::Remote { .. } => "The video".to_owned(),
        }
    }

    /// The piece that a claim holds.
    pub fn claimed(&self, number: u32) -> Option<usize> {
        self.pieces.iter().position(|piece| piece.claim.as_ref().is_some_and(|claim| claim.number == number))
    }

    /// Frames that are drawn so far.
    pub fn drawn(&self) -> u32 {
        match self.stage {
            Stage::Composing => 0,
            Stage::Scenes | Stage::Remote => self.pieces.iter().map(|piece| piece.frames).sum(),
            Stage::Joining => self.film.as_ref().map_or(0, RenderPlan::all_frames),
        }
    }

    /// The time by which something has to happen; none where nothing is left to do.
    pub fn due_at(&self) -> Option<Timestamp> {
        let leases = self.pieces.iter().filter_map(|piece| piece.claim.as_ref()).map(|claim| claim.lease_until);
        let open = self.pieces.iter().any(Piece::is_open).then_some(self.hint_at);
        leases.min().into_iter().chain(open).min()
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
