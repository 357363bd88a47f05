//! What is kept from one scene to the next: backdrops, which many scenes have in common, and the parts of the last card,
//! over which the next scene may begin.

use std::sync::Arc;

use reelhook_domain::videos::film::{Content, Rendition, Scene, SceneKind, Theme};
use tiny_skia::Pixmap;

use crate::frames::Yuv;
use crate::images::Images;
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
    /// Whether they are only what the last frame shows.
    pub at_rest: bool,
}

/// The card that is kept.
#[derive(Debug)]
struct KeptCard {
    frame: Frame,
    kind: SceneKind,
    content: Content,
    /// The digests of its images in the order of the content: an image may change under the same reference.
    images: Vec<String>,
    parts: CardParts,
}

/// What is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    backdrops: Vec<(Frame, (bool, bool), Arc<Backdrop>)>,
    card: Option<KeptCard>,
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

    /// The parts of the card of a scene, or those of its last frame, if it was the last one and its images are the same.
    pub fn card(&self, frame: Frame, scene: &Scene, images: &Images, at_rest: bool) -> Option<CardParts> {
        let kept = self.card.as_ref().filter(|kept| kept.frame == frame && kept.kind == scene.kind)?;
        let same = (at_rest || !kept.parts.at_rest)
            && kept.content == scene.content
            && scene
                .images()
                .map(|image| images.digest(image))
                .eq(kept.images.iter().map(|image| Some(image.as_str())));
        same.then(|| kept.parts.clone())
    }

    /// Keeps the parts of a card, in place of the one before. A card that lacks an image is not kept.
    pub fn keep_card(&mut self, frame: Frame, scene: &Scene, images: &Images, parts: &CardParts) {
        let digests: Option<Vec<String>> =
            scene.images().map(|image| images.digest(image).map(str::to_owned)).collect();
        self.card = digests.map(|images| KeptCard {
            frame,
            kind: scene.kind,
            content: scene.content.clone(),
            images,
            parts: parts.clone(),
        });
    }
}
