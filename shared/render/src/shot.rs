//! One scene, laid out and ready to be drawn frame by frame.

use image::RgbaImage;
use reelhook_domain::videos::film::{Rendition, Scene, Theme, Transition};
use tiny_skia::Pixmap;

use crate::backdrop;
use crate::compose::Card;
use crate::error::RenderError;
use crate::fonts::Fonts;
use crate::layout;
use crate::motion::Timeline;
use crate::pictures::Pictures;
use crate::stage::Stage;
use crate::theme;
use crate::transition;
use crate::yuv::{Patch, Yuv};

/// What is to be drawn: a scene in its place.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// The scene.
    pub scene: &'a Scene,
    /// The one before it, from which a transition starts.
    pub before: Option<&'a Scene>,
    /// The film's colours.
    pub theme: Theme,
    /// Pixels across and down; both even.
    pub size: (u32, u32),
    /// Wide or tall.
    pub format: Rendition,
}

/// A laid out scene.
pub struct Shot {
    card: Card,
    before: Option<(Pixmap, Transition, u32)>,
    mixed: Option<Pixmap>,
    frames: u32,
    size: (u32, u32),
    /// What the caller's frame shows: nothing yet, a mix, or the card up to its last change.
    shown: Shown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    Mixed,
    Card,
}

impl Shot {
    /// Lays a scene out.
    ///
    /// # Errors
    ///
    /// `RenderError::Image` for a picture that is not among `pictures`, `RenderError::Size` for an odd or absurd size.
    pub fn new(fonts: &mut Fonts, cut: &Cut<'_>, pictures: &Pictures) -> Result<Self, RenderError> {
        let (width, height) = cut.size;
        if width % 2 != 0 || height % 2 != 0 || !(64..=8192).contains(&width) || !(64..=8192).contains(&height) {
            return Err(RenderError::Size { width, height });
        }
        fonts.forget_glyphs();
        let frames = cut.scene.frames.max(1);
        let length = transition::FRAMES.min(frames / 2);
        let taken = cut.before.zip(cut.scene.transition).filter(|_| length > 0);
        let before = match taken {
            Some((scene, transition)) => {
                let mut card = card(fonts, cut, scene, 0, pictures)?;
                card.show(scene.frames.max(1) - 1);
                Some((card.canvas, transition, length))
            }
            None => None,
        };
        let card = card(fonts, cut, cut.scene, if before.is_some() { length } else { 0 }, pictures)?;
        let mixed = before.as_ref().map(|(picture, _, _)| picture.clone());
        Ok(Self { card, before, mixed, frames, size: cut.size, shown: Shown::Nothing })
    }

    /// How many frames it has; at least one.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Pixels across and down.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Brings `into` from the frame drawn before to this one; false when it is the same picture.
    /// Hand in the same `Yuv` each time: only what changed is written to it.
    pub fn draw(&mut self, frame: u32, into: &mut Yuv) -> bool {
        let patches = self.card.show(frame);
        let all = Patch { left: 0, top: 0, right: self.size.0 as i32, bottom: self.size.1 as i32 };
        if self.mix(frame) {
            if let Some(mixed) = &self.mixed {
                into.take(mixed, all);
            }
            self.shown = Shown::Mixed;
            return true;
        }
        match self.shown {
            Shown::Card => {
                for &patch in &patches {
                    into.take(&self.card.canvas, patch);
                }
                !patches.is_empty()
            }
            Shown::Nothing | Shown::Mixed => {
                into.take(&self.card.canvas, all);
                self.shown = Shown::Card;
                true
            }
        }
    }

    /// One frame as a picture; a `Yuv` that was drawn into before is written anew by the next `draw`.
    pub fn still(&mut self, frame: u32) -> RgbaImage {
        self.card.show(frame);
        let picture =
            if self.mix(frame) { self.mixed.as_ref().unwrap_or(&self.card.canvas) } else { &self.card.canvas };
        self.shown = Shown::Nothing;
        RgbaImage::from_raw(picture.width(), picture.height(), picture.data().to_vec()).unwrap_or_default()
    }

    /// Mixes the picture of a frame within the transition; false after it.
    fn mix(&mut self, frame: u32) -> bool {
        let (Some((before, transition, length)), Some(mixed)) = (&self.before, &mut self.mixed) else { return false };
        if frame >= *length {
            return false;
        }
        transition::mix(*transition, before, &self.card.canvas, frame as f32 / *length as f32, mixed);
        true
    }
}

impl std::fmt::Debug for Shot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shot").field("frames", &self.frames).field("size", &self.size).finish_non_exhaustive()
    }
}

fn card(
    fonts: &mut Fonts,
    cut: &Cut<'_>,
    scene: &Scene,
    transition: u32,
    pictures: &Pictures,
) -> Result<Card, RenderError> {
    let (width, height) = cut.size;
    let mut stage = Stage::new(fonts, pictures, theme::look(cut.theme), cut.size, cut.format, &scene.content);
    layout::lay_out(&mut stage, scene)?;
    let scale = stage.scale;
    let (layers, orders, rtl) = stage.finish();
    let base = backdrop::draw(cut.theme, cut.size, cut.format, layout::is_opening(scene.kind), rtl)
        .ok_or(RenderError::Size { width, height })?;
    let timeline = Timeline::new(scene.frames.max(1), scene.entrance, orders, transition, scale, rtl);
    Ok(Card::new(base, layers, timeline))
}
