//! Takes: videos that were made elsewhere, or by our cards. ffmpeg decodes and encodes them; what it says about them is
//! read from the output of its `framecrc` muxer and its `showinfo` filter, because our layer has no ffprobe. Sources of
//! clips are read in the same way.

mod concat;
mod frames;
mod likeness;
mod plan;
pub mod probe;
mod prompt;
mod segment;
mod sound;

use std::io::Read;
use std::path::Path;

use tokio::process::Command;

use crate::encode::{Ffmpeg, file_url};
use crate::error::RenderError;

pub use concat::{ConcatVideo, Take};
pub use plan::Rate;
pub(crate) use plan::rate;
pub(crate) use probe::{Probe, read_packets};
pub(crate) use prompt::PromptFrames;
pub(crate) use sound::fill;

/// The maximum number of pixels of a frame: 8K.
const MAX_PIXELS: &str = "35389440";

/// The format of a file by its first bytes. A playlist, which could name other files, is never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Mp4,
    Matroska,
}

impl Container {
    fn of(file: &Path) -> Result<Self, RenderError> {
        let mut head = Vec::new();
        std::fs::File::open(file)
            .and_then(|file| file.take(8).read_to_end(&mut head))
            .map_err(|source| RenderError::Io { action: "read a video", source })?;
        match *head {
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Ok(Self::Matroska),
            [_, _, _, _, a, b, c, d] if [*b"ftyp", *b"moov", *b"mdat", *b"wide"].contains(&[a, b, c, d]) => {
                Ok(Self::Mp4)
            }
            _ => Err(RenderError::Video("is not an MP4, MOV, WebM or Matroska file".to_owned())),
        }
    }

    /// The name of the demuxer.
    fn demuxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mov",
            Self::Matroska => "matroska",
        }
    }
}

impl Ffmpeg {
    /// A command that reads a take after these input options: only this file, and only in its own format.
    pub(crate) fn reading(&self, file: &Path, options: &[&str]) -> Result<Command, RenderError> {
        let mut command = self.command();
        command.args(["-protocol_whitelist", "file", "-fflags", "+discardcorrupt", "-max_pixels", MAX_PIXELS]);
        command.args(options).args(["-f", Container::of(file)?.demuxer(), "-i"]).arg(file_url(file));
        Ok(command)
    }
}
