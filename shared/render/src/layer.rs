//! The layers of a laid-out card: sprites with their positions, and when they are visible.

use tiny_skia::Pixmap;

use crate::area::Area;

/// A pixmap with its position on the card in device pixels. Its edges are not transparent.
#[derive(Debug, Clone)]
pub(crate) struct Sprite {
    pub pixmap: Pixmap,
    pub x: i32,
    pub y: i32,
    /// The spans of all rows, from the top.
    spans: Vec<Span>,
    /// Where the spans of each row end.
    ends: Vec<usize>,
}

/// Neighbouring pixels in a row of a sprite. Transparent pixels are in none, apart from a few between others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: usize,
    pub end: usize,
    /// Whether nothing is seen through them.
    pub opaque: bool,
}

/// When and how a layer is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum LayerKind {
    /// Visible after its entrance.
    Plain,
    /// A number that counts up: its sprites are shown one after another.
    Counter {
        /// Its index in the entrance sequence.
        order: usize,
    },
    /// The answer of a quiz, visible in the last third of the scene.
    Answer,
    /// Pulses twice.
    Button,
    /// Passes over the card once.
    Glint {
        /// The distance that it travels in device pixels.
        travel: f32,
    },
}

/// One layer of a card.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// Usually one sprite; a counter has one for every number that it shows.
    pub sprites: Vec<Sprite>,
    /// Its index in the entrance sequence; `None` if it is visible from the start.
    pub order: Option<usize>,
    pub kind: LayerKind,
}

impl Sprite {
    /// Crops transparent edges; `None` if every pixel is transparent.
    pub fn new(pixmap: &Pixmap, x: i32, y: i32) -> Option<Self> {
        let width = pixmap.width() as usize;
        let rows: Vec<&[u8]> = pixmap.data().chunks_exact(width * 4).collect();
        let inked = |row: &&[u8]| row.chunks_exact(4).any(|pixel| pixel[3] != 0);
        let top = rows.iter().position(inked)?;
        let bottom = rows.iter().rposition(inked)? + 1;
        let (mut left, mut right) = (width, 0);
        for row in &rows[top..bottom] {
            let mut pixels = row.chunks_exact(4);
            left = left.min(pixels.position(|pixel| pixel[3] != 0).unwrap_or(width));
            right = right.max(row.chunks_exact(4).rposition(|pixel| pixel[3] != 0).map_or(0, |at| at + 1));
        }
        let mut cropped = Pixmap::new((right - left) as u32, (bottom - top) as u32)?;
        let line = (right - left) * 4;
        let (mut spans, mut ends) = (Vec::new(), Vec::new());
        for (out, row) in cropped.data_mut().chunks_exact_mut(line).zip(&rows[top..bottom]) {
            out.copy_from_slice(&row[left * 4..right * 4]);
            add_spans(out, &mut spans);
            ends.push(spans.len());
        }
        Some(Self { pixmap: cropped, x: x + left as i32, y: y + top as i32, spans, ends })
    }

    /// The spans of a row.
    pub fn spans(&self, row: usize) -> &[Span] {
        let start = row.checked_sub(1).map_or(0, |above| self.ends[above]);
        &self.spans[start..self.ends[row]]
    }
}

/// Runs that are shorter join the pixels beside them.
const SHORTEST_SPAN: usize = 8;

/// Adds the spans of a row of pixels.
fn add_spans(row: &[u8], spans: &mut Vec<Span>) {
    let first = spans.len();
    let mut start = 0;
    for run in row.chunks_exact(4).map(|pixel| pixel[3]).collect::<Vec<u8>>().chunk_by(|a, b| class(*a) == class(*b)) {
        let (end, alpha) = (start + run.len(), run.first().copied().unwrap_or_default());
        let long = run.len() >= SHORTEST_SPAN;
        let previous = spans[first..].last_mut().filter(|span| !span.opaque && span.end == start);
        match (alpha, long, previous) {
            (0, true, _) | (0, false, None) => {}
            (255, true, _) => spans.push(Span { start, end, opaque: true }),
            (_, _, Some(span)) => span.end = end,
            (_, _, None) => spans.push(Span { start, end, opaque: false }),
        }
        start = end;
    }
}

/// Whether pixels of an opacity are seen, and are seen through.
fn class(alpha: u8) -> (bool, bool) {
    (alpha != 0, alpha != 255)
}

/// The device pixels that an area touches: left, top, width, height.
pub(crate) fn pixels(area: Area, scale: f32) -> (i32, i32, u32, u32) {
    let (left, top) = ((area.x * scale).floor(), (area.y * scale).floor());
    let (right, bottom) = ((area.right() * scale).ceil(), (area.bottom() * scale).ceil());
    (left as i32, top as i32, (right - left).max(1.0) as u32, (bottom - top).max(1.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_cover_what_is_seen_of_a_row() {
        let check = |runs: &[(usize, u8)], expected: &[(usize, usize, bool)]| {
            let row: Vec<u8> = runs.iter().flat_map(|(count, alpha)| [9, 9, 9, *alpha].repeat(*count)).collect();
            let mut spans = vec![Span { start: 1, end: 2, opaque: false }];
            add_spans(&row, &mut spans);
            let spans: Vec<_> = spans[1..].iter().map(|span| (span.start, span.end, span.opaque)).collect();
            assert_eq!(spans, expected, "{runs:?}");
        };
        check(&[(9, 0)], &[]);
        check(&[(9, 255)], &[(0, 9, true)]);
        check(&[(3, 0), (2, 100), (3, 0), (1, 255), (20, 0), (4, 7)], &[(3, 9, false), (29, 33, false)]);
        check(
            &[(1, 40), (30, 255), (1, 40), (9, 0), (1, 1)],
            &[(0, 1, false), (1, 31, true), (31, 32, false), (41, 42, false)],
        );
        check(&[(10, 255), (2, 0), (10, 255)], &[(0, 10, true), (12, 22, true)]);
    }
}
