//! One scene, laid out once and then drawn frame by frame.

use std::ops::Range;
use std::sync::Arc;

use image::RgbaImage;
use reelhook_domain::videos::film::{ImageRef, Rendition, Scene, Theme, Transition};

use crate::backdrop;
use crate::card::Card;
use crate::card_builder::CardBuilder;
use crate::error::RenderError;
use crate::fonts::Fonts;
use crate::frames::buffers::Frames;
use crate::frames::{Change, Yuv};
use crate::images::{Images, cover};
use crate::kept::{Backdrop, CardParts, Frame};
use crate::layout;
use crate::motion::Timeline;
use crate::theme;
use crate::transition;

/// The frames in which an image at the start fades into its scene.
const FIRST_FRAME_FADE: u32 = 24;

/// Everything that determines the pixels of a scene.
#[derive(Debug, Clone, Copy)]
pub struct SceneInput<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The scene before it, from which a transition starts.
    pub before: Option<&'a Scene>,
    /// The theme of the film.
    pub theme: Theme,
    /// Width and height in pixels; both are even.
    pub size: (u32, u32),
    /// Wide or tall.
    pub rendition: Rendition,
}

/// The parts of a scene that are drawn and stored by themselves, as ranges of its frames: its transition, if it has one,
/// and its body. The body looks the same whatever was before it.
pub fn parts(input: &SceneInput<'_>) -> Vec<Range<u32>> {
    let (frames, length) = (input.scene.frames.max(1), transition::length(input.scene, input.before));
    [0..length, length..frames].into_iter().filter(|part| !part.is_empty()).collect()
}

/// A scene that is laid out and ready to be drawn.
pub struct LaidOutScene {
    card: Card,
    start: Option<Start>,
    frames: u32,
    /// The frames that are encoded.
    part: Range<u32>,
    size: (u32, u32),
    /// The present frame.
    now: Option<u32>,
}

/// What a scene begins with, and how it goes over from it.
struct Start {
    before: Yuv,
    transition: Transition,
    length: u32,
}

impl LaidOutScene {
    /// Lays a scene out.
    ///
    /// # Errors
    ///
    /// `RenderError::Image` if an image is not among `images`, `RenderError::Size` if a side is odd or out of range.
    pub fn new(fonts: &mut Fonts, input: &SceneInput<'_>, images: &Images) -> Result<Self, RenderError> {
        Self::part(fonts, input, images, 0..input.scene.frames.max(1))
    }

    /// Lays a scene out of which only these frames are drawn. Frames after the transition do not need the scene before.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn part(
        fonts: &mut Fonts,
        input: &SceneInput<'_>,
        images: &Images,
        part: Range<u32>,
    ) -> Result<Self, RenderError> {
        begin(fonts, input)?;
        let length = transition::length(input.scene, input.before);
        let taken = input.before.zip(input.scene.transition).filter(|_| part.start < length);
        let start = match taken {
            Some((scene, transition)) => {
                let mut card = card(fonts, input, scene, 0, images, true)?;
                card.draw_frame(scene.frames.max(1) - 1);
                Some((card.yuv, transition))
            }
            None => None,
        };
        Self::after(fonts, input, images, start, (length, part))
    }

    /// Lays a scene out whose first frame is exactly an image, which fills it; the image fades into the scene.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn starting_with(
        fonts: &mut Fonts,
        input: &SceneInput<'_>,
        images: &Images,
        first: &ImageRef,
    ) -> Result<Self, RenderError> {
        begin(fonts, input)?;
        let frames = input.scene.frames.max(1);
        let picture = cover(images.get(first)?, input.size.0, input.size.1);
        let length = FIRST_FRAME_FADE.min(frames.div_ceil(2));
        let mut first = Yuv::new(input.size.0, input.size.1);
        first.copy_all(&picture);
        Self::after(fonts, input, images, Some((first, Transition::Fade)), (length, 0..frames))
    }

    /// Lays a scene out after what a transition of so many frames starts from.
    fn after(
        fonts: &mut Fonts,
        input: &SceneInput<'_>,
        images: &Images,
        start: Option<(Yuv, Transition)>,
        (length, part): (u32, Range<u32>),
    ) -> Result<Self, RenderError> {
        let card = card(fonts, input, input.scene, length, images, false)?;
        let start = start.map(|(before, transition)| Start { before, transition, length });
        Ok(Self { card, start, frames: input.scene.frames.max(1), part, size: input.size, now: None })
    }

    /// The number of frames, at least one.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Updates `into` from the previously drawn frame to this one; returns false if nothing changed. Pass the same
    /// `Yuv` each time, because only the changes are written to it.
    pub fn draw(&mut self, frame: u32, into: &mut Yuv) -> bool {
        let change = self.advance_to(frame);
        if !change.is_nothing() {
            self.paint_missing(&change, into);
        }
        !change.is_nothing()
    }

    /// Draws one frame as an RGBA image. The next `draw` then rewrites its `Yuv` completely.
    pub fn still(&mut self, frame: u32) -> RgbaImage {
        self.now = None;
        self.advance_to(frame);
        let image = if self.within_transition(frame).is_some() {
            let mut mixed = Yuv::new(self.size.0, self.size.1);
            self.paint_missing(&Change::All, &mut mixed);
            mixed.to_rgba()
        } else {
            let canvas = &self.card.canvas;
            RgbaImage::from_raw(canvas.width(), canvas.height(), canvas.data().to_vec()).unwrap_or_default()
        };
        self.now = None;
        image
    }

    /// Goes to a frame, and returns what changed since the frame that was the present one.
    fn advance_to(&mut self, frame: u32) -> Change {
        let before = self.now.replace(frame);
        if before == Some(frame) {
            return Change::NOTHING;
        }
        let patches = Change::Patches(self.card.draw_frame(frame));
        let mixes = |frame| self.within_transition(frame).is_some();
        if before.is_none_or(mixes) || mixes(frame) { Change::All } else { patches }
    }

    /// Draws the present frame into a `Yuv` that lacks these changes.
    fn paint_missing(&self, missing: &Change, into: &mut Yuv) {
        let frame = self.now.unwrap_or_default();
        match self.within_transition(frame) {
            Some(Start { before, transition, length }) => {
                transition::mix(*transition, before, &self.card.yuv, frame as f32 / *length as f32, into);
            }
            None => into.copy_from(&self.card.yuv, missing),
        }
    }

    /// The start of the scene, if a frame still shows it.
    fn within_transition(&self, frame: u32) -> Option<&Start> {
        self.start.as_ref().filter(|start| frame < start.length)
    }
}

impl Frames for LaidOutScene {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn count(&self) -> u32 {
        self.part.end.saturating_sub(self.part.start)
    }

    fn advance(&mut self, frame: u32) -> Change {
        self.advance_to(self.part.start + frame)
    }

    fn paint(&mut self, missing: &Change, into: &mut Yuv) {
        self.paint_missing(missing, into);
    }
}

impl std::fmt::Debug for LaidOutScene {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LaidOutScene")
            .field("frames", &self.frames)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Checks the size of a scene, and prepares the fonts for it.
fn begin(fonts: &mut Fonts, input: &SceneInput<'_>) -> Result<(), RenderError> {
    let (width, height) = input.size;
    if width % 2 != 0 || height % 2 != 0 || !(64..=8192).contains(&width) || !(64..=8192).contains(&height) {
        return Err(RenderError::Size { width, height });
    }
    fonts.forget_glyphs();
    Ok(())
}

/// Where the layout of a rendition stands on a card of any size: its size, and its upper left corner.
fn placed(size: (u32, u32), rendition: Rendition) -> ((u32, u32), (i32, i32)) {
    let (across, down) = match rendition {
        Rendition::Landscape => (16, 9),
        Rendition::Portrait => (9, 16),
    };
    let width = size.0.min(size.1 * across / down);
    let height = size.1.min(size.0 * down / across);
    ((width, height), ((size.0 - width) as i32 / 2, (size.1 - height) as i32 / 2))
}

/// The card of a scene; if it is `at_rest`, only its last frame is drawn.
fn card(
    fonts: &mut Fonts,
    input: &SceneInput<'_>,
    scene: &Scene,
    transition: u32,
    images: &Images,
    at_rest: bool,
) -> Result<Card, RenderError> {
    let frame = Frame { theme: input.theme, size: input.size, rendition: input.rendition };
    let parts = match fonts.kept.card(frame, scene, images, at_rest) {
        Some(kept) => kept,
        None => {
            let parts = card_parts(fonts, frame, scene, images, at_rest)?;
            fonts.kept.keep_card(frame, scene, images, &parts);
            parts
        }
    };
    let timeline = Timeline::new(scene.frames.max(1), scene.entrance, parts.orders, transition, parts.scale, parts.rtl);
    Ok(Card::new(parts, timeline))
}

fn card_parts(
    fonts: &mut Fonts,
    frame: Frame,
    scene: &Scene,
    images: &Images,
    at_rest: bool,
) -> Result<CardParts, RenderError> {
    let (width, height) = frame.size;
    let (size, (left, top)) = placed(frame.size, frame.rendition);
    let (look, rendition) = (theme::look(frame.theme), frame.rendition);
    let mut builder = CardBuilder::new(fonts, images, look, size, rendition, &scene.content, at_rest);
    layout::lay_out(&mut builder, scene)?;
    let scale = builder.scale;
    let (mut layers, orders, rtl) = builder.finish();
    for sprite in layers.iter_mut().flat_map(|layer| &mut layer.sprites) {
        sprite.x += left;
        sprite.y += top;
    }
    let opening = layout::is_opening(scene.kind);
    let base = match fonts.kept.backdrop(frame, opening, rtl) {
        Some(kept) => kept,
        None => {
            let pixmap = backdrop::draw(frame.theme, frame.size, frame.rendition, opening, rtl);
            let pixmap = pixmap.ok_or(RenderError::Size { width, height })?;
            let mut yuv = Yuv::new(width, height);
            yuv.copy_all(&pixmap);
            let drawn = Arc::new(Backdrop { pixmap, yuv });
            fonts.kept.keep_backdrop(frame, opening, rtl, &drawn);
            drawn
        }
    };
    Ok(CardParts { base, layers: Arc::from(layers), orders, scale, rtl, at_rest })
}
