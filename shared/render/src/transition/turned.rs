//! A frame that is scaled and turned around its centre, over another one.

use std::ops::Range;

use super::mixing::{between, both, mix_in, weight};
use crate::frames::Yuv;

/// The place of a frame: it is scaled, and turned (in radians), around the centre.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    pub scale: f32,
    pub angle: f32,
}

/// Where the pixels of a placed frame come from: for each pixel, the distance from the centre is turned and scaled back.
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

/// Where the pixels of a row come from, if the frame is scaled only: its rows all have the same columns.
struct Columns {
    /// The first pixel.
    first: usize,
    /// For each pixel, the column at or before its source, and the part of the way to the next one in 256ths.
    places: Vec<(usize, u8)>,
    /// A row between two rows of the source, in 256ths of a step.
    line: Vec<u16>,
}

/// Draws a frame over the existing pixels. Pixels that an opaque frame at `hidden_by` will hide stay as they are.
pub(super) fn draw(source: &Yuv, at: Placement, opacity: f32, hidden_by: Option<Placement>, out: &mut Yuv) {
    let (turn, above, part) = (Turn::of(at), hidden_by.map(Turn::of), weight(opacity));
    if part == 0 {
        return;
    }
    let full = source.size();
    for ((out, width), (plane, _)) in out.planes_mut().into_iter().zip(source.planes()) {
        let source = Source { plane, width, height: plane.len() / width };
        let luma = width == full.0;
        let (mut values, mut columns) = (vec![0; width], None);
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            let row = turn.row(y, source.size());
            let (outer, inner) = row.spans(source);
            let hidden = above.map_or(0..0, |above| above.row(y, source.size()).spans(source).1);
            // The chroma of a block covers as much as its four pixels do.
            let pixels = if luma { [row; 2] } else { [turn.row(2 * y, full), turn.row(2 * y + 1, full)] };
            for x in (outer.start..inner.start).chain(inner.end..outer.end) {
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
            // What is hidden lies between what is seen.
            for seen in [inner.start..inner.end.min(hidden.start), inner.start.max(hidden.end)..inner.end] {
                if seen.is_empty() {
                    continue;
                }
                let values = &mut values[seen.clone()];
                if turn.is_upright() {
                    let columns = columns.get_or_insert_with(|| Columns::new(row, inner.clone(), width));
                    columns.sample(source, row.y, seen.clone(), values);
                } else {
                    source.sample(row, seen.start, values);
                }
                mix_in(&mut out[seen], values, part);
            }
        }
    }
}

impl Turn {
    fn of(at: Placement) -> Self {
        let (scale, angle) = (f64::from(at.scale), f64::from(at.angle));
        Self { sin: angle.sin() / scale, cos: angle.cos() / scale }
    }

    /// Whether the frame is scaled only.
    fn is_upright(self) -> bool {
        self.sin == 0.0
    }

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

    /// The pixels that show something of the source, and of those the ones that lie between four pixels of it.
    fn spans(self, source: Source<'_>) -> (Range<usize>, Range<usize>) {
        let (outer, inner) = (self.span((-2.0, 1.0), source), self.span((0.01, -1.01), source));
        (outer.0..outer.1, inner.0.clamp(outer.0, outer.1)..inner.1.clamp(outer.0, outer.1))
    }

    /// The pixels whose source is between the frame's first pixel plus the first margin and its end plus the second one.
    fn span(self, (first, last): (f64, f64), source: Source<'_>) -> (usize, usize) {
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
    fn size(self) -> (usize, usize) {
        (self.width, self.height)
    }

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

    /// Samples pixels from `first` on, which all come from within the frame.
    fn sample(self, row: Row, first: usize, out: &mut [u8]) {
        let (x, y) = row.at(first);
        let (mut x, mut y, step_x, step_y) = (fixed(x), fixed(y), fixed(row.step_x), fixed(row.step_y));
        for out in out {
            let at = (y >> 32) as usize * self.width + (x >> 32) as usize;
            let corners = &self.plane[at..at + self.width + 2];
            let corners = [corners[0], corners[1], corners[self.width], corners[self.width + 1]].map(u32::from);
            *out = bilinear(corners, (x >> 24) as u32 & 255, (y >> 24) as u32 & 255);
            x += step_x;
            y += step_y;
        }
    }
}

impl Columns {
    /// The columns of the pixels of a row, which all come from within the frame.
    fn new(row: Row, pixels: Range<usize>, width: usize) -> Self {
        let (first, step) = (pixels.start, fixed(row.step_x));
        let mut x = fixed(row.at(first).0);
        let place = |_| {
            let place = ((x >> 32) as usize, (x >> 24) as u8);
            x += step;
            place
        };
        Self { first, places: pixels.map(place).collect(), line: vec![0; width] }
    }

    /// Samples some of the pixels of the row that comes from `y`. First the rows are mixed, then the columns: the result
    /// is the same as that of [`Source::sample`].
    fn sample(&mut self, source: Source<'_>, y: f64, pixels: Range<usize>, out: &mut [u8]) {
        let places = &self.places[pixels.start - self.first..pixels.end - self.first];
        let (Some((low, _)), Some((high, _))) = (places.first(), places.last()) else { return };
        let (columns, y) = (*low..*high + 2, fixed(y));
        let (top, part) = ((y >> 32) as usize * source.width, u16::from((y >> 24) as u8));
        let (upper, lower) = source.plane[top..top + 2 * source.width].split_at(source.width);
        let rows = upper[columns.clone()].iter().zip(&lower[columns.clone()]);
        for (line, (upper, lower)) in self.line[columns].iter_mut().zip(rows) {
            *line = both(*upper, *lower, part);
        }
        for (out, (column, part)) in out.iter_mut().zip(places) {
            let pair = &self.line[*column..*column + 2];
            let (left, right, part) = (u32::from(pair[0]), u32::from(pair[1]), u32::from(*part));
            *out = ((left * (256 - part) + right * part + (1 << 15)) >> 16) as u8;
        }
    }
}

/// A place in 2^-32 pixels.
fn fixed(value: f64) -> i64 {
    (value * 4_294_967_296.0) as i64
}

/// The value between the upper two and the lower two; `px` and `py` are fractions of 256.
fn bilinear([a, b, c, d]: [u32; 4], px: u32, py: u32) -> u8 {
    let upper = a * (256 - px) + b * px;
    let lower = c * (256 - px) + d * px;
    ((upper * (256 - py) + lower * py + (1 << 15)) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame whose neighbouring values have nothing in common.
    fn pattern(size: (u32, u32), seed: usize) -> Yuv {
        let mut frame = Yuv::new(size.0, size.1);
        for (plane, width) in frame.planes_mut() {
            for (at, value) in plane.iter_mut().enumerate() {
                *value = (((at % width * 37 + at / width * 101 + seed) * 2_654_435_761) >> 7) as u8;
            }
        }
        frame
    }

    #[test]
    fn rows_and_then_columns_give_the_same_as_four_pixels_at_once() {
        let frame = pattern((94, 70), 5);
        for scale in [0.1, 0.35, 0.5, 0.77, 0.999, 1.0, 1.06, 1.12, 3.0] {
            for (plane, width) in frame.planes() {
                let source = Source { plane, width, height: plane.len() / width };
                let (turn, mut columns, mut compared) = (Turn::of(Placement { scale, angle: 0.0 }), None, 0);
                for y in 0..source.height {
                    let row = turn.row(y, source.size());
                    let inner = row.spans(source).1;
                    let (mut at_once, mut by_columns) = (vec![0; inner.len()], vec![0; inner.len()]);
                    source.sample(row, inner.start, &mut at_once);
                    if !inner.is_empty() {
                        let columns = columns.get_or_insert_with(|| Columns::new(row, inner.clone(), width));
                        columns.sample(source, row.y, inner.clone(), &mut by_columns);
                    }
                    assert_eq!(by_columns, at_once, "row {y} at {scale}");
                    compared += inner.len();
                }
                assert!(compared > 0, "nothing lies within the frame at {scale}");
            }
        }
    }

    #[test]
    fn what_is_hidden_later_need_not_be_drawn() {
        let (before, current) = (pattern((130, 74), 1), pattern((130, 74), 9));
        for (lower, upper) in [(1.0, 1.0), (1.09, 0.8), (1.11, 0.95), (1.12, 0.9999)] {
            let [lower, upper] = [lower, upper].map(|scale| Placement { scale, angle: 0.0 });
            let drawn = |hidden_by| {
                let mut out = pattern((130, 74), 77);
                draw(&before, lower, 1.0, hidden_by, &mut out);
                let below = out.clone();
                draw(&current, upper, 1.0, None, &mut out);
                (below, out)
            };
            let (all, seen) = (drawn(None), drawn(Some(upper)));
            assert!(all.1 == seen.1, "{lower:?} below {upper:?}");
            assert!(all.0 != seen.0, "nothing was left out below {upper:?}");
        }
    }

    #[test]
    fn a_frame_that_is_not_seen_changes_nothing() {
        let (frame, below) = (pattern((66, 66), 3), pattern((66, 66), 4));
        let mut out = below.clone();
        draw(&frame, Placement { scale: 0.5, angle: 0.3 }, 0.001, None, &mut out);
        assert!(out == below);
    }
}
