//! What is kept from one scene to the next: backdrops, which many scenes have in common, and the parts of the last card,
//! over which the next scene may begin.

use std::sync::Arc;

use reelhook_domain::videos::film::{Content, Rendition, Scene, SceneKind, Theme};
use tiny_skia::Pixmap;

use crate::frames::Yuv;
use crate::layer::Layer;

/// The number of backdrops that are kept: cards full of text have another one than opening cards.
const BACKDROPS: usize = 2;

/// The look of a card, apart from its scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub theme: Theme,
    pub size: (u32, u32),
    pub rendition: Rendition,
}

/// A backdrop, as it is composited and as it is encoded.
#[derive(Debug)]
pub(crate) struct Backdrop {
    pub pixmap: Pixmap,
    pub yuv: Yuv,
}

/// The parts of a card, which its scene moves.
#[derive(Debug, Clone)]
pub(crate) struct CardParts {
    pub base: Arc<Backdrop>,
    pub layers: Arc<[Layer]>,
    /// The length of the entrance sequence.
    pub orders: usize,
    /// Device pixels per design pixel.
    pub scale: f32,
    /// Whether it reads from right to left.
    pub rtl: bool,
}

/// What is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    backdrops: Vec<(Frame, (bool, bool), Arc<Backdrop>)>,
    card: Option<(Frame, SceneKind, Content, CardParts)>,
}

impl Kept {
    /// A backdrop that is kept.
    pub fn backdrop(&self, frame: Frame, opening: bool, rtl: bool) -> Option<Arc<Backdrop>> {
        let known = self.backdrops.iter().find(|(of, kind, _)| (*of, *kind) == (frame, (opening, rtl)));
        known.map(|(_, _, backdrop)| Arc::clone(backdrop))
    }

    /// Keeps a backdrop, in place of the oldest one.
    pub fn keep_backdrop(&mut self, frame: Frame, opening: bool, rtl: bool, backdrop: &Arc<Backdrop>) {
        self.backdrops.truncate(BACKDROPS - 1);
        self.backdrops.insert(0, (frame, (opening, rtl), Arc::clone(backdrop)));
    }

    /// The parts of the card of a scene, if it was the last one.
    pub fn card(&self, frame: Frame, scene: &Scene) -> Option<CardParts> {
        let (of, kind, content, parts) = self.card.as_ref()?;
        (*of == frame && *kind == scene.kind && *content == scene.content).then(|| parts.clone())
    }

    /// Keeps the parts of a card. One with images is not kept: images may change under the same reference.
    pub fn keep_card(&mut self, frame: Frame, scene: &Scene, parts: &CardParts) {
        self.card = match scene.images().next() {
            Some(_) => None,
            None => Some((frame, scene.kind, scene.content.clone(), parts.clone())),
        };
    }
}
