//! Steady Progress: a piano pattern in groups of three, three and two over growing strings; for results and plans.

use super::parts::{FAR, NEAR, bass_line, crescendo, pattern, play_melody, sustain_chords};
use crate::harmony::{Voicing, lead, melody, progression};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song};
use crate::voices::{Pad, Pluck, hat, kick, pad, piano, pluck, rim, shaker};

const STRINGS: Pad = Pad { attack: 0.5, release: 0.9, cutoff: 3_000.0, detune: 13.0, vibrato: 8.0 };
const SOLO: Pad = Pad { attack: 0.18, release: 0.4, cutoff: 2_200.0, detune: 7.0, vibrato: 13.0 };
const PIZZICATO: Pluck = Pluck { ring: 0.5, bright: 1_500.0, damp: 0.48, position: 0.25 };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 108.0, bars: 16 };
    let mut song =
        Song::new(tempo, Room { seconds: 2.3, bright: 4_600.0, delay: 0.024 }, Echo { beats: 0.5, feedback: 0.25 });
    let changes = progression(
        "F#m7 Dmaj7 A/C# Esus4,E  F#m7 Dmaj7 A/C# Esus4,E \
         Bm7 F#m7 Dmaj9 A/E,E  F#m7 Dadd9 Bm7 Esus4,E",
    );
    let mut random = Random::new(201);

    let mut keys = song.layer();
    let right = lead(&changes, Voicing { voices: 4, centre: 69, open: false });
    for (change, notes) in changes.iter().zip(&right) {
        for step in 0..(change.beats * 2.0) as usize {
            let (voices, touch): (&[usize], f64) = match step % 8 {
                0 => (&[0, 1, 3], 0.8),
                3 => (&[1, 2], 0.68),
                6 => (&[1, 3], 0.72),
                1 | 4 | 7 => (&[2], 0.48),
                _ => (&[0], 0.5),
            };
            for voice in voices {
                let touch = touch * random.jitter(0.08);
                let sound = piano(notes[*voice], tempo.seconds(1.4), touch, &mut random);
                let pan = -0.25 + 0.17 * *voice as f64;
                keys.play(change.beat + step as f64 / 2.0 + random.signed() * 0.008, &sound, 1.0, pan);
            }
        }
        let root = change.chord.bass_from(40);
        let sound = piano(root, tempo.seconds(change.beats), 0.55, &mut random);
        keys.play(change.beat, &sound, 1.1, -0.2);
    }
    song.add(keys, -19.5, Send { room: 0.35, echo: 0.1 });

    let mut strings = sustain_chords(tempo, &changes, Voicing { voices: 4, centre: 61, open: true }, STRINGS, 202);
    strings.shape(crescendo(tempo, 0.35, 9));
    song.add(strings, -23.5, FAR);

    let mut cello = song.layer();
    let tune = melody(
        32.0,
        "D4:1.5 C#4:.5 B3:2  C#4:1.5 E4:.5 A4:2  F#4:1.5 E4:.5 C#4:2  E4:2 B3:1.5 -:.5 \
         A3:1 C#4:1 F#4:2  E4:1.5 F#4:.5 A4:2  B4:1.5 A4:.5 F#4:1 D4:1  E4:2 B3:1.5 -:.5",
    );
    play_melody(&mut cello, &tune, 0.25, &mut random, |pitch, seconds, random| pad(pitch, seconds, SOLO, random));
    song.add(cello, -23.0, FAR);

    let mut short = song.layer();
    let middle = lead(&changes, Voicing { voices: 3, centre: 64, open: false });
    for (change, notes) in changes.iter().zip(&middle) {
        for step in 0..(change.beats * 2.0) as usize {
            if change.beat < 16.0 && step % 2 == 0 {
                continue;
            }
            let sound = pluck(notes[step % 3], 0.4, PIZZICATO, &mut random);
            short.play(change.beat + step as f64 / 2.0, &sound, random.jitter(0.15), 0.5);
        }
    }
    song.add(short, -26.0, Send { room: 0.4, echo: 0.2 });

    let low = bass_line(tempo, &changes, 33, 0.35, &[(0.0, 1.5, 0), (1.5, 1.5, 0), (3.0, 1.0, 0)]);
    song.add(low, -24.0, NEAR);

    let mut drums = song.layer();
    pattern(&mut drums, &kick(), 4..8, 0.0, "X... .... .... ....");
    pattern(&mut drums, &kick(), 8..15, 0.0, "X... x... X... x...");
    pattern(&mut drums, &kick(), 15..16, 0.0, "X... .... .... ....");
    let wood: Vec<f64> = rim().iter().map(|sample| sample * 0.16).collect();
    pattern(&mut drums, &wood, 8..15, -0.3, ".... X..o .... X...");
    for bar in 4..16 {
        for step in 0..16 {
            let grain: Vec<f64> = shaker(&mut random).iter().map(|sample| sample * 0.09).collect();
            let gain = [1.0, 0.4, 0.6, 0.4][step % 4] * random.jitter(0.2);
            drums.play(bar as f64 * 4.0 + step as f64 / 4.0, &grain, gain, 0.4);
        }
    }
    let closed: Vec<f64> = hat(0.03, &mut random).iter().map(|sample| sample * 0.08).collect();
    pattern(&mut drums, &closed, 8..15, -0.35, "..x. ..x. ..x. ..xo");
    song.add(drums, -24.0, NEAR);
    song.finish()
}
