//! Parts that several scores share: pads, bass lines, drum patterns and melodies.

use std::ops::Range;

use crate::harmony::{Change, Note, Voicing, lead};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::song::Send;
use crate::voices::{Pad, bass, pad};

/// No effects.
pub const DRY: Send = Send { room: 0.0, echo: 0.0 };

/// A little reverb.
pub const NEAR: Send = Send { room: 0.15, echo: 0.0 };

/// Much reverb.
pub const FAR: Send = Send { room: 0.5, echo: 0.0 };

/// Sustains each chord of a progression; chords overlap for the release time of the pad.
pub fn sustain_chords(tempo: Tempo, changes: &[Change], voicing: Voicing, sound: Pad, seed: u64) -> Layer {
    let mut layer = Layer::new(tempo);
    let mut random = Random::new(seed);
    // A pad with a slow attack starts before the chord; otherwise it would sound late.
    let early = sound.attack * 0.4 / tempo.seconds(1.0);
    for (change, notes) in changes.iter().zip(lead(changes, voicing)) {
        let seconds = tempo.seconds(change.beats);
        for note in notes {
            let left = pad(note, seconds, sound, &mut random);
            let right = pad(note, seconds, sound, &mut random);
            layer.play_wide(change.beat - early, &left, &right, 1.0);
        }
    }
    layer
}

/// A note of a bass line: beats after the start of the chord, length in beats, semitones above the bass note.
pub type Stroke = (f64, f64, i32);

/// Plays the notes of a bass line over each chord, as far as they fit.
pub fn bass_line(tempo: Tempo, changes: &[Change], lowest: i32, bright: f64, strokes: &[Stroke]) -> Layer {
    let mut layer = Layer::new(tempo);
    for change in changes {
        let root = change.chord.bass_from(lowest);
        for &(after, beats, above) in strokes.iter().filter(|stroke| stroke.0 < change.beats) {
            let beats = beats.min(change.beats - after);
            let gain = if after == 0.0 { 1.0 } else { 0.8 };
            let sound = bass(root + above, tempo.seconds(beats * 0.92), bright);
            layer.play(change.beat + after, &sound, gain, 0.0);
        }
    }
    layer
}

/// Plays a pattern of sixteenth notes in each bar: `X` is strong, `x` normal, `o` weak, anything else a rest.
pub fn pattern(layer: &mut Layer, sound: &[f64], bars: Range<usize>, pan: f64, steps: &str) {
    for bar in bars {
        for (step, mark) in steps.chars().filter(|mark| !mark.is_whitespace()).enumerate() {
            if let Some(gain) = strength(mark) {
                layer.play(bar as f64 * 4.0 + step as f64 / 4.0, sound, gain, pan);
            }
        }
    }
}

/// The gain of a mark in a pattern.
pub fn strength(mark: char) -> Option<f64> {
    match mark {
        'X' => Some(1.0),
        'x' => Some(0.65),
        'o' => Some(0.35),
        _ => None,
    }
}

/// Plays a melody with an instrument that takes pitch, seconds and random numbers.
pub fn play_melody(
    layer: &mut Layer,
    notes: &[Note],
    pan: f64,
    random: &mut Random,
    voice: impl Fn(i32, f64, &mut Random) -> Vec<f64>,
) {
    for note in notes {
        let sound = voice(note.pitch, layer.tempo.seconds(note.beats), random);
        let late = random.signed() * 0.012;
        layer.play(note.beat + late, &sound, random.jitter(0.12), pan);
    }
}

/// A volume curve that rises from `from` to one until bar `full`, and falls in the last bar.
pub fn crescendo(tempo: Tempo, from: f64, full: usize) -> impl Fn(f64) -> f64 {
    let (full, end) = (full as f64 * 4.0, tempo.beats());
    move |beat| {
        let rise = (beat / full).min(1.0);
        let fall = ((end - beat) / 4.0).min(1.0);
        from + (1.0 - from) * (rise * rise * (3.0 - 2.0 * rise)).min(fall)
    }
}
