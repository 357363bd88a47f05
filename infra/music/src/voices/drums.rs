//! Soft drums and noises from falling sines and filtered noise.

use std::f64::consts::TAU;

use super::{envelope, normalised, samples};
use crate::filter::{Biquad, OnePole};
use crate::random::Random;
use crate::sample_rate::RATE;

/// A sine that falls from `high` to `low` hertz and decays in about `fall` seconds.
fn thud(high: f64, low: f64, drop: f64, fall: f64, seconds: f64) -> Vec<f64> {
    let mut phase = 0.0;
    (0..samples(seconds))
        .map(|at| {
            let time = at as f64 / RATE;
            phase += (low + (high - low) * (-time / drop).exp()) / RATE;
            (TAU * phase).sin() * (-time / fall).exp() * envelope(time, 0.003, seconds - 0.05, 0.05)
        })
        .collect()
}

/// Filtered noise with an envelope over time in seconds.
fn noise(seconds: f64, random: &mut Random, mut filter: Biquad, level: impl Fn(f64) -> f64) -> Vec<f64> {
    let shaped = (0..samples(seconds))
        .map(|at| {
            let time = at as f64 / RATE;
            filter.run(random.signed()) * level(time) * envelope(time, 0.001, seconds - 0.02, 0.02)
        })
        .collect();
    normalised(shaped)
}

fn mixed(mut sound: Vec<f64>, other: &[f64], gain: f64) -> Vec<f64> {
    sound.resize(sound.len().max(other.len()), 0.0);
    sound.iter_mut().zip(other).for_each(|(sample, more)| *sample += more * gain);
    sound
}

/// A soft kick drum.
pub fn kick() -> Vec<f64> {
    let beater = noise(0.03, &mut Random::new(11), Biquad::band_pass(1_800.0, 0.7), |time| (-time / 0.006).exp());
    mixed(thud(135.0, 49.0, 0.035, 0.16, 0.55), &beater, 0.1)
}

/// A large, deep drum, as in film music.
pub fn drum() -> Vec<f64> {
    let skin = noise(0.5, &mut Random::new(12), Biquad::band_pass(240.0, 0.8), |time| (-time / 0.09).exp());
    let body = mixed(thud(98.0, 52.0, 0.07, 0.42, 1.8), &thud(170.0, 118.0, 0.05, 0.16, 0.8), 0.35);
    normalised(mixed(body, &skin, 0.35))
}

/// A soft snare drum.
pub fn snare() -> Vec<f64> {
    let wires = noise(0.3, &mut Random::new(13), Biquad::band_pass(3_100.0, 0.5), |time| (-time / 0.065).exp());
    normalised(mixed(thud(240.0, 182.0, 0.02, 0.07, 0.3), &wires, 0.55))
}

/// A rim click.
pub fn rim() -> Vec<f64> {
    let wood = noise(0.08, &mut Random::new(14), Biquad::band_pass(1_900.0, 2.5), |time| (-time / 0.012).exp());
    normalised(mixed(thud(560.0, 480.0, 0.01, 0.018, 0.12), &wood, 0.8))
}

/// A clap of several hands.
pub fn clap() -> Vec<f64> {
    noise(0.32, &mut Random::new(15), Biquad::band_pass(1_450.0, 0.9), |time| {
        let hands: f64 = [0.0, 0.011, 0.019]
            .iter()
            .map(|start| if time < *start { 0.0 } else { (-(time - start) / 0.006).exp() })
            .sum();
        let tail = if time < 0.026 { 0.0 } else { 0.75 * (-(time - 0.026) / 0.07).exp() };
        0.7 * hands + tail
    })
}

/// A closed hi-hat that decays in about `fall` seconds.
pub fn hat(fall: f64, random: &mut Random) -> Vec<f64> {
    let bright = noise(fall * 6.0 + 0.03, random, Biquad::high_pass(7_200.0, 0.8), |time| (-time / fall).exp());
    let mut soft = OnePole::new(9_500.0);
    bright.into_iter().map(|sample| soft.low(sample)).collect()
}

/// A shaker whose grains sound slightly after the motion of the hand.
pub fn shaker(random: &mut Random) -> Vec<f64> {
    noise(0.14, random, Biquad::band_pass(6_300.0, 0.9), |time| {
        (time / 0.022).min(1.0).powi(2) * (-(time - 0.022).max(0.0) / 0.024).exp()
    })
}

/// A tambourine: a shaker with jingles.
pub fn tambourine(random: &mut Random) -> Vec<f64> {
    let jingles: Vec<f64> = [(6_100.0, 0.05), (7_350.0, 0.06), (8_900.0, 0.045)]
        .iter()
        .map(|(hertz, fall)| noise(0.25, random, Biquad::band_pass(*hertz, 18.0), |time| (-time / fall).exp()))
        .reduce(|sum, jingle| mixed(sum, &jingle, 1.0))
        .unwrap_or_default();
    normalised(mixed(jingles, &shaker(random), 0.8))
}

/// Noise that swells over `seconds` and then fades.
pub fn swell(seconds: f64, random: &mut Random) -> Vec<f64> {
    let mut dark = OnePole::new(600.0);
    let wave: Vec<f64> = (0..samples(seconds + 1.2))
        .map(|at| {
            let time = at as f64 / RATE;
            let rise = (time / seconds).min(1.0);
            dark.tune(400.0 + 3_800.0 * rise * rise);
            dark.low(random.signed()) * envelope(time, seconds, seconds, 1.2)
        })
        .collect();
    normalised(wave)
}

/// The surface noise of a record over `seconds`: a faint hiss and a few clicks.
pub fn crackle(seconds: f64, random: &mut Random) -> Vec<f64> {
    let mut tone = Biquad::band_pass(2_600.0, 0.6);
    let mut dull = OnePole::new(4_000.0);
    (0..samples(seconds))
        .map(|_| {
            let tick = if random.unit() < 9.0 / RATE { random.signed() } else { 0.0 };
            tone.run(tick) + dull.low(random.signed()) * 0.006
        })
        .collect()
}
