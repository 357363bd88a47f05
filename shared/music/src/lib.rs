//! The background music for videos: eight tracks of our own, embedded in the binary, so that rendering downloads
//! nothing.

/// One track of the catalogue: an MP3 of 24 to 40 seconds that can be repeated without a gap.
#[derive(Debug)]
pub struct Track {
    /// The short identifier for callers, such as `corp-1`; it stays the same when the music is made again.
    pub id: &'static str,
    /// The display name.
    pub name: &'static str,
    /// The name of the MP3 file, in lowercase with its extension.
    pub filename: &'static str,
    /// The whole MP3 file.
    pub file: &'static [u8],
}

/// All tracks in the order in which lists show them.
pub const TRACKS: &[Track] = &[
    Track {
        id: "corp-1",
        name: "Corporate Morning",
        filename: "corporate-morning.mp3",
        file: include_bytes!("../tracks/corporate-morning.mp3"),
    },
    Track {
        id: "corp-2",
        name: "Steady Progress",
        filename: "steady-progress.mp3",
        file: include_bytes!("../tracks/steady-progress.mp3"),
    },
    Track {
        id: "upbeat-1",
        name: "Sunny Errand",
        filename: "sunny-errand.mp3",
        file: include_bytes!("../tracks/sunny-errand.mp3"),
    },
    Track {
        id: "calm-1",
        name: "Still Water",
        filename: "still-water.mp3",
        file: include_bytes!("../tracks/still-water.mp3"),
    },
    Track {
        id: "tech-1",
        name: "Signal Path",
        filename: "signal-path.mp3",
        file: include_bytes!("../tracks/signal-path.mp3"),
    },
    Track {
        id: "cinematic-1",
        name: "Wide Horizon",
        filename: "wide-horizon.mp3",
        file: include_bytes!("../tracks/wide-horizon.mp3"),
    },
    Track {
        id: "acoustic-1",
        name: "Porch Light",
        filename: "porch-light.mp3",
        file: include_bytes!("../tracks/porch-light.mp3"),
    },
    Track {
        id: "lofi-1",
        name: "Late Notebook",
        filename: "late-notebook.mp3",
        file: include_bytes!("../tracks/late-notebook.mp3"),
    },
];

/// Finds a track by its id, its filename, or its filename without `.mp3`, in any ASCII case.
#[must_use]
pub fn find(word: &str) -> Option<&'static Track> {
    TRACKS.iter().find(|track| {
        let stem = track.filename.trim_end_matches(".mp3");
        [track.id, track.filename, stem].iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{TRACKS, find};

    /// The maximum size of a track; all eight are part of a function's package.
    const LARGEST_BYTES: usize = 450_000;

    #[test]
    fn no_word_names_two_tracks() {
        let words: HashSet<&str> = TRACKS.iter().flat_map(|track| [track.id, track.filename]).collect();

        assert_eq!(words.len(), 2 * TRACKS.len());
    }

    #[test]
    fn every_track_is_found_by_its_id_its_file_and_its_stem_in_any_case() {
        for track in TRACKS {
            let stem = track.filename.strip_suffix(".mp3").expect("a filename ends in .mp3");

            for word in [track.id, track.filename, stem] {
                for word in [word.to_owned(), word.to_ascii_uppercase()] {
                    assert_eq!(find(&word).map(|found| found.id), Some(track.id), "`{word}`");
                }
            }
        }
    }

    #[test]
    fn other_words_find_nothing() {
        for word in ["", ".mp3", "corp", "corp-1.mp3", "corporate-morning.wav", " corp-1"] {
            assert!(find(word).is_none(), "`{word}`");
        }
    }

    #[test]
    fn every_file_begins_like_an_mp3_and_is_small() {
        for track in TRACKS {
            let tagged = track.file.starts_with(b"ID3");
            let framed = track.file[0] == 0xff && track.file[1] & 0xe0 == 0xe0;

            assert!(tagged || framed, "`{}`", track.filename);
            assert!(track.file.len() < LARGEST_BYTES, "`{}` has {} bytes", track.filename, track.file.len());
        }
    }
}
