//! Spatial effects: a reverb of eight delay lines with mutual feedback, and a ping-pong echo.

use crate::filter::OnePole;
use crate::layer::Layer;
use crate::sample_rate::RATE;

/// The parameters of a reverb.
#[derive(Clone, Copy)]
pub struct Room {
    /// The reverberation time: seconds until a sound has decayed by 60 dB.
    pub seconds: f64,
    /// The cutoff above which treble is absorbed, in hertz.
    pub bright: f64,
    /// The pre-delay in seconds.
    pub delay: f64,
}

/// The parameters of an echo.
#[derive(Clone, Copy)]
pub struct Echo {
    /// The interval of the echoes in beats.
    pub beats: f64,
    /// The amplitude of each echo relative to the previous one.
    pub feedback: f64,
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

/// The lengths of the delay lines in seconds. They have no common divisor, so that no frequency stands out.
const LINES: [f64; 8] = [0.031_1, 0.037_3, 0.041_9, 0.047_7, 0.053_3, 0.061_1, 0.068_9, 0.079_3];

/// The reverb of a layer. The loop is processed twice and the second round is used, so that there is no seam.
pub fn room(layer: &Layer, room: Room) -> Layer {
    let mut lines = LINES.map(Delay::new);
    let feedbacks = LINES.map(|seconds| 10f64.powf(-3.0 * seconds / room.seconds));
    let mut dampers = LINES.map(|_| OnePole::new(room.bright));
    let mut pre_delays = [Delay::new(room.delay), Delay::new(room.delay * 1.13)];
    // Two short all-passes per channel diffuse the first reflections.
    let mut all_passes = [[0.004_7, 0.011_3], [0.005_3, 0.012_7]].map(|side| side.map(Delay::new));
    // Bass is not reverberated, because the room would boom.
    let mut bass_cuts = [OnePole::new(180.0), OnePole::new(180.0)];

    let mut wet = layer.clone();
    for _ in 0..2 {
        for at in 0..layer.channels[0].len() {
            let mut input = [0.0; 2];
            for side in 0..2 {
                let mut sample = pre_delays[side].out();
                pre_delays[side].put(bass_cuts[side].high(layer.channels[side][at]));
                for all_pass in &mut all_passes[side] {
                    let held = all_pass.out();
                    let into = sample + 0.6 * held;
                    all_pass.put(into);
                    sample = held - 0.6 * into;
                }
                input[side] = sample;
            }
            let mut outputs = [0.0; 8];
            for ((outputs, line), (damper, feedback)) in
                outputs.iter_mut().zip(&lines).zip(dampers.iter_mut().zip(feedbacks))
            {
                *outputs = damper.low(line.out()) * feedback;
            }
            wet.channels[0][at] = outputs[0] - outputs[2] + outputs[4] - outputs[6];
            wet.channels[1][at] = outputs[1] - outputs[3] + outputs[5] - outputs[7];
            for (number, value) in hadamard(outputs).into_iter().enumerate() {
                lines[number].put(value + input[number % 2]);
            }
        }
    }
    wet
}

/// Multiplies by an orthogonal Hadamard matrix: every line feeds every other, and energy is preserved.
fn hadamard(mut values: [f64; 8]) -> [f64; 8] {
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

/// The echoes of a layer, each darker than the previous one.
pub fn echo(layer: &Layer, echo: Echo) -> Layer {
    let seconds = layer.tempo.seconds(echo.beats);
    let mut lines = [Delay::new(seconds), Delay::new(seconds)];
    let mut low_passes = [OnePole::new(2_800.0), OnePole::new(2_800.0)];
    let mut high_passes = [OnePole::new(220.0), OnePole::new(220.0)];
    let mut wet = layer.clone();
    for _ in 0..2 {
        for at in 0..layer.channels[0].len() {
            let outputs = [0, 1].map(|side| high_passes[side].high(low_passes[side].low(lines[side].out())));
            // The left echo feeds the right one, and vice versa.
            lines[0].put((layer.channels[0][at] + layer.channels[1][at]) * 0.7 + outputs[1] * echo.feedback);
            lines[1].put(outputs[0]);
            wet.channels[0][at] = outputs[0];
            wet.channels[1][at] = outputs[1];
        }
    }
    wet
}
