//! A pixmap with drawing operations in design pixels: shapes, soft shadows, text and images, mirrored for right-to-left
//! cards.

use cosmic_text::{CacheKey, CacheKeyFlags, SwashContent};
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path, PathBuilder, Pixmap, Point,
    PremultipliedColorU8, Shader, SpreadMode, Stroke, Transform,
};

use crate::area::Area;
use crate::dither;
use crate::emoji;
use crate::faces;
use crate::fonts::Fonts;
use crate::lines::PlacedGlyph;
use crate::text::{Alignment, Typeset};
use crate::theme::Rgb;

/// How a shape is filled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fill {
    Solid(Rgb, f32),
    /// A gradient from the top left to the bottom right.
    Diagonal(Rgb, Rgb),
    /// A gradient from the top colour and opacity to the bottom colour and opacity.
    Vertical(Rgb, f32, Rgb, f32),
}

pub(crate) struct Canvas {
    pub pixmap: Pixmap,
    scale: f32,
    origin: (f32, f32),
    mirror: Option<f32>,
}

impl Canvas {
    /// Creates a transparent canvas whose top left corner is at `origin` on the card. All sizes are in device pixels.
    pub fn new(width: u32, height: u32, origin: (i32, i32), scale: f32, mirror: Option<f32>) -> Option<Self> {
        let pixmap = Pixmap::new(width.max(1), height.max(1))?;
        Some(Self { pixmap, scale, origin: (origin.0 as f32, origin.1 as f32), mirror })
    }

    /// Converts an area of the card to pixels of this canvas.
    fn to_device(&self, area: Area) -> Area {
        let x = self.mirror.map_or(area.x, |width| width - area.x - area.w);
        Area {
            x: x * self.scale - self.origin.0,
            y: area.y * self.scale - self.origin.1,
            w: area.w * self.scale,
            h: area.h * self.scale,
        }
    }

    pub fn fill_rounded(&mut self, area: Area, radius: f32, fill: Fill) {
        let at = self.to_device(area);
        let Some(path) = rounded_rectangle(at, radius * self.scale) else { return };
        self.fill(&path, at, fill);
    }

    pub fn fill_circle(&mut self, x: f32, y: f32, radius: f32, fill: Fill) {
        self.fill_rounded(Area::new(x - radius, y - radius, 2.0 * radius, 2.0 * radius), radius, fill);
    }

    fn fill(&mut self, path: &Path, at: Area, fill: Fill) {
        let shader = match fill {
            Fill::Solid(rgb, alpha) => Shader::SolidColor(colour(rgb, alpha)),
            Fill::Diagonal(a, b) => {
                let stops = vec![GradientStop::new(0.0, colour(a, 1.0)), GradientStop::new(1.0, colour(b, 1.0))];
                let (from, to) = (Point::from_xy(at.x, at.y), Point::from_xy(at.right(), at.bottom()));
                LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
                    .unwrap_or(Shader::SolidColor(colour(a, 1.0)))
            }
            Fill::Vertical(a, from, b, to) => return self.fill_vertical_gradient(path, at, (a, from), (b, to)),
        };
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        self.pixmap.fill_path(path, &paint, FillRule::Winding, Transform::identity(), None);
    }

    /// Fills a path with a vertical gradient. The gradient is so gradual that it is dithered over an opaque background.
    fn fill_vertical_gradient(&mut self, path: &Path, at: Area, top: (Rgb, f32), bottom: (Rgb, f32)) {
        let width = self.pixmap.width();
        let Some(mut mask) = Mask::new(width, self.pixmap.height()) else { return };
        mask.fill_path(path, FillRule::Winding, true, Transform::identity());
        let channels = |(rgb, alpha): (Rgb, f32)| [f32::from(rgb.0), f32::from(rgb.1), f32::from(rgb.2), alpha];
        let (first, last) = (channels(top), channels(bottom));
        let place = |origin: f32| (origin as i32).rem_euclid(dither::PERIOD) as usize;
        let (left, top) = (place(self.origin.0), place(self.origin.1));
        let masks = mask.data().chunks_exact(width as usize);
        for (y, (row, mask)) in self.pixmap.pixels_mut().chunks_exact_mut(width as usize).zip(masks).enumerate() {
            let part = ((y as f32 + 0.5 - at.y) / at.h.max(1.0)).clamp(0.0, 1.0);
            let [r, g, b, alpha] = [0, 1, 2, 3].map(|at: usize| first[at] + (last[at] - first[at]) * part);
            for (x, (pixel, coverage)) in
                row.iter_mut().zip(mask).enumerate().filter(|(_, (_, coverage))| **coverage != 0)
            {
                let alpha = alpha * f32::from(*coverage) / 255.0;
                let mixed = [(r, pixel.red()), (g, pixel.green()), (b, pixel.blue())]
                    .map(|(above, below)| above * alpha + f32::from(below) * (1.0 - alpha));
                let a = (255.0 * alpha + f32::from(pixel.alpha()) * (1.0 - alpha) + 0.5) as u8;
                let [r, g, b] = if pixel.is_opaque() {
                    dither::dithered(mixed, left + x, top + y)
                } else {
                    mixed.map(|channel| ((channel + 0.5) as u8).min(a))
                };
                if let Some(mixed) = PremultipliedColorU8::from_rgba(r, g, b, a) {
                    *pixel = mixed;
                }
            }
        }
    }

    pub fn stroke_border(&mut self, area: Area, radius: f32, width: f32, rgb: Rgb, alpha: f32) {
        let at = self.to_device(area.inset(width / 2.0, width / 2.0));
        if let Some(path) = rounded_rectangle(at, (radius - width / 2.0).max(0.0) * self.scale) {
            self.stroke(&path, width * self.scale, rgb, alpha);
        }
    }

    /// Strokes a line through `points` of the unit square, scaled to an area. It is never mirrored.
    pub fn stroke_points(&mut self, area: Area, points: &[(f32, f32)], width: f32, rgb: Rgb) {
        let at = self.to_device(area);
        let mut builder = PathBuilder::new();
        for (index, &(x, y)) in points.iter().enumerate() {
            let (x, y) = (at.x + x * at.w, at.y + y * at.h);
            if index == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
        }
        if let Some(path) = builder.finish() {
            self.stroke(&path, width * self.scale, rgb, 1.0);
        }
    }

    /// Fills one half of a quotation mark, whose tail points in the reading direction.
    pub fn fill_quotation_mark(&mut self, area: Area, fill: Fill) {
        let at = self.to_device(area);
        let x = |part: f32| at.x + if self.mirror.is_some() { 1.0 - part } else { part } * at.w;
        let y = |part: f32| at.y + part * at.h;
        let mut path = PathBuilder::new();
        path.move_to(x(0.0), y(0.66));
        path.cubic_to(x(0.0), y(0.32), x(0.34), y(0.08), x(0.90), y(0.0));
        path.line_to(x(0.98), y(0.13));
        path.cubic_to(x(0.66), y(0.21), x(0.50), y(0.31), x(0.48), y(0.44));
        path.cubic_to(x(0.80), y(0.42), x(1.0), y(0.54), x(1.0), y(0.71));
        path.cubic_to(x(1.0), y(0.88), x(0.78), y(1.0), x(0.52), y(1.0));
        path.cubic_to(x(0.20), y(1.0), x(0.0), y(0.88), x(0.0), y(0.66));
        path.close();
        if let Some(path) = path.finish() {
            self.fill(&path, at, fill);
        }
    }

    pub fn stroke_check_mark(&mut self, area: Area, width: f32, rgb: Rgb) {
        self.stroke_points(area, &[(0.05, 0.55), (0.38, 0.86), (0.95, 0.18)], width, rgb);
    }

    fn stroke(&mut self, path: &Path, width: f32, rgb: Rgb, alpha: f32) {
        let paint = Paint { shader: Shader::SolidColor(colour(rgb, alpha)), anti_alias: true, ..Paint::default() };
        let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        self.pixmap.stroke_path(path, &paint, &stroke, Transform::identity(), None);
    }

    /// Draws a soft shadow of an area. The shadow extends `blur` beyond the area, so leave room for it.
    pub fn draw_shadow(&mut self, area: Area, radius: f32, blur: f32, down: f32, strength: f32) {
        let at = self.to_device(Area { y: area.y + down, ..area });
        let (blur, radius) = (blur * self.scale, radius * self.scale);
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        let (half_w, half_h) = (at.w / 2.0, at.h / 2.0);
        let radius = radius.min(half_w).min(half_h);
        for (y, row) in self.pixmap.pixels_mut().chunks_exact_mut(width as usize).enumerate().take(height as usize) {
            let dy = ((y as f32 + 0.5 - at.y - half_h).abs() - half_h + radius).max(0.0);
            for (x, pixel) in row.iter_mut().enumerate() {
                let dx = ((x as f32 + 0.5 - at.x - half_w).abs() - half_w + radius).max(0.0);
                let outside = (dx * dx + dy * dy).sqrt() - radius;
                let part = (0.5 - outside / (2.0 * blur)).clamp(0.0, 1.0);
                let alpha = part * part * (3.0 - 2.0 * part) * strength;
                if alpha > 0.002 {
                    over(pixel, (0, 0, 0), (alpha * 255.0) as u32);
                }
            }
        }
    }

    /// Draws typeset text in a box that starts at `x` and `y` and has this width.
    pub fn draw_text(&mut self, fonts: &mut Fonts, set: &Typeset, x: f32, y: f32, width: f32) {
        let at = self.to_device(Area { x, y, w: width, h: set.height });
        let (size, style) = (set.size(), &set.style);
        for (baseline, line) in set.placed_lines() {
            let free = at.w - line.width;
            let start = match (style.alignment, set.rtl) {
                (Alignment::Start, false) => 0.0,
                (Alignment::Start, true) => free,
                (Alignment::Centre, true | false) => free / 2.0,
            };
            for glyph in &line.glyphs {
                let place = (at.x + start + glyph.x, at.y + baseline - glyph.y);
                if Some(glyph.face.id) == fonts.faces.emoji() {
                    self.emoji(fonts, glyph, size, place);
                } else {
                    let colour = if glyph.bold { style.bold } else { style.colour };
                    self.glyph(fonts, glyph, size, place, colour);
                }
            }
        }
    }

    fn glyph(&mut self, fonts: &mut Fonts, glyph: &PlacedGlyph, size: f32, (x, y): (f32, f32), rgb: Rgb) {
        let place = (x, y.trunc());
        let (key, x, y) =
            CacheKey::new(glyph.face.id, glyph.glyph, size, place, glyph.face.weight, CacheKeyFlags::empty());
        let Some(image) = fonts.swash.get_image(&mut fonts.system, key) else { return };
        let (left, top) = (x + image.placement.left, y - image.placement.top);
        let across = image.placement.width as usize;
        let bytes = match image.content {
            SwashContent::Mask => 1,
            SwashContent::Color | SwashContent::SubpixelMask => 4,
        };
        for (row, line) in image.data.chunks_exact((across * bytes).max(1)).enumerate() {
            for (column, source) in line.chunks_exact(bytes).enumerate() {
                let Some(pixel) = pixel(&mut self.pixmap, left + column as i32, top + row as i32) else { continue };
                match *source {
                    [alpha] => over(pixel, (rgb.0, rgb.1, rgb.2), u32::from(alpha)),
                    [r, g, b, alpha] => over(pixel, (r, g, b), u32::from(alpha)),
                    _ => {}
                }
            }
        }
    }

    fn emoji(&mut self, fonts: &mut Fonts, glyph: &PlacedGlyph, size: f32, (x, y): (f32, f32)) {
        let key = (glyph.glyph, size.to_bits());
        if !fonts.emojis.contains_key(&key) {
            let font = faces::font(&mut fonts.system, glyph.face.id);
            let drawn = font.and_then(|font| emoji::draw(font.data(), glyph.glyph, size));
            fonts.emojis.insert(key, drawn);
        }
        let Some(Some(drawn)) = fonts.emojis.get(&key) else { return };
        let x = (x - size * 0.25).round() as i32;
        let y = (y - size * 1.25).round() as i32;
        let paint = tiny_skia::PixmapPaint::default();
        self.pixmap.draw_pixmap(x, y, drawn.as_ref(), &paint, Transform::identity(), None);
    }

    /// Draws the soft shadow of an image with transparency: the shadow follows the visible pixels and not the area.
    pub fn draw_image_shadow(&mut self, image: &Pixmap, area: Area, radius: f32, blur: f32, down: f32, strength: f32) {
        let at = self.corner(Area { y: area.y + down, ..area });
        let radius = radius * self.scale;
        let (width, height) = (self.pixmap.width(), self.pixmap.height());
        let mut mask = vec![0; (width * height) as usize];
        for (x, y, source, coverage) in rounded_pixels(image, radius) {
            let (x, y) = (u32::try_from(at.0 + x), u32::try_from(at.1 + y));
            if let (Ok(x), Ok(y)) = (x, y)
                && x < width
                && y < height
            {
                mask[(y * width + x) as usize] = (u32::from(source.alpha()) * coverage / 255) as u8;
            }
        }
        // Two box blurs approximate a slope that extends `blur` to each side, as in `draw_shadow`.
        let reach = (blur * self.scale / 2.0).round() as usize;
        let (across, along) = (width as usize, height as usize);
        for _ in 0..2 {
            mask = box_blurred(&mask, across, along, reach);
            mask = box_blurred(&mask, along, across, reach);
        }
        for (pixel, part) in self.pixmap.pixels_mut().iter_mut().zip(mask) {
            let alpha = (f32::from(part) * strength) as u32;
            if alpha > 0 {
                over(pixel, (0, 0, 0), alpha);
            }
        }
    }

    /// Draws an image with rounded corners; the image must have exactly the size of the area in device pixels.
    pub fn draw_image(&mut self, image: &Pixmap, area: Area, radius: f32) {
        let (left, top) = self.corner(area);
        for (x, y, source, coverage) in rounded_pixels(image, radius * self.scale) {
            if let Some(pixel) = pixel(&mut self.pixmap, left + x, top + y) {
                over_premultiplied(pixel, source, coverage);
            }
        }
    }

    /// The pixel of this canvas at which an area starts.
    fn corner(&self, area: Area) -> (i32, i32) {
        let at = self.to_device(area);
        (at.x.round() as i32, at.y.round() as i32)
    }
}

/// The pixels of an image with their positions, and their coverage by the rounded rectangle, 0 to 255.
fn rounded_pixels(image: &Pixmap, radius: f32) -> impl Iterator<Item = (i32, i32, PremultipliedColorU8, u32)> {
    let (half_w, half_h) = (image.width() as f32 / 2.0, image.height() as f32 / 2.0);
    let radius = radius.min(half_w).min(half_h);
    let rows = image.pixels().chunks_exact(image.width() as usize).enumerate();
    rows.flat_map(move |(y, row)| {
        let dy = ((y as f32 + 0.5 - half_h).abs() - half_h + radius).max(0.0);
        row.iter().enumerate().map(move |(x, pixel)| {
            let dx = ((x as f32 + 0.5 - half_w).abs() - half_w + radius).max(0.0);
            let coverage = (0.5 - ((dx * dx + dy * dy).sqrt() - radius)).clamp(0.0, 1.0);
            let coverage = if radius > 0.5 { (255.0 * coverage) as u32 } else { 255 };
            (x as i32, y as i32, *pixel, coverage)
        })
    })
}

/// Averages along the rows and transposes the result; values beyond the edges are 0.
fn box_blurred(mask: &[u8], width: usize, height: usize, radius: usize) -> Vec<u8> {
    let mut out = vec![0; mask.len()];
    let (radius, span) = (radius as isize, 2 * radius as u32 + 1);
    for (y, row) in mask.chunks_exact(width).enumerate() {
        let at = |x: isize| usize::try_from(x).ok().and_then(|x| row.get(x)).map_or(0, |value| u32::from(*value));
        let mut sum: u32 = (-radius..=radius).map(at).sum();
        for x in 0..width {
            out[x * height + y] = ((sum + span / 2) / span) as u8;
            sum = sum + at(x as isize + radius + 1) - at(x as isize - radius);
        }
    }
    out
}

pub(crate) fn colour(rgb: Rgb, alpha: f32) -> Color {
    let mut colour = Color::from_rgba8(rgb.0, rgb.1, rgb.2, 255);
    colour.apply_opacity(alpha);
    colour
}

fn pixel(pixmap: &mut Pixmap, x: i32, y: i32) -> Option<&mut PremultipliedColorU8> {
    let (width, height) = (pixmap.width(), pixmap.height());
    let (x, y) = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
    if x >= width || y >= height {
        return None;
    }
    pixmap.pixels_mut().get_mut((y * width + x) as usize)
}

/// Composites a colour over a pixel; `alpha` ranges from 0 to 255.
fn over(pixel: &mut PremultipliedColorU8, (r, g, b): (u8, u8, u8), alpha: u32) {
    let keep = 255 - alpha;
    let one = |source: u8, below: u8| ((u32::from(source) * alpha + u32::from(below) * keep + 127) / 255) as u8;
    let a = (alpha + (u32::from(pixel.alpha()) * keep + 127) / 255).min(255) as u8;
    let mixed = PremultipliedColorU8::from_rgba(
        one(r, pixel.red()).min(a),
        one(g, pixel.green()).min(a),
        one(b, pixel.blue()).min(a),
        a,
    );
    if let Some(mixed) = mixed {
        *pixel = mixed;
    }
}

/// Composites a premultiplied colour over a pixel; `part` is its coverage, 0 to 255.
fn over_premultiplied(pixel: &mut PremultipliedColorU8, above: PremultipliedColorU8, part: u32) {
    let alpha = (u32::from(above.alpha()) * part + 127) / 255;
    let keep = 255 - alpha;
    let one = |above: u8, below: u8| ((u32::from(above) * part + u32::from(below) * keep + 127) / 255) as u8;
    let a = (alpha + (u32::from(pixel.alpha()) * keep + 127) / 255).min(255) as u8;
    let mixed = PremultipliedColorU8::from_rgba(
        one(above.red(), pixel.red()).min(a),
        one(above.green(), pixel.green()).min(a),
        one(above.blue(), pixel.blue()).min(a),
        a,
    );
    if let Some(mixed) = mixed {
        *pixel = mixed;
    }
}

/// The path of a rectangle with rounded corners.
pub(crate) fn rounded_rectangle(at: Area, radius: f32) -> Option<Path> {
    let radius = radius.min(at.w / 2.0).min(at.h / 2.0).max(0.0);
    let mut path = PathBuilder::new();
    let (l, t, r, b) = (at.x, at.y, at.right(), at.bottom());
    let k = radius * 0.447_715;
    path.move_to(l + radius, t);
    path.line_to(r - radius, t);
    path.cubic_to(r - k, t, r, t + k, r, t + radius);
    path.line_to(r, b - radius);
    path.cubic_to(r, b - k, r - k, b, r - radius, b);
    path.line_to(l + radius, b);
    path.cubic_to(l + k, b, l, b - k, l, b - radius);
    path.line_to(l, t + radius);
    path.cubic_to(l, t + k, l + k, t, l + radius, t);
    path.close();
    path.finish()
}
