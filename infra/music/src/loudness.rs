//! Measures the loudness of a loop as in ITU-R BS.1770, and limits its peaks.

use crate::filter::Biquad;
use crate::layer::Layer;
use crate::sample_rate::RATE;

/// The integrated loudness in LUFS, as if the loop were repeated endlessly.
pub fn loudness(layer: &Layer) -> f64 {
    let mut weighted = layer.clone();
    weighted.run(|| {
        let (mut shelf, mut high) = (Biquad::loudness_shelf(), Biquad::loudness_high_pass());
        move |sample| high.run(shelf.run(sample))
    });
    let block = (0.4 * RATE) as usize;
    let step = block / 4;
    let length = weighted.channels[0].len();
    let powers: Vec<f64> = (0..length / step)
        .map(|number| {
            let power = |side: &Vec<f64>| -> f64 {
                (0..block).map(|at| side[(number * step + at) % length].powi(2)).sum::<f64>() / block as f64
            };
            weighted.channels.iter().map(power).sum()
        })
        .collect();
    let audible = mean_above(&powers, power_of(-70.0));
    decibels_of(mean_above(&powers, audible / 10.0))
}

fn mean_above(powers: &[f64], gate: f64) -> f64 {
    let (sum, count) =
        powers.iter().filter(|power| **power > gate).fold((0.0, 0), |(sum, count), power| (sum + power, count + 1));
    sum / f64::from(count.max(1))
}

fn power_of(lufs: f64) -> f64 {
    10f64.powf((lufs + 0.691) / 10.0)
}

fn decibels_of(power: f64) -> f64 {
    10.0 * power.max(1e-12).log10() - 0.691
}

/// The amplitude factor for a number of decibels.
pub fn factor(decibels: f64) -> f64 {
    10f64.powf(decibels / 20.0)
}

/// Scales a loop to a loudness in LUFS.
pub fn set_loudness(layer: &mut Layer, lufs: f64) {
    let gain = factor(lufs - loudness(layer));
    layer.scale(gain);
}

/// Scales a loop to a loudness in LUFS, and limits every peak to `ceiling` decibels.
pub fn master(layer: &mut Layer, lufs: f64, ceiling: f64) {
    // Compensate for the attenuation of the limiter in ever smaller steps.
    for _ in 0..3 {
        set_loudness(layer, lufs);
        limit(layer, factor(ceiling));
    }
}

/// Reduces the volume around each peak, smoothly and equally on both channels.
fn limit(layer: &mut Layer, ceiling: f64) {
    let length = layer.channels[0].len();
    let reach = (0.006 * RATE) as usize;
    let mut needed = vec![1.0f64; length];
    for at in 0..length {
        let peak = layer.channels[0][at].abs().max(layer.channels[1][at].abs());
        if peak <= ceiling {
            continue;
        }
        // Reduce every sample in reach, so that the moving average below is low enough.
        for near in 0..=2 * reach {
            let place = (at + length + near - reach) % length;
            needed[place] = needed[place].min(ceiling / peak);
        }
    }
    let window = 2 * reach + 1;
    let mut sum: f64 = (0..window).map(|near| needed[(length + near - reach) % length]).sum();
    for at in 0..length {
        let gain = sum / window as f64;
        layer.channels.iter_mut().for_each(|side| side[at] *= gain);
        sum += needed[(at + reach + 1) % length] - needed[(at + length - reach) % length];
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::{loudness, master};
    use crate::layer::{Layer, Tempo};
    use crate::sample_rate::RATE;

    fn sine(level: f64) -> Layer {
        let mut layer = Layer::new(Tempo { beats_per_minute: 120.0, bars: 4 });
        let tone: Vec<f64> =
            (0..layer.tempo.samples()).map(|at| level * (TAU * 997.0 * at as f64 / RATE).sin()).collect();
        layer.play_wide(0.0, &tone, &tone, 1.0);
        layer
    }

    #[test]
    fn the_meter_reads_the_reference_tone() {
        // EBU Tech 3341: a stereo sine of 1 kHz at -23 dBFS reads -23 LUFS.
        let read = loudness(&sine(10f64.powf(-23.0 / 20.0)));

        assert!((read + 23.0).abs() < 0.1, "{read}");
    }

    #[test]
    fn a_loud_loop_stays_below_the_ceiling() {
        let mut layer = sine(1.0);
        layer.play(3.0, &[3.0; 40], 1.0, 0.0);

        master(&mut layer, -16.0, -2.0);

        let peak = layer.channels.iter().flatten().fold(0.0, |peak: f64, sample| peak.max(sample.abs()));
        assert!(peak <= 0.7944, "{peak}");
    }
}
