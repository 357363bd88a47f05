//! How good a clip is: parts from 0 to 1 that people understand, and their weighted mean.

use reelhook_app::clips::perform::ports::Findings;
use reelhook_domain::clips::request::Range;
use serde_json::{Map, Number, Value};

use crate::clips::sound::percentile;

/// The names and weights of the parts.
const WEIGHTS: [(&str, f64); 6] = [
    ("energy", 0.25),
    ("variety", 0.15),
    ("activity", 0.15),
    ("clean_start", 0.15),
    ("clean_end", 0.2),
    ("length", 0.1),
];
/// Scene changes in a minute at which variety is some two thirds.
const LIVELY: f64 = 8.0;

/// A clip that is scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    /// Where it is.
    pub range: Range,
    /// How good its start is.
    pub start: f64,
    /// How good its end is.
    pub end: f64,
    /// How well its length fits.
    pub length: f64,
}

/// The measures of a source, so that scores of many clips are found fast.
#[derive(Debug)]
pub(super) struct Measures<'a> {
    findings: &'a Findings,
    loudness: Option<Relative>,
    motion: Relative,
    /// The silence before each silence, in milliseconds.
    silent_before: Vec<u64>,
}

/// Values of seconds from 0 to 1 relative to the whole source, added up.
#[derive(Debug)]
struct Relative(Vec<f64>);

impl Relative {
    fn new(values: &[f32]) -> Self {
        let (low, high) = (percentile(values, 0.1), percentile(values, 0.95));
        let mut sums = vec![0.0];
        let mut sum = 0.0;
        for value in values {
            let part = if high - low < 1e-3 { 0.5 } else { ((value - low) / (high - low)).clamp(0.0, 1.0) };
            sum += f64::from(part);
            sums.push(sum);
        }
        Self(sums)
    }

    /// The mean of the seconds that a range touches.
    fn mean(&self, range: Range) -> f64 {
        let last = self.0.len() - 1;
        let second = |ms: u64| usize::try_from(ms).unwrap_or(last).min(last);
        let (from, until) = (second(range.start_ms / 1000), second(range.end_ms.div_ceil(1000)));
        if until > from { (self.0[until] - self.0[from]) / (until - from) as f64 } else { 0.0 }
    }
}

impl<'a> Measures<'a> {
    /// The measures of a source, which may have sound.
    pub fn new(findings: &'a Findings, sound: bool) -> Self {
        let mut silent = 0;
        let silent_before = findings.silences.iter().map(|silence| {
            let before = silent;
            silent += silence.length_ms();
            before
        });
        Self {
            findings,
            silent_before: silent_before.collect(),
            loudness: sound.then(|| Relative::new(&findings.loudness)),
            motion: Relative::new(&findings.motion),
        }
    }

    /// The parts of a score, in the order of their weights; none for one that the source can't have.
    fn parts(&self, clip: &Scored) -> [Option<f64>; 6] {
        let (motion, length_ms) = (self.motion.mean(clip.range), clip.range.length_ms().max(1) as f64);
        let loudness = self.loudness.as_ref().map(|loudness| loudness.mean(clip.range));
        let silent = self.silent_until(clip.range.end_ms) - self.silent_until(clip.range.start_ms);
        let per_minute = (self.scenes(clip.range) - 1) as f64 * 60_000.0 / length_ms;
        [
            Some(loudness.map_or(motion, |loudness| (loudness + motion) / 2.0)),
            Some(1.0 - (-per_minute / LIVELY).exp()),
            loudness.map(|_| 1.0 - silent as f64 / length_ms),
            Some(clip.start),
            Some(clip.end),
            Some(clip.length),
        ]
        .map(|part| part.map(|part| rounded(part.clamp(0.0, 1.0))))
    }

    /// The score of a clip, 0 to 1: the weighted mean of its parts.
    pub fn score(&self, clip: &Scored) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (part, (_, weight)) in self.parts(clip).into_iter().zip(WEIGHTS) {
            if let Some(part) = part {
                sum += part * weight;
                weights += weight;
            }
        }
        rounded(sum / weights)
    }

    /// The parts of a score by name, and the number of scenes.
    pub fn basis(&self, clip: &Scored) -> Map<String, Value> {
        let parts = self.parts(clip).into_iter().zip(WEIGHTS);
        let number = |part: f64| Number::from_f64(part).map_or(Value::Null, Value::Number);
        let parts = parts.filter_map(|(part, (name, _))| Some((name.to_owned(), number(part?))));
        parts.chain([("scenes".to_owned(), Value::from(self.scenes(clip.range)))]).collect()
    }

    /// The scenes that a range shows.
    fn scenes(&self, range: Range) -> usize {
        let changes = &self.findings.scene_changes;
        let until = changes.partition_point(|change| *change < range.end_ms);
        1 + until.saturating_sub(changes.partition_point(|change| *change <= range.start_ms))
    }

    /// The silence before a time, in milliseconds.
    fn silent_until(&self, ms: u64) -> u64 {
        let next = self.findings.silences.partition_point(|silence| silence.start_ms < ms);
        match next.checked_sub(1) {
            Some(last) => {
                let silence = self.findings.silences[last];
                self.silent_before[last] + silence.end_ms.min(ms) - silence.start_ms
            }
            None => 0,
        }
    }
}

/// Three places are enough for people.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start_ms: u64, end_ms: u64) -> Range {
        Range { start_ms, end_ms }
    }

    fn scored(range: Range) -> Scored {
        Scored { range, start: 1.0, end: 0.8, length: 1.0 }
    }

    #[test]
    fn parts_say_what_is_in_a_clip() {
        let mut loudness = vec![-40.0; 60];
        loudness[20..40].fill(-10.0);
        let findings = Findings {
            scene_changes: vec![20_000, 25_000, 30_000],
            silences: vec![range(1_000, 3_000), range(10_000, 14_000)],
            motion: loudness.iter().map(|loud| loud + 40.0).collect(),
            loudness,
            ..Findings::default()
        };
        let measures = Measures::new(&findings, true);
        let parts = |from, until| measures.parts(&scored(range(from, until))).map(Option::unwrap);
        let [energy, variety, activity, start, end, length] = parts(0, 20_000);
        assert_eq!((energy, variety, activity, start, end, length), (0.0, 0.0, 0.7, 1.0, 0.8, 1.0));
        let [energy, variety, activity, ..] = parts(20_000, 40_000);
        assert_eq!((energy, activity), (1.0, 1.0));
        assert!((0.5..0.6).contains(&variety), "{variety}");
        assert_eq!(parts(2_000, 12_000)[2], 0.7, "silences at both edges count in part");
        assert!(measures.score(&scored(range(20_000, 40_000))) > measures.score(&scored(range(0, 20_000))));
        let basis = measures.basis(&scored(range(20_000, 40_000)));
        assert_eq!(basis.keys().collect::<Vec<_>>().len(), 7);
        assert_eq!((&basis["energy"], &basis["scenes"]), (&Value::from(1.0), &Value::from(3)));
    }

    #[test]
    fn a_score_is_the_weighted_mean_of_the_parts_that_there_are() {
        assert!((WEIGHTS.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-9);
        let findings = Findings { motion: vec![1.0; 30], ..Findings::default() };
        let measures = Measures::new(&findings, false);
        let clip = scored(range(0, 30_000));
        assert_eq!(measures.parts(&clip), [Some(0.5), Some(0.0), None, Some(1.0), Some(0.8), Some(1.0)]);
        let expected = (0.5 * 0.25 + 0.15 + 0.8 * 0.2 + 0.1) / 0.85;
        assert!((measures.score(&clip) - expected).abs() < 1e-3);
        assert!(!measures.basis(&clip).contains_key("activity"), "there is no sound");
    }
}
