//! Plucked strings by the Karplus-Strong algorithm: a burst of noise circulates in a tuned delay line and loses its
//! treble.

use super::samples;
use crate::filter::OnePole;
use crate::harmony::hertz;
use crate::random::Random;
use crate::sample_rate::RATE;

/// The parameters of a plucked string.
#[derive(Clone, Copy)]
pub struct Pluck {
    /// The decay time of a string at A3: seconds until it has decayed by 60 dB.
    pub ring: f64,
    /// The cutoff of the excitation in hertz.
    pub bright: f64,
    /// The damping of the treble, 0 to 0.5.
    pub damp: f64,
    /// The plucking position as a fraction of the string.
    pub position: f64,
}

/// Renders one note that rings for `seconds` and is then muted.
pub fn pluck(pitch: i32, seconds: f64, string: Pluck, random: &mut Random) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    let period = RATE / frequency;
    // The damping filter delays by `damp` samples; an all-pass provides the remaining fraction of a sample.
    let whole = (period - string.damp - 0.3).floor();
    let rest = period - string.damp - whole;
    let tuning = (1.0 - rest) / (1.0 + rest);
    // Shorter strings decay faster.
    let ring = string.ring * (220.0 / frequency).powf(0.5);
    let decay = 10f64.powf(-3.0 / (frequency * ring));

    let mut line = excitation(whole as usize, string, random);
    let (mut damped, mut tuned_in, mut tuned_out) = (0.0, 0.0, 0.0);
    let mut at = 0;
    let total = samples(seconds + 0.12);
    let stop = samples(seconds);
    (0..total)
        .map(|sample| {
            let out = line[at];
            let dull = (1.0 - string.damp) * out + string.damp * damped;
            damped = out;
            let back = dull * decay;
            tuned_out = tuning * back + tuned_in - tuning * tuned_out;
            tuned_in = back;
            line[at] = tuned_out;
            at = (at + 1) % line.len();
            let hand = if sample < stop { 1.0 } else { (total - sample) as f64 / (total - stop) as f64 };
            // The first samples rise, so that there is no click.
            out * hand * hand * (sample as f64 / 40.0).min(1.0)
        })
        .collect()
}

/// The excitation: low-passed noise with the notches of the plucking position and without a DC offset.
fn excitation(length: usize, string: Pluck, random: &mut Random) -> Vec<f64> {
    let mut dull = OnePole::new(string.bright);
    let mut softer = OnePole::new(string.bright * 1.5);
    let noise: Vec<f64> = (0..2 * length).map(|_| softer.low(dull.low(random.signed()))).collect();
    let noise = &noise[length..];
    let position = ((string.position * length as f64) as usize).max(1);
    let mut line: Vec<f64> =
        (0..length).map(|at| noise[at] - 0.85 * noise[(at + length - position) % length]).collect();
    let mean = line.iter().sum::<f64>() / length as f64;
    line.iter_mut().for_each(|sample| *sample -= mean);
    // Normalise the power, so that every pluck has the same strength.
    let power = (line.iter().map(|sample| sample * sample).sum::<f64>() / length as f64).sqrt();
    line.iter_mut().for_each(|sample| *sample *= 0.35 / power);
    line
}

#[cfg(test)]
mod tests {
    use super::{Pluck, pluck};
    use crate::harmony::hertz;
    use crate::random::Random;
    use crate::sample_rate::RATE;

    #[test]
    fn strings_are_in_tune() {
        for pitch in [43, 57, 69, 76] {
            check(pitch);
        }
    }

    fn check(pitch: i32) {
        let string = Pluck { ring: 4.0, bright: 3_000.0, damp: 0.3, position: 0.2 };
        let sound = pluck(pitch, 1.5, string, &mut Random::new(1));

        // The largest whole number of periods in a fifth of a second gives the best correlation.
        let frequency = hertz(f64::from(pitch));
        let periods = (frequency / 5.0).floor();
        let exact = periods * RATE / frequency;
        let likeness = |lag: usize| -> f64 { (5_000..25_000).map(|at| sound[at] * sound[at + lag]).sum() };
        let around = exact as usize - 40..exact as usize + 40;
        let best = around.max_by(|one, two| likeness(*one).total_cmp(&likeness(*two))).expect("the range is not empty");

        let cents = 1_200.0 * (best as f64 / exact).log2();
        assert!(cents.abs() < 3.0, "`{pitch}` is {cents:.1} cents off");
    }
}
