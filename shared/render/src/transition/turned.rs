//! A frame that is scaled and turned around its centre, over another one.

use super::mixing::{between, weight};
use crate::frames::Yuv;

/// Where the pixels of a turned frame come from: for each pixel, the distance from the centre is turned and scaled back.
#[derive(Debug, Clone, Copy)]
struct Turn {
    sin: f64,
    cos: f64,
}

/// The source of the pixels of one row, in pixels: where the first pixel comes from, and the step to the next.
#[derive(Debug, Clone, Copy)]
struct Row {
    x: f64,
    y: f64,
    step_x: f64,
    step_y: f64,
}

/// One plane of the frame that is drawn.
#[derive(Debug, Clone, Copy)]
struct Source<'a> {
    plane: &'a [u8],
    width: usize,
    height: usize,
}

/// Draws a frame scaled and turned (in radians) around the centre, over the existing pixels.
pub(super) fn draw(source: &Yuv, scale: f32, angle: f32, opacity: f32, out: &mut Yuv) {
    let (scale, angle, part) = (f64::from(scale), f64::from(angle), weight(opacity));
    let turn = Turn { sin: angle.sin() / scale, cos: angle.cos() / scale };
    let full = source.size();
    for ((out, width), (plane, _)) in out.planes_mut().into_iter().zip(source.planes()) {
        let source = Source { plane, width, height: plane.len() / width };
        let luma = width == full.0;
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            let row = turn.row(y, (source.width, source.height));
            // The chroma of a block covers as much as its four pixels do.
            let pixels = if luma { [row; 2] } else { [turn.row(2 * y, full), turn.row(2 * y + 1, full)] };
            let (outer, inner) = (row.span((-2.0, 1.0), &source), row.span((0.01, -1.01), &source));
            let inner = inner.0.clamp(outer.0, outer.1)..inner.1.clamp(outer.0, outer.1);
            for x in (outer.0..inner.start).chain(inner.end.max(inner.start)..outer.1) {
                let covered = match luma {
                    true => 4 * u16::from(row.covers(x, full)),
                    false => pixels
                        .iter()
                        .map(|row| (2 * x..2 * x + 2).filter(|x| row.covers(*x, full)).count() as u16)
                        .sum(),
                };
                if covered > 0 {
                    let (at_x, at_y) = row.at(x);
                    out[x] = between(out[x], source.clamped(at_x, at_y), part * covered / 4);
                }
            }
            if inner.start < inner.end {
                source.blend(row, inner.start, &mut out[inner], part);
            }
        }
    }
}

impl Turn {
    /// The source of a row.
    fn row(self, y: usize, (width, height): (usize, usize)) -> Row {
        let (middle_x, middle_y) = (width as f64 / 2.0, height as f64 / 2.0);
        let (u, v) = (0.5 - middle_x, y as f64 + 0.5 - middle_y);
        Row {
            x: u * self.cos + v * self.sin + middle_x - 0.5,
            y: v * self.cos - u * self.sin + middle_y - 0.5,
            step_x: self.cos,
            step_y: -self.sin,
        }
    }
}

impl Row {
    fn at(self, x: usize) -> (f64, f64) {
        (self.x + x as f64 * self.step_x, self.y + x as f64 * self.step_y)
    }

    /// Whether a pixel comes from within the frame, or from less than a pixel beside it.
    fn covers(self, x: usize, (width, height): (usize, usize)) -> bool {
        let (x, y) = self.at(x);
        x >= -1.0 && y >= -1.0 && x < width as f64 && y < height as f64
    }

    /// The pixels whose source is between the frame's first pixel plus the first margin and its end plus the second one.
    fn span(self, (first, last): (f64, f64), source: &Source<'_>) -> (usize, usize) {
        let (mut start, mut end) = (0.0_f64, source.width as f64);
        for (from, step, side) in [(self.x, self.step_x, source.width), (self.y, self.step_y, source.height)] {
            let (low, high) = (first - from, side as f64 + last - from);
            if step.abs() < 1e-9 {
                if low > 0.0 || high < 0.0 {
                    return (0, 0);
                }
                continue;
            }
            let (a, b) = (low / step, high / step);
            start = start.max(a.min(b).ceil());
            end = end.min(a.max(b).floor() + 1.0);
        }
        // The cast saturates at 0.
        let end = end.min(source.width as f64) as usize;
        ((start as usize).min(end), end)
    }
}

impl Source<'_> {
    /// The value at a place, between four pixels; beside the frame it is that of the edge.
    fn clamped(self, x: f64, y: f64) -> u8 {
        let x = x.clamp(0.0, (self.width - 1) as f64);
        let y = y.clamp(0.0, (self.height - 1) as f64);
        let (left, top) = (x as usize, y as usize);
        let (right, below) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let (px, py) = (((x - left as f64) * 256.0) as u32, ((y - top as f64) * 256.0) as u32);
        let at = |x: usize, y: usize| u32::from(self.plane[y * self.width + x]);
        bilinear([at(left, top), at(right, top), at(left, below), at(right, below)], px, py)
    }

    /// Draws pixels from `first` on, which all come from within the frame. Places are in 2^-32 pixels.
    fn blend(self, row: Row, first: usize, out: &mut [u8], part: u16) {
        let fixed = |value: f64| (value * 4_294_967_296.0) as i64;
        let (x, y) = row.at(first);
        let (mut x, mut y, step_x, step_y) = (fixed(x), fixed(y), fixed(row.step_x), fixed(row.step_y));
        for out in out {
            let at = (y >> 32) as usize * self.width + (x >> 32) as usize;
            let corners = &self.plane[at..at + self.width + 2];
            let corners = [corners[0], corners[1], corners[self.width], corners[self.width + 1]].map(u32::from);
            let value = bilinear(corners, (x >> 24) as u32 & 255, (y >> 24) as u32 & 255);
            *out = between(*out, value, part);
            x += step_x;
            y += step_y;
        }
    }
}

/// The value between the upper two and the lower two; `px` and `py` are fractions of 256.
fn bilinear([a, b, c, d]: [u32; 4], px: u32, py: u32) -> u8 {
    let upper = a * (256 - px) + b * px;
    let lower = c * (256 - px) + d * px;
    ((upper * (256 - py) + lower * py + (1 << 15)) >> 16) as u8
}
