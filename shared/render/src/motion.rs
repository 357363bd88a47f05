//! Animation: when and how the parts of a card enter, with easing and one after another, within two fifths of the
//! scene.

use reelhook_domain::videos::film::{Entrance, FRAME_RATE};

/// The duration of one entrance in frames.
const ENTRANCE_FRAMES: f32 = 16.0;
/// The maximum delay between two entrances in frames.
const MAX_GAP: f32 = 5.0;

/// The animation state of a layer in a frame, in integers, so that states can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pose {
    /// The opacity, 0 to 255.
    pub alpha: u8,
    /// The offset to the right in device pixels.
    pub dx: i32,
    /// The offset downwards in device pixels.
    pub dy: i32,
    /// The scale in 4096ths.
    pub scale: i32,
}

/// The `Pose::scale` of the original size.
pub(crate) const FULL_SCALE: i32 = 4096;

impl Pose {
    pub const REST: Self = Self { alpha: 255, dx: 0, dy: 0, scale: FULL_SCALE };
}

/// The animation timing of a scene.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    frames: u32,
    entrance: Entrance,
    start: f32,
    entrance_frames: f32,
    gap: f32,
    /// Device pixels per design pixel.
    scale: f32,
    rtl: bool,
}

impl Timeline {
    /// The timing of a scene of `frames` whose entrance sequence has `orders` parts, after a transition.
    pub fn new(frames: u32, entrance: Entrance, orders: usize, transition: u32, scale: f32, rtl: bool) -> Self {
        let window = frames as f32 * 0.4;
        let start = (transition as f32 * 0.5).min(window * 0.5);
        let entrance_frames = ENTRANCE_FRAMES.min((window - start) * 0.7);
        let gap = ((window - start - entrance_frames) / orders.saturating_sub(1).max(1) as f32).clamp(0.0, MAX_GAP);
        Self { frames, entrance, start, entrance_frames, gap, scale, rtl }
    }

    /// The progress of an entrance, 0 to 1, before easing.
    pub fn progress(&self, order: usize, frame: u32) -> f32 {
        if matches!(self.entrance, Entrance::None) || self.entrance_frames < 3.0 {
            return 1.0;
        }
        ((frame as f32 + 1.0 - self.start - self.gap * order as f32) / self.entrance_frames).clamp(0.0, 1.0)
    }

    /// The pose of a part in a frame; `None` before its entrance starts.
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
            Entrance::Zoom => {
                Pose { scale: ((0.82 + 0.18 * ease_out_back(progress)) * FULL_SCALE as f32) as i32, ..still }
            }
            Entrance::None => Pose::REST,
        })
    }

    /// The frame from which the answer of a quiz is visible: the start of the last third.
    fn reveal_frame(&self) -> u32 {
        self.frames * 2 / 3
    }

    /// The opacity of the answer, 0 to 255.
    pub fn answer_alpha(&self, frame: u32) -> u8 {
        let last = frame + 1 == self.frames;
        let over = FRAME_RATE as f32 * 0.4;
        let part = (frame as f32 + 1.0 - self.reveal_frame() as f32) / over;
        if last { 255 } else { (ease_in_out(part.clamp(0.0, 1.0)) * 255.0).round() as u8 }
    }

    /// The progress of a counter, 0 to 1; it slows down towards the end.
    pub fn count_progress(&self, order: usize, frame: u32) -> f32 {
        if matches!(self.entrance, Entrance::None) || self.entrance_frames < 3.0 {
            return 1.0;
        }
        let from = self.start + self.gap * order as f32 + self.entrance_frames * 0.3;
        let over = (FRAME_RATE as f32 * 1.2).min(self.frames as f32 * 0.3).max(1.0);
        ease_out(((frame as f32 + 1.0 - from) / over).clamp(0.0, 1.0))
    }

    /// The scale of a button in 4096ths.
    pub fn button_scale(&self, frame: u32) -> i32 {
        button_scale(self.frames, frame)
    }

    /// The progress of the glint that passes over a card's rule, 0 to 1; `None` when it is invisible.
    pub fn glint_progress(&self, frame: u32) -> Option<f32> {
        let length = FRAME_RATE as f32 * 0.9;
        let part = (frame as f32 - self.frames as f32 * 0.55) / length;
        (self.frames > 75 && !matches!(self.entrance, Entrance::None) && (0.0..1.0).contains(&part))
            .then(|| ease_in_out(part))
    }
}

/// The scale of a button in 4096ths in a scene of so many frames: it grows and shrinks twice to draw attention.
pub(crate) fn button_scale(frames: u32, frame: u32) -> i32 {
    let length = FRAME_RATE as f32 * 0.7;
    for moment in [0.5, 0.75] {
        let part = (frame as f32 - frames as f32 * moment) / length;
        if (0.0..1.0).contains(&part) && frames > 60 {
            return FULL_SCALE + ((part * std::f32::consts::PI).sin().powi(2) * 0.045 * FULL_SCALE as f32) as i32;
        }
    }
    FULL_SCALE
}

/// Starts fast and slows down.
pub(crate) fn ease_out(t: f32) -> f32 {
    1.0 - (1.0 - t).powi(4)
}

/// Starts slowly, speeds up, and slows down again.
pub(crate) fn ease_in_out(t: f32) -> f32 {
    if t < 0.5 { 4.0 * t * t * t } else { 1.0 - (2.0 - 2.0 * t).powi(3) / 2.0 }
}

/// Overshoots a little and returns.
fn ease_out_back(t: f32) -> f32 {
    let over = 1.3;
    1.0 + (over + 1.0) * (t - 1.0).powi(3) + over * (t - 1.0).powi(2)
}
