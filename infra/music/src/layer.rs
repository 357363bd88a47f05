//! A stereo loop to which sounds are added. A sound that extends beyond the end continues at the start.

use crate::filter::{Biquad, OnePole};
use crate::sample_rate::RATE;

/// The tempo and length of a track.
#[derive(Clone, Copy)]
pub struct Tempo {
    /// Beats per minute.
    pub beats_per_minute: f64,
    /// The number of bars; each has four beats.
    pub bars: usize,
}

impl Tempo {
    /// The length in beats.
    pub fn beats(self) -> f64 {
        self.bars as f64 * 4.0
    }

    /// The duration of a number of beats in seconds.
    pub fn seconds(self, beats: f64) -> f64 {
        beats * 60.0 / self.beats_per_minute
    }

    /// The length in samples.
    pub fn samples(self) -> usize {
        (self.seconds(self.beats()) * RATE).round() as usize
    }
}

/// One instrument's loop.
#[derive(Clone)]
pub struct Layer {
    /// The tempo that its beats refer to.
    pub tempo: Tempo,
    /// The left and the right channel.
    pub channels: [Vec<f64>; 2],
}

impl Layer {
    /// Creates a silent loop.
    pub fn new(tempo: Tempo) -> Layer {
        let silence = vec![0.0; tempo.samples()];
        Layer { tempo, channels: [silence.clone(), silence] }
    }

    /// Adds a sound to the loop; `pan` ranges from -1 (left) to 1 (right).
    pub fn play(&mut self, beat: f64, sound: &[f64], gain: f64, pan: f64) {
        let angle = (pan + 1.0) * std::f64::consts::FRAC_PI_4;
        self.mix_in(0, beat, sound, gain * angle.cos());
        self.mix_in(1, beat, sound, gain * angle.sin());
    }

    /// Adds a stereo sound to the loop.
    pub fn play_wide(&mut self, beat: f64, left: &[f64], right: &[f64], gain: f64) {
        self.mix_in(0, beat, left, gain);
        self.mix_in(1, beat, right, gain);
    }

    fn mix_in(&mut self, side: usize, beat: f64, sound: &[f64], gain: f64) {
        let length = self.channels[side].len();
        let start = (self.tempo.seconds(beat) * RATE).round() as i64;
        let mut at = start.rem_euclid(length as i64) as usize;
        for sample in sound {
            self.channels[side][at] += sample * gain;
            at += 1;
            if at == length {
                at = 0;
            }
        }
    }

    /// Adds another loop of the same length.
    pub fn add(&mut self, other: &Layer, gain: f64) {
        for (mine, theirs) in self.channels.iter_mut().zip(&other.channels) {
            mine.iter_mut().zip(theirs).for_each(|(sample, more)| *sample += more * gain);
        }
    }

    /// Scales the volume of the whole loop.
    pub fn scale(&mut self, gain: f64) {
        self.channels.iter_mut().flatten().for_each(|sample| *sample *= gain);
    }

    /// Scales the volume along the loop by a function of the beat.
    pub fn shape(&mut self, gain: impl Fn(f64) -> f64) {
        let beats_per_sample = self.tempo.beats() / self.tempo.samples() as f64;
        for side in &mut self.channels {
            for (at, sample) in side.iter_mut().enumerate() {
                *sample *= gain(at as f64 * beats_per_sample);
            }
        }
    }

    /// Filters each channel twice around the loop. The first round only settles the filter, so that the second one has
    /// no seam.
    pub fn run<F: FnMut(f64) -> f64>(&mut self, filter: impl Fn() -> F) {
        for side in &mut self.channels {
            let mut filter = filter();
            for &sample in side.iter() {
                filter(sample);
            }
            for sample in side.iter_mut() {
                *sample = filter(*sample);
            }
        }
    }

    /// Removes frequencies below `hertz`.
    pub fn high_pass(&mut self, hertz: f64) {
        self.run(|| {
            let mut filter = Biquad::high_pass(hertz, 0.707);
            move |sample| filter.run(sample)
        });
    }

    /// Attenuates frequencies above `hertz`.
    pub fn low_pass(&mut self, hertz: f64) {
        self.run(|| {
            let mut filter = OnePole::new(hertz);
            move |sample| filter.low(sample)
        });
    }

    /// Boosts or attenuates frequencies around `hertz`.
    pub fn peak(&mut self, hertz: f64, q: f64, decibels: f64) {
        self.run(|| {
            let mut filter = Biquad::peak(hertz, q, decibels);
            move |sample| filter.run(sample)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Layer, Tempo};

    #[test]
    fn a_sound_beyond_the_end_continues_at_the_start() {
        let mut layer = Layer::new(Tempo { beats_per_minute: 120.0, bars: 1 });
        let last = layer.tempo.samples() - 1;

        layer.play_wide(4.0 - 4.0 / layer.tempo.samples() as f64, &[1.0, 2.0], &[0.0, 3.0], 1.0);

        assert_eq!((layer.channels[0][last], layer.channels[0][0]), (1.0, 2.0));
        assert_eq!((layer.channels[1][last], layer.channels[1][0]), (0.0, 3.0));
    }

    #[test]
    fn a_sound_before_the_beginning_is_heard_at_the_end() {
        let mut layer = Layer::new(Tempo { beats_per_minute: 120.0, bars: 1 });

        layer.play_wide(-1.0, &[1.0], &[1.0], 1.0);

        assert_eq!(layer.channels[0][layer.tempo.samples() * 3 / 4], 1.0);
    }
}
