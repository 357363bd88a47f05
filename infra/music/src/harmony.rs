//! Music theory: notes, chords and voice leading, so that scores can be written in musical notation.

/// A chord and its time in the progression.
pub struct Change {
    /// The beat at which it starts.
    pub beat: f64,
    /// Its length in beats.
    pub beats: f64,
    /// The chord.
    pub chord: Chord,
}

/// A chord as pitch classes; C is 0.
pub struct Chord {
    /// The pitch class of the bass, 0 to 11.
    pub bass: i32,
    /// The pitch classes above the bass, 0 to 11, the least important first.
    pub tones: Vec<i32>,
}

/// A note of a melody.
pub struct Note {
    /// The beat at which it starts.
    pub beat: f64,
    /// Its length in beats.
    pub beats: f64,
    /// The pitch as a MIDI number; 69 is A4.
    pub pitch: i32,
}

/// The frequency of a MIDI number in hertz; hundredths are cents.
pub fn hertz(pitch: f64) -> f64 {
    440.0 * 2f64.powf((pitch - 69.0) / 12.0)
}

/// Parses a progression: one chord per bar, or several chords in a bar, separated by commas.
///
/// # Panics
/// If a chord is unknown; progressions are part of the program.
pub fn progression(text: &str) -> Vec<Change> {
    let mut changes = Vec::new();
    for (bar, symbols) in text.split_whitespace().enumerate() {
        let beats = 4.0 / symbols.split(',').count() as f64;
        for (place, symbol) in symbols.split(',').enumerate() {
            let chord = chord(symbol).unwrap_or_else(|| panic!("unknown chord `{symbol}`"));
            changes.push(Change { beat: bar as f64 * 4.0 + place as f64 * beats, beats, chord });
        }
    }
    changes
}

/// Parses a melody such as `D5:1.5 -:.5 F#5:2`: notes and their beats, with `-` for rests.
///
/// # Panics
/// If a note is invalid; melodies are part of the program.
pub fn melody(beat: f64, text: &str) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut at = beat;
    for word in text.split_whitespace() {
        let (name, beats) =
            word.split_once(':').unwrap_or_else(|| panic!("note `{word}` has no length; write it as `D5:1.5`"));
        let beats: f64 = beats.parse().unwrap_or_else(|_| panic!("note `{word}` has no length; write it as `D5:1.5`"));
        if name != "-" {
            let pitch = pitch(name).unwrap_or_else(|| panic!("unknown note `{word}`"));
            notes.push(Note { beat: at, beats, pitch });
        }
        at += beats;
    }
    notes
}

fn pitch(name: &str) -> Option<i32> {
    let (class, octave) = class(name)?;
    Some(class + 12 * (octave.parse::<i32>().ok()? + 1))
}

/// Parses the pitch class at the start of a text; also returns the rest of the text.
fn class(text: &str) -> Option<(i32, &str)> {
    let natural = match text.chars().next()? {
        'C' => 0,
        'D' => 2,
        'E' => 4,
        'F' => 5,
        'G' => 7,
        'A' => 9,
        'B' => 11,
        _ => return None,
    };
    let rest = &text[1..];
    if let Some(rest) = rest.strip_prefix('#') {
        return Some(((natural + 1) % 12, rest));
    }
    if let Some(rest) = rest.strip_prefix('b') {
        return Some(((natural + 11) % 12, rest));
    }
    Some((natural, rest))
}

fn chord(symbol: &str) -> Option<Chord> {
    let (symbol, bass) = match symbol.split_once('/') {
        Some((symbol, bass)) => (symbol, Some(class(bass)?.0)),
        None => (symbol, None),
    };
    let (root, kind) = class(symbol)?;
    let steps: &[i32] = match kind {
        "" => &[0, 7, 4],
        "m" => &[0, 7, 3],
        "6" => &[0, 7, 4, 9],
        "m6" => &[0, 7, 3, 9],
        "7" => &[0, 7, 4, 10],
        "m7" => &[0, 7, 3, 10],
        "maj7" => &[0, 7, 4, 11],
        "sus2" => &[0, 7, 2],
        "sus4" => &[0, 7, 5],
        "7sus4" => &[0, 7, 5, 10],
        "add9" => &[0, 7, 4, 2],
        "madd9" => &[0, 7, 3, 2],
        "m9" => &[0, 7, 3, 10, 2],
        "maj9" => &[0, 7, 4, 11, 2],
        "9sus4" => &[0, 7, 5, 10, 2],
        "13" => &[0, 7, 4, 10, 9],
        "7b9" => &[0, 7, 4, 10, 1],
        "maj7#11" => &[0, 7, 4, 11, 6],
        _ => return None,
    };
    let tones = steps.iter().map(|step| (root + step) % 12).collect();
    Some(Chord { bass: bass.unwrap_or(root), tones })
}

impl Chord {
    /// The bass note in the octave that starts at `lowest`.
    pub fn bass_from(&self, lowest: i32) -> i32 {
        lowest + (self.bass - lowest).rem_euclid(12)
    }

    /// The pitch classes for this number of voices, without the least important ones.
    fn choose(&self, voices: usize) -> Vec<i32> {
        let skipped = self.tones.len().saturating_sub(voices);
        self.tones[skipped..].to_vec()
    }
}

/// The arrangement of a progression's voices.
#[derive(Clone, Copy)]
pub struct Voicing {
    /// The number of voices.
    pub voices: usize,
    /// The MIDI number around which the voices stay.
    pub centre: i32,
    /// Whether the second-highest voice is moved down an octave.
    pub open: bool,
}

/// The notes of each chord from low to high. The voices move as little as possible from chord to chord.
pub fn lead(changes: &[Change], voicing: Voicing) -> Vec<Vec<i32>> {
    let mut voicings: Vec<Vec<i32>> = Vec::new();
    for change in changes {
        let best = candidates(&change.chord, voicing)
            .into_iter()
            .min_by_key(|candidate| effort(candidate, voicings.last(), voicing.centre));
        voicings.extend(best);
    }
    voicings
}

fn candidates(chord: &Chord, voicing: Voicing) -> Vec<Vec<i32>> {
    let mut classes = chord.choose(voicing.voices);
    classes.sort_unstable();
    let mut all = Vec::new();
    for first in 0..classes.len() {
        for octave in 2..8 {
            let mut notes: Vec<i32> = (0..voicing.voices)
                .map(|voice| {
                    let place = first + voice;
                    classes[place % classes.len()] + 12 * (octave + (place / classes.len()) as i32)
                })
                .collect();
            if voicing.open && notes.len() > 2 {
                let second = notes.len() - 2;
                notes[second] -= 12;
                notes.sort_unstable();
            }
            all.push(notes);
        }
    }
    all
}

/// The cost of a voicing: the motion of its voices, its distance from the centre, and its dissonances.
fn effort(candidate: &[i32], previous: Option<&Vec<i32>>, centre: i32) -> i32 {
    let sum: i32 = candidate.iter().sum();
    let drift = (sum - centre * candidate.len() as i32).abs();
    let motion: i32 =
        previous.map_or(0, |previous| candidate.iter().zip(previous).map(|(to, from)| (to - from).abs()).sum());
    let rubs = candidate.windows(2).filter(|pair| pair[1] - pair[0] < 2).count() as i32;
    // Motion has a higher weight than the distance from the centre, which only prevents a slow drift.
    4 * motion + drift * if previous.is_some() { 1 } else { 4 } + 24 * rubs
}

/// Delays the second half of each beat: `late` is a fraction of a beat, 0 for straight notes.
pub fn swing(beat: f64, late: f64) -> f64 {
    let whole = beat.floor();
    let part = beat - whole;
    if part < 0.5 { whole + part * (1.0 + 2.0 * late) } else { whole + 0.5 + late + (part - 0.5) * (1.0 - 2.0 * late) }
}

#[cfg(test)]
mod tests {
    use super::{Voicing, lead, melody, progression, swing};

    #[test]
    fn a_common_progression_moves_by_small_steps() {
        let changes = progression("C G Am F");

        let voicings = lead(&changes, Voicing { voices: 3, centre: 64, open: false });

        assert_eq!(voicings, [[60, 64, 67], [59, 62, 67], [60, 64, 69], [60, 65, 69]]);
    }

    #[test]
    fn a_long_progression_stays_near_its_centre() {
        let changes = progression(&"Dm9 G13 Cmaj9 Am9 Fm6 Em7,A7b9 ".repeat(6));

        for notes in lead(&changes, Voicing { voices: 4, centre: 63, open: true }) {
            assert!(notes.is_sorted() && notes[0] > 63 - 16 && notes[3] < 63 + 16, "{notes:?}");
        }
    }

    #[test]
    fn chords_can_share_a_bar_and_stand_on_another_bass() {
        let changes = progression("D/F# Asus4,A");

        assert_eq!(changes[0].chord.bass, 6);
        assert_eq!(changes.iter().map(|change| change.beat).collect::<Vec<_>>(), [0.0, 4.0, 6.0]);
    }

    #[test]
    fn a_melody_counts_its_silences() {
        let notes = melody(8.0, "A4:1.5 -:.5 C#5:2");

        assert_eq!((notes[0].pitch, notes[0].beat), (69, 8.0));
        assert_eq!((notes[1].pitch, notes[1].beat), (73, 10.0));
    }

    #[test]
    fn swing_moves_the_half_and_keeps_the_beat() {
        assert_eq!((swing(3.0, 0.12), swing(3.5, 0.12)), (3.0, 3.62));
    }
}
