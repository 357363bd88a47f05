//! The instruments: each renders one note as samples of one channel with a peak of about one.

mod bowed;
mod drums;
mod plucked;
mod struck;

pub use bowed::{Pad, arpeggio, bass, pad, soft_lead};
pub use drums::{clap, crackle, drum, hat, kick, rim, shaker, snare, swell, tambourine};
pub use plucked::{Pluck, pluck};
pub use struck::{bell, electric_piano, glockenspiel, marimba, piano};

use crate::sample_rate::RATE;

/// The number of samples in this many seconds.
fn samples(seconds: f64) -> usize {
    (seconds * RATE) as usize
}

/// An envelope: attack for `attack` seconds, sustain until `seconds`, release for `release` seconds.
fn envelope(time: f64, attack: f64, seconds: f64, release: f64) -> f64 {
    let rise = (time / attack).min(1.0);
    let fall = ((seconds + release - time) / release).clamp(0.0, 1.0);
    // Both ends are curved, so that no edge is audible.
    smooth(rise) * fall * fall
}

fn smooth(part: f64) -> f64 {
    part * part * (3.0 - 2.0 * part)
}

/// Scales a sound to a peak of one.
fn normalised(mut sound: Vec<f64>) -> Vec<f64> {
    let peak = sound.iter().fold(1e-9, |peak: f64, sample| peak.max(sample.abs()));
    sound.iter_mut().for_each(|sample| *sample /= peak);
    sound
}

/// A band-limited sawtooth, which has little aliasing.
struct Saw {
    phase: f64,
}

impl Saw {
    fn next(&mut self, hertz: f64) -> f64 {
        let step = hertz / RATE;
        self.phase += step;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
        }
        let mut out = 2.0 * self.phase - 1.0;
        // The step is smoothed over the samples on both sides (PolyBLEP).
        if self.phase < step {
            let part = self.phase / step;
            out -= part + part - part * part - 1.0;
        } else if self.phase > 1.0 - step {
            let part = (self.phase - 1.0) / step;
            out -= part * part + part + part + 1.0;
        }
        out
    }
}
