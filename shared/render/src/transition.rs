//! Transitions: how the last frame of the scene before changes into the first frames of this scene. They are mixed in the
//! encoder's format: it has half as many values as red, green and blue, and nothing is converted afterwards.

mod blur;
mod mixing;
mod turned;

use reelhook_domain::videos::film::{Scene, Transition};

use self::mixing::{WHOLE, between, weight};
use self::turned::Placement;
use crate::frames::Yuv;
use crate::motion::ease_in_out;

/// The duration of a transition in frames.
const FRAMES: u32 = 18;

/// The frames of the transition at the start of a scene: at most half of the scene, and none after a cut.
pub(crate) fn length(scene: &Scene, before: Option<&Scene>) -> u32 {
    before.zip(scene.transition).map_or(0, |_| FRAMES.min(scene.frames.max(1) / 2))
}

/// Mixes two frames of equal size: at 0 only `before` is visible, at 1 only `current`.
pub(crate) fn mix(transition: Transition, before: &Yuv, current: &Yuv, progress: f32, out: &mut Yuv) {
    let progress = progress.clamp(0.0, 1.0);
    let eased = ease_in_out(progress);
    // What turns or grows is opaque before it has its place.
    let opacity = (eased * 1.6).min(1.0);
    match transition {
        Transition::Fade => fade(before, current, eased, out),
        Transition::Slide => slide(before, current, eased, out),
        Transition::Zoom => {
            let grown = Placement { scale: 0.35 + 0.65 * eased, angle: 0.0 };
            let hidden_by = (weight(opacity) == WHOLE).then_some(grown);
            turned::draw(before, Placement { scale: 1.0 + 0.12 * eased, angle: 0.0 }, 1.0, hidden_by, out);
            turned::draw(current, grown, opacity, None, out);
        }
        Transition::Rotate => {
            fade(before, before, 0.0, out);
            let turning = Placement { scale: 0.55 + 0.45 * eased, angle: (1.0 - eased) * -0.5 };
            turned::draw(current, turning, opacity, None, out);
        }
        Transition::Blur => {
            fade(before, current, eased, out);
            blur::soften(out, progress);
        }
    }
}

fn fade(before: &Yuv, current: &Yuv, part: f32, out: &mut Yuv) {
    let part = weight(part);
    for (((out, _), (before, _)), (current, _)) in
        out.planes_mut().into_iter().zip(before.planes()).zip(current.planes())
    {
        if part == 0 {
            out.copy_from_slice(before);
            continue;
        }
        for ((out, &below), &above) in out.iter_mut().zip(before).zip(current) {
            *out = between(below, above, part);
        }
    }
}

fn slide(before: &Yuv, current: &Yuv, part: f32, out: &mut Yuv) {
    // Blocks of two pixels move, because they share a chroma.
    let full = current.size().0;
    let blocks = (part * (full / 2) as f32).round() as usize;
    for (((out, width), (before, _)), (current, _)) in
        out.planes_mut().into_iter().zip(before.planes()).zip(current.planes())
    {
        let moved = blocks * 2 * width / full;
        let rows = out.chunks_exact_mut(width).zip(before.chunks_exact(width)).zip(current.chunks_exact(width));
        for ((out, before), current) in rows {
            out[..width - moved].copy_from_slice(&before[moved..]);
            out[width - moved..].copy_from_slice(&current[..moved]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Transition; 5] =
        [Transition::Fade, Transition::Slide, Transition::Zoom, Transition::Rotate, Transition::Blur];

    /// A frame whose planes have these values everywhere.
    fn flat(size: (u32, u32), values: [u8; 3]) -> Yuv {
        let mut frame = Yuv::new(size.0, size.1);
        for ((plane, _), value) in frame.planes_mut().into_iter().zip(values) {
            plane.fill(value);
        }
        frame
    }

    #[test]
    fn a_frame_mixed_with_itself_stays_as_it_is() {
        // Sides that are no multiples of four, and a frame with a pattern.
        let mut pattern = flat((70, 66), [90, 100, 140]);
        for (plane, width) in pattern.planes_mut() {
            for (at, value) in plane.iter_mut().enumerate() {
                *value += (at % width / 8 + at / width / 8) as u8;
            }
        }
        for frame in [flat((70, 66), [16, 128, 128]), flat((64, 64), [235, 90, 200]), pattern] {
            for transition in ALL {
                let mut out = flat((frame.size().0 as u32, frame.size().1 as u32), [0; 3]);
                mix(transition, &frame, &frame, 0.0, &mut out);
                assert!(out == frame, "{transition:?} starts with the frame before");
                mix(transition, &frame, &frame, 1.0, &mut out);
                assert!(out == frame, "{transition:?} ends with the frame itself");
            }
        }
    }

    #[test]
    fn a_fade_of_planes_is_within_a_step_of_a_fade_of_pixels() {
        // Two cards with edges in all colours.
        let pixmap = |seed: u32| {
            let mut pixmap = tiny_skia::Pixmap::new(64, 64).expect("a size");
            for (at, pixel) in (0_u32..).zip(pixmap.data_mut().chunks_exact_mut(4)) {
                let square = (at % 64 / 5 + at / 64 / 3 * 7 + seed).wrapping_mul(2_654_435_761);
                pixel.copy_from_slice(&[(square >> 8) as u8, (square >> 16) as u8, (square >> 24) as u8, 255]);
            }
            pixmap
        };
        let planes = |pixmap: &tiny_skia::Pixmap| {
            let mut frame = Yuv::new(64, 64);
            frame.copy_all(pixmap);
            frame
        };
        let (before, current) = (pixmap(1), pixmap(5));
        for step in 0..=18 {
            let progress = step as f32 / 18.0;
            let (mut of_planes, mut of_pixels, part) =
                (Yuv::new(64, 64), before.clone(), weight(ease_in_out(progress)));
            mix(Transition::Fade, &planes(&before), &planes(&current), progress, &mut of_planes);
            for (below, above) in of_pixels.data_mut().iter_mut().zip(current.data()) {
                *below = between(*below, *above, part);
            }
            let of_pixels = planes(&of_pixels);
            let mut pairs = of_planes.bytes().iter().zip(of_pixels.bytes());
            assert!(pairs.all(|(one, other)| one.abs_diff(*other) <= 1), "at {progress}");
        }
    }

    #[test]
    fn flat_colours_stay_between_both() {
        let (dark, bright) = (flat((96, 64), [40, 110, 140]), flat((96, 64), [200, 150, 120]));
        for transition in ALL {
            for step in 0..=18 {
                let mut out = flat((96, 64), [0; 3]);
                mix(transition, &dark, &bright, step as f32 / 18.0, &mut out);
                let [(luma, _), (blue, _), (red, _)] = out.planes();
                for (plane, range) in [(luma, 40..=200), (blue, 110..=150), (red, 120..=140)] {
                    assert!(plane.iter().all(|value| range.contains(value)), "{transition:?} at {step}");
                }
            }
        }
    }

    #[test]
    fn chroma_at_an_edge_has_the_part_of_the_pixels_that_are_covered() {
        let (below, above) = (flat((128, 128), [40, 100, 100]), flat((128, 128), [240, 200, 200]));
        let mut out = below.clone();
        turned::draw(&above, Placement { scale: 0.6, angle: -0.3 }, 1.0, None, &mut out);
        let [(luma, width), (blue, half), _] = out.planes();
        let mut edges = 0;
        for (at, blue) in blue.iter().enumerate() {
            let (x, y) = (at % half * 2, at / half * 2);
            let block = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| luma[(y + dy) * width + x + dx]);
            let covered = block.iter().filter(|luma| **luma == 240).count();
            edges += usize::from((1..4).contains(&covered));
            assert!(blue.abs_diff((100 + 25 * covered) as u8) <= 1, "{block:?} has {blue}");
        }
        assert!(edges > 50, "{edges} blocks are covered in part");
    }
}
