//! Scans a source: ffmpeg decodes it once into small pictures and mono sound, and the times of its frames.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use reelhook_app::clips::perform::ports::SCANNED_PIXELS;

use crate::clips::pictures::{BYTES, Pictures, SIZE};
use crate::clips::sound::{RATE, WINDOW, level};
use crate::encode::{Ffmpeg, file_url, finish, start};
use crate::error::RenderError;
use crate::takes::{fill, read_packets};

/// The frames that are scanned at most: those of two hours at 120 frames per second.
const MOST_FRAMES: usize = 864_000;
/// The time that is scanned at most, in seconds.
const MOST_SECONDS: f64 = 2.0 * 3600.0 + 1.0;

/// The part of a source that is scanned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    /// Where it begins, in seconds: all frames that are shown later are scanned.
    pub from: f64,
    /// Its length in seconds.
    pub length: f64,
}

/// How many frames are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// All of them.
    All,
    /// Those that others need: about a half.
    Needed,
    /// Key frames: one in some seconds.
    Key,
}

impl Effort {
    /// What a source of so many frames allows.
    pub fn of(frames: usize, (width, height): (u32, u32)) -> Self {
        let pixels = (frames as u64).saturating_mul(u64::from(width) * u64::from(height));
        match pixels / SCANNED_PIXELS {
            0 => Self::All,
            1 => Self::Needed,
            _ => Self::Key,
        }
    }

    /// The value of ffmpeg's option `skip_frame`.
    fn skipped(self) -> &'static str {
        match self {
            Self::All => "default",
            Self::Needed => "noref",
            Self::Key => "nokey",
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scan {
    /// The times of the scanned frames in microseconds, from the start of the part.
    pub times: Vec<u64>,
    /// Their pictures.
    pub pictures: Pictures,
    /// The level of each 20 ms of sound in dB; none without sound.
    pub levels: Vec<f32>,
}

impl Ffmpeg {
    /// Scans a source, or a part of it. `sound` says whether its sound is scanned too. `directory` holds temporary
    /// files. Calls `progress` with the number of frames that are scanned.
    ///
    /// # Errors
    ///
    /// `RenderError::Video` if it can't be decoded, `RenderError::Io`.
    pub(crate) async fn scan(
        &self,
        source: &Path,
        part: Option<Part>,
        (effort, sound): (Effort, bool),
        directory: &Path,
        mut progress: impl FnMut(u32) + Send,
    ) -> Result<Scan, RenderError> {
        let (times_file, sound_file) = (directory.join("times.txt"), directory.join("sound.raw"));
        let length = format!("{:.6}", part.map_or(MOST_SECONDS, |part| part.length));
        let from = part.filter(|part| part.from > 0.0).map(|part| format!("{:.6}", part.from));
        // The loop filter of frames that no other one needs is not worth its time here.
        let mut options = vec!["-max_error_rate", "1", "-skip_loop_filter", "noref", "-skip_frame", effort.skipped()];
        if let Some(from) = &from {
            options.extend(["-ss", from.as_str()]);
        }
        options.extend(["-t", length.as_str()]);
        let mut command = self.reading(source, &options)?;
        let (width, height) = SIZE;
        command
            .arg("-filter_complex")
            .arg(format!("[0:V:0]scale=w={width}:h={height}:flags=area,format=yuv420p,split[pictures][times]"));
        command.args([
            "-map",
            "[pictures]",
            "-fps_mode",
            "passthrough",
            "-c:v",
            "rawvideo",
            "-f",
            "rawvideo",
            "pipe:1",
        ]);
        command.args(["-map", "[times]", "-fps_mode", "passthrough", "-enc_time_base", "1/1000000"]);
        command.args(["-c:v", "rawvideo", "-f", "framecrc", "-y"]).arg(file_url(&times_file));
        if sound {
            command.args(["-map", "0:a:0", "-af"]).arg(format!("aresample={RATE}:async=1:first_pts=0"));
            command.args(["-ac", "1", "-c:a", "pcm_s16le", "-f", "s16le", "-y"]).arg(file_url(&sound_file));
        }
        command.stdout(Stdio::piped());
        let mut child = start(&mut command)?;
        let (stdout, mut pictures, mut is_too_long) = (child.stdout.take(), Pictures::default(), false);
        let read = async {
            let Some(mut stdout) = stdout else { return Ok::<_, RenderError>(()) };
            let mut picture = vec![0; BYTES];
            while fill(&mut stdout, &mut picture).await? == BYTES {
                is_too_long = pictures.count() == MOST_FRAMES;
                if is_too_long {
                    break;
                }
                pictures.push(&picture);
                progress(u32::try_from(pictures.count()).unwrap_or(u32::MAX));
            }
            Ok(())
        };
        let ended = finish(child, "scan a video", std::future::pending(), read).await;
        if is_too_long {
            return Err(RenderError::Video(format!("has more than {MOST_FRAMES} frames")));
        }
        if let Err(RenderError::Ffmpeg { stderr, .. }) = &ended {
            tracing::warn!(stderr, "ffmpeg refused a video");
            return Err(RenderError::Video("can't be read".to_owned()));
        }
        ended?;
        let measured = tokio::task::spawn_blocking(move || {
            let times = std::fs::read_to_string(&times_file)?;
            let levels = if sound { levels(&sound_file)? } else { Vec::new() };
            // The next scan of the piece needs their room.
            std::fs::remove_file(times_file)?;
            if sound {
                std::fs::remove_file(sound_file)?;
            }
            Ok::<_, std::io::Error>((times, levels))
        });
        let (times, levels) = measured
            .await
            .map_err(|_| RenderError::DrawingThread)?
            .map_err(|source| RenderError::Io { action: "read what a scan wrote", source })?;
        let mut times: Vec<u64> =
            read_packets(&times).times().into_iter().map(|time| u64::try_from(time).unwrap_or_default()).collect();
        times.truncate(pictures.count());
        if times.is_empty() {
            return Err(RenderError::Video("has no frame that can be decoded".to_owned()));
        }
        Ok(Scan { times, pictures, levels })
    }
}

/// The levels of a file of raw sound.
fn levels(file: &Path) -> std::io::Result<Vec<f32>> {
    let mut file = std::io::BufReader::with_capacity(1 << 16, std::fs::File::open(file)?);
    let (mut levels, mut window) = (Vec::new(), Vec::with_capacity(WINDOW));
    loop {
        window.clear();
        (&mut file).take(WINDOW as u64).read_to_end(&mut window)?;
        if window.is_empty() {
            return Ok(levels);
        }
        levels.push(level(&window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sources_of_many_pixels_are_scanned_with_less_effort() {
        let frames = |hours: usize| hours * 3600 * 30;
        for (hours, size, effort) in [
            (1, (1920, 1080), Effort::All),
            (2, (1280, 720), Effort::All),
            (2, (1920, 1080), Effort::Needed),
            (2, (3840, 2160), Effort::Key),
        ] {
            assert_eq!(Effort::of(frames(hours), size), effort, "{hours} h, {size:?}");
        }
    }
}
