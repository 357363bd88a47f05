//! Where a card is laid out: its measures and typefaces, and the layers that have been drawn so far.

use reelhook_domain::videos::film::{Content, ImageRef, Rendition};
use tiny_skia::Pixmap;

use crate::area::Area;
use crate::canvas::{Canvas, Fill};
use crate::error::RenderError;
use crate::fonts::Fonts;
use crate::layer::{Layer, Show, Sprite, pixels};
use crate::pictures::Pictures;
use crate::spans;
use crate::text::{self, Style, Typeset};
use crate::theme::Look;

pub(crate) struct Stage<'a> {
    pub fonts: &'a mut Fonts,
    pub pictures: &'a Pictures,
    pub look: Look,
    pub tall: bool,
    /// Device pixels of a design pixel.
    pub scale: f32,
    /// What apps and screens leave free.
    pub safe: Area,
    pub rtl: bool,
    width: f32,
    layers: Vec<Layer>,
    order: usize,
}

impl<'a> Stage<'a> {
    pub fn new(
        fonts: &'a mut Fonts,
        pictures: &'a Pictures,
        look: Look,
        size: (u32, u32),
        format: Rendition,
        content: &Content,
    ) -> Self {
        let tall = match format {
            Rendition::Landscape => false,
            Rendition::Portrait => true,
        };
        let (width, height) = if tall { (1080.0, 1920.0) } else { (1920.0, 1080.0) };
        let safe = if tall {
            // The apps put their names and buttons over the top 12 % and the bottom 18 %.
            Area::new(72.0, height * 0.12 + 20.0, width - 144.0, height * 0.70 - 40.0)
        } else {
            Area::new(128.0, 84.0, width - 256.0, height - 168.0)
        };
        let scale = size.0 as f32 / width;
        fonts.begin_scene();
        Self { fonts, pictures, look, tall, scale, safe, rtl: reads_rtl(content), width, layers: Vec::new(), order: 0 }
    }

    /// A wide or a tall card's value.
    pub fn pick<T>(&self, wide: T, tall: T) -> T {
        if self.tall { tall } else { wide }
    }

    /// Sets text whole or cut to `most` lines.
    pub fn set(&mut self, text: &str, style: Style, width: f32, most: usize) -> Option<Typeset> {
        text::set(self.fonts, text, style, width, most, self.scale)
    }

    /// Sets text at the largest size that fits.
    pub fn fit(
        &mut self,
        text: &str,
        style: Style,
        least: f32,
        width: f32,
        height: f32,
        most: usize,
    ) -> Option<Typeset> {
        text::fit(self.fonts, text, style, least, (width, height), most, self.scale)
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
            side: text::Side::Start,
            tabular: false,
            balanced: true,
        }
    }

    /// The next place in the row of parts that come in.
    pub fn step(&mut self) -> usize {
        self.order += 1;
        self.order - 1
    }

    /// Draws one picture for a layer; `area` with `room` around it is what can be drawn on.
    pub fn sprite(&mut self, area: Area, room: f32, draw: impl FnOnce(&mut Canvas, &mut Fonts)) -> Option<Sprite> {
        let all = area.grow(room);
        let seen = Area { x: if self.rtl { self.width - all.x - all.w } else { all.x }, ..all };
        let (x, y, across, down) = pixels(seen, self.scale);
        let mut canvas =
            Canvas::new(across.min(8192), down.min(8192), (x, y), self.scale, self.rtl.then_some(self.width))?;
        draw(&mut canvas, self.fonts);
        Sprite { pixmap: canvas.pixmap, x, y }.trimmed()
    }

    /// Adds a part that comes in at its place in the row.
    pub fn part(&mut self, order: usize, area: Area, room: f32, draw: impl FnOnce(&mut Canvas, &mut Fonts)) {
        self.layer(Some(order), Show::Part, area, room, draw);
    }

    /// Adds a layer.
    pub fn layer(
        &mut self,
        order: Option<usize>,
        show: Show,
        area: Area,
        room: f32,
        draw: impl FnOnce(&mut Canvas, &mut Fonts),
    ) {
        if let Some(sprite) = self.sprite(area, room, draw) {
            self.layers.push(Layer { faces: vec![sprite], order, show });
        }
    }

    /// Adds a number that counts up through its faces.
    pub fn counter(&mut self, order: usize, faces: Vec<Sprite>) {
        if !faces.is_empty() {
            self.layers.push(Layer { faces, order: Some(order), show: Show::Counter { order } });
        }
    }

    pub fn image(&self, image: &ImageRef) -> Result<&'a Pixmap, RenderError> {
        self.pictures.get(image)
    }

    /// Every layer, and how many places their row has.
    pub fn finish(self) -> (Vec<Layer>, usize, bool) {
        (self.layers, self.order, self.rtl)
    }
}

/// A card reads from right to left when the first of its texts that has letters does.
fn reads_rtl(content: &Content) -> bool {
    let heads = [&content.title, &content.subtitle, &content.body, &content.kicker];
    let items = content.items.iter().flat_map(|item| [&item.title, &item.text]);
    heads.into_iter().chain(items).find_map(|text| spans::is_rtl(text)).unwrap_or(false)
}

/// A card's ground: its shadow, its surface and its edge.
pub(crate) fn ground(look: &Look, canvas: &mut Canvas, area: Area, forward: bool) {
    let (palette, radius) = (look.palette, look.radius);
    canvas.shadow(area, radius, 44.0, 18.0, look.shadow);
    canvas.round(area, radius, Fill::Solid(palette.surface, 1.0));
    if forward {
        canvas.round(area, radius, Fill::Down(palette.accent, 0.14, palette.accent, 0.02));
        canvas.edge(area, radius, 4.0, palette.accent, 1.0);
    } else {
        canvas.round(area, radius, Fill::Down(palette.ink, 0.035, palette.ink, 0.0));
        canvas.edge(area, radius, 1.5, palette.line, 0.9);
    }
}
