//! Which squares of a frame have to be drawn again. Boxes that overlap would join to one that covers what stands still.

use super::patch::Patch;

/// The side of a square in pixels.
const SIDE: i32 = 32;

/// The squares of a frame, row by row, from the top left.
#[derive(Debug, Clone)]
pub(crate) struct Tiles {
    dirty: Vec<bool>,
    columns: usize,
    size: (u32, u32),
}

impl Tiles {
    /// The squares of a frame of this size; none is marked.
    pub fn new(width: u32, height: u32) -> Self {
        let (columns, rows) = (width.div_ceil(SIDE as u32) as usize, height.div_ceil(SIDE as u32) as usize);
        Self { dirty: vec![false; columns * rows], columns, size: (width, height) }
    }

    /// Marks the squares that a patch touches.
    pub fn mark(&mut self, patch: Patch) {
        let patch = patch.clamped(self.size.0, self.size.1);
        if patch.is_empty() {
            return;
        }
        let columns = (patch.left / SIDE) as usize..((patch.right - 1) / SIDE + 1) as usize;
        for row in patch.top / SIDE..=(patch.bottom - 1) / SIDE {
            let start = row as usize * self.columns;
            self.dirty[start + columns.start..start + columns.end].fill(true);
        }
    }

    /// The marked squares as patches that do not overlap, and clears the marks.
    pub fn take(&mut self) -> Vec<Patch> {
        let mut patches: Vec<Patch> = Vec::new();
        // The patches that reach down to the row of squares before.
        let mut open = 0;
        for (row, dirty) in (0..).zip(self.dirty.chunks_exact(self.columns)) {
            let (top, known) = (row * SIDE, patches.len());
            let mut column = 0;
            while let Some(first) = dirty[column..].iter().position(|dirty| *dirty) {
                let first = column + first;
                column = dirty[first..].iter().position(|dirty| !*dirty).map_or(dirty.len(), |clean| first + clean);
                let (left, right) = (first as i32 * SIDE, column as i32 * SIDE);
                let above = patches[open..known].iter_mut();
                match above.into_iter().find(|above| (above.left, above.right, above.bottom) == (left, right, top)) {
                    Some(above) => above.bottom = top + SIDE,
                    None => patches.push(Patch { left, top, right, bottom: top + SIDE }),
                }
            }
            open = patches.iter().position(|patch| patch.bottom == top + SIDE).unwrap_or(patches.len());
        }
        self.dirty.fill(false);
        patches.iter().map(|patch| patch.clamped(self.size.0, self.size.1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_squares_become_patches_without_overlap() {
        let patch = |left, top, right, bottom| Patch { left, top, right, bottom };
        let check = |marked: &[Patch], expected: &[Patch]| {
            let mut tiles = Tiles::new(200, 100);
            marked.iter().for_each(|patch| tiles.mark(*patch));
            assert_eq!(tiles.take(), expected, "{marked:?}");
            assert_eq!(tiles.take(), [], "the marks are cleared");
        };
        check(&[], &[]);
        check(&[patch(5, 5, 5, 90)], &[]);
        check(&[patch(-40, -9, -1, 500)], &[]);
        check(&[patch(33, 33, 64, 64)], &[patch(32, 32, 64, 64)]);
        check(&[patch(31, 31, 33, 33)], &[patch(0, 0, 64, 64)]);
        check(&[patch(180, 90, 900, 900)], &[patch(160, 64, 200, 100)]);
        let corner = [patch(0, 0, 32, 96), patch(64, 0, 96, 32), patch(0, 64, 64, 96)];
        check(&corner, &[patch(0, 0, 32, 64), patch(64, 0, 96, 32), patch(0, 64, 64, 96)]);
    }
}
