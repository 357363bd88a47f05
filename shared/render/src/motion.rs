//! When and how the parts of a card come in: eased, one after the other, done within two fifths of the scene.

use reelhook_domain::videos::film::{Entrance, FRAME_RATE};

/// Frames that one part takes to come in.
const EACH: f32 = 16.0;
/// Most frames between one part and the next.
const GAP: f32 = 5.0;

/// How a part stands in a frame, in steps that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pose {
    /// 0 to 255.
    pub alpha: u8,
    /// Device pixels to the right.
    pub dx: i32,
    /// Device pixels down.
    pub dy: i32,
    /// In 4096ths.
    pub scale: i32,
}

/// `Pose::scale` of what is as large as it was drawn.
pub(crate) const WHOLE: i32 = 4096;

impl Pose {
    pub const REST: Self = Self { alpha: 255, dx: 0, dy: 0, scale: WHOLE };
}

/// The times of a scene.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    frames: u32,
    entrance: Entrance,
    start: f32,
    each: f32,
    gap: f32,
    /// Device pixels of a design pixel.
    scale: f32,
    rtl: bool,
}

impl Timeline {
    /// Of a scene of `frames` with parts of `orders` different places in the row, after a transition.
    pub fn new(frames: u32, entrance: Entrance, orders: usize, transition: u32, scale: f32, rtl: bool) -> Self {
        let window = frames as f32 * 0.4;
        let start = (transition as f32 * 0.5).min(window * 0.5);
        let each = EACH.min((window - start) * 0.7);
        let gap = ((window - start - each) / orders.saturating_sub(1).max(1) as f32).clamp(0.0, GAP);
        Self { frames, entrance, start, each, gap, scale, rtl }
    }

    /// How far the part in this place is in, 0 to 1, before easing.
    pub fn progress(&self, order: usize, frame: u32) -> f32 {
        if matches!(self.entrance, Entrance::None) || self.each < 3.0 {
            return 1.0;
        }
        ((frame as f32 + 1.0 - self.start - self.gap * order as f32) / self.each).clamp(0.0, 1.0)
    }

    /// How a part stands; none before it starts.
    pub fn pose(&self, order: usize, frame: u32) -> Option<Pose> {
        let progress = self.progress(order, frame);
        if progress <= 0.0 {
            return None;
        }
        if progress >= 1.0 {
            return Some(Pose::REST);
        }
        let eased = ease_out(progress);
        let alpha = (ease_out(progress).powf(0.8) * 255.0).round() as u8;
        let away = (1.0 - eased) * self.scale;
        let still = Pose { alpha, ..Pose::REST };
        Some(match self.entrance {
            Entrance::Rise => Pose { dy: (away * 56.0).round() as i32, ..still },
            Entrance::Fade => Pose { alpha: (ease_in_out(progress) * 255.0).round() as u8, ..Pose::REST },
            Entrance::Slide => {
                let dx = (away * 130.0).round() as i32;
                Pose { dx: if self.rtl { dx } else { -dx }, ..still }
            }
            Entrance::Zoom => Pose { scale: ((0.82 + 0.18 * ease_out_back(progress)) * WHOLE as f32) as i32, ..still },
            Entrance::None => Pose::REST,
        })
    }

    /// The frame from which the answer of a quiz shows: the last third.
    fn reveal(&self) -> u32 {
        self.frames * 2 / 3
    }

    /// How much of the answer shows, 0 to 255.
    pub fn revealed(&self, frame: u32) -> u8 {
        let last = frame + 1 == self.frames;
        let over = FRAME_RATE as f32 * 0.4;
        let part = (frame as f32 + 1.0 - self.reveal() as f32) / over;
        if last { 255 } else { (ease_in_out(part.clamp(0.0, 1.0)) * 255.0).round() as u8 }
    }

    /// How far a counter has counted, 0 to 1: slower towards the end.
    pub fn counted(&self, order: usize, frame: u32) -> f32 {
        if matches!(self.entrance, Entrance::None) || self.each < 3.0 {
            return 1.0;
        }
        let from = self.start + self.gap * order as f32 + self.each * 0.3;
        let over = (FRAME_RATE as f32 * 1.2).min(self.frames as f32 * 0.3).max(1.0);
        ease_out(((frame as f32 + 1.0 - from) / over).clamp(0.0, 1.0))
    }

    /// The size of a button that draws attention twice, in 4096ths: it swells and settles.
    pub fn pulse(&self, frame: u32) -> i32 {
        let length = FRAME_RATE as f32 * 0.7;
        for moment in [0.5, 0.75] {
            let part = (frame as f32 - self.frames as f32 * moment) / length;
            if (0.0..1.0).contains(&part) && self.frames > 60 {
                return WHOLE + ((part * std::f32::consts::PI).sin().powi(2) * 0.045 * WHOLE as f32) as i32;
            }
        }
        WHOLE
    }

    /// How far the glint that passes over a card's rule is, 0 to 1; none while it rests.
    pub fn glint(&self, frame: u32) -> Option<f32> {
        let length = FRAME_RATE as f32 * 0.9;
        let part = (frame as f32 - self.frames as f32 * 0.55) / length;
        (self.frames > 75 && !matches!(self.entrance, Entrance::None) && (0.0..1.0).contains(&part))
            .then(|| ease_in_out(part))
    }
}

/// Fast, then slow.
pub(crate) fn ease_out(t: f32) -> f32 {
    1.0 - (1.0 - t).powi(4)
}

/// Slow, fast, slow.
pub(crate) fn ease_in_out(t: f32) -> f32 {
    if t < 0.5 { 4.0 * t * t * t } else { 1.0 - (2.0 - 2.0 * t).powi(3) / 2.0 }
}

/// A little too far, then back.
fn ease_out_back(t: f32) -> f32 {
    let over = 1.3;
    1.0 + (over + 1.0) * (t - 1.0).powi(3) + over * (t - 1.0).powi(2)
}
