//! The ground of a card: a smooth, dithered gradient with glows, and shapes that give each theme its own air.

use reelhook_domain::film::{Format, Theme};
use tiny_skia::Pixmap;

use crate::shapes;
use crate::theme::{Palette, Rgb, look};

/// A soft light: its middle and reach in parts of the longer side, its colour and strength.
struct Glow(f32, f32, f32, Rgb, f32);

/// Draws the ground; `opening` cards such as titles carry larger shapes than those full of text. A card that reads from
/// right to left has it turned around: its shapes stand where lines end.
pub(crate) fn draw(theme: Theme, size: (u32, u32), format: Format, opening: bool, rtl: bool) -> Option<Pixmap> {
    let palette = look(theme).palette;
    let mut pixmap = Pixmap::new(size.0, size.1)?;
    let tall = match format {
        Format::Standard => false,
        Format::Reels => true,
    };
    ground(&mut pixmap, &palette, &glows(theme, &palette, tall, opening));
    shapes::draw(&mut pixmap, theme, &palette, tall, opening);
    if rtl {
        let width = size.0 as usize;
        pixmap.pixels_mut().chunks_exact_mut(width).for_each(<[_]>::reverse);
    }
    Some(pixmap)
}

fn glows(theme: Theme, palette: &Palette, tall: bool, opening: bool) -> Vec<Glow> {
    // In a wide card across is 0..1 and down 0..0.5625; in a tall one the other way round.
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

fn ground(pixmap: &mut Pixmap, palette: &Palette, glows: &[Glow]) {
    let (width, height) = (pixmap.width() as usize, pixmap.height() as usize);
    let unit = 1.0 / width.max(height) as f32;
    let channels = |rgb: Rgb| [f32::from(rgb.0), f32::from(rgb.1), f32::from(rgb.2)];
    let (from, to) = (channels(palette.from), channels(palette.to));
    let glows: Vec<_> =
        glows.iter().map(|glow| (glow.0, glow.1, 1.0 / (glow.2 * glow.2), channels(glow.3), glow.4)).collect();
    let length = (width + height) as f32;
    for (y, row) in pixmap.data_mut().chunks_exact_mut(width * 4).enumerate() {
        let down = y as f32 * unit;
        for (x, pixel) in row.chunks_exact_mut(4).enumerate() {
            let part = (x + y) as f32 / length;
            let mut colour = [0, 1, 2].map(|channel: usize| from[channel] + (to[channel] - from[channel]) * part);
            let across = x as f32 * unit;
            for (middle_x, middle_y, reach, glow, strength) in &glows {
                let (dx, dy) = (across - middle_x, down - middle_y);
                let near = 1.0 - (dx * dx + dy * dy) * reach;
                if near > 0.0 {
                    let alpha = near * near * strength;
                    for (colour, glow) in colour.iter_mut().zip(glow) {
                        *colour += (glow - *colour) * alpha;
                    }
                }
            }
            // Half a step of noise hides the steps of a gradient; the same for every channel, so that it has no colour.
            let noise = hash(x as u32, y as u32);
            for (out, colour) in pixel.iter_mut().zip(colour) {
                *out = (colour + noise).clamp(0.0, 255.0) as u8;
            }
            pixel[3] = 255;
        }
    }
}

/// 0 to 1, without a pattern.
fn hash(x: u32, y: u32) -> f32 {
    let mut value = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77);
    value = (value ^ (value >> 15)).wrapping_mul(0x2C1B_3C6D);
    value = (value ^ (value >> 12)).wrapping_mul(0x297A_2D39);
    ((value ^ (value >> 15)) & 0xFFFF) as f32 / 65_536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_be_read_wherever_it_may_stand() {
        for theme in Theme::ALL {
            let palette = Palette::of(theme);
            for (format, size, opening) in [
                (Format::Standard, (480, 270), true),
                (Format::Standard, (480, 270), false),
                (Format::Reels, (270, 480), true),
                (Format::Reels, (270, 480), false),
            ] {
                let ground = draw(theme, size, format, opening, false).expect("a size");
                let (mut weak, mut all) = (0, 0);
                for y in size.1 * 14 / 100..size.1 * 82 / 100 {
                    for x in size.0 * 7 / 100..size.0 * 93 / 100 {
                        let Some(pixel) = ground.pixel(x, y) else { continue };
                        let below = Rgb(pixel.red(), pixel.green(), pixel.blue());
                        all += 1;
                        weak += u32::from(palette.ink.contrast(below).min(palette.muted.contrast(below)) < 4.5);
                    }
                }
                // A shape in a corner may be stronger: no line reaches so far.
                assert!(weak * 100 <= all * 4, "{theme:?} {format:?} {opening}: {weak} of {all} pixels");
            }
        }
    }
}
