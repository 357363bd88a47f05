//! The scores of the tracks, one file each.

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

/// A track that can be composed.
pub struct Score {
    /// Name of its file, without extension.
    pub name: &'static str,
    /// Bit rate of its MP3 in kbit/s, lower for longer tracks, so that no file exceeds 450 kB.
    pub kilobits: u32,
    /// Composes it.
    pub compose: fn() -> Layer,
}

/// Every track of the catalogue, in the same order.
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
