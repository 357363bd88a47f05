//! Sunny Errand: ukulele, claps and a glockenspiel in G; for shops, food and cheerful announcements.

use super::parts::{DRY, NEAR, bass_line, pattern, play_melody, strength};
use crate::harmony::{Voicing, lead, melody, progression};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song};
use crate::voices::{Pluck, clap, glockenspiel, kick, marimba, pluck, soft_lead, tambourine};

const UKULELE: Pluck = Pluck { ring: 1.5, bright: 2_600.0, damp: 0.38, position: 0.3 };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 124.0, bars: 16 };
    let mut song =
        Song::new(tempo, Room { seconds: 1.1, bright: 5_500.0, delay: 0.012 }, Echo { beats: 0.75, feedback: 0.25 });
    let changes = progression(
        "G D/F# Em7 Cadd9  G D/F# Cadd9 D7sus4,D7 \
         C D7 G/B Em7  C D7 Em7,D/F# G,D7",
    );
    let mut random = Random::new(301);

    let mut strums = song.layer();
    for (change, notes) in changes.iter().zip(lead(&changes, Voicing { voices: 4, centre: 68, open: false })) {
        // The standard strumming pattern: down, down and up, up, down and up.
        for (step, mark) in "X.x.x..ox.x.x.o.".chars().enumerate() {
            let after = step as f64 / 4.0;
            let Some(gain) = strength(mark).filter(|_| after < change.beats) else { continue };
            let upward = step % 4 == 2 || mark == 'o';
            for string in 0..4 {
                let note = notes[if upward { 3 - string } else { string }];
                let sound = pluck(note, 0.42, UKULELE, &mut random);
                let beat = change.beat + after + 0.024 * string as f64 + random.signed() * 0.006;
                strums.play(beat, &sound, gain * random.jitter(0.12), -0.3 + 0.08 * string as f64);
            }
        }
    }
    song.add(strums, -19.5, Send { room: 0.2, echo: 0.0 });

    let bounce = bass_line(tempo, &changes, 31, 0.5, &[(0.0, 0.8, 0), (1.5, 0.4, 0), (2.0, 0.8, 7), (3.5, 0.4, 0)]);
    song.add(bounce, -23.5, DRY);

    let mut bars = song.layer();
    let tune = melody(
        0.0,
        "B4:1 D5:.5 G5:1.5 D5:1  A5:1 F#5:.5 D5:1.5 -:1  G5:1 E5:.5 B4:1.5 D5:1  E5:1.5 D5:.5 -:2 \
         B4:1 D5:.5 G5:1.5 B5:1  A5:1 F#5:.5 D5:1.5 -:1  E5:.5 E5:.5 G5:1 E5:1 D5:1  G5:1 -:1 F#5:1 -:1",
    );
    play_melody(&mut bars, &tune, 0.25, &mut random, |pitch, seconds, _| glockenspiel(pitch + 12, seconds + 0.3));
    song.add(bars, -24.5, Send { room: 0.45, echo: 0.2 });

    let mut whistle = song.layer();
    let answer = melody(
        32.0,
        "E5:1.5 G5:.5 E5:1 D5:1  F#5:1.5 A5:.5 F#5:1 D5:1  G5:1.5 D5:.5 B4:2  G5:1 F#5:.5 E5:.5 B4:2 \
         E5:1.5 G5:.5 E5:1 G5:1  A5:1.5 G5:.5 F#5:1 D5:1  G5:1 E5:1 A5:1 F#5:1  G5:2 -:2",
    );
    play_melody(&mut whistle, &answer, -0.15, &mut random, |pitch, seconds, random| {
        soft_lead(pitch, seconds * 0.92, random)
    });
    song.add(whistle, -23.5, Send { room: 0.4, echo: 0.15 });

    let mut wood = song.layer();
    for (change, notes) in changes.iter().zip(lead(&changes, Voicing { voices: 3, centre: 65, open: false })) {
        for step in 0..(change.beats * 2.0) as usize {
            let gain = [0.4, 1.0][step % 2] * random.jitter(0.1);
            wood.play(change.beat + step as f64 / 2.0, &marimba(notes[step * 2 % 3], 0.5), gain, 0.5);
        }
    }
    song.add(wood, -25.0, NEAR);

    let mut drums = song.layer();
    pattern(&mut drums, &kick(), 0..15, 0.0, "X... x... X... x...");
    pattern(&mut drums, &kick(), 15..16, 0.0, "X... x... X... ....");
    let hands: Vec<f64> = clap().iter().map(|sample| sample * 0.4).collect();
    pattern(&mut drums, &hands, 0..15, 0.05, ".... X... .... X...");
    pattern(&mut drums, &hands, 15..16, 0.05, ".... X... x..x X.x.");
    for bar in 0..16 {
        for step in 0..8 {
            let jingle: Vec<f64> = tambourine(&mut random).iter().map(|sample| sample * 0.12).collect();
            let gain = if step % 2 == 1 { 1.0 } else { 0.5 } * if bar < 8 { 0.7 } else { 1.0 };
            drums.play(f64::from(bar) * 4.0 + f64::from(step) / 2.0, &jingle, gain * random.jitter(0.12), 0.4);
        }
    }
    song.add(drums, -22.5, NEAR);
    song.finish()
}
