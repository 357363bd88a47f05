//! Signal Path: a sequencer with a moving filter over a pad that ducks with the kick drum; for software.

use super::parts::{DRY, FAR, NEAR, pattern, play_melody, sustain_chords};
use crate::harmony::{Voicing, lead, melody, progression};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song};
use crate::voices::{Pad, arpeggio, bass, bell, clap, hat, kick, rim};

const GLASS: Pad = Pad { attack: 0.4, release: 0.9, cutoff: 3_200.0, detune: 15.0, vibrato: 0.0 };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 120.0, bars: 16 };
    let mut song =
        Song::new(tempo, Room { seconds: 2.0, bright: 4_800.0, delay: 0.02 }, Echo { beats: 0.75, feedback: 0.45 });
    let changes = progression(
        "Em9 Em9 Cmaj7 Cmaj7  Gadd9 Gadd9 Dsus4 D \
         Em9 Em9 Cmaj9 Cmaj9  Am9 Am9 Bm7 Dsus4",
    );
    let mut random = Random::new(501);

    let mut glass = sustain_chords(tempo, &changes, Voicing { voices: 4, centre: 62, open: true }, GLASS, 502);
    // Duck under each kick and recover within the beat.
    glass.shape(|beat| 0.45 + 0.55 * ((beat.fract() - 0.04) / 0.6).clamp(0.0, 1.0).powf(0.7));
    song.add(glass, -23.5, FAR);

    let mut sequence = song.layer();
    for (change, notes) in changes.iter().zip(lead(&changes, Voicing { voices: 4, centre: 66, open: false })) {
        for step in 0..(change.beats * 4.0) as usize {
            // Groups of three sixteenth notes shift against the bar and meet it again at its end.
            let note = notes[[0, 2, 3, 1, 2, 3, 0, 2, 1, 3, 0, 2, 3, 2, 1, 2][step % 16]];
            let beat = change.beat + step as f64 / 4.0;
            // The filter opens and closes once in the loop, and is closed at its start.
            let turn = 0.5 - 0.5 * (std::f64::consts::TAU * beat / tempo.beats()).cos();
            let gain = if step % 3 == 0 { 1.0 } else { 0.6 } * random.jitter(0.06);
            let pan = 0.45 * (std::f64::consts::TAU * beat / 8.0).sin();
            sequence.play(beat, &arpeggio(note, 0.09, 1_100.0 + 4_200.0 * turn), gain, pan);
        }
    }
    song.add(sequence, -21.0, Send { room: 0.25, echo: 0.3 });

    let mut low = song.layer();
    for change in &changes {
        let root = change.chord.bass_from(33);
        for (step, mark) in "X.xxX.xxX.xxX.xx".chars().enumerate() {
            if mark != '.' {
                let gain = if mark == 'X' { 0.75 } else { 1.0 };
                let sound = bass(root, 0.1, 0.5);
                low.play(change.beat + step as f64 / 4.0, &sound, gain, 0.0);
            }
        }
    }
    song.add(low, -23.5, DRY);

    let mut points = song.layer();
    let signals = melody(
        32.0,
        "B5:1.5 F#5:2.5 G5:3 D5:1  E5:1.5 B5:2.5 A5:3 G5:1  E5:1.5 B5:2.5 C6:3 A5:1  B5:1.5 F#5:2.5 A5:1.5 G5:2.5",
    );
    play_melody(&mut points, &signals, -0.3, &mut random, |pitch, seconds, _| bell(pitch, seconds));
    song.add(points, -25.5, Send { room: 0.5, echo: 0.5 });

    let mut drums = song.layer();
    pattern(&mut drums, &kick(), 0..15, 0.0, "X... X... X... X...");
    pattern(&mut drums, &kick(), 15..16, 0.0, "X... X... X... ....");
    let hands: Vec<f64> = clap().iter().map(|sample| sample * 0.26).collect();
    pattern(&mut drums, &hands, 4..16, 0.0, ".... X... .... X...");
    let click: Vec<f64> = rim().iter().map(|sample| sample * 0.12).collect();
    pattern(&mut drums, &click, 0..16, 0.5, "...x ..x. .x.. x..o");
    for bar in 0..16 {
        for step in 0..16 {
            let fall = if step % 4 == 2 { 0.055 } else { 0.018 };
            let metal: Vec<f64> = hat(fall, &mut random).iter().map(|sample| sample * 0.12).collect();
            let gain = [0.6, 0.4, 1.0, 0.45][step % 4] * if bar < 4 { 0.6 } else { 1.0 };
            drums.play(bar as f64 * 4.0 + step as f64 / 4.0, &metal, gain * random.jitter(0.12), -0.35);
        }
    }
    song.add(drums, -21.5, NEAR);
    song.finish()
}
