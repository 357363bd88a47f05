//! Still Water: slow chords, a sparse piano and bells in a wide room; for care, nature and quiet speech.

use super::parts::{FAR, NEAR, play_melody, sustain_chords};
use crate::harmony::{Voicing, melody, progression};
use crate::layer::{Layer, Tempo};
use crate::random::Random;
use crate::reverb::{Echo, Room};
use crate::song::{Send, Song};
use crate::voices::{Pad, bass, bell, pad, piano, swell};

const WATER: Pad = Pad { attack: 1.8, release: 2.6, cutoff: 1_300.0, detune: 9.0, vibrato: 0.0 };
const AIR: Pad = Pad { attack: 2.2, release: 2.8, cutoff: 2_600.0, detune: 14.0, vibrato: 5.0 };

/// Renders the finished loop.
pub fn compose() -> Layer {
    let tempo = Tempo { beats_per_minute: 64.0, bars: 8 };
    let mut song =
        Song::new(tempo, Room { seconds: 4.2, bright: 3_800.0, delay: 0.035 }, Echo { beats: 1.5, feedback: 0.42 });
    let changes = progression("Fmaj9 C/E Dm9 Am7 Bbmaj7#11 F/A Gm9 C9sus4");
    let mut random = Random::new(401);

    let water = sustain_chords(tempo, &changes, Voicing { voices: 4, centre: 58, open: true }, WATER, 402);
    song.add(water, -21.0, FAR);
    let air = sustain_chords(tempo, &changes, Voicing { voices: 3, centre: 72, open: false }, AIR, 403);
    song.add(air, -27.0, Send { room: 0.9, echo: 0.0 });

    let mut keys = song.layer();
    let tune = melody(
        0.0,
        "-:1 A4:1 G4:.5 C5:1.5  -:1 G4:1 E4:2  -:1 F4:1 E4:.5 A4:1.5  -:1 E5:1 C5:2 \
         -:1 D5:1 E5:.5 A4:1.5  -:1 C5:1 A4:2  -:1 Bb4:.5 A4:.5 F4:2  -:1 G4:1 F4:.5 D4:1.5",
    );
    play_melody(&mut keys, &tune, -0.1, &mut random, |pitch, seconds, random| {
        let touch = 0.42 * random.jitter(0.12);
        piano(pitch, seconds + 1.2, touch, random)
    });
    for change in &changes {
        let root = change.chord.bass_from(41);
        for (after, above) in [(0.0, 0), (0.5, 7), (2.5, 12)] {
            let sound = piano(root + above, tempo.seconds(3.0), 0.34 * random.jitter(0.1), &mut random);
            keys.play(change.beat + after + random.signed() * 0.015, &sound, 0.9, -0.25);
        }
    }
    song.add(keys, -20.5, Send { room: 0.6, echo: 0.2 });

    let mut bells = song.layer();
    let drops = melody(2.5, "C6:4 G5:4 E6:4 C6:4 A5:4 F5:.5 C6:3.5 D6:4 G5:3");
    play_melody(&mut bells, &drops, 0.4, &mut random, |pitch, _, _| bell(pitch, 3.0));
    song.add(bells, -29.0, Send { room: 0.9, echo: 0.6 });

    let mut low = song.layer();
    for change in &changes {
        low.play(change.beat, &bass(change.chord.bass_from(33), tempo.seconds(3.7), 0.12), 1.0, 0.0);
    }
    low.low_pass(400.0);
    song.add(low, -25.0, NEAR);

    // Two distant waves rise and fall.
    let mut sea = song.layer();
    for (beat, pan) in [(4.0, -0.5), (20.0, 0.5)] {
        let wave = swell(tempo.seconds(5.0), &mut random);
        let back = pad(77, tempo.seconds(3.0), AIR, &mut random);
        sea.play(beat, &wave, 1.0, pan);
        sea.play(beat + 3.0, &back, 0.4, pan);
    }
    sea.low_pass(2_200.0);
    song.add(sea, -40.0, FAR);
    song.finish()
}
