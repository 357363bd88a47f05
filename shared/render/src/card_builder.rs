//! Collects the layers of a card during layout, and holds the measures, fonts and images that the layout needs.

use reelhook_domain::videos::film::{Content, ImageRef, Rendition};
use tiny_skia::Pixmap;

use crate::area::Area;
use crate::canvas::{Canvas, Fill};
use crate::error::RenderError;
use crate::fonts::Fonts;
use crate::images::Images;
use crate::layer::{Layer, LayerKind, Sprite, pixels};
use crate::spans;
use crate::text::{self, Style, Typeset};
use crate::theme::Look;

pub(crate) struct CardBuilder<'a> {
    pub fonts: &'a mut Fonts,
    pub images: &'a Images,
    pub look: Look,
    pub tall: bool,
    /// Device pixels per design pixel.
    pub scale: f32,
    /// The area that apps and screens do not cover.
    pub safe: Area,
    pub rtl: bool,
    /// Whether only the last frame of the card will be shown.
    pub at_rest: bool,
    width: f32,
    layers: Vec<Layer>,
    order: usize,
}

impl<'a> CardBuilder<'a> {
    pub fn new(
        fonts: &'a mut Fonts,
        images: &'a Images,
        look: Look,
        size: (u32, u32),
        rendition: Rendition,
        content: &Content,
        at_rest: bool,
    ) -> Self {
        let tall = match rendition {
            Rendition::Landscape => false,
            Rendition::Portrait => true,
        };
        let (width, height) = if tall { (1080.0, 1920.0) } else { (1920.0, 1080.0) };
        let safe = if tall {
            // Apps cover the top 12 % and the bottom 18 % with names and buttons.
            Area::new(72.0, height * 0.12 + 20.0, width - 144.0, height * 0.70 - 40.0)
        } else {
            Area::new(128.0, 84.0, width - 256.0, height - 168.0)
        };
        let scale = size.0 as f32 / width;
        fonts.begin_scene();
        let (rtl, layers) = (reads_rtl(content), Vec::new());
        Self { fonts, images, look, tall, scale, safe, rtl, at_rest, width, layers, order: 0 }
    }

    /// The first value for a wide card, the second for a tall one.
    pub fn pick<T>(&self, wide: T, tall: T) -> T {
        if self.tall { tall } else { wide }
    }

    /// Typesets text in at most `max_lines` lines; the rest is truncated.
    pub fn typeset(&mut self, text: &str, style: Style, width: f32, max_lines: usize) -> Option<Typeset> {
        text::typeset(self.fonts, text, style, width, max_lines, self.scale)
    }

    /// Typesets text at the largest size that fits.
    pub fn fit(
        &mut self,
        text: &str,
        style: Style,
        least: f32,
        width: f32,
        height: f32,
        max_lines: usize,
    ) -> Option<Typeset> {
        text::fit(self.fonts, text, style, least, (width, height), max_lines, self.scale)
    }

    /// The style of headings in this theme.
    pub fn display(&self, size: f32) -> Style {
        let look = &self.look;
        Style {
            family: look.family,
            weight: look.weight,
            bold_weight: look.weight,
            size,
            leading: look.leading,
            tracking: look.tracking,
            colour: look.palette.ink,
            bold: look.palette.accent,
            alignment: text::Alignment::Start,
            tabular: false,
            balanced: true,
        }
    }

    /// The next index in the entrance sequence.
    pub fn step(&mut self) -> usize {
        self.order += 1;
        self.order - 1
    }

    /// Draws one sprite for a layer. The canvas is `area` with a margin of `room` on each side.
    pub fn sprite(&mut self, area: Area, room: f32, draw: impl FnOnce(&mut Canvas, &mut Fonts)) -> Option<Sprite> {
        let all = area.grow(room);
        let seen = Area { x: if self.rtl { self.width - all.x - all.w } else { all.x }, ..all };
        let (x, y, across, down) = pixels(seen, self.scale);
        let mut canvas =
            Canvas::new(across.min(8192), down.min(8192), (x, y), self.scale, self.rtl.then_some(self.width))?;
        draw(&mut canvas, self.fonts);
        Sprite::new(&canvas.pixmap, x, y)
    }

    /// Adds a layer that enters at its index in the entrance sequence.
    pub fn part(&mut self, order: usize, area: Area, room: f32, draw: impl FnOnce(&mut Canvas, &mut Fonts)) {
        self.layer(Some(order), LayerKind::Plain, area, room, draw);
    }

    /// Adds a layer.
    pub fn layer(
        &mut self,
        order: Option<usize>,
        kind: LayerKind,
        area: Area,
        room: f32,
        draw: impl FnOnce(&mut Canvas, &mut Fonts),
    ) {
        if let Some(sprite) = self.sprite(area, room, draw) {
            self.layers.push(Layer { sprites: vec![sprite], order, kind });
        }
    }

    /// Adds a layer that shows its sprites one after another, as a number that counts up.
    pub fn counter(&mut self, order: usize, sprites: Vec<Sprite>) {
        if !sprites.is_empty() {
            self.layers.push(Layer { sprites, order: Some(order), kind: LayerKind::Counter { order } });
        }
    }

    pub fn image(&self, image: &ImageRef) -> Result<&'a Pixmap, RenderError> {
        self.images.get(image)
    }

    /// Returns the layers, the length of the entrance sequence, and whether the card reads from right to left.
    pub fn finish(self) -> (Vec<Layer>, usize, bool) {
        (self.layers, self.order, self.rtl)
    }
}

/// A card reads from right to left if the first of its texts with letters does.
fn reads_rtl(content: &Content) -> bool {
    let heads = [&content.title, &content.subtitle, &content.body, &content.kicker];
    let items = content.items.iter().flat_map(|item| [&item.title, &item.text]);
    heads.into_iter().chain(items).find_map(|text| spans::is_rtl(text)).unwrap_or(false)
}

/// Draws the surface of a card or item: its shadow, its fill and its border.
pub(crate) fn card_surface(look: &Look, canvas: &mut Canvas, area: Area, forward: bool) {
    let (palette, radius) = (look.palette, look.radius);
    canvas.draw_shadow(area, radius, 44.0, 18.0, look.shadow);
    canvas.fill_rounded(area, radius, Fill::Solid(palette.surface, 1.0));
    if forward {
        canvas.fill_rounded(area, radius, Fill::Vertical(palette.accent, 0.14, palette.accent, 0.02));
        canvas.stroke_border(area, radius, 4.0, palette.accent, 1.0);
    } else {
        canvas.fill_rounded(area, radius, Fill::Vertical(palette.ink, 0.035, palette.ink, 0.0));
        canvas.stroke_border(area, radius, 1.5, palette.line, 0.9);
    }
}
