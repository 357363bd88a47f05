//! The layers of a laid-out card: sprites with their positions, and when they are visible.

use tiny_skia::Pixmap;

use crate::area::Area;

/// A pixmap with its position on the card in device pixels.
#[derive(Debug, Clone)]
pub(crate) struct Sprite {
    pub pixmap: Pixmap,
    pub x: i32,
    pub y: i32,
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

/// The device pixels that an area touches: left, top, width, height.
pub(crate) fn pixels(area: Area, scale: f32) -> (i32, i32, u32, u32) {
    let (left, top) = ((area.x * scale).floor(), (area.y * scale).floor());
    let (right, bottom) = ((area.right() * scale).ceil(), (area.bottom() * scale).ceil());
    (left as i32, top as i32, (right - left).max(1.0) as u32, (bottom - top).max(1.0) as u32)
}
