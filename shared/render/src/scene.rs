//! One scene, laid out once and then drawn frame by frame.

use image::RgbaImage;
use reelhook_domain::videos::film::{ImageRef, Rendition, Scene, Theme, Transition};
use tiny_skia::Pixmap;

use crate::backdrop;
use crate::card::Card;
use crate::card_builder::CardBuilder;
use crate::error::RenderError;
use crate::fonts::Fonts;
use crate::images::{Images, cover};
use crate::layout;
use crate::motion::Timeline;
use crate::theme;
use crate::transition;
use crate::yuv::{Patch, Yuv};

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

/// A scene that is laid out and ready to be drawn.
pub struct LaidOutScene {
    card: Card,
    before: Option<(Pixmap, Transition, u32)>,
    mixed: Option<Pixmap>,
    frames: u32,
    size: (u32, u32),
    /// What the caller's frame currently contains.
    shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    Mixed,
    Card,
}

impl LaidOutScene {
    /// Lays a scene out.
    ///
    /// # Errors
    ///
    /// `RenderError::Image` if an image is not among `images`, `RenderError::Size` if a side is odd or out of range.
    pub fn new(fonts: &mut Fonts, input: &SceneInput<'_>, images: &Images) -> Result<Self, RenderError> {
        begin(fonts, input)?;
        let frames = input.scene.frames.max(1);
        let length = transition::FRAMES.min(frames / 2);
        let taken = input.before.zip(input.scene.transition).filter(|_| length > 0);
        let before = match taken {
            Some((scene, transition)) => {
                let mut card = card(fonts, input, scene, 0, images)?;
                card.draw_frame(scene.frames.max(1) - 1);
                Some((card.canvas, transition, length))
            }
            None => None,
        };
        Self::after(fonts, input, images, before)
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
        let picture = cover(images.get(first)?, input.size.0, input.size.1);
        let length = FIRST_FRAME_FADE.min(input.scene.frames.max(1).div_ceil(2));
        Self::after(fonts, input, images, Some((picture, Transition::Fade, length)))
    }

    /// Lays a scene out after what a transition starts from.
    fn after(
        fonts: &mut Fonts,
        input: &SceneInput<'_>,
        images: &Images,
        before: Option<(Pixmap, Transition, u32)>,
    ) -> Result<Self, RenderError> {
        let frames = input.scene.frames.max(1);
        let length = before.as_ref().map_or(0, |(_, _, length)| *length);
        let card = card(fonts, input, input.scene, length, images)?;
        let mixed = before.as_ref().map(|(pixmap, _, _)| pixmap.clone());
        Ok(Self { card, before, mixed, frames, size: input.size, shown: Shown::Nothing })
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
        let patches = self.card.draw_frame(frame);
        let all = Patch { left: 0, top: 0, right: self.size.0 as i32, bottom: self.size.1 as i32 };
        if self.mix(frame) {
            if let Some(mixed) = &self.mixed {
                into.copy_patch(mixed, all);
            }
            self.shown = Shown::Mixed;
            return true;
        }
        match self.shown {
            Shown::Card => {
                for &patch in &patches {
                    into.copy_patch(&self.card.canvas, patch);
                }
                !patches.is_empty()
            }
            Shown::Nothing | Shown::Mixed => {
                into.copy_patch(&self.card.canvas, all);
                self.shown = Shown::Card;
                true
            }
        }
    }

    /// Draws one frame as an RGBA image. The next `draw` then rewrites its `Yuv` completely.
    pub fn still(&mut self, frame: u32) -> RgbaImage {
        self.card.draw_frame(frame);
        let pixmap = if self.mix(frame) { self.mixed.as_ref().unwrap_or(&self.card.canvas) } else { &self.card.canvas };
        self.shown = Shown::Nothing;
        RgbaImage::from_raw(pixmap.width(), pixmap.height(), pixmap.data().to_vec()).unwrap_or_default()
    }

    /// Blends a frame within the transition; returns false after the transition.
    fn mix(&mut self, frame: u32) -> bool {
        let (Some((before, transition, length)), Some(mixed)) = (&self.before, &mut self.mixed) else { return false };
        if frame >= *length {
            return false;
        }
        transition::mix(*transition, before, &self.card.canvas, frame as f32 / *length as f32, mixed);
        true
    }
}

impl std::fmt::Debug for LaidOutScene {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shot").field("frames", &self.frames).field("size", &self.size).finish_non_exhaustive()
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

fn card(
    fonts: &mut Fonts,
    input: &SceneInput<'_>,
    scene: &Scene,
    transition: u32,
    images: &Images,
) -> Result<Card, RenderError> {
    let (width, height) = input.size;
    let (size, (left, top)) = placed(input.size, input.rendition);
    let mut builder = CardBuilder::new(fonts, images, theme::look(input.theme), size, input.rendition, &scene.content);
    layout::lay_out(&mut builder, scene)?;
    let scale = builder.scale;
    let (mut layers, orders, rtl) = builder.finish();
    for sprite in layers.iter_mut().flat_map(|layer| &mut layer.sprites) {
        sprite.x += left;
        sprite.y += top;
    }
    let base = backdrop::draw(input.theme, input.size, input.rendition, layout::is_opening(scene.kind), rtl)
        .ok_or(RenderError::Size { width, height })?;
    let timeline = Timeline::new(scene.frames.max(1), scene.entrance, orders, transition, scale, rtl);
    Ok(Card::new(base, layers, timeline))
}
