//! Sustained sounds: pads and strings, bass, a synthesiser arpeggio and a soft lead.

use std::f64::consts::TAU;

use super::{Saw, envelope, samples};
use crate::filter::{OnePole, Sweep};
use crate::harmony::hertz;
use crate::random::Random;
use crate::sample_rate::RATE;

/// The parameters of a pad.
#[derive(Clone, Copy)]
pub struct Pad {
    /// The attack time in seconds.
    pub attack: f64,
    /// The release time in seconds.
    pub release: f64,
    /// The cutoff of its low-pass in hertz.
    pub cutoff: f64,
    /// The detuning of its sawtooths in cents.
    pub detune: f64,
    /// The depth of its vibrato in cents.
    pub vibrato: f64,
}

/// Three detuned sawtooths through two low-passes. Two calls with the same `random` give a left and a right channel.
pub fn pad(pitch: i32, seconds: f64, sound: Pad, random: &mut Random) -> Vec<f64> {
    let mut saws: Vec<(Saw, f64)> = [-1.0, 0.1, 0.9]
        .map(|side| (Saw { phase: random.unit() }, hertz(f64::from(pitch) + side * sound.detune / 100.0)))
        .into();
    let mut first = OnePole::new(sound.cutoff);
    let mut second = OnePole::new(sound.cutoff * 1.6);
    let speed = 4.6 * random.jitter(0.12);
    let start = random.unit();
    (0..samples(seconds + sound.release))
        .map(|at| {
            let time = at as f64 / RATE;
            let level = envelope(time, sound.attack, seconds, sound.release);
            // The vibrato starts after the note has begun, as with a player.
            let depth = sound.vibrato * (time / 0.8).min(1.0);
            let bend = 1.0 + depth * 0.000_577_8 * (TAU * (speed * time + start)).sin();
            let sum: f64 = saws.iter_mut().map(|(saw, hertz)| saw.next(*hertz * bend)).sum();
            first.tune(sound.cutoff * (0.35 + 0.65 * level));
            second.low(first.low(sum / 3.0)) * level
        })
        .collect()
}

/// A round bass: a sine with a few overtones, so that it is audible on small speakers.
pub fn bass(pitch: i32, seconds: f64, bright: f64) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    let mut saw = Saw { phase: 0.5 };
    let mut tone = OnePole::new(900.0);
    let mut mellow = OnePole::new(1_400.0);
    (0..samples(seconds + 0.12))
        .map(|at| {
            let time = at as f64 / RATE;
            let fade = 0.55 + 0.45 * (-time / 0.5).exp();
            tone.tune(180.0 + 1_100.0 * bright * (-time / 0.16).exp());
            let sine = (TAU * frequency * time).sin();
            let second = (2.0 * TAU * frequency * time).sin() * 0.22 * (-time / 0.9).exp();
            let edge = mellow.low(tone.low(saw.next(frequency))) * bright;
            ((sine + second + edge) * 0.8).tanh() * fade * envelope(time, 0.008, seconds, 0.12)
        })
        .collect()
}

/// A short synthesiser note; the cutoff of its filter starts at `open` hertz and falls.
pub fn arpeggio(pitch: i32, seconds: f64, open: f64) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    let (mut one, mut two) = (Saw { phase: 0.0 }, Saw { phase: 0.37 });
    let mut sweep = Sweep::default();
    let mut soft = OnePole::new(6_000.0);
    (0..samples(seconds + 0.25))
        .map(|at| {
            let time = at as f64 / RATE;
            let saws = one.next(frequency * 1.002) - two.next(frequency * 0.998);
            let cutoff = 180.0 + open * (-time / 0.13).exp();
            soft.low(sweep.low(saws * 0.5, cutoff, 1.3)) * envelope(time, 0.003, seconds, 0.25)
        })
        .collect()
}

/// A quiet lead between a flute and a whistle: a sine, two overtones and breath noise.
pub fn soft_lead(pitch: i32, seconds: f64, random: &mut Random) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    let mut breath = Sweep::default();
    let mut low = OnePole::new(frequency * 0.7);
    let mut phase = 0.0;
    (0..samples(seconds + 0.18))
        .map(|at| {
            let time = at as f64 / RATE;
            let depth = 0.004 * ((time - 0.25) / 0.4).clamp(0.0, 1.0);
            phase += frequency * (1.0 + depth * (TAU * 5.1 * time).sin()) / RATE;
            let tone = (TAU * phase).sin() + 0.18 * (2.0 * TAU * phase).sin() + 0.06 * (3.0 * TAU * phase).sin();
            let air = low.high(breath.low(random.signed(), frequency * 1.6, 2.0)) * 0.05;
            (tone + air) * envelope(time, 0.05, seconds, 0.18)
        })
        .collect()
}
