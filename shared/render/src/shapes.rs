//! The background shapes of each theme: bands, dots, rings, hills, waves and fans. They are placed where there is
//! little text.

use reelhook_domain::videos::film::Theme;
use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, Shader, Stroke, Transform};

use crate::canvas::colour;
use crate::theme::{Palette, Rgb};

struct Brush<'a> {
    pixmap: &'a mut Pixmap,
    transform: Transform,
    w: f32,
    h: f32,
}

pub(crate) fn draw(pixmap: &mut Pixmap, theme: Theme, palette: &Palette, tall: bool, opening: bool) {
    let (w, h) = if tall { (1080.0, 1920.0) } else { (1920.0, 1080.0) };
    let scale = pixmap.width() as f32 / w;
    let mut brush = Brush { pixmap, transform: Transform::from_scale(scale, scale), w, h };
    match theme {
        Theme::Corporate => corporate(&mut brush, palette, opening),
        Theme::Minimal => minimal(&mut brush, palette, opening),
        Theme::Vibrant => vibrant(&mut brush, palette, opening),
        Theme::Dark => dark(&mut brush, palette, opening),
        Theme::Nature => nature(&mut brush, palette, opening),
        Theme::Sunset => sunset(&mut brush, palette, opening),
        Theme::Ocean => ocean(&mut brush, palette, opening),
        Theme::Luxury => luxury(&mut brush, palette, opening),
    }
}

fn corporate(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let (w, h) = (brush.w, brush.h);
    let strength = if opening { 1.0 } else { 0.5 };
    for (start, width, alpha) in [(0.66, 0.13, 0.055), (0.82, 0.07, 0.08), (0.915, 0.16, 0.05)] {
        let (x, lean) = (w * start, h * 0.42);
        brush.polygon(
            &[(x + lean, 0.0), (x + w * width + lean, 0.0), (x + w * width - lean, h), (x - lean, h)],
            palette.accent,
            alpha * strength,
        );
    }
    brush.dots(w - 300.0, h - 190.0, 7, 4, 34.0, 2.6, palette.accent, 0.32 * strength);
}

fn minimal(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let (w, h) = (brush.w, brush.h);
    if opening {
        brush.circle(w * 1.02, h * 1.04, h.min(w) * 0.34, palette.accent, 1.0);
        brush.ring(w * 1.02, h * 1.04, h.min(w) * 0.42, 2.0, palette.ink, 0.25);
    } else {
        brush.circle(w, h, 90.0, palette.accent, 1.0);
    }
    brush.dots(w - 250.0, 40.0, 7, 4, 34.0, 3.0, palette.ink, 0.16);
    brush.polygon(&[(0.0, 0.0), (12.0, 0.0), (12.0, h * 0.16), (0.0, h * 0.16)], palette.accent, 1.0);
}

fn vibrant(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let (w, h) = (brush.w, brush.h);
    let violet = Rgb(0xA9, 0x6B, 0xFF);
    let side = w.min(h);
    if opening {
        brush.ring(w * 0.97, h * 0.04, side * 0.33, 44.0, palette.accent, 0.22);
        brush.ring(w * 0.97, h * 0.04, side * 0.20, 10.0, palette.accent_end, 0.45);
        brush.ring(w * 0.01, h * 1.0, side * 0.24, 30.0, violet, 0.25);
    } else {
        brush.ring(w * 0.99, h * 0.01, side * 0.17, 26.0, palette.accent, 0.22);
        brush.ring(w * 0.0, h * 1.0, side * 0.13, 18.0, violet, 0.25);
    }
    for (x, y, r, rgb) in [
        (0.93, 0.965, 10.0, palette.accent_end),
        (0.85, 0.93, 6.0, palette.accent),
        (0.06, 0.05, 8.0, palette.good),
        (0.12, 0.03, 5.0, violet),
        (0.72, 0.035, 7.0, palette.good),
        (0.965, 0.6, 6.0, violet),
        (0.03, 0.55, 7.0, palette.accent_end),
    ] {
        brush.circle(w * x, h * y, r, rgb, 0.75);
    }
}

fn dark(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let (w, h) = (brush.w, brush.h);
    let step = 120.0;
    for column in 1..(w / step) as u32 + 1 {
        let x = column as f32 * step;
        brush.stroke(&[(x, 0.0), (x, h)], 1.0, palette.ink, 0.035);
    }
    for row in 1..(h / step) as u32 + 1 {
        let y = row as f32 * step;
        brush.stroke(&[(0.0, y), (w, y)], 1.0, palette.ink, 0.035);
    }
    for (column, row) in
        [(15.0, 1.0), (15.0, 2.0), (15.0, 8.0), (1.0, 1.0), (7.0, 1.0), (8.0, 15.0), (1.0, 14.0), (2.0, 15.0)]
    {
        let (x, y) = (column * step, row * step);
        // Draw crosses only outside the text area.
        let free = if w > h { x > w - 128.0 } else { y < h * 0.12 || y > h * 0.83 };
        if free && x < w && y < h {
            brush.stroke(&[(x - 9.0, y), (x + 9.0, y)], 2.0, palette.accent, 0.55);
            brush.stroke(&[(x, y - 9.0), (x, y + 9.0)], 2.0, palette.accent, 0.55);
        }
    }
    if opening {
        brush.ring(w * 0.9, h * 0.06, w.min(h) * 0.36, 1.6, palette.accent, 0.35);
        brush.ring(w * 0.9, h * 0.06, w.min(h) * 0.48, 1.2, palette.accent, 0.18);
        brush.ring(w * 0.9, h * 0.06, w.min(h) * 0.60, 1.0, palette.accent, 0.10);
    }
}

fn nature(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let (w, h) = (brush.w, brush.h);
    let rise = match (opening, w > h) {
        (true, true) => 0.7,
        (true, false) => 1.0,
        (false, true | false) => 0.4,
    };
    brush.circle(w * 0.9, h * 0.1, w.min(h) * if opening { 0.17 } else { 0.1 }, Rgb(0xF2, 0xD4, 0x8A), 0.42);
    let high = h.min(w) * rise;
    brush.hill(h - high * 0.20, high * 0.09, 0.15, Rgb(0xB9, 0xC9, 0x95), 0.55);
    brush.hill(h - high * 0.12, high * 0.07, 0.55, Rgb(0x8F, 0xAE, 0x7C), 0.55);
    brush.hill(h - high * 0.05, high * 0.05, 0.9, palette.accent, 0.55);
}

fn sunset(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let (w, h) = (brush.w, brush.h);
    let (x, y) = (w * 0.93, h * if opening { 0.98 } else { 1.06 });
    let radius = w.min(h) * if opening { 0.24 } else { 0.16 };
    for (part, alpha) in [(2.6, 0.05), (2.05, 0.06), (1.5, 0.08)] {
        brush.circle(x, y, radius * part, palette.accent_end, alpha);
    }
    brush.circle(x, y, radius, palette.accent, 0.5);
}

fn ocean(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let h = brush.h;
    let wide = brush.w > brush.h;
    let high = brush.h.min(brush.w)
        * if !opening {
            0.45
        } else if wide {
            0.72
        } else {
            1.0
        };
    brush.hill(h - high * 0.19, high * 0.055, 0.1, palette.accent, 0.10);
    brush.hill(h - high * 0.13, high * 0.05, 0.6, palette.accent, 0.13);
    brush.hill(h - high * 0.06, high * 0.04, 0.35, palette.accent_end, 0.20);
    let w = brush.w;
    for (x, y, r) in [(0.94, 0.13, 26.0), (0.965, 0.22, 12.0), (0.915, 0.075, 9.0), (0.975, 0.06, 16.0)] {
        brush.ring(w * x, h * y, r, 2.0, palette.accent, 0.4);
    }
}

fn luxury(brush: &mut Brush<'_>, palette: &Palette, opening: bool) {
    let (w, h) = (brush.w, brush.h);
    let inset = 34.0;
    let corner = 26.0;
    let frame = [
        (inset + corner, inset),
        (w - inset - corner, inset),
        (w - inset, inset + corner),
        (w - inset, h - inset - corner),
        (w - inset - corner, h - inset),
        (inset + corner, h - inset),
        (inset, h - inset - corner),
        (inset, inset + corner),
        (inset + corner, inset),
    ];
    brush.stroke(&frame, 1.6, palette.accent, 0.55);
    if opening {
        for radius in 1..=6 {
            let alpha = 0.30 - radius as f32 * 0.035;
            brush.ring(w, h, radius as f32 * w.min(h) * 0.07, 1.4, palette.accent, alpha);
            brush.ring(0.0, 0.0, radius as f32 * w.min(h) * 0.07, 1.4, palette.accent, alpha);
        }
    }
}

impl Brush<'_> {
    fn fill(&mut self, path: Option<Path>, rgb: Rgb, alpha: f32) {
        let Some(path) = path else { return };
        let paint = Paint { shader: Shader::SolidColor(colour(rgb, alpha)), anti_alias: true, ..Paint::default() };
        self.pixmap.fill_path(&path, &paint, FillRule::Winding, self.transform, None);
    }

    fn line(&mut self, path: Option<Path>, width: f32, rgb: Rgb, alpha: f32) {
        let Some(path) = path else { return };
        let paint = Paint { shader: Shader::SolidColor(colour(rgb, alpha)), anti_alias: true, ..Paint::default() };
        self.pixmap.stroke_path(&path, &paint, &Stroke { width, ..Stroke::default() }, self.transform, None);
    }

    fn polygon(&mut self, points: &[(f32, f32)], rgb: Rgb, alpha: f32) {
        self.fill(polyline(points, true), rgb, alpha);
    }

    fn stroke(&mut self, points: &[(f32, f32)], width: f32, rgb: Rgb, alpha: f32) {
        self.line(polyline(points, false), width, rgb, alpha);
    }

    fn circle(&mut self, x: f32, y: f32, radius: f32, rgb: Rgb, alpha: f32) {
        self.fill(PathBuilder::from_circle(x, y, radius), rgb, alpha);
    }

    fn ring(&mut self, x: f32, y: f32, radius: f32, width: f32, rgb: Rgb, alpha: f32) {
        self.line(PathBuilder::from_circle(x, y, radius), width, rgb, alpha);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of a grid of dots; a struct for them would be used only here"
    )]
    fn dots(&mut self, x: f32, y: f32, columns: u32, rows: u32, step: f32, radius: f32, rgb: Rgb, alpha: f32) {
        for row in 0..rows {
            for column in 0..columns {
                self.circle(x + column as f32 * step, y + row as f32 * step, radius, rgb, alpha);
            }
        }
    }

    /// Fills a soft wave across the full width, down to the lower edge.
    fn hill(&mut self, y: f32, height: f32, phase: f32, rgb: Rgb, alpha: f32) {
        let mut path = PathBuilder::new();
        path.move_to(0.0, self.h);
        for step in 0..=64 {
            let part = step as f32 / 64.0;
            let wave = ((part * 1.35 + phase) * std::f32::consts::TAU).sin()
                + 0.35 * ((part * 2.9 + phase * 1.7) * std::f32::consts::TAU).sin();
            path.line_to(part * self.w, y - wave * height);
        }
        path.line_to(self.w, self.h);
        path.close();
        self.fill(path.finish(), rgb, alpha);
    }
}

fn polyline(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        if index == 0 { path.move_to(x, y) } else { path.line_to(x, y) }
    }
    if closed {
        path.close();
    }
    path.finish()
}
