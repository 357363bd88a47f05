//! Encodes a loop as an MP3 with ffmpeg, reproducibly byte by byte.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::layer::Layer;
use crate::wav;

/// Writes `<name>.wav` and `<name>.mp3` into `folder`.
///
/// The MP3 header states the encoder's padding, so that players that read it repeat the loop without a gap.
pub fn encode(layer: &Layer, name: &str, kilobits: u32, folder: &Path, ffmpeg: &Path) -> anyhow::Result<()> {
    let source = folder.join(name).with_extension("wav");
    let target = folder.join(name).with_extension("mp3");
    let file = File::create(&source).with_context(|| format!("failed to create `{}`", source.display()))?;
    wav::write(layer, &mut BufWriter::new(file)).with_context(|| format!("failed to write `{}`", source.display()))?;

    let status = Command::new(ffmpeg)
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(&source)
        .args(["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-id3v2_version", "0"])
        .args(["-c:a", "libmp3lame", "-compression_level", "0", "-b:a", &format!("{kilobits}k")])
        .arg(&target)
        .status()
        .with_context(|| format!("failed to start `{}`", ffmpeg.display()))?;
    ensure!(status.success(), "failed to encode `{}`: {status}", target.display());

    Ok(())
}
