//! The scores, one file per track, so that each keeps its own character.

mod acoustic;
mod calm;
mod cinematic;
mod corporate;
mod lofi;
mod parts;
mod steady;
mod tech;
mod upbeat;

use crate::layer::Layer;

/// A track that can be rendered.
pub struct Score {
    /// The name of its file without the extension.
    pub name: &'static str,
    /// The bit rate of its MP3 in kilobits per second. Longer tracks have a lower one, so that no file exceeds 450 kB.
    pub kilobits: u32,
    /// Renders the track.
    pub compose: fn() -> Layer,
}

/// All tracks in the order of the catalogue.
pub const SCORES: &[Score] = &[
    Score { name: "corporate-morning", kilobits: 96, compose: corporate::compose },
    Score { name: "steady-progress", kilobits: 96, compose: steady::compose },
    Score { name: "sunny-errand", kilobits: 112, compose: upbeat::compose },
    Score { name: "still-water", kilobits: 112, compose: calm::compose },
    Score { name: "signal-path", kilobits: 96, compose: tech::compose },
    Score { name: "wide-horizon", kilobits: 96, compose: cinematic::compose },
    Score { name: "porch-light", kilobits: 112, compose: acoustic::compose },
    Score { name: "late-notebook", kilobits: 96, compose: lofi::compose },
];

#[cfg(test)]
mod tests {
    use super::SCORES;

    #[test]
    fn every_track_of_the_catalogue_has_a_score() {
        let scores: Vec<String> = SCORES.iter().map(|score| format!("{}.mp3", score.name)).collect();
        let tracks: Vec<&str> = reelhook_music::TRACKS.iter().map(|track| track.filename).collect();

        assert_eq!(scores, tracks);
    }
}
