//! Plans clips: chooses the best ones that a request allows among all that begin and end at good boundaries.

use reelhook_app::clips::perform::ports::Findings;
use reelhook_domain::clips::clip::{ClipScore, PlannedClip};
use reelhook_domain::clips::request::{ClipRequest, Lengths, Range};

use crate::clips::boundaries::{Boundary, CLEAN, FAIR, boundaries};
use crate::clips::frames::FrameTimes;
use crate::clips::score::{Measures, Scored};
use crate::clips::select::best;

/// The lengths of a request that names none.
static ANY: [Lengths; 3] =
    [Lengths { min_s: 15, max_s: 30 }, Lengths { min_s: 30, max_s: 60 }, Lengths { min_s: 60, max_s: 120 }];
/// The shortest clip of a source or range that is shorter than all lengths, in milliseconds.
const SHORTEST_MS: u64 = 3000;
/// Where a request names no number, a clip is worth it if its score is this part of the best one at least.
const WORTH: f64 = 0.6;

/// Chooses clips, the best one first. They are in the ranges of the request, have its lengths, do not overlap, and
/// begin and end at frames. `sound` says whether the source has any.
pub(crate) fn plan(frames: &FrameTimes, findings: &Findings, sound: bool, request: &ClipRequest) -> Vec<PlannedClip> {
    let measures = Measures::new(findings, sound);
    let lengths = lengths(request);
    let whole = [Range { start_ms: 0, end_ms: frames.end_ms() }];
    let ranges = if request.ranges.is_empty() { &whole[..] } else { &request.ranges[..] };
    let all = ranges.iter().filter(|range| range.start_ms < frames.end_ms());
    let all: Vec<Scored> =
        all.flat_map(|range| candidates(&boundaries(frames, findings, sound, *range), lengths)).collect();
    let scores: Vec<(Range, f64)> = all.iter().map(|clip| (clip.range, measures.score(clip))).collect();
    let mut chosen = best(&scores, usize::try_from(request.most_clips()).unwrap_or(usize::MAX));
    chosen.sort_by(|one, other| scores[*other].1.total_cmp(&scores[*one].1));
    let least = match (request.count, chosen.first()) {
        (None, Some(best)) => scores[*best].1 * WORTH,
        _ => 0.0,
    };
    let worth = chosen.into_iter().filter(|index| scores[*index].1 >= least);
    worth
        .map(|index| {
            let (range, score) = scores[index];
            PlannedClip { range, score, basis: measures.basis(&all[index]), layout: request.layout }
        })
        .collect()
}

/// Scores a range that a person chose as [`plan`] scores its clips. It is moved to the nearest frames, and may have any
/// length. Its edges are as good as the boundaries that are there, but not worse than edges that a client chose.
pub(crate) fn rate(
    frames: &FrameTimes,
    findings: &Findings,
    sound: bool,
    range: Range,
    request: &ClipRequest,
) -> ClipScore {
    let span = frames.span(range);
    let range = Range { start_ms: frames.millis(span.first), end_ms: (frames.end_of(span) + 500) / 1000 };
    let edges = boundaries(frames, findings, sound, range);
    let start = edges.first().map_or(0.0, |edge| edge.start);
    let end = edges.last().map_or(0.0, |edge| edge.end);
    let clip = Scored { range, start, end, length: rough_fit(range.length_ms(), lengths(request)) };
    let measures = Measures::new(findings, sound);
    ClipScore { score: measures.score(&clip), basis: measures.basis(&clip) }
}

/// The lengths that a request allows.
fn lengths(request: &ClipRequest) -> &[Lengths] {
    if request.lengths.is_empty() { &ANY } else { &request.lengths }
}

/// The clips that boundaries allow: those with good ones on both sides, or, if there are none, with worse ones.
fn candidates(boundaries: &[Boundary], lengths: &[Lengths]) -> Vec<Scored> {
    let (Some(first), Some(last)) = (boundaries.first(), boundaries.last()) else { return Vec::new() };
    let shortest_ms = lengths.iter().map(|lengths| u64::from(lengths.min_s) * 1000).min().unwrap_or_default();
    let whole = Range { start_ms: first.at_ms, end_ms: last.at_ms };
    if whole.length_ms() < shortest_ms {
        let length = rough_fit(whole.length_ms(), lengths);
        let clip = Scored { range: whole, start: first.start, end: last.end, length };
        return if whole.length_ms() >= SHORTEST_MS { vec![clip] } else { Vec::new() };
    }
    let tiers = [CLEAN, FAIR, f64::MIN_POSITIVE].into_iter();
    tiers.map(|least| pairs(boundaries, lengths, least)).find(|pairs| !pairs.is_empty()).unwrap_or_default()
}

/// The clips of allowed lengths whose boundaries are so good at least.
fn pairs(boundaries: &[Boundary], lengths: &[Lengths], least: f64) -> Vec<Scored> {
    let longest_ms = lengths.iter().map(|lengths| u64::from(lengths.max_s) * 1000).max().unwrap_or_default();
    let mut pairs = Vec::new();
    for (index, first) in boundaries.iter().enumerate().filter(|(_, first)| first.start >= least) {
        let near = boundaries[index + 1..].iter().take_while(|last| last.at_ms - first.at_ms <= longest_ms);
        for last in near.filter(|last| last.end >= least) {
            let range = Range { start_ms: first.at_ms, end_ms: last.at_ms };
            if let Some(length) = fit(range.length_ms(), lengths) {
                pairs.push(Scored { range, start: first.start, end: last.end, length });
            }
        }
    }
    pairs
}

/// How well a length fits, from a half at the edges of the allowed lengths to 1 in their middle; none if it is not
/// allowed.
fn fit(length_ms: u64, lengths: &[Lengths]) -> Option<f64> {
    let fits = lengths.iter().filter_map(|lengths| {
        let [least, most] = [lengths.min_s, lengths.max_s].map(|seconds| u64::from(seconds) * 1000);
        let (middle, room) = ((least + most) as f64 / 2.0, most.saturating_sub(least).max(1) as f64);
        let fit = 1.0 - (length_ms as f64 - middle).abs() / room;
        (least..=most).contains(&length_ms).then_some(fit.max(0.5))
    });
    fits.max_by(f64::total_cmp)
}

/// Like [`fit`], for any length: one that is not allowed fits the worse the further it is from those that are, and at
/// best as an edge of them.
fn rough_fit(length_ms: u64, lengths: &[Lengths]) -> f64 {
    let outside = |lengths: &Lengths| {
        let [least, most] = [lengths.min_s, lengths.max_s].map(|seconds| f64::from(seconds) * 1000.0);
        let length = length_ms.max(1) as f64;
        (length / least).min(most / length)
    };
    fit(length_ms, lengths).unwrap_or_else(|| lengths.iter().map(outside).fold(0.0, f64::max).min(0.5))
}

#[cfg(test)]
mod tests {
    use reelhook_domain::clips::request::Source;

    use super::*;

    fn request() -> ClipRequest {
        ClipRequest::of(Source::Upload("uploads/a.mp4".to_owned()))
    }

    fn frames(seconds: u64) -> FrameTimes {
        FrameTimes::new((0..seconds * 25).map(|frame| frame * 40_000).collect(), seconds * 1_000_000).unwrap()
    }

    fn range(start_s: u64, end_s: u64) -> Range {
        Range { start_ms: start_s * 1000, end_ms: end_s * 1000 }
    }

    /// Talk with a silence of 0.8 s around each of these seconds, and as lively as the numbers of the parts between
    /// say.
    fn talk(seconds: u64, silences: &[u64], lively: &[f32]) -> Findings {
        let silences: Vec<Range> =
            silences.iter().map(|at| Range { start_ms: at * 1000 - 400, end_ms: at * 1000 + 400 }).collect();
        let values: Vec<f32> = (0..seconds * 1000)
            .step_by(1000)
            .map(|ms| {
                lively[silences.iter().filter(|silence| silence.end_ms <= ms + 500).count().min(lively.len() - 1)]
            })
            .collect();
        Findings { silences, loudness: values.clone(), motion: values, ..Findings::default() }
    }

    fn ranges(clips: &[PlannedClip]) -> Vec<(u64, u64)> {
        clips.iter().map(|clip| (clip.range.start_ms, clip.range.end_ms)).collect()
    }

    #[test]
    fn the_liveliest_parts_between_silences_are_chosen() {
        let findings = talk(100, &[20, 40, 60, 80], &[1.0, 5.0, 1.0, 9.0, 1.0]);
        let request = ClipRequest { count: Some(2), lengths: vec![Lengths { min_s: 15, max_s: 30 }], ..request() };
        let clips = plan(&frames(100), &findings, true, &request);
        assert_eq!(ranges(&clips), [(60_000, 80_000), (20_000, 40_000)]);
        assert!(clips[0].score > clips[1].score && clips[0].score <= 1.0);
        assert_eq!(clips[0].basis["clean_start"], 1.0);
    }

    #[test]
    fn ranges_and_lengths_are_kept_and_nothing_overlaps() {
        let findings = talk(300, &[21, 33, 52, 70, 88, 101, 119, 140, 171, 190, 222, 250, 280], &[1.0, 3.0, 2.0, 8.0]);
        let kept = [range(30, 125), range(150, 260)];
        let request = ClipRequest { count: Some(50), ranges: kept.to_vec(), ..request() };
        let mut clips = ranges(&plan(&frames(300), &findings, true, &request));
        clips.sort_unstable();
        assert!(clips.len() >= 4, "{clips:?}");
        assert!(clips.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{clips:?}");
        for (start_ms, end_ms) in &clips {
            assert!((15_000..=120_000).contains(&(end_ms - start_ms)), "{clips:?}");
            assert!(kept.iter().any(|kept| kept.start_ms <= *start_ms && *end_ms <= kept.end_ms), "{clips:?}");
            assert!(start_ms % 40 == 0 && end_ms % 40 == 0, "at frames: {clips:?}");
        }
    }

    #[test]
    fn a_short_source_is_one_clip() {
        let quiet = Findings::default();
        let of = |seconds, request| ranges(&plan(&frames(seconds), &quiet, false, &request));
        assert_eq!(of(9, request()), [(0, 9_000)]);
        assert!(of(2, request()).is_empty());
        let short = ClipRequest { ranges: vec![range(10, 14), range(20, 22), range(50, 60)], ..request() };
        assert_eq!(of(40, short), [(10_000, 14_000)]);
        assert_eq!(of(20, request()), [(0, 20_000)], "as long as the shortest length");
    }

    #[test]
    fn without_silences_clips_end_at_scene_changes_or_else_anywhere() {
        let lengths = vec![Lengths { min_s: 15, max_s: 30 }];
        let request = ClipRequest { lengths, ranges: vec![range(5, 55)], ..request() };
        let changes = Findings { scene_changes: vec![12_000, 32_000], ..Findings::default() };
        let found = ranges(&plan(&frames(60), &changes, true, &request));
        assert!(found.contains(&(12_000, 32_000)) || found.contains(&(32_000, 55_000)), "{found:?}");
        let found = ranges(&plan(&frames(60), &Findings::default(), true, &request));
        assert!(!found.is_empty());
        assert!(found.iter().all(|(start, end)| (15_000..=30_000).contains(&(end - start))), "{found:?}");
    }

    #[test]
    fn a_range_that_a_person_chose_has_the_score_that_a_plan_would_give_it() {
        let findings = talk(100, &[20, 40, 60, 80], &[1.0, 5.0, 1.0, 9.0, 1.0]);
        let request = ClipRequest { lengths: vec![Lengths { min_s: 15, max_s: 30 }], ..request() };
        let of = |range| rate(&frames(100), &findings, true, range, &request);
        let planned = plan(&frames(100), &findings, true, &request);
        assert!(planned.len() > 1, "{planned:?}");
        for clip in &planned {
            assert_eq!(of(clip.range), ClipScore { score: clip.score, basis: clip.basis.clone() });
        }
        let other = of(Range { start_ms: 64_990, end_ms: 75_010 });
        assert!(other.score < planned[0].score, "{other:?}");
        let part = |name: &str| other.basis[name].as_f64().unwrap();
        assert_eq!((part("clean_start"), part("clean_end"), part("length")), (0.5, 0.5, 0.5));
    }

    #[test]
    fn a_length_that_is_not_allowed_fits_the_worse_the_further_it_is() {
        let lengths = [Lengths { min_s: 15, max_s: 30 }, Lengths { min_s: 60, max_s: 120 }];
        for (seconds, expected) in
            [(0.0, 0.0), (3.0, 0.2), (14.0, 0.5), (22.5, 1.0), (45.0, 0.5), (150.0, 0.5), (600.0, 0.2)]
        {
            let fit = rough_fit((seconds * 1000.0) as u64, &lengths);
            assert!((fit - expected).abs() < 1e-3, "{seconds} s: {fit}");
        }
    }

    #[test]
    fn what_is_not_worth_it_is_left_out_unless_a_number_is_named() {
        let findings = talk(60, &[20, 40], &[9.0, 0.0, 0.0]);
        let lengths = vec![Lengths { min_s: 15, max_s: 30 }];
        let many = ClipRequest { lengths, count: Some(10), ..request() };
        assert_eq!(plan(&frames(60), &findings, true, &many).len(), 3);
        let clips = plan(&frames(60), &findings, true, &ClipRequest { count: None, ..many });
        let best = clips[0].score;
        assert!(clips.iter().all(|clip| clip.score >= best * WORTH), "{clips:?}");
    }
}
