//! The filters of voices, reverbs and the loudness meter.

use std::f64::consts::{PI, TAU};

use crate::sample_rate::RATE;

/// A one-pole low-pass with a slope of six decibels per octave.
#[derive(Clone)]
pub struct OnePole {
    coefficient: f64,
    last: f64,
}

impl OnePole {
    /// Creates a low-pass with this cutoff in hertz.
    pub fn new(cutoff: f64) -> OnePole {
        OnePole { coefficient: coefficient_of(cutoff), last: 0.0 }
    }

    /// Changes the cutoff while the filter runs.
    pub fn tune(&mut self, cutoff: f64) {
        self.coefficient = coefficient_of(cutoff);
    }

    /// The low-pass output for the next sample.
    pub fn low(&mut self, sample: f64) -> f64 {
        self.last += self.coefficient * (sample - self.last);
        self.last
    }

    /// The high-pass output for the next sample.
    pub fn high(&mut self, sample: f64) -> f64 {
        sample - self.low(sample)
    }
}

fn coefficient_of(cutoff: f64) -> f64 {
    1.0 - (-TAU * cutoff.min(RATE * 0.45) / RATE).exp()
}

/// A second-order filter in transposed direct form II.
#[derive(Clone)]
pub struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    fn of(b: [f64; 3], a0: f64, a: [f64; 2]) -> Biquad {
        Biquad { b: b.map(|value| value / a0), a: a.map(|value| value / a0), state: [0.0; 2] }
    }

    /// A high-pass with its cutoff at `hertz`.
    pub fn high_pass(hertz: f64, q: f64) -> Biquad {
        let (sine, cosine) = (TAU * hertz / RATE).sin_cos();
        let alpha = sine / (2.0 * q);
        let edge = (1.0 + cosine) / 2.0;
        Biquad::of([edge, -2.0 * edge, edge], 1.0 + alpha, [-2.0 * cosine, 1.0 - alpha])
    }

    /// A band-pass with its centre at `hertz`.
    pub fn band_pass(hertz: f64, q: f64) -> Biquad {
        let (sine, cosine) = (TAU * hertz / RATE).sin_cos();
        let alpha = sine / (2.0 * q);
        Biquad::of([alpha, 0.0, -alpha], 1.0 + alpha, [-2.0 * cosine, 1.0 - alpha])
    }

    /// A peaking equaliser: boosts or attenuates frequencies around `hertz` by `decibels`.
    pub fn peak(hertz: f64, q: f64, decibels: f64) -> Biquad {
        let (sine, cosine) = (TAU * hertz / RATE).sin_cos();
        let alpha = sine / (2.0 * q);
        let gain = 10f64.powf(decibels / 40.0);
        Biquad::of(
            [1.0 + alpha * gain, -2.0 * cosine, 1.0 - alpha * gain],
            1.0 + alpha / gain,
            [-2.0 * cosine, 1.0 - alpha / gain],
        )
    }

    /// The first filter of the loudness meter, a high shelf that models the head (ITU-R BS.1770).
    pub fn loudness_shelf() -> Biquad {
        let k = (PI * 1_681.974_450_955_533 / RATE).tan();
        let slope = k / 0.707_175_236_955_419_6;
        let high = 10f64.powf(3.999_843_853_973_347 / 20.0);
        let band = high.powf(0.499_666_774_154_541_6) * slope;
        Biquad::of(
            [high + band + k * k, 2.0 * (k * k - high), high - band + k * k],
            1.0 + slope + k * k,
            [2.0 * (k * k - 1.0), 1.0 - slope + k * k],
        )
    }

    /// The second filter of the loudness meter, a high-pass for the lowest bass (ITU-R BS.1770).
    pub fn loudness_high_pass() -> Biquad {
        let k = (PI * 38.135_470_876_024_44 / RATE).tan();
        let slope = k / 0.500_327_037_323_877_3;
        let a0 = 1.0 + slope + k * k;
        // The recommendation leaves the numerator at 1, -2, 1.
        Biquad::of([a0, -2.0 * a0, a0], a0, [2.0 * (k * k - 1.0), 1.0 - slope + k * k])
    }

    /// The output for the next sample.
    pub fn run(&mut self, sample: f64) -> f64 {
        let out = self.b[0] * sample + self.state[0];
        self.state[0] = self.b[1] * sample - self.a[0] * out + self.state[1];
        self.state[1] = self.b[2] * sample - self.a[1] * out;
        out
    }
}

/// A resonant low-pass whose cutoff can change with every sample.
#[derive(Clone, Default)]
pub struct Sweep {
    band: f64,
    low: f64,
}

impl Sweep {
    /// The output for the next sample, with this cutoff in hertz; the filter resonates if `q` is greater than one.
    pub fn low(&mut self, sample: f64, cutoff: f64, q: f64) -> f64 {
        let g = (PI * cutoff.min(RATE * 0.4) / RATE).tan();
        let k = 1.0 / q;
        let band = (self.band + g * (sample - self.low)) / (1.0 + g * (g + k));
        let low = self.low + g * band;
        self.band = 2.0 * band - self.band;
        self.low = 2.0 * low - self.low;
        low
    }
}
