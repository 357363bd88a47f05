//! What a source may ask of a renderer: its length, the pixels of its longest clip, and the time of a piece.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use reelhook_domain::clips::request::{LONGEST_CLIP_MS, Layout};

use crate::clips::perform::ports::{SCANNED_PIXELS, SourceShape};
use crate::clock::Timer;
use crate::videos::draw_error::DrawError;

/// The longest source in milliseconds: a renderer scans no more in its time.
const LONGEST_MS: u64 = 2 * 3600 * 1000;
/// The longest time in which a source that was fetched is probed: an invocation has 15 min, of which the fetch may take 10,
/// and then stores it.
pub(super) const LONGEST_PROBE: Duration = Duration::from_secs(2 * 60);
/// The longest time of a plan: an invocation has 15 min, in which it also fetches the source.
pub(super) const LONGEST_PLAN: Duration = Duration::from_secs(13 * 60);
/// The longest time of a cut: an invocation starts another piece as long as 10 min are left.
pub(super) const LONGEST_CUT: Duration = Duration::from_secs(8 * 60);
/// The pixels that are decoded for a clip at most: as many as a scan decodes in that time.
const CLIP_PIXELS: u64 = SCANNED_PIXELS / LONGEST_PLAN.as_secs() * LONGEST_CUT.as_secs();
/// Pixels are given in billions.
const BILLION: u64 = 1_000_000_000;

/// Refuses a source that is too long, or from which no clip of the greatest length is cut in time.
pub(super) fn check(shape: &SourceShape, layout: Layout) -> Result<(), DrawError> {
    if shape.duration_ms > LONGEST_MS {
        let [limit, length] = [LONGEST_MS, shape.duration_ms].map(seconds);
        return Err(DrawError::Input(format!("the source must have at most {limit} s (got {length} s)")));
    }
    // A clip is encoded a second time if a seek has missed its place, and a crop scans it before.
    let passes = match layout {
        Layout::Original => 2,
        Layout::Vertical => 3,
    };
    let (width, height, frames) = (shape.width, shape.height, shape.clip_frames);
    let pixels = u64::from(width).saturating_mul(height.into()).saturating_mul(frames).saturating_mul(passes);
    if pixels > CLIP_PIXELS {
        let (clip, limit, needed) = (seconds(LONGEST_CLIP_MS), CLIP_PIXELS / BILLION, pixels.div_ceil(BILLION));
        return Err(DrawError::Input(format!(
            "a clip of {clip} s must need at most {limit} billion pixels (got {needed} billion: up to {frames} frames of \
             {width}x{height}, {passes} times); send a video of fewer or smaller frames"
        )));
    }
    Ok(())
}

/// Ends work that takes too long; another attempt would take as long.
pub(super) async fn in_time<T: Send>(
    timer: &dyn Timer,
    limit: Duration,
    work: impl Future<Output = Result<T, DrawError>> + Send,
) -> Result<T, DrawError> {
    match select(pin!(work), timer.after(limit)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), _)) => {
            let minutes = limit.as_secs() / 60;
            Err(DrawError::Input(format!("it takes more than {minutes} min; send a video of fewer or smaller frames")))
        }
    }
}

fn seconds(ms: u64) -> u64 {
    ms / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of these pixels whose clips have so many frames a second.
    fn source((width, height): (u32, u32), rate: u64) -> SourceShape {
        let fps = (u32::try_from(rate).unwrap_or(u32::MAX), 1);
        SourceShape { duration_ms: 600_000, width, height, fps, sound: true, clip_frames: rate.saturating_mul(120) }
    }

    #[test]
    fn usual_sources_are_cut_and_hostile_ones_are_refused() {
        let (hd, uhd, huge) = ((1920, 1080), (3840, 2160), (7680, 4320));
        for (size, rate, original, vertical) in [
            (hd, 60, true, true),
            (hd, 240, true, true),
            (uhd, 60, true, true),
            (uhd, 120, false, false),
            (huge, 15, true, true),
            (huge, 20, true, false),
            (huge, 60, false, false),
            (hd, 1000, false, false),
            ((64, 36), u64::MAX, false, false),
        ] {
            let shape = source(size, rate);
            let fits = [Layout::Original, Layout::Vertical].map(|layout| check(&shape, layout).is_ok());
            assert_eq!(fits, [original, vertical], "{size:?} at {rate}");
        }
    }

    #[test]
    fn a_refusal_names_what_a_clip_needs_and_the_limit() {
        let error = check(&source((7680, 4320), 60), Layout::Vertical).unwrap_err();
        let expected = "a clip of 120 s must need at most 184 billion pixels (got 717 billion: up to 7200 frames of \
                        7680x4320, 3 times); send a video of fewer or smaller frames";
        assert_eq!((error.to_string().as_str(), error.is_permanent()), (expected, true));
    }
}
