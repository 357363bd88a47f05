//! Makes the background music of `shared/music`: renders each score and encodes it as an MP3.

mod encode;
mod filter;
mod harmony;
mod layer;
mod loudness;
mod random;
mod reverb;
mod sample_rate;
mod song;
mod tracks;
mod voices;
mod wav;

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [folder, ffmpeg, only @ ..] = arguments.as_slice() else {
        bail!("usage: reelhook-music-maker OUT FFMPEG [NAME...]");
    };
    fs::create_dir_all(folder).with_context(|| format!("failed to create `{}`", folder.display()))?;
    for score in tracks::SCORES {
        if only.is_empty() || only.iter().any(|name| name.as_os_str() == score.name) {
            let layer = (score.compose)();
            encode::encode(&layer, score.name, score.kilobits, folder, ffmpeg)?;
            println!("{}: {:.1} LUFS", score.name, loudness::loudness(&layer));
        }
    }
    Ok(())
}
