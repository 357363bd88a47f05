//! The times of a source's frames, at which clips begin and end.

use reelhook_domain::clips::request::{LONGEST_CLIP_MS, Range};

use crate::takes::Probe;

/// The longest clip in microseconds.
const LONGEST: u64 = LONGEST_CLIP_MS * 1000;

/// When each frame of a source is shown, and when the last one ends, in microseconds. There is at least one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameTimes {
    starts: Vec<u64>,
    end: u64,
}

/// The frames `first` to `end` without `end`; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub first: usize,
    pub end: usize,
}

impl Span {
    /// The number of frames.
    pub fn count(self) -> usize {
        self.end - self.first
    }
}

impl FrameTimes {
    /// The frames at these rising times; none if there is no frame. The last one lasts a microsecond at least.
    pub fn new(starts: Vec<u64>, end: u64) -> Option<Self> {
        let last = *starts.last()?;
        Some(Self { starts, end: end.max(last + 1) })
    }

    /// The frames of a source.
    pub fn of(probe: &Probe) -> Option<Self> {
        let (num, den) = (u128::from(probe.time_base.0), u128::from(probe.time_base.1));
        let micros = |time: i64| {
            let time = u128::try_from(time).unwrap_or_default();
            u64::try_from((time * num * 1_000_000 + den / 2) / den).unwrap_or(u64::MAX / 2)
        };
        let last = probe.packets.iter().max_by_key(|packet| packet.pts)?;
        // Some files say nothing about the last frame: it lasts as long as the one before.
        let times = probe.times();
        let before = times.iter().rev().find(|time| **time < last.pts);
        let usual = before.map_or(1, |before| last.pts - before);
        let duration = if last.duration > 0 { last.duration } else { usual };
        let mut starts: Vec<u64> = times.iter().map(|time| micros(*time)).collect();
        starts.dedup();
        Self::new(starts, micros(last.pts.saturating_add(duration)))
    }

    /// The number of frames.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// When a frame is shown, in microseconds; the end for the frame after the last one.
    pub fn at(&self, frame: usize) -> u64 {
        self.starts.get(frame).copied().unwrap_or(self.end)
    }

    /// When a frame is shown, in milliseconds; the end for the frame after the last one.
    pub fn millis(&self, frame: usize) -> u64 {
        (self.at(frame) + 500) / 1000
    }

    /// The most frames that begin within so many milliseconds.
    pub fn most_within(&self, ms: u64) -> usize {
        let (micros, mut first, mut most) = (ms.saturating_mul(1000), 0, 0);
        for (index, start) in self.starts.iter().enumerate() {
            while first < index && start - self.starts[first] >= micros {
                first += 1;
            }
            most = most.max(index + 1 - first);
        }
        most
    }

    /// The end of the last frame in milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.millis(self.count())
    }

    /// The first frame that is not shown before a time; the one after the last one if there is none.
    pub fn not_before(&self, ms: u64) -> usize {
        self.starts.partition_point(|start| (start + 500) / 1000 < ms)
    }

    /// The last frame that is not shown after a time, as the end of a range: the one after the last one for the end.
    pub fn not_after(&self, ms: u64) -> usize {
        let after = self.not_before(ms);
        if self.millis(after) <= ms { after } else { after.saturating_sub(1) }
    }

    /// The frame whose start is nearest to a time; the one after the last one for times near the end.
    pub fn nearest(&self, ms: u64) -> usize {
        let micros = ms.saturating_mul(1000);
        let after = self.starts.partition_point(|start| *start < micros);
        match after.checked_sub(1) {
            Some(before) if micros - self.at(before) < self.at(after).saturating_sub(micros) => before,
            _ => after,
        }
    }

    /// The frames of a range that begin within the length of the longest clip; at least one.
    pub fn span(&self, range: Range) -> Span {
        let first = self.nearest(range.start_ms).min(self.count() - 1);
        let most = self.starts.partition_point(|start| *start < self.at(first) + LONGEST);
        Span { first, end: self.nearest(range.end_ms).clamp(first + 1, most) }
    }

    /// When a clip ends, in microseconds: with its last frame, which is shown no longer than the longest clip lasts.
    pub fn end_of(&self, span: Span) -> u64 {
        self.at(span.end).min(self.at(span.first) + LONGEST)
    }

    /// A time in seconds that lies between a frame and the one before: all frames from this one on are shown after it.
    pub fn seconds_before(&self, frame: usize) -> f64 {
        match frame.checked_sub(1) {
            None => 0.0,
            Some(before) if frame < self.count() => (self.at(before) + self.at(frame)) as f64 / 2e6,
            Some(_) => self.end as f64 / 1e6 + 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames every 40 ms, and one that lasts longer.
    fn frames() -> FrameTimes {
        FrameTimes::new(vec![0, 40_000, 80_000, 120_000, 400_000], 440_000).unwrap()
    }

    #[test]
    fn a_time_belongs_to_the_nearest_frame() {
        for (ms, nearest, from) in [
            (0, 0, 0),
            (19, 0, 1),
            (20, 1, 1),
            (40, 1, 1),
            (41, 1, 2),
            (259, 3, 4),
            (261, 4, 4),
            (419, 4, 5),
            (9999, 5, 5),
        ] {
            assert_eq!((frames().nearest(ms), frames().not_before(ms)), (nearest, from), "{ms} ms");
        }
        for (ms, not_after) in [(0, 0), (39, 0), (40, 1), (399, 3), (439, 4), (440, 5), (441, 5)] {
            assert_eq!(frames().not_after(ms), not_after, "{ms} ms");
        }
        assert_eq!((frames().end_ms(), frames().millis(4)), (440, 400));
        assert_eq!(FrameTimes::new(Vec::new(), 40), None);
    }

    #[test]
    fn a_range_has_a_frame_at_least() {
        let span = |start_ms, end_ms| frames().span(Range { start_ms, end_ms });
        assert_eq!(span(0, 440), Span { first: 0, end: 5 });
        assert_eq!(span(41, 121), Span { first: 1, end: 3 });
        assert_eq!(span(60, 61), Span { first: 2, end: 3 });
        assert_eq!(span(5000, 6000), Span { first: 4, end: 5 });
        assert_eq!(span(41, 121).count(), 2);
    }

    #[test]
    fn no_clip_is_longer_than_the_longest() {
        // A frame each second, of which one lasts three minutes.
        let starts = (0..60).chain(239..400).map(|second| second * 1_000_000);
        let frames = FrameTimes::new(starts.collect(), 400_000_000).unwrap();
        for (range_s, first_s, count, length_s) in [
            ((0, 50), 0, 50, 50),
            ((50, 160), 50, 10, 120),
            ((59, 170), 59, 1, 120),
            ((100, 200), 59, 1, 120),
            ((240, 360), 240, 120, 120),
            ((240, 361), 240, 120, 120),
            ((390, 9000), 390, 10, 10),
        ] {
            let span = frames.span(Range { start_ms: range_s.0 * 1000, end_ms: range_s.1 * 1000 });
            let (from, until) = (frames.at(span.first), frames.end_of(span));
            let expected = (first_s * 1_000_000, count, length_s * 1_000_000);
            assert_eq!((from, span.count(), until - from), expected, "{range_s:?}");
            assert!(frames.at(span.end - 1) < until, "its last frame is shown: {range_s:?}");
        }
    }

    #[test]
    fn the_busiest_part_of_a_source_counts() {
        for (ms, most) in [(0, 1), (40, 1), (41, 2), (81, 3), (120, 3), (121, 4), (281, 4), (401, 5), (u64::MAX, 5)] {
            assert_eq!(frames().most_within(ms), most, "{ms} ms");
        }
    }

    #[test]
    fn a_seek_ends_between_frames() {
        assert!((frames().seconds_before(1) - 0.02).abs() < 1e-9);
        assert!((frames().seconds_before(4) - 0.26).abs() < 1e-9);
        assert!(frames().seconds_before(0).abs() < 1e-9 && frames().seconds_before(5) > 1.0);
    }
}
