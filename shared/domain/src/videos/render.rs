//! How a film becomes videos: its plan, and the pieces of work of each stage.

use serde::{Deserialize, Serialize};

use crate::jobs::task::ExternalTask;
use crate::pieces::Piece;
use crate::videos::film::{FRAME_RATE, Film, Rendition};

/// What renders a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Renderer {
    /// Our own scene renderer, scene by scene.
    #[default]
    Own,
    /// Creatomate, each rendition as a whole.
    Creatomate,
}

/// The parts of a film that decide how it is rendered; the film itself stays in storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderPlan {
    /// What renders it.
    pub renderer: Renderer,
    /// The renditions that are made.
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

    /// Frames of one rendition.
    pub fn frames(&self) -> u32 {
        self.scenes.iter().sum()
    }

    /// Frames of all renditions.
    pub fn all_frames(&self) -> u32 {
        self.frames() * u32::try_from(self.renditions.len()).unwrap_or(u32::MAX)
    }

    /// The length in seconds.
    pub fn seconds(&self) -> f64 {
        f64::from(self.frames()) / f64::from(FRAME_RATE)
    }

    /// The pieces of the first stage: scenes, rendition by rendition, or whole renditions at an outside service.
    pub fn first_pieces(&self) -> Vec<Piece<RenderTask>> {
        match self.renderer {
            Renderer::Own => self
                .renditions
                .iter()
                .flat_map(|rendition| {
                    let draw = |(scene, frames): (usize, &u32)| {
                        Piece::new(RenderTask::Draw { rendition: *rendition, scene }, *frames)
                    };
                    self.scenes.iter().enumerate().map(draw)
                })
                .collect(),
            Renderer::Creatomate => self.whole_renditions(|rendition| RenderTask::Remote { rendition, task: None }),
        }
    }

    /// The pieces of the second stage: the scenes of each rendition are joined.
    pub fn join_pieces(&self) -> Vec<Piece<RenderTask>> {
        self.whole_renditions(|rendition| RenderTask::Join { rendition })
    }

    fn whole_renditions(&self, task: impl Fn(Rendition) -> RenderTask) -> Vec<Piece<RenderTask>> {
        self.renditions.iter().map(|rendition| Piece::new(task(*rendition), self.frames())).collect()
    }
}

/// A finished rendition of a film in storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredVideo {
    /// The rendition.
    #[serde(rename = "format")]
    pub rendition: Rendition,
    /// Its key in the bucket.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// A signed link to it.
    pub link: String,
}

/// The task of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderTask {
    /// Compose the film.
    Compose,
    /// Draw a scene.
    Draw {
        /// The rendition.
        rendition: Rendition,
        /// The scene's index in the film.
        scene: usize,
    },
    /// Join the scenes of a rendition.
    Join {
        /// The rendition.
        rendition: Rendition,
    },
    /// Have an outside service render a rendition.
    Remote {
        /// The rendition.
        rendition: Rendition,
        /// The service's task, once it was submitted.
        task: Option<ExternalTask>,
    },
}

impl RenderTask {
    /// Names the piece for people.
    pub fn title(&self) -> String {
        match self {
            Self::Compose => "The script".to_owned(),
            Self::Draw { scene, .. } => format!("Scene {}", scene + 1),
            Self::Join { .. } | Self::Remote { .. } => "The video".to_owned(),
        }
    }

    /// Whether frames are drawn by such pieces, so that their units are the video's progress.
    pub fn draws(&self) -> bool {
        match self {
            Self::Draw { .. } | Self::Remote { .. } => true,
            Self::Compose | Self::Join { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(renderer: Renderer) -> RenderPlan {
        RenderPlan { renderer, renditions: vec![Rendition::Landscape, Rendition::Portrait], scenes: vec![30, 45] }
    }

    #[test]
    fn scenes_are_drawn_rendition_by_rendition_and_then_joined() {
        let (wide, tall) = (Rendition::Landscape, Rendition::Portrait);
        let own = plan(Renderer::Own);
        let draw = |rendition, scene, frames| Piece::new(RenderTask::Draw { rendition, scene }, frames);
        assert_eq!(own.first_pieces(), [draw(wide, 0, 30), draw(wide, 1, 45), draw(tall, 0, 30), draw(tall, 1, 45)]);
        let join = |rendition| Piece::new(RenderTask::Join { rendition }, 75);
        assert_eq!(own.join_pieces(), [join(wide), join(tall)]);
        let remote = |rendition| Piece::new(RenderTask::Remote { rendition, task: None }, 75);
        assert_eq!(plan(Renderer::Creatomate).first_pieces(), [remote(wide), remote(tall)]);
    }

    #[test]
    fn frames_of_all_renditions_count() {
        let plan = plan(Renderer::Own);
        assert_eq!((plan.frames(), plan.all_frames()), (75, 150));
        assert!((plan.seconds() - 75.0 / f64::from(FRAME_RATE)).abs() < 1e-9);
    }
}
