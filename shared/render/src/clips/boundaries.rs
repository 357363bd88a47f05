//! Where clips may begin and end: in silences and pauses, at scene changes, and at the edges of what may be cut.

use reelhook_app::clips::perform::ports::Findings;
use reelhook_domain::clips::request::Range;

use crate::clips::frames::FrameTimes;

/// Boundaries at least as good as this do not cut off speech.
pub(super) const CLEAN: f64 = 0.5;
/// A scene change in the middle of sound.
pub(super) const FAIR: f64 = 0.3;
/// A silence, a scene change without sound, and the edges of the source.
const BEST: f64 = 1.0;
/// A pause of speech.
const PAUSE: f64 = 0.8;
/// An edge that the client chose.
const EDGE: f64 = 0.5;
/// A guess where nothing else is near.
const GUESS: f64 = 0.1;
/// How much a boundary is worth if the clip shows a moment of another scene after or before it.
const FLASH: f64 = 0.7;
/// The length of such a moment in milliseconds.
const MOMENT_MS: u64 = 700;
/// A scene change so near to a silence or pause belongs to it, in milliseconds.
const NEAR_MS: u64 = 100;
/// The silence that a clip begins or ends with at most, in milliseconds.
const QUIET_MS: u64 = 500;
/// The distance of guesses in milliseconds.
const STEP_MS: u64 = 5000;
/// The boundaries at most; the best ones.
const MOST: usize = 6000;

/// A frame at which clips may begin or end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Boundary {
    /// Its time in milliseconds.
    pub at_ms: u64,
    /// How good a start it is, 0 to 1; 0 if no clip begins here.
    pub start: f64,
    /// How good an end it is, 0 to 1; 0 if no clip ends here.
    pub end: f64,
}

/// The boundaries in a range, in order; the first and the last one are its edges. `sound` says whether the source has
/// any.
pub(super) fn boundaries(frames: &FrameTimes, findings: &Findings, sound: bool, range: Range) -> Vec<Boundary> {
    let (first, last) = (frames.not_before(range.start_ms), frames.not_after(range.end_ms));
    let edge = |is_of_source: bool| if is_of_source { BEST } else { EDGE };
    let mut found = Found { frames, changes: &findings.scene_changes, list: Vec::new() };
    found.add(frames.millis(first), edge(first == 0), 0.0);
    found.add(frames.millis(last), 0.0, edge(last == frames.count()));
    for silence in &findings.silences {
        found.add_quiet(*silence, BEST);
    }
    let is_silent = |pause: Range| overlaps(&findings.silences, pause);
    for pause in findings.pauses.iter().filter(|pause| !is_silent(**pause)) {
        found.add_quiet(*pause, PAUSE);
    }
    for change in &findings.scene_changes {
        let moment = Range { start_ms: change.saturating_sub(NEAR_MS), end_ms: change + NEAR_MS };
        if !overlaps(&findings.silences, moment) && !overlaps(&findings.pauses, moment) {
            let quality = if sound { FAIR } else { BEST };
            found.add(*change, quality, quality);
        }
    }
    let (from, until) = (frames.millis(first), frames.millis(last));
    let mut list = found.list;
    list.retain(|boundary| (from..=until).contains(&boundary.at_ms));
    if list.len() > MOST {
        let quality = |boundary: &Boundary| boundary.start.max(boundary.end);
        list.sort_by(|one, other| quality(other).total_cmp(&quality(one)));
        list.truncate(MOST);
    }
    list.sort_by_key(|boundary| boundary.at_ms);
    list.dedup_by(|next, kept| {
        let same = next.at_ms == kept.at_ms;
        if same {
            (kept.start, kept.end) = (kept.start.max(next.start), kept.end.max(next.end));
        }
        same
    });
    with_guesses(frames, list)
}

/// The boundaries that are found so far.
struct Found<'a> {
    frames: &'a FrameTimes,
    changes: &'a [u64],
    list: Vec<Boundary>,
}

impl Found<'_> {
    /// Adds the frame nearest to a time.
    fn add(&mut self, ms: u64, start: f64, end: f64) {
        let at_ms = self.frames.millis(self.frames.nearest(ms));
        let is_flash = |from: u64, until: u64| {
            let next = self.changes.partition_point(|change| *change < from);
            self.changes.get(next).is_some_and(|change| *change < until)
        };
        let after = if is_flash(at_ms + 1, at_ms + MOMENT_MS) { FLASH } else { 1.0 };
        let before = if is_flash(at_ms.saturating_sub(MOMENT_MS), at_ms) { FLASH } else { 1.0 };
        self.list.push(Boundary { at_ms, start: start * after, end: end * before });
    }

    /// Adds the boundaries of a silence or pause: its scene change, or else its middle, but not far from the sound.
    fn add_quiet(&mut self, quiet: Range, quality: f64) {
        let middle = (quiet.start_ms + quiet.end_ms) / 2;
        let from = self.changes.partition_point(|change| *change + NEAR_MS < quiet.start_ms);
        let inside = self.changes[from..].iter().take_while(|change| **change <= quiet.end_ms + NEAR_MS);
        if let Some(change) = inside.min_by_key(|change| change.abs_diff(middle)) {
            self.add(*change, quality, quality);
            return;
        }
        self.add(middle.max(quiet.end_ms.saturating_sub(QUIET_MS)), quality, 0.0);
        self.add(middle.min(quiet.start_ms + QUIET_MS), 0.0, quality);
    }
}

/// Whether a range overlaps one of these, which are in order.
fn overlaps(ranges: &[Range], range: Range) -> bool {
    let next = ranges.partition_point(|other| other.end_ms <= range.start_ms);
    ranges.get(next).is_some_and(|other| other.start_ms < range.end_ms)
}

/// Adds guesses where boundaries are far apart.
fn with_guesses(frames: &FrameTimes, list: Vec<Boundary>) -> Vec<Boundary> {
    let mut all: Vec<Boundary> = Vec::with_capacity(list.len());
    for boundary in list {
        while let Some(before) = all.last()
            && before.at_ms + 2 * STEP_MS <= boundary.at_ms
        {
            let at_ms = frames.millis(frames.nearest(before.at_ms + STEP_MS));
            // A frame may last for long.
            if at_ms <= before.at_ms || at_ms >= boundary.at_ms {
                break;
            }
            all.push(Boundary { at_ms, start: GUESS, end: GUESS });
        }
        all.push(boundary);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames every 40 ms for a minute.
    fn frames() -> FrameTimes {
        FrameTimes::new((0..1500).map(|frame| frame * 40_000).collect(), 60_000_000).unwrap()
    }

    fn range(start_ms: u64, end_ms: u64) -> Range {
        Range { start_ms, end_ms }
    }

    /// The boundaries in the whole source that are no guesses: time, start and end.
    fn found(findings: &Findings, sound: bool) -> Vec<(u64, f64, f64)> {
        let all = boundaries(&frames(), findings, sound, range(0, 60_000));
        let sure = all.into_iter().filter(|boundary| boundary.start.max(boundary.end) > GUESS);
        sure.map(|boundary| (boundary.at_ms, boundary.start, boundary.end)).collect()
    }

    #[test]
    fn clips_begin_and_end_in_silences_near_the_sound() {
        let findings = Findings { silences: vec![range(9_000, 9_600), range(30_000, 34_000)], ..Findings::default() };
        let expected = [(0, 1.0, 0.0), (9_320, 1.0, 1.0), (30_520, 0.0, 1.0), (33_520, 1.0, 0.0), (60_000, 0.0, 1.0)];
        assert_eq!(found(&findings, true), expected);
    }

    #[test]
    fn a_scene_change_in_a_silence_is_its_boundary() {
        let findings = Findings {
            scene_changes: vec![9_480, 20_000, 40_000],
            silences: vec![range(9_000, 9_600)],
            pauses: vec![range(9_100, 9_600), range(19_600, 19_920)],
            ..Findings::default()
        };
        let with_sound =
            [(0, 1.0, 0.0), (9_480, 1.0, 1.0), (20_000, PAUSE, PAUSE), (40_000, FAIR, FAIR), (60_000, 0.0, 1.0)];
        assert_eq!(found(&findings, true), with_sound);
        let silent = Findings { scene_changes: vec![40_000], ..Findings::default() };
        assert_eq!(found(&silent, false)[1], (40_000, 1.0, 1.0));
    }

    #[test]
    fn a_moment_of_another_scene_makes_a_boundary_worse() {
        let findings = Findings {
            scene_changes: vec![10_200, 29_800],
            silences: vec![range(9_600, 10_000), range(30_000, 30_400)],
            ..Findings::default()
        };
        let [_, ending, change, other, starting, _] = found(&findings, true)[..] else { panic!("six boundaries") };
        assert_eq!((ending, starting), ((9_800, FLASH, 1.0), (30_200, 1.0, FLASH)));
        assert_eq!((change, other), ((10_200, FAIR, FAIR), (29_800, FAIR, FAIR)));
    }

    #[test]
    fn a_range_is_not_left_and_far_boundaries_have_guesses_between() {
        let findings = Findings { silences: vec![range(9_000, 9_600)], ..Findings::default() };
        let all = boundaries(&frames(), &findings, true, range(10_001, 30_030));
        let times: Vec<u64> = all.iter().map(|boundary| boundary.at_ms).collect();
        assert_eq!(times, [10_040, 15_040, 20_040, 30_000]);
        assert_eq!((all[0].start, all[1].start, all[3].end), (EDGE, GUESS, EDGE));
    }
}
