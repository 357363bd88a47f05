//! Which pixels of a frame changed.

/// A rectangle of device pixels; `right` and `bottom` are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patch {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Patch {
    /// The part of the patch within `width` by `height`.
    pub fn clamped(self, width: u32, height: u32) -> Self {
        Self {
            left: self.left.clamp(0, width as i32),
            top: self.top.clamp(0, height as i32),
            right: self.right.clamp(0, width as i32),
            bottom: self.bottom.clamp(0, height as i32),
        }
    }

    pub fn intersection(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    pub fn is_empty(self) -> bool {
        self.left >= self.right || self.top >= self.bottom
    }
}

/// What changed from one frame to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// These pixels may differ; without a patch both frames are equal.
    Patches(Vec<Patch>),
    /// Any pixel may differ.
    All,
}

impl Change {
    /// Both frames are equal.
    pub const NOTHING: Self = Self::Patches(Vec::new());

    /// Above this number of patches, several frames together count as a new frame.
    const MOST: usize = 256;

    pub fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }

    /// Adds what changed in the frame after.
    pub fn add(&mut self, next: &Self) {
        match (&mut *self, next) {
            (Self::Patches(patches), Self::Patches(more)) if patches.len() + more.len() <= Self::MOST => {
                for patch in more {
                    if !patches.contains(patch) {
                        patches.push(*patch);
                    }
                }
            }
            (Self::Patches(_) | Self::All, Self::Patches(_) | Self::All) => *self = Self::All,
        }
    }
}
