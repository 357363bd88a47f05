//! The background of a card: a smooth gradient with glows and without banding, and the shapes that characterise each
//! theme.

use reelhook_domain::videos::film::{Rendition, Theme};
use tiny_skia::Pixmap;

use crate::dither;
use crate::shapes;
use crate::theme::{Palette, Rgb, look};

/// A radial glow: its centre and radius as fractions of the longer side, its colour and its strength.
struct Glow(f32, f32, f32, Rgb, f32);

/// Draws the background. An `opening` card, such as a title, has larger shapes than a card full of text. For
/// right-to-left text the background is mirrored, so that the shapes stay where lines end.
pub(crate) fn draw(theme: Theme, size: (u32, u32), rendition: Rendition, opening: bool, rtl: bool) -> Option<Pixmap> {
    let palette = look(theme).palette;
    let tall = match rendition {
        Rendition::Landscape => false,
        Rendition::Portrait => true,
    };
    let mut pixmap = Pixmap::new(size.0, size.1)?;
    shapes::draw(&mut pixmap, theme, &palette, tall, opening);
    if rtl {
        let width = size.0 as usize;
        pixmap.pixels_mut().chunks_exact_mut(width).for_each(<[_]>::reverse);
    }
    let gradient = Gradient::new(size, &palette, &glows(theme, &palette, tall, opening));
    fill_below(&mut pixmap, &gradient, rtl);
    Some(pixmap)
}

fn glows(theme: Theme, palette: &Palette, tall: bool, opening: bool) -> Vec<Glow> {
    // In a wide card x runs from 0 to 1 and y from 0 to 0.5625; in a tall card it is the other way round.
    let (right, bottom) = if tall { (0.5625, 1.0) } else { (1.0, 0.5625) };
    let more = if opening { 1.0 } else { 0.6 };
    match theme {
        Theme::Corporate => vec![
            Glow(right * 0.95, bottom * 0.05, 0.55, Rgb(0x2F, 0x7D, 0xF0), 0.42 * more),
            Glow(0.0, bottom, 0.5, Rgb(0x05, 0x0E, 0x26), 0.7),
        ],
        Theme::Minimal => vec![Glow(right, 0.0, 0.5, Rgb(0xFF, 0xFF, 0xFF), 0.8)],
        Theme::Vibrant => vec![
            Glow(right * 0.98, bottom * 0.02, 0.5, Rgb(0xF0, 0x3E, 0x9A), 0.55 * more),
            Glow(right * 0.02, bottom * 1.05, 0.5, Rgb(0x7B, 0x3B, 0xFF), 0.6 * more),
            Glow(right * 0.75, bottom * 1.15, 0.38, Rgb(0xFF, 0x7A, 0x3D), 0.4 * more),
        ],
        Theme::Dark => vec![
            Glow(right * 0.88, bottom * -0.12, 0.5, Rgb(0x0F, 0x9F, 0xC4), 0.42 * more),
            Glow(right * 0.05, bottom * 1.15, 0.45, Rgb(0x1D, 0x4E, 0xD8), 0.34 * more),
        ],
        Theme::Nature => vec![
            Glow(right * 0.86, bottom * 0.1, 0.42, Rgb(0xFF, 0xF9, 0xE0), 0.9),
            Glow(0.0, bottom, 0.45, Rgb(0xCB, 0xD6, 0xA8), 0.55),
        ],
        Theme::Sunset => vec![
            Glow(right * 1.0, bottom * 1.08, 0.42, Rgb(0xE0, 0x62, 0x28), 0.45 * more),
            Glow(right * 0.1, bottom * -0.05, 0.5, Rgb(0x3F, 0x0A, 0x3C), 0.75),
        ],
        Theme::Ocean => vec![
            Glow(right * 0.85, bottom * -0.1, 0.55, Rgb(0x1C, 0xA3, 0xB5), 0.42 * more),
            Glow(0.0, bottom, 0.5, Rgb(0x03, 0x17, 0x2E), 0.7),
        ],
        Theme::Luxury => vec![
            Glow(right * 0.5, bottom * 0.45, 0.5, Rgb(0x3A, 0x2C, 0x14), 0.55 * more),
            Glow(right, 0.0, 0.35, palette.accent, 0.10 * more),
        ],
    }
}

/// The gradient and its glows, evaluated without rounding.
struct Gradient {
    from: [f32; 3],
    step: [f32; 3],
    /// The size of a pixel as a fraction of the longer side.
    unit: f32,
    /// Centre, reciprocal of the squared radius, colour and strength of each glow.
    glows: Vec<([f32; 2], f32, [f32; 3], f32)>,
}

impl Gradient {
    fn new((width, height): (u32, u32), palette: &Palette, glows: &[Glow]) -> Self {
        let channels = |rgb: Rgb| [f32::from(rgb.0), f32::from(rgb.1), f32::from(rgb.2)];
        let (from, to) = (channels(palette.from), channels(palette.to));
        let length = (width + height) as f32;
        let glows = glows.iter().map(|Glow(x, y, reach, rgb, strength)| {
            let reach = 1.0 / (reach * reach);
            ([*x, *y], reach, channels(*rgb), *strength)
        });
        Self {
            from,
            step: [0, 1, 2].map(|channel: usize| (to[channel] - from[channel]) / length),
            unit: 1.0 / width.max(height) as f32,
            glows: glows.collect(),
        }
    }

    /// The colour of a pixel; channels range from 0 to 255.
    fn colour(&self, x: usize, y: usize) -> [f32; 3] {
        let along = (x + y) as f32;
        let mut colour = [0, 1, 2].map(|channel: usize| self.from[channel] + self.step[channel] * along);
        let (across, down) = (x as f32 * self.unit, y as f32 * self.unit);
        for ([middle_x, middle_y], reach, glow, strength) in &self.glows {
            let (dx, dy) = (across - middle_x, down - middle_y);
            let near = 1.0 - (dx * dx + dy * dy) * reach;
            if near > 0.0 {
                let alpha = near * near * strength;
                for (colour, glow) in colour.iter_mut().zip(glow) {
                    *colour += (glow - *colour) * alpha;
                }
            }
        }
        colour
    }
}

/// Composites the gradient below what is drawn. Colours are rounded only here, so that there is no banding below thin
/// shapes either.
fn fill_below(pixmap: &mut Pixmap, gradient: &Gradient, rtl: bool) {
    let width = pixmap.width() as usize;
    for (y, row) in pixmap.data_mut().chunks_exact_mut(width * 4).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
            if pixel[3] == 255 {
                continue;
            }
            let keep = f32::from(255 - pixel[3]) / 255.0;
            let colour = gradient.colour(if rtl { width - 1 - x } else { x }, y);
            let exact = [0, 1, 2].map(|channel: usize| f32::from(pixel[channel]) + colour[channel] * keep);
            let [r, g, b] = dither::dithered(exact, x, y);
            pixel.copy_from_slice(&[r, g, b, 255]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Yuv;

    #[test]
    fn no_theme_has_bands() {
        let size = (1280, 720);
        let (width, height) = (size.0 as usize, size.1 as usize);
        for &theme in Theme::ALL {
            let palette = Palette::of(theme);
            let gradient = Gradient::new(size, &palette, &glows(theme, &palette, false, true));
            let mut pixmap = Pixmap::new(size.0, size.1).expect("a size");
            fill_below(&mut pixmap, &gradient, false);
            let mut frame = Yuv::new(size.0, size.1);
            frame.copy_all(&pixmap);
            let luma = &frame.bytes()[..width * height];
            // White has no step above it, so it can't be dithered.
            let bright = |[r, g, b]: [f32; 3]| r.min(g).min(b) > 253.0;
            let (mut worst, mut longest) = (0.0_f64, 0);
            for top in (0..height).step_by(16) {
                for left in (0..width).step_by(16) {
                    let (mut drawn, mut meant, mut white) = (0.0, 0.0, false);
                    for (x, y) in (top..top + 16).flat_map(|y| (left..left + 16).map(move |x| (x, y))) {
                        let colour = gradient.colour(x, y);
                        let [r, g, b] = colour.map(f64::from);
                        white |= bright(colour);
                        drawn += f64::from(luma[y * width + x]);
                        meant += 16.0 + (0.2126 * r + 0.7152 * g + 0.0722 * b) * 219.0 / 255.0;
                    }
                    if !white {
                        worst = worst.max((drawn - meant).abs() / 256.0);
                    }
                }
            }
            for (y, row) in luma.chunks_exact(width).enumerate() {
                let mut run = 0;
                for (x, pair) in row.windows(2).enumerate() {
                    run = if pair[0] == pair[1] && !bright(gradient.colour(x, y)) { run + 1 } else { 0 };
                    longest = longest.max(run);
                }
            }
            assert!(worst < 0.15, "{theme:?}: a square of 16 pixels is {worst} steps off");
            assert!(longest < 12, "{theme:?}: {longest} pixels of one luma in a row");
        }
    }

    #[test]
    fn text_is_readable_everywhere_in_the_text_area() {
        for &theme in Theme::ALL {
            let palette = Palette::of(theme);
            for (rendition, size, opening) in [
                (Rendition::Landscape, (480, 270), true),
                (Rendition::Landscape, (480, 270), false),
                (Rendition::Portrait, (270, 480), true),
                (Rendition::Portrait, (270, 480), false),
            ] {
                let backdrop = draw(theme, size, rendition, opening, false).expect("a size");
                let (mut weak, mut all) = (0, 0);
                for y in size.1 * 14 / 100..size.1 * 82 / 100 {
                    for x in size.0 * 7 / 100..size.0 * 93 / 100 {
                        let Some(pixel) = backdrop.pixel(x, y) else { continue };
                        let below = Rgb(pixel.red(), pixel.green(), pixel.blue());
                        all += 1;
                        weak += u32::from(palette.ink.contrast(below).min(palette.muted.contrast(below)) < 4.5);
                    }
                }
                // A shape in a corner may have less contrast, because no line of text reaches it.
                assert!(weak * 100 <= all * 4, "{theme:?} {rendition:?} {opening}: {weak} of {all} pixels");
            }
        }
    }
}
