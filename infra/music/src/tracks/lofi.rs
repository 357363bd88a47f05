//! Late Notebook: electric piano, a relaxed beat and the crackle of a record; for tutorials and study.

use std::f64::consts::TAU;

use super::parts::{DRY, NEAR, play_melody};
use crate::harmony::{Change, Voicing, lead, melody, progression, swing};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song, finish};
use crate::voices::{Pluck, bass, crackle, electric_piano, hat, kick, pluck, rim, snare};

/// The delay of the second eighth note as a fraction of a beat.
const LATE: f64 = 0.11;
const JAZZ: Pluck = Pluck { ring: 1.6, bright: 1_100.0, damp: 0.47, position: 0.4 };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 80.0, bars: 12 };
    let mut song =
        Song::new(tempo, Room { seconds: 1.2, bright: 3_200.0, delay: 0.012 }, Echo { beats: 0.75, feedback: 0.3 });
    let changes = progression("Dm9 G13 Cmaj9 Am9  Dm9 G13 Em7 A7b9  Fmaj9 Fm6 Em7,A7b9 Dm9,G13");
    let mut random = Random::new(801);

    song.add(keys(tempo, &changes, &mut random), -19.5, Send { room: 0.3, echo: 0.0 });
    song.add(walk(tempo, &changes, &mut random), -23.5, DRY);
    song.add(beat(tempo, &mut random), -20.5, NEAR);

    let mut guitar = song.layer();
    let tune: Vec<_> = melody(
        0.0,
        "-:4 -:4  -:1 G4:.5 B4:.5 D5:1 E5:1  C5:3 -:1 \
         -:1.5 A4:.5 C5:.5 E5:1.5  D5:1 B4:3  -:1 G4:.5 B4:.5 D5:2  C#5:1 Bb4:1 G4:2 \
         A4:1.5 C5:.5 E5:2  D5:1 C5:.5 G#4:2.5  B4:1 G4:1 Bb4:1 C#5:1  A4:2 B4:2",
    )
    .into_iter()
    .map(|mut note| {
        note.beat = swing(note.beat, LATE) + 0.03;
        note
    })
    .collect();
    play_melody(&mut guitar, &tune, 0.3, &mut random, |pitch, seconds, random| {
        pluck(pitch, seconds + 0.3, JAZZ, random)
    });
    song.add(guitar, -22.5, Send { room: 0.35, echo: 0.35 });

    let mut mix = song.mix();
    // Simulate a tape: little treble, little bass, and slight saturation.
    mix.high_pass(45.0);
    mix.low_pass(7_500.0);
    mix.low_pass(11_000.0);
    mix.run(|| |sample: f64| (sample * 1.6).tanh() / 1.6);
    let mut dust = Layer::new(tempo);
    let seconds = tempo.seconds(tempo.beats());
    dust.play_wide(0.0, &crackle(seconds, &mut random), &crackle(seconds, &mut random), 1.0);
    crate::loudness::set_loudness(&mut dust, -46.0);
    mix.add(&dust, 1.0);
    finish(mix)
}

/// The electric piano: one chord at the start of a bar and another after its middle.
fn keys(tempo: Tempo, changes: &[Change], random: &mut Random) -> Layer {
    let mut layer = Layer::new(tempo);
    for (change, notes) in changes.iter().zip(lead(changes, Voicing { voices: 4, centre: 63, open: false })) {
        let strokes: &[(f64, f64, f64)] =
            if change.beats > 2.0 { &[(0.0, 2.4, 0.8), (2.5, 1.6, 0.62)] } else { &[(0.0, 2.05, 0.75)] };
        for &(after, beats, touch) in strokes {
            for (voice, note) in notes.iter().enumerate() {
                let sound = electric_piano(*note, tempo.seconds(beats), touch * random.jitter(0.1));
                let beat = swing(change.beat + after, LATE) + 0.018 * voice as f64 + random.signed() * 0.012;
                layer.play(beat, &sound, touch * random.jitter(0.1), -0.2 + 0.1 * voice as f64);
            }
        }
    }
    // The tremolo completes a whole number of cycles in the loop.
    let turns = 96.0 / tempo.beats();
    for (number, side) in layer.channels.iter_mut().enumerate() {
        let length = side.len() as f64;
        for (at, sample) in side.iter_mut().enumerate() {
            let position = at as f64 / length * tempo.beats() * turns;
            *sample *= 1.0 + 0.14 * (TAU * position + number as f64 * 2.4).sin();
        }
    }
    layer
}

/// The bass: the root, a repetition before the middle, and a leading note to the next chord.
fn walk(tempo: Tempo, changes: &[Change], random: &mut Random) -> Layer {
    let mut layer = Layer::new(tempo);
    for (number, change) in changes.iter().enumerate() {
        let root = change.chord.bass_from(33);
        let next = changes[(number + 1) % changes.len()].chord.bass_from(33);
        let leading = if next > root { next - 1 } else { next + 1 };
        let strokes: &[(f64, f64, i32)] = if change.beats > 2.0 {
            &[(0.0, 1.3, root), (1.5, 0.4, root), (2.5, 0.9, root + 7), (3.5, 0.45, leading)]
        } else {
            &[(0.0, 1.2, root), (1.5, 0.45, leading)]
        };
        for &(after, beats, note) in strokes {
            let sound = bass(note, tempo.seconds(beats), 0.22);
            layer.play(swing(change.beat + after, LATE) + 0.01, &sound, random.jitter(0.1), 0.0);
        }
    }
    layer
}

/// The drums: a delayed snare, swung hi-hats, and a sparse last bar.
fn beat(tempo: Tempo, random: &mut Random) -> Layer {
    let mut layer = Layer::new(tempo);
    let (deep, wires, wood) = (kick(), snare(), rim());
    for bar in 0..12 {
        let start = f64::from(bar) * 4.0;
        let kicks: &[f64] = if bar % 2 == 0 { &[0.0, 2.5] } else { &[0.0, 1.5, 2.5] };
        for after in kicks {
            layer.play(swing(start + after, LATE), &deep, random.jitter(0.08), 0.0);
        }
        for after in [1.0, 3.0] {
            layer.play(start + after + 0.025, &wires, 0.34 * random.jitter(0.08), 0.05);
        }
        if bar % 4 == 3 {
            layer.play(swing(start + 3.5, LATE), &wood, 0.12, -0.3);
            layer.play(start + 3.75, &wires, 0.1, 0.05);
        }
        for step in 0..8 {
            let gain = if step % 2 == 0 { 0.075 } else { 0.05 } * random.jitter(0.25);
            let metal = hat(if step == 5 { 0.06 } else { 0.022 }, random);
            layer.play(swing(start + f64::from(step) / 2.0, LATE) + random.signed() * 0.008, &metal, gain, 0.35);
        }
    }
    layer
}
