//! Porch Light: two guitars picked by hand, a little bass and a shaker; for people and their stories.

use super::parts::{NEAR, bass_line, pattern, play_melody};
use crate::harmony::{melody, progression};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song};
use crate::voices::{Pluck, kick, pluck, shaker};

const STEEL: Pluck = Pluck { ring: 3.6, bright: 2_300.0, damp: 0.3, position: 0.19 };
const NYLON: Pluck = Pluck { ring: 2.6, bright: 1_500.0, damp: 0.42, position: 0.27 };

/// A chord in guitar fingering: two bass notes for the thumb and three strings for the fingers, from low to high.
struct Grip {
    thumb: [i32; 2],
    fingers: [i32; 3],
}

const G: Grip = Grip { thumb: [43, 50], fingers: [55, 59, 67] };
const G_B: Grip = Grip { thumb: [47, 50], fingers: [55, 62, 67] };
const C_ADD9: Grip = Grip { thumb: [48, 52], fingers: [55, 62, 67] };
const E_M7: Grip = Grip { thumb: [40, 47], fingers: [55, 62, 67] };
const A_M7: Grip = Grip { thumb: [45, 52], fingers: [55, 60, 64] };
const D: Grip = Grip { thumb: [50, 45], fingers: [57, 62, 66] };
const D_SUS4: Grip = Grip { thumb: [50, 45], fingers: [57, 62, 67] };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 96.0, bars: 12 };
    let mut song =
        Song::new(tempo, Room { seconds: 1.3, bright: 4_800.0, delay: 0.014 }, Echo { beats: 1.0, feedback: 0.2 });
    let grips: [&[&Grip]; 12] = [
        &[&G],
        &[&C_ADD9],
        &[&E_M7],
        &[&D_SUS4, &D],
        &[&G],
        &[&C_ADD9],
        &[&E_M7],
        &[&D_SUS4, &D],
        &[&A_M7],
        &[&G_B],
        &[&C_ADD9],
        &[&D_SUS4, &D],
    ];
    let changes = progression("G Cadd9 Em7 Dsus4,D  G Cadd9 Em7 Dsus4,D  Am7 G/B Cadd9 Dsus4,D");
    let mut random = Random::new(701);

    let mut guitar = song.layer();
    for (bar, grips) in grips.iter().enumerate() {
        pick(&mut guitar, bar, grips, &mut random);
    }
    body(&mut guitar);
    song.add(guitar, -18.0, Send { room: 0.28, echo: 0.0 });

    let mut second = song.layer();
    let tune = melody(
        0.0,
        "-:4 -:4 -:2 G4:.5 A4:.5 B4:1  A4:2 -:2 \
         D5:1.5 B4:.5 G4:2  E5:1 D5:.5 G4:2.5  G4:.5 A4:.5 B4:1 D5:2  A4:1.5 G4:.5 F#4:2 \
         C5:1.5 B4:.5 A4:1 E4:1  G4:1.5 A4:.5 B4:2  E5:1 D5:1 B4:.5 G4:1.5  A4:2 F#4:1 D4:1",
    );
    play_melody(&mut second, &tune, 0.45, &mut random, |pitch, seconds, random| {
        pluck(pitch, seconds + 0.25, NYLON, random)
    });
    body(&mut second);
    song.add(second, -22.0, Send { room: 0.45, echo: 0.15 });

    let mut low = bass_line(tempo, &changes, 31, 0.15, &[(0.0, 1.9, 0), (2.0, 1.4, 0), (3.5, 0.5, 0)]);
    low.shape(|beat| if beat < 16.0 { 0.55 } else { 1.0 });
    song.add(low, -25.5, NEAR);

    let mut drums = song.layer();
    // A foot tapping on wood.
    pattern(&mut drums, &kick(), 4..12, 0.0, "x... .... x... ....");
    for bar in 4..12 {
        for step in 0..8 {
            let grain: Vec<f64> = shaker(&mut random).iter().map(|sample| sample * 0.12).collect();
            let gain = [0.5, 0.4, 1.0, 0.5][step % 4] * random.jitter(0.2);
            drums.play(bar as f64 * 4.0 + step as f64 / 2.0 + random.signed() * 0.01, &grain, gain, -0.4);
        }
    }
    drums.low_pass(7_000.0);
    song.add(drums, -29.0, NEAR);
    song.finish()
}

/// Travis picking: the thumb plays on every beat, the fingers play between the beats, and both play together on the
/// first beat.
fn pick(guitar: &mut Layer, bar: usize, grips: &[&Grip], random: &mut Random) {
    // The order of the fingers changes in every second bar.
    let fingers = if bar.is_multiple_of(2) { [2, 1, 2, 0, 1, 2] } else { [2, 0, 1, 2, 0, 1] };
    for step in 0..8 {
        let grip = grips[step * grips.len() / 8];
        let beat = bar as f64 * 4.0 + step as f64 / 2.0 + random.signed() * 0.012;
        if step % 2 == 0 {
            let thumb = grip.thumb[step / 2 % 2];
            let sound = pluck(thumb, guitar.tempo.seconds(1.9), STEEL, random);
            guitar.play(beat, &sound, 0.8 * random.jitter(0.1), -0.2);
        }
        let finger = match step {
            0 => Some((fingers[0], 0.85)),
            1 => Some((fingers[1], 0.5)),
            3 => Some((fingers[2], 0.65)),
            4 => Some((fingers[3], 0.45)),
            5 => Some((fingers[4], 0.6)),
            7 => Some((fingers[5], 0.62)),
            _ => None,
        };
        if let Some((finger, gain)) = finger {
            let sound = pluck(grip.fingers[finger], guitar.tempo.seconds(1.7), STEEL, random);
            guitar.play(beat + 0.015, &sound, gain * random.jitter(0.12), -0.1);
        }
    }
}

/// The resonance of the wooden body: the air, two modes of the top, and less of the strings.
fn body(guitar: &mut Layer) {
    guitar.high_pass(75.0);
    guitar.peak(104.0, 1.6, 3.5);
    guitar.peak(205.0, 1.8, 3.0);
    guitar.peak(410.0, 1.4, 1.5);
    guitar.peak(2_600.0, 0.8, -2.0);
}
