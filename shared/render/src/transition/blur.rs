//! A soft blur: the frame is made smaller, averaged, and drawn over itself.

use super::mixing::{between, weight};
use crate::frames::Yuv;

/// The factor by which the blurred frame is smaller than the frame, on each side.
const SCALE: usize = 4;

/// Blurs a frame, most in the middle of a transition.
pub(super) fn soften(frame: &mut Yuv, progress: f32) {
    let strength = (progress * std::f32::consts::PI).sin();
    let (full, high) = frame.size();
    let radius = (strength * full.min(high) as f32 / 60.0 / SCALE as f32 * 2.0).round() as usize;
    if radius == 0 {
        return;
    }
    let part = weight(strength * 3.0);
    for (plane, width) in frame.planes_mut() {
        let height = plane.len() / width;
        // Chroma has half of the frame's size already.
        let step = SCALE * width / full;
        let mut small = Small::of(plane, (width, height), step);
        for _ in 0..2 {
            small = small.averaged(radius).averaged(radius);
        }
        let across: Vec<Place> = (0..width).map(|x| Place::of(x, step)).collect();
        for (y, row) in plane.chunks_exact_mut(width).enumerate() {
            small.draw_row(Place::of(y, step), &across, part, row);
        }
    }
}

/// The value of a smaller plane before a pixel, and how far the pixel is on its way to the next one, in 256ths.
#[derive(Debug, Clone, Copy)]
struct Place {
    before: usize,
    part: u32,
}

impl Place {
    fn of(at: usize, step: usize) -> Self {
        // The middle of the pixel from the middle of the first value, in halves of a pixel.
        let halves = (2 * at + 1).saturating_sub(step);
        Self { before: halves / (2 * step), part: (halves % (2 * step) * 128 / step) as u32 }
    }
}

/// A plane that is smaller by a factor on each side, in sixteenths of a step.
struct Small {
    values: Vec<u16>,
    width: usize,
    height: usize,
}

impl Small {
    fn of(plane: &[u8], (width, height): (usize, usize), step: usize) -> Self {
        let (w, h) = (width.div_ceil(step), height.div_ceil(step));
        let mut values = Vec::with_capacity(w * h);
        for rows in plane.chunks(width * step) {
            let mut sums = vec![0_u16; w];
            for row in rows.chunks_exact(width) {
                for (sum, block) in sums.iter_mut().zip(row.chunks(step)) {
                    *sum += block.iter().map(|value| u16::from(*value)).sum::<u16>();
                }
            }
            let high = rows.len() / width;
            values.extend(sums.into_iter().enumerate().map(|(x, sum)| {
                let wide = step.min(width - x * step);
                sum * 16 / (wide * high) as u16
            }));
        }
        Self { values, width: w, height: h }
    }

    /// Averages along the rows and transposes the result.
    fn averaged(&self, radius: usize) -> Self {
        let (width, height) = (self.width, self.height);
        let mut values = vec![0_u16; self.values.len()];
        let span = (2 * radius + 1) as u32;
        for (y, row) in self.values.chunks_exact(width).enumerate() {
            let at = |x: isize| u32::from(row[x.clamp(0, width as isize - 1) as usize]);
            let reach = radius as isize;
            let mut sum: u32 = (-reach..=reach).map(at).sum();
            for x in 0..width {
                values[x * height + y] = ((sum + span / 2) / span) as u16;
                sum = sum + at(x as isize + reach + 1) - at(x as isize - reach);
            }
        }
        Self { values, width: height, height: width }
    }

    /// Draws a row of the large plane, between the values of this one.
    fn draw_row(&self, down: Place, across: &[Place], part: u16, row: &mut [u8]) {
        let line = |y: usize| &self.values[y * self.width..(y + 1) * self.width];
        let (upper, lower) = (line(down.before), line((down.before + 1).min(self.height - 1)));
        let pairs = upper.iter().zip(lower);
        // In 4096ths of a step; the last value stands twice.
        let mut soft: Vec<u32> =
            pairs.map(|(a, b)| u32::from(*a) * (256 - down.part) + u32::from(*b) * down.part).collect();
        soft.extend(soft.last().copied());
        for (out, place) in row.iter_mut().zip(across) {
            let (left, right) = (soft[place.before], soft[place.before + 1]);
            let value = left * (256 - place.part) + right * place.part;
            *out = between(*out, ((value + (1 << 19)) >> 20) as u8, part);
        }
    }
}
