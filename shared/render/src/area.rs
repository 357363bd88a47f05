//! Rectangles of the layout in design pixels: a wide card measures 1920x1080 and a tall one 1080x1920, whatever the
//! size of the video.

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Area {
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
}

impl Area {
    pub fn new(x: f32, y: f32, w: f32, h: f32) -> Self {
        Self { x, y, w: w.max(1.0), h: h.max(1.0) }
    }

    pub fn right(self) -> f32 {
        self.x + self.w
    }

    pub fn bottom(self) -> f32 {
        self.y + self.h
    }

    pub fn grow(self, by: f32) -> Self {
        Self::new(self.x - by, self.y - by, self.w + 2.0 * by, self.h + 2.0 * by)
    }

    pub fn inset(self, x: f32, y: f32) -> Self {
        Self::new(self.x + x, self.y + y, self.w - 2.0 * x, self.h - 2.0 * y)
    }

    /// Splits the area into a left part of this width and the rest, with a gap between them.
    pub fn split_left(self, width: f32, gap: f32) -> (Self, Self) {
        let width = width.min(self.w);
        (
            Self::new(self.x, self.y, width, self.h),
            Self::new(self.x + width + gap, self.y, self.w - width - gap, self.h),
        )
    }

    /// An area of this size in the centre.
    pub fn centred(self, w: f32, h: f32) -> Self {
        Self::new(self.x + (self.w - w) / 2.0, self.y + (self.h - h) / 2.0, w, h)
    }
}
