//! Struck sounds that decay: piano, electric piano, bells and bars.

use std::f64::consts::TAU;

use super::{envelope, samples};
use crate::filter::OnePole;
use crate::harmony::hertz;
use crate::random::Random;
use crate::sample_rate::RATE;

/// A decaying sine that is computed by rotation instead of the sine function.
struct Partial {
    x: f64,
    y: f64,
    cosine: f64,
    sine: f64,
}

impl Partial {
    fn new(hertz: f64, level: f64, fall_seconds: f64, phase: f64) -> Partial {
        let decay = (-1.0 / (fall_seconds * RATE)).exp();
        let (sine, cosine) = (TAU * hertz / RATE).sin_cos();
        Partial {
            x: level * (TAU * phase).cos(),
            y: level * (TAU * phase).sin(),
            cosine: cosine * decay,
            sine: sine * decay,
        }
    }

    fn next(&mut self) -> f64 {
        let out = self.y;
        (self.x, self.y) = (self.x * self.cosine - self.y * self.sine, self.x * self.sine + self.y * self.cosine);
        out
    }
}

/// A soft felt piano; a higher `touch` (0 to 1) is louder and brighter.
pub fn piano(pitch: i32, seconds: f64, touch: f64, random: &mut Random) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    let fall = 1.5 * (220.0 / frequency).powf(0.45);
    let mut partials = Vec::new();
    for number in 1..=12 {
        let n = f64::from(number);
        // Stiff strings have slightly sharp overtones.
        let hertz = frequency * n * (1.0 + 0.000_35 * n * n).sqrt();
        if hertz > 9_000.0 {
            break;
        }
        let level = n.powf(-1.05 - 0.9 * (1.0 - touch)) * (-hertz / (1_800.0 + 2_600.0 * touch)).exp();
        let fall = fall / (1.0 + 0.28 * (n - 1.0));
        let phase = random.unit();
        // Two strings with slightly different pitch: one decays fast, the other slowly.
        partials.push(Partial::new(hertz * 0.999_75, level * 0.65, fall * 0.6, phase));
        partials.push(Partial::new(hertz * 1.000_25, level * 0.35, fall * 2.0, phase));
    }
    let mut felt = OnePole::new(420.0);
    (0..samples(seconds + 0.3))
        .map(|at| {
            let time = at as f64 / RATE;
            let tone: f64 = partials.iter_mut().map(Partial::next).sum();
            let thump = felt.low(random.signed()) * 0.5 * (-time / 0.025).exp();
            (tone + thump * touch) * envelope(time, 0.004, seconds, 0.3) * (0.4 + 0.6 * touch)
        })
        .collect()
}

/// An electric piano: frequency modulation gives the sound of a tine.
pub fn electric_piano(pitch: i32, seconds: f64, touch: f64) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    (0..samples(seconds + 0.4))
        .map(|at| {
            let time = at as f64 / RATE;
            let turn = TAU * frequency * time;
            let index = touch * (1.7 * (-time / 0.5).exp() + 0.45);
            let tine = 0.07 * touch * (turn * 7.0).sin() * (-time / 0.11).exp();
            let body = (turn + index * turn.sin()).sin() * (-time / 1.9).exp();
            (body + tine) * envelope(time, 0.004, seconds, 0.4)
        })
        .collect()
}

/// A soft bell with a long tail.
pub fn bell(pitch: i32, seconds: f64) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    sum(&[(1.0, 1.0, 1.1), (2.0, 0.28, 0.7), (3.01, 0.12, 0.4), (4.2, 0.06, 0.2)], frequency, seconds, 0.006)
}

/// A bar of a glockenspiel.
pub fn glockenspiel(pitch: i32, seconds: f64) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    sum(&[(1.0, 1.0, 0.55), (2.756, 0.22, 0.18), (5.404, 0.06, 0.06)], frequency, seconds, 0.002)
}

/// A bar of a marimba.
pub fn marimba(pitch: i32, seconds: f64) -> Vec<f64> {
    let frequency = hertz(f64::from(pitch));
    sum(&[(1.0, 1.0, 0.26), (3.93, 0.22, 0.06), (9.2, 0.04, 0.02)], frequency, seconds, 0.003)
}

/// Adds up partials, given as frequency ratio, level and decay in seconds.
fn sum(partials: &[(f64, f64, f64)], frequency: f64, seconds: f64, attack: f64) -> Vec<f64> {
    let mut partials: Vec<Partial> = partials
        .iter()
        .filter(|(ratio, _, _)| ratio * frequency < 12_000.0)
        .map(|(ratio, level, fall)| {
            let fall = fall * (523.0 / frequency).powf(0.35);
            Partial::new(frequency * ratio, *level, fall, 0.0)
        })
        .collect();
    (0..samples(seconds + 0.4))
        .map(|at| {
            let time = at as f64 / RATE;
            partials.iter_mut().map(Partial::next).sum::<f64>() * envelope(time, attack, seconds, 0.4)
        })
        .collect()
}
