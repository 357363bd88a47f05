//! The sound of a source: its level, and from it silences, pauses of speech and the loudness of each second.

use reelhook_domain::clips::request::Range;

/// Samples per second that are analysed: enough for the level of speech.
pub(crate) const RATE: u32 = 8000;
/// The bytes of the samples of one level: 20 ms of 16-bit samples.
pub(crate) const WINDOW: usize = 320;
/// The time of one level in milliseconds.
const WINDOW_MS: usize = 20;
/// The lowest level in dB.
const FLOOR: f64 = -90.0;
/// The shortest silence in milliseconds.
const SILENCE_MS: usize = 400;
/// The shortest pause of speech in milliseconds: longer than a stop consonant, shorter than a breath.
const PAUSE_MS: usize = 240;
/// The longest pause of speech in milliseconds: what is quieter for longer is quiet speech, unless it is a silence.
const LONGEST_PAUSE_MS: u64 = 2000;
/// How far below the loud parts silence is, in dB.
const SILENCE_DEPTH: f32 = 30.0;
/// The levels below which sound is silence at the lowest and at the highest, in dB.
const SILENCE: (f32, f32) = (-60.0, -40.0);
/// How far below the loud parts around it a pause is, in dB.
const PAUSE_DEPTH: f32 = 14.0;
/// The seconds on each side that a pause is compared with.
const AROUND: usize = 5;
/// The level that is exceeded by a tenth of the sound counts as its loud parts.
const LOUD: f64 = 0.9;

/// The level of samples in dB below full scale.
pub(crate) fn level(samples: &[u8]) -> f32 {
    let squares = samples.chunks_exact(2).map(|sample| f64::from(i16::from_le_bytes([sample[0], sample[1]])).powi(2));
    let mean = squares.sum::<f64>() / (samples.len() / 2).max(1) as f64;
    (10.0 * (mean / 32768.0_f64.powi(2)).max(1e-12).log10()).max(FLOOR) as f32
}

/// Silences: at least 0.4 s, well below the loud parts of the whole source.
pub(crate) fn silences(levels: &[f32]) -> Vec<Range> {
    let most = (percentile(levels, LOUD) - SILENCE_DEPTH).clamp(SILENCE.0, SILENCE.1);
    quiet(levels, SILENCE_MS, |_| most)
}

/// Pauses: 0.24 to 2 s, below the loud parts around them. There may be music or noise in them.
pub(crate) fn pauses(levels: &[f32]) -> Vec<Range> {
    let second = 1000 / WINDOW_MS;
    let loud: Vec<f32> = (0..levels.len().div_ceil(second))
        .map(|at| {
            let from = at.saturating_sub(AROUND) * second;
            let until = ((at + AROUND + 1) * second).min(levels.len());
            percentile(&levels[from..until], LOUD) - PAUSE_DEPTH
        })
        .collect();
    let mut found = quiet(levels, PAUSE_MS, |index| loud[index / second].max(SILENCE.0));
    found.retain(|pause| pause.length_ms() <= LONGEST_PAUSE_MS);
    found
}

/// The loudness of each second in dB.
pub(crate) fn loudness(levels: &[f32]) -> Vec<f32> {
    levels
        .chunks(1000 / WINDOW_MS)
        .map(|levels| {
            let power: f64 = levels.iter().map(|level| 10_f64.powf(f64::from(*level) / 10.0)).sum();
            (10.0 * (power / levels.len() as f64).log10()).max(FLOOR) as f32
        })
        .collect()
}

/// The value below which this part of all values is.
pub(crate) fn percentile(values: &[f32], part: f64) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// The times during which levels stay below a limit for so long at least.
fn quiet(levels: &[f32], least_ms: usize, limit: impl Fn(usize) -> f32) -> Vec<Range> {
    let (mut found, mut began) = (Vec::new(), None);
    for index in 0..=levels.len() {
        let is_quiet = levels.get(index).is_some_and(|level| *level < limit(index));
        match (began, is_quiet) {
            (None, true) => began = Some(index),
            (Some(from), false) => {
                if (index - from) * WINDOW_MS >= least_ms {
                    let [start_ms, end_ms] = [from, index].map(|at| (at * WINDOW_MS) as u64);
                    found.push(Range { start_ms, end_ms });
                }
                began = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels from lengths in milliseconds and dB.
    fn levels(parts: &[(usize, f32)]) -> Vec<f32> {
        parts.iter().flat_map(|(ms, level)| vec![*level; ms / WINDOW_MS]).collect()
    }

    fn range(start_ms: u64, end_ms: u64) -> Range {
        Range { start_ms, end_ms }
    }

    #[test]
    fn a_level_is_that_of_its_samples() {
        let samples = |value: i16| value.to_le_bytes().repeat(160);
        assert!((level(&samples(32767)) - 0.0).abs() < 0.01);
        assert!((level(&samples(3277)) + 20.0).abs() < 0.01);
        assert!((level(&samples(0)) + 90.0).abs() < 0.01);
    }

    #[test]
    fn silences_are_long_and_far_below_the_loud_parts() {
        let talk = levels(&[(2000, -20.0), (600, -70.0), (3000, -22.0), (380, -80.0), (1000, -18.0), (400, -55.0)]);
        assert_eq!(silences(&talk), [range(2000, 2600), range(6980, 7380)]);
        assert_eq!(silences(&levels(&[(1000, -90.0)])), [range(0, 1000)], "all of it");
        assert!(silences(&[]).is_empty() && pauses(&[]).is_empty());
    }

    #[test]
    fn pauses_may_have_music_in_them() {
        let talk = levels(&[(2000, -20.0), (300, -36.0), (2000, -20.0), (200, -36.0), (2000, -20.0), (500, -30.0)]);
        assert_eq!((silences(&talk), pauses(&talk)), (vec![], vec![range(2000, 2300)]));
        // A quiet speaker after a loud one has pauses too.
        let two = levels(&[(20_000, -10.0), (20_000, -35.0), (300, -55.0), (5000, -35.0)]);
        assert_eq!(pauses(&two), [range(40_000, 40_300)]);
    }

    #[test]
    fn loudness_is_the_mean_power_of_a_second() {
        let loud = loudness(&levels(&[(1000, -20.0), (500, -90.0), (500, -20.0), (200, -40.0)]));
        assert_eq!(loud.len(), 3);
        assert!((loud[0] + 20.0).abs() < 0.01 && (loud[1] + 23.01).abs() < 0.02 && (loud[2] + 40.0).abs() < 0.01);
    }
}
