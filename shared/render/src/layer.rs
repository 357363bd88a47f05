//! What a laid out card consists of: pictures with their places, and when they show.

use tiny_skia::Pixmap;

use crate::area::Area;

/// A picture with its place on the card, in device pixels.
#[derive(Debug, Clone)]
pub(crate) struct Sprite {
    pub pixmap: Pixmap,
    pub x: i32,
    pub y: i32,
}

/// When and how a layer shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Show {
    /// Once it has come in.
    Part,
    /// Its faces one after the other: a number that counts up.
    Counter {
        /// Its place in the row.
        order: usize,
    },
    /// In the last third: the answer.
    Answer,
    /// Swells now and then.
    Button,
    /// Passes once.
    Glint {
        /// How far it goes, in device pixels.
        travel: f32,
    },
}

/// One layer of a card.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// Mostly one; a counter has one for every number that it shows.
    pub faces: Vec<Sprite>,
    /// Its place in the row of parts that come in; none is there from the start.
    pub order: Option<usize>,
    pub show: Show,
}

impl Sprite {
    /// Without its clear edges; none when nothing is on it.
    pub fn trimmed(self) -> Option<Self> {
        let width = self.pixmap.width() as usize;
        let rows: Vec<&[u8]> = self.pixmap.data().chunks_exact(width * 4).collect();
        let inked = |row: &&[u8]| row.chunks_exact(4).any(|pixel| pixel[3] != 0);
        let top = rows.iter().position(inked)?;
        let bottom = rows.iter().rposition(inked)? + 1;
        let (mut left, mut right) = (width, 0);
        for row in &rows[top..bottom] {
            let mut pixels = row.chunks_exact(4);
            left = left.min(pixels.position(|pixel| pixel[3] != 0).unwrap_or(width));
            right = right.max(row.chunks_exact(4).rposition(|pixel| pixel[3] != 0).map_or(0, |at| at + 1));
        }
        let mut pixmap = Pixmap::new((right - left) as u32, (bottom - top) as u32)?;
        let line = (right - left) * 4;
        for (out, row) in pixmap.data_mut().chunks_exact_mut(line).zip(&rows[top..bottom]) {
            out.copy_from_slice(&row[left * 4..right * 4]);
        }
        Some(Self { pixmap, x: self.x + left as i32, y: self.y + top as i32 })
    }
}

/// The device pixels that an area touches: left, top, across, down.
pub(crate) fn pixels(area: Area, scale: f32) -> (i32, i32, u32, u32) {
    let (left, top) = ((area.x * scale).floor(), (area.y * scale).floor());
    let (right, bottom) = ((area.right() * scale).ceil(), (area.bottom() * scale).ceil());
    (left as i32, top as i32, (right - left).max(1.0) as u32, (bottom - top).max(1.0) as u32)
}
