//! Corporate Morning: muted guitar, piano and bells over an open D major; friendly, for introductions.

use super::parts::{FAR, NEAR, bass_line, pattern, play_melody, sustain_chords};
use crate::harmony::{Voicing, lead, melody, progression};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song};
use crate::voices::{Pad, Pluck, bell, clap, hat, kick, piano, pluck, shaker, swell};

const MUTED: Pluck = Pluck { ring: 0.9, bright: 1_900.0, damp: 0.45, position: 0.14 };
const WARM: Pad = Pad { attack: 0.7, release: 1.1, cutoff: 1_500.0, detune: 11.0, vibrato: 0.0 };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 112.0, bars: 16 };
    let mut song =
        Song::new(tempo, Room { seconds: 1.8, bright: 5_200.0, delay: 0.018 }, Echo { beats: 0.75, feedback: 0.38 });
    let changes = progression(
        "Dadd9 A/C# Bm7 Gadd9  Dadd9 A/C# Bm7 Gadd9,A7sus4 \
         Gmaj7 A Bm7 D/F#  Gmaj7 Em7 A7sus4 A7sus4,A",
    );
    let mut random = Random::new(101);

    let mut warm = sustain_chords(tempo, &changes, Voicing { voices: 4, centre: 62, open: true }, WARM, 102);
    warm.shape(|beat| if beat < 32.0 { 0.8 } else { 1.0 });
    song.add(warm, -25.0, FAR);

    let mut guitar = song.layer();
    let high = lead(&changes, Voicing { voices: 4, centre: 66, open: false });
    for (change, notes) in changes.iter().zip(&high) {
        for step in 0..(change.beats * 2.0) as usize {
            let note = notes[[0, 2, 1, 3, 2, 1, 3, 2][step % 8]];
            let gain = if step % 4 == 0 { 1.0 } else { 0.72 } * random.jitter(0.12);
            let sound = pluck(note, 0.5, MUTED, &mut random);
            guitar.play(change.beat + step as f64 / 2.0 + random.signed() * 0.01, &sound, gain, -0.35);
        }
    }
    song.add(guitar, -21.5, Send { room: 0.25, echo: 0.3 });

    let mut keys = song.layer();
    let middle = lead(&changes, Voicing { voices: 3, centre: 61, open: false });
    for (change, notes) in changes.iter().zip(&middle) {
        let late = change.beat >= 32.0;
        let strokes: &[(f64, f64, f64)] =
            if late { &[(0.0, 1.4, 0.7), (1.5, 1.4, 0.5), (3.0, 0.9, 0.55)] } else { &[(0.0, 3.6, 0.6)] };
        for &(after, beats, touch) in strokes.iter().filter(|stroke| stroke.0 < change.beats) {
            let beats = beats.min(change.beats - after);
            for (voice, note) in notes.iter().enumerate() {
                let sound = piano(*note, tempo.seconds(beats), touch * random.jitter(0.06), &mut random);
                keys.play(change.beat + after + 0.012 * voice as f64, &sound, 1.0, 0.1 + 0.15 * voice as f64);
            }
        }
    }
    song.add(keys, -21.5, FAR);

    let low = bass_line(tempo, &changes, 33, 0.45, &[(0.0, 1.5, 0), (1.5, 0.5, 0), (2.0, 1.5, 0), (3.5, 0.5, 12)]);
    song.add(low, -24.0, NEAR);

    let mut bells = song.layer();
    let tune = melody(
        32.0,
        "D5:1.5 E5:.5 F#5:2  E5:1.5 D5:.5 C#5:2  D5:1.5 E5:.5 F#5:1 A5:1  A5:2 F#5:2 \
         B5:1.5 A5:.5 F#5:1 D5:1  E5:1.5 F#5:.5 G5:2  A5:1 G5:1 E5:1 D5:1  D5:2 C#5:2",
    );
    play_melody(&mut bells, &tune, 0.3, &mut random, |pitch, seconds, _| bell(pitch, seconds + 0.6));
    let hint = melody(16.0, "-:2 A5:.5 F#5:1.5  -:2 E5:2  -:2 F#5:.5 D5:1.5  -:2 E5:2");
    play_melody(&mut bells, &hint, 0.3, &mut random, |pitch, seconds, _| bell(pitch, seconds + 0.6));
    song.add(bells, -22.5, Send { room: 0.5, echo: 0.35 });

    song.add(drums(&song, &mut random), -23.0, NEAR);
    song.finish()
}

fn drums(song: &Song, random: &mut Random) -> Layer {
    let mut drums = song.layer();
    pattern(&mut drums, &kick(), 0..8, 0.0, "X... .... X... ....");
    pattern(&mut drums, &kick(), 8..16, 0.0, "X... ..o. X.x. ....");
    let hands: Vec<f64> = clap().iter().map(|sample| sample * 0.3).collect();
    pattern(&mut drums, &hands, 4..8, 0.1, ".... x... .... x...");
    pattern(&mut drums, &hands, 8..16, 0.1, ".... X... .... X...");
    for bar in 0..16 {
        for step in 0..8 {
            let grain: Vec<f64> = shaker(random).iter().map(|sample| sample * 0.13).collect();
            let gain = if step % 2 == 1 { 1.0 } else { 0.55 } * random.jitter(0.15);
            drums.play(f64::from(bar) * 4.0 + f64::from(step) / 2.0, &grain, gain, 0.45);
        }
    }
    let open: Vec<f64> = hat(0.07, random).iter().map(|sample| sample * 0.1).collect();
    pattern(&mut drums, &open, 8..16, -0.4, "..x. ..x. ..x. ..x.");
    let wave: Vec<f64> = swell(song.tempo.seconds(4.0), random).iter().map(|sample| sample * 0.1).collect();
    drums.play(28.0, &wave, 1.0, 0.0);
    drums
}
