//! Wide Horizon: driving strings that grow louder, horns and deep drums in D minor; for openings and big statements.

use super::parts::{FAR, NEAR, crescendo, play_melody, sustain_chords};
use crate::harmony::{Voicing, lead, melody, progression};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song};
use crate::voices::{Pad, bass, drum, pad, piano, swell};

const ORCHESTRA: Pad = Pad { attack: 0.8, release: 1.4, cutoff: 2_700.0, detune: 14.0, vibrato: 9.0 };
const SHORT: Pad = Pad { attack: 0.03, release: 0.16, cutoff: 3_200.0, detune: 10.0, vibrato: 0.0 };
const HORN: Pad = Pad { attack: 0.22, release: 0.6, cutoff: 1_300.0, detune: 5.0, vibrato: 4.0 };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 80.0, bars: 12 };
    let mut song =
        Song::new(tempo, Room { seconds: 3.4, bright: 4_200.0, delay: 0.03 }, Echo { beats: 1.0, feedback: 0.2 });
    let changes = progression("Dm Bb F/A C  Dm Bb F/C C/E  Gm Bb/F Dm/A Asus4,A");
    let mut random = Random::new(601);

    let mut orchestra = sustain_chords(tempo, &changes, Voicing { voices: 4, centre: 60, open: true }, ORCHESTRA, 602);
    orchestra.shape(crescendo(tempo, 0.5, 8));
    song.add(orchestra, -21.5, FAR);
    let mut high = sustain_chords(tempo, &changes, Voicing { voices: 2, centre: 77, open: false }, ORCHESTRA, 603);
    high.shape(crescendo(tempo, 0.12, 8));
    song.add(high, -28.0, Send { room: 0.8, echo: 0.0 });

    let mut drive = song.layer();
    for (change, notes) in changes.iter().zip(lead(&changes, Voicing { voices: 3, centre: 62, open: false })) {
        for step in 0..(change.beats * 2.0) as usize {
            let note = notes[[0, 1, 2, 1, 0, 2, 1, 2][step % 8]];
            let gain = if step % 3 == 0 { 1.0 } else { 0.62 } * random.jitter(0.1);
            let left = pad(note, 0.16, SHORT, &mut random);
            let right = pad(note, 0.16, SHORT, &mut random);
            drive.play_wide(change.beat + step as f64 / 2.0, &left, &right, gain);
            let octave = pad(note - 12, 0.16, SHORT, &mut random);
            drive.play(change.beat + step as f64 / 2.0, &octave, gain * 0.9, 0.3);
        }
    }
    drive.shape(crescendo(tempo, 0.4, 7));
    song.add(drive, -22.0, FAR);

    let mut horns = song.layer();
    let call = melody(
        16.0,
        "D4:2 A3:1 F4:1  F4:1.5 E4:.5 D4:2  C4:2 F4:1 A4:1  G4:3 -:1 \
         Bb4:1.5 A4:.5 G4:2  F4:1.5 G4:.5 D5:2  A4:1 G4:1 F4:2  E4:2 C#4:2",
    );
    play_melody(&mut horns, &call, 0.2, &mut random, |pitch, seconds, random| {
        let one = pad(pitch, seconds, HORN, random);
        let two = pad(pitch - 12, seconds, HORN, random);
        one.iter().zip(two).map(|(one, two)| one + 0.7 * two).collect()
    });
    song.add(horns, -23.0, Send { room: 0.7, echo: 0.1 });

    let mut keys = song.layer();
    let steps = melody(0.0, "A4:2 D5:2  F5:2 D5:2  C5:2 A4:2  G4:2 E5:2");
    play_melody(&mut keys, &steps, -0.2, &mut random, |pitch, seconds, random| {
        piano(pitch, seconds + 1.0, 0.55, random)
    });
    for change in &changes {
        let sound = piano(change.chord.bass_from(38), tempo.seconds(change.beats), 0.6, &mut random);
        keys.play(change.beat, &sound, 1.0, -0.1);
    }
    song.add(keys, -24.0, FAR);

    let mut low = song.layer();
    for change in &changes {
        low.play(change.beat, &bass(change.chord.bass_from(33), tempo.seconds(change.beats * 0.95), 0.3), 1.0, 0.0);
    }
    low.shape(crescendo(tempo, 0.6, 6));
    song.add(low, -26.5, NEAR);

    let mut drums = song.layer();
    let skin = drum();
    for bar in 0..12 {
        let hits: &[(f64, f64)] = match bar {
            0 => &[(0.0, 0.9)],
            1..4 => &[(0.0, 0.55)],
            4..8 => &[(0.0, 0.8), (2.5, 0.4), (3.0, 0.5)],
            8..10 => &[(0.0, 1.0), (1.5, 0.5), (2.0, 0.7), (3.0, 0.5), (3.5, 0.6)],
            10 => &[(0.0, 1.0), (1.5, 0.6), (2.0, 0.8), (2.75, 0.4), (3.0, 0.6), (3.25, 0.5), (3.5, 0.7), (3.75, 0.7)],
            _ => &[(0.0, 1.0)],
        };
        for (after, gain) in hits {
            let pan = if after.fract() == 0.0 { -0.1 } else { 0.3 };
            drums.play(f64::from(bar) * 4.0 + after, &skin, gain * random.jitter(0.06), pan);
        }
    }
    for beat in [12.0, 28.0, 44.0] {
        let wave: Vec<f64> = swell(tempo.seconds(3.9), &mut random).iter().map(|sample| sample * 0.07).collect();
        drums.play(beat, &wave, 1.0, 0.0);
    }
    song.add(drums, -23.0, FAR);
    song.finish()
}
