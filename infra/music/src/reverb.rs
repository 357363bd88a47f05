//! Reverb and echo: a network of eight delays that feed each other, and a ping-pong echo.

use crate::filter::OnePole;
use crate::layer::Layer;
use crate::sample_rate::RATE;

/// A room.
#[derive(Clone, Copy)]
pub struct Room {
    /// Seconds until a sound has decayed by sixty decibels.
    pub seconds: f64,
    /// Frequency above which the room absorbs sound, in hertz.
    pub bright: f64,
    /// Delay before the reverb, in seconds.
    pub delay: f64,
}

/// An echo in the tempo of the track.
#[derive(Clone, Copy)]
pub struct Echo {
    /// Beats between two echoes.
    pub beats: f64,
    /// Level of an echo relative to the previous one.
    pub keep: f64,
}

struct Delay {
    line: Vec<f64>,
    at: usize,
}

impl Delay {
    fn new(seconds: f64) -> Delay {
        Delay { line: vec![0.0; ((seconds * RATE) as usize).max(1)], at: 0 }
    }

    fn out(&self) -> f64 {
        self.line[self.at]
    }

    fn put(&mut self, sample: f64) {
        self.line[self.at] = sample;
        self.at = (self.at + 1) % self.line.len();
    }
}

/// Lengths of the delays in seconds, without common divisors, so that no frequency is emphasised.
const LINES: [f64; 8] = [0.031_1, 0.037_3, 0.041_9, 0.047_7, 0.053_3, 0.061_1, 0.068_9, 0.079_3];

/// The reverb of a layer, taken from the second of two passes, so that the loop has no seam.
pub fn room(layer: &Layer, room: Room) -> Layer {
    let mut lines = LINES.map(Delay::new);
    let keeps = LINES.map(|seconds| 10f64.powf(-3.0 * seconds / room.seconds));
    let mut dampers = LINES.map(|_| OnePole::new(room.bright));
    let mut before = [Delay::new(room.delay), Delay::new(room.delay * 1.13)];
    // Two short all-passes per side diffuse the first echoes.
    let mut blurs = [[0.004_7, 0.011_3], [0.005_3, 0.012_7]].map(|side| side.map(Delay::new));
    // Bass has no reverb, which would boom.
    let mut lows = [OnePole::new(180.0), OnePole::new(180.0)];

    let mut wet = layer.clone();
    for _ in 0..2 {
        for at in 0..layer.sides[0].len() {
            let mut input = [0.0; 2];
            for side in 0..2 {
                let mut sample = before[side].out();
                before[side].put(lows[side].high(layer.sides[side][at]));
                for blur in &mut blurs[side] {
                    let held = blur.out();
                    let into = sample + 0.6 * held;
                    blur.put(into);
                    sample = held - 0.6 * into;
                }
                input[side] = sample;
            }
            let mut heard = [0.0; 8];
            for ((heard, line), (damper, keep)) in heard.iter_mut().zip(&lines).zip(dampers.iter_mut().zip(keeps)) {
                *heard = damper.low(line.out()) * keep;
            }
            wet.sides[0][at] = heard[0] - heard[2] + heard[4] - heard[6];
            wet.sides[1][at] = heard[1] - heard[3] + heard[5] - heard[7];
            for (number, value) in spread(heard).into_iter().enumerate() {
                lines[number].put(value + input[number % 2]);
            }
        }
    }
    wet
}

/// The Hadamard matrix: every delay feeds every other, and the energy stays the same.
fn spread(mut values: [f64; 8]) -> [f64; 8] {
    for half in [1, 2, 4] {
        for at in 0..8 {
            if at & half == 0 {
                let (one, two) = (values[at], values[at | half]);
                values[at] = one + two;
                values[at | half] = one - two;
            }
        }
    }
    values.map(|value| value / 8f64.sqrt())
}

/// The echoes of a layer; each has less treble than the one before.
pub fn echo(layer: &Layer, echo: Echo) -> Layer {
    let seconds = layer.tempo.seconds(echo.beats);
    let mut lines = [Delay::new(seconds), Delay::new(seconds)];
    let mut dulls = [OnePole::new(2_800.0), OnePole::new(2_800.0)];
    let mut thins = [OnePole::new(220.0), OnePole::new(220.0)];
    let mut wet = layer.clone();
    for _ in 0..2 {
        for at in 0..layer.sides[0].len() {
            let heard = [0, 1].map(|side| thins[side].high(dulls[side].low(lines[side].out())));
            // The left echo feeds the right one and vice versa.
            lines[0].put((layer.sides[0][at] + layer.sides[1][at]) * 0.7 + heard[1] * echo.keep);
            lines[1].put(heard[0]);
            wet.sides[0][at] = heard[0];
            wet.sides[1][at] = heard[1];
        }
    }
    wet
}
