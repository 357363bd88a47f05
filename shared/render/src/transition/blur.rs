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
        // Chroma has half of the frame's size already.
        let step = SCALE * width / full;
        let mut small = Small::of(plane, width, step);
        for _ in 0..2 {
            small = small.averaged(radius).averaged(radius);
        }
        small.draw_over(plane, width, step, part);
    }
}

/// The value of a smaller plane before a pixel, and the eighths of it and of the next one that the pixel has.
#[derive(Debug, Clone, Copy)]
struct Place {
    before: usize,
    parts: [u8; 2],
}

impl Place {
    /// The place of a pixel. A step of two or four pixels has only places at eighths.
    fn of(at: usize, step: usize) -> Self {
        // The middle of the pixel from the middle of the first value, in halves of a pixel.
        let halves = (2 * at + 1).saturating_sub(step);
        let next = (halves % (2 * step) * 4 / step) as u8;
        Self { before: halves / (2 * step), parts: [8 - next, next] }
    }
}

/// A plane that is smaller by a factor on each side, in sixteenths of a step: values have twelve bits.
struct Small {
    values: Vec<u16>,
    width: usize,
    height: usize,
}

impl Small {
    fn of(plane: &[u8], width: usize, step: usize) -> Self {
        let (w, h) = (width.div_ceil(step), (plane.len() / width).div_ceil(step));
        let mut values = Vec::with_capacity(w * h);
        let mut columns = vec![0_u16; width];
        for rows in plane.chunks(width * step) {
            columns.fill(0);
            for row in rows.chunks_exact(width) {
                for (sum, value) in columns.iter_mut().zip(row) {
                    // At most four rows: a wrapping sum is the sum, and many are made at once.
                    *sum = sum.wrapping_add(u16::from(*value));
                }
            }
            let high = rows.len() / width;
            values.extend(columns.chunks(step).map(|block| {
                let (sum, pixels) = (block.iter().sum::<u16>(), block.len() * high);
                // A whole block has four or sixteen pixels, and needs no division.
                if pixels == step * step { sum * (16 / (step * step)) as u16 } else { sum * 16 / pixels as u16 }
            }));
        }
        Self { values, width: w, height: h }
    }

    /// Averages along the rows and transposes the result.
    fn averaged(&self, radius: usize) -> Self {
        let (width, height) = (self.width, self.height);
        let mut values = vec![0_u16; self.values.len()];
        let span = 2 * radius + 1;
        // In 2^-32, rounded up. Sums stay below 2^22 and spans below 2^10, so products with it, rounded down, are the
        // exact quotients.
        let reciprocal = (1_u64 << 32).div_ceil(span as u64);
        let mut extended: Vec<u16> = Vec::with_capacity(width + span);
        for (y, row) in self.values.chunks_exact(width).enumerate() {
            // The values at the edges stand for those beyond them.
            extended.clear();
            extended.extend(std::iter::repeat_n(row[0], radius));
            extended.extend_from_slice(row);
            extended.extend(std::iter::repeat_n(row[width - 1], radius + 1));
            let mut sum: u32 = extended[..span].iter().map(|value| u32::from(*value)).sum();
            let column = values[y..].iter_mut().step_by(height);
            for ((out, left), entered) in column.zip(&extended).zip(&extended[span..]) {
                *out = ((u64::from(sum + radius as u32) * reciprocal) >> 32) as u16;
                sum = sum + u32::from(*entered) - u32::from(*left);
            }
        }
        Self { values, width: height, height: width }
    }

    /// All rows at the width of the large plane, in eighths of what the values are in.
    fn widened(&self, width: usize, step: usize) -> Vec<u16> {
        let across: Vec<Place> = (0..width).map(|x| Place::of(x, step)).collect();
        let mut wide = Vec::with_capacity(width * self.height);
        let mut line: Vec<u16> = Vec::with_capacity(self.width + 1);
        for row in self.values.chunks_exact(self.width) {
            line.clear();
            line.extend_from_slice(row);
            // The last value stands twice.
            line.extend(row.last());
            wide.extend(across.iter().map(|Place { before, parts }| {
                let [left, right] = parts.map(u32::from);
                let pair = &line[*before..*before + 2];
                (u32::from(pair[0]) * left + u32::from(pair[1]) * right) as u16
            }));
        }
        wide
    }

    /// Draws a fraction of 256 of this over the large plane: between two values across, and then between two down.
    fn draw_over(&self, plane: &mut [u8], width: usize, step: usize, part: u16) {
        let wide = self.widened(width, step);
        for (y, row) in plane.chunks_exact_mut(width).enumerate() {
            let Place { before, parts } = Place::of(y, step);
            let [above, below] = parts.map(u32::from);
            let line = |at: usize| wide[at.min(self.height - 1) * width..].iter();
            for ((out, upper), lower) in row.iter_mut().zip(line(before)).zip(line(before + 1)) {
                // In 1024ths of a step.
                let value = u32::from(*upper) * above + u32::from(*lower) * below;
                *out = between(*out, ((value + 512) >> 10) as u8, part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that have nothing in common, below a limit.
    fn pattern(count: usize, limit: usize) -> impl Iterator<Item = usize> {
        (0..count).map(move |at| ((at * 2_654_435_761) >> 9) % limit)
    }

    #[test]
    fn an_average_is_the_exact_mean_rounded() {
        let (width, height) = (67, 3);
        // The last radius is that of the largest frames, and wider than the row.
        for (radius, limit) in [(1, 4081), (9, 4081), (18, 2), (68, 4081)] {
            let values: Vec<u16> = pattern(width * height, limit).map(|value| value as u16).collect();
            let averaged = Small { values: values.clone(), width, height }.averaged(radius);
            assert_eq!((averaged.width, averaged.height), (height, width));
            for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
                let near = (0..=2 * radius).map(|at| (x + at).saturating_sub(radius).min(width - 1));
                let sum: usize = near.map(|x| usize::from(values[y * width + x])).sum();
                let mean = (sum + radius) / (2 * radius + 1);
                assert_eq!(usize::from(averaged.values[x * height + y]), mean, "{x}, {y} with {radius}");
            }
        }
    }

    #[test]
    fn a_smaller_plane_has_the_mean_of_each_block() {
        for (width, height, step) in [(64, 32, 4), (66, 30, 4), (33, 15, 2)] {
            let plane: Vec<u8> = pattern(width * height, 256).map(|value| value as u8).collect();
            let small = Small::of(&plane, width, step);
            assert_eq!(small.values.len(), small.width * small.height);
            for (at, value) in small.values.iter().enumerate() {
                let (left, top) = (at % small.width * step, at / small.width * step);
                let (right, bottom) = ((left + step).min(width), (top + step).min(height));
                let block = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
                let sum: usize = block.map(|(x, y)| usize::from(plane[y * width + x])).sum();
                assert_eq!(usize::from(*value), sum * 16 / ((right - left) * (bottom - top)), "{at} of {width}");
            }
        }
    }

    #[test]
    fn a_pixel_is_between_the_four_values_around_it() {
        for (width, height, step) in [(64, 32, 4), (66, 30, 4), (33, 15, 2)] {
            let (w, h) = (usize::div_ceil(width, step), usize::div_ceil(height, step));
            let values: Vec<u16> = pattern(w * h, 4081).map(|value| value as u16).collect();
            let mut plane = vec![0_u8; width * height];
            Small { values: values.clone(), width: w, height: h }.draw_over(&mut plane, width, step, 256);
            // Where a pixel lies: the value before it, the one after it, and the part of the way.
            let place = |at: usize, count: usize| {
                let exact = ((at as f64 + 0.5) / step as f64 - 0.5).max(0.0);
                (exact as usize, (exact as usize + 1).min(count - 1), exact.fract())
            };
            for (at, drawn) in plane.iter().enumerate() {
                let ((left, right, across), (above, below, down)) = (place(at % width, w), place(at / width, h));
                let row = |y: usize| {
                    f64::from(values[y * w + left]) * (1.0 - across) + f64::from(values[y * w + right]) * across
                };
                let exact = (row(above) * (1.0 - down) + row(below) * down) / 16.0;
                assert_eq!(f64::from(*drawn), (exact + 0.5).floor(), "pixel {at} of {width}");
            }
        }
    }
}
