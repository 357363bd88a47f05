//! Joins the encoded scenes of a rendition into one file and adds music, without encoding the video again.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use reelhook_domain::videos::film::FRAME_RATE;

use crate::encode::{Ffmpeg, TIME_SCALE, file_url, finish, start};
use crate::error::RenderError;

/// The duration of a frame in ticks.
const TICKS: u32 = TIME_SCALE / FRAME_RATE;

/// The codecs by which ffmpeg may look into the segments: none. Their headers say all that copying needs, and ffmpeg would
/// decode the first frames of each segment to guess what it knows already. It says so for each of them on its standard
/// error, which is read only after a failure, from its end.
const NO_DECODER: [&str; 2] = ["-codec_whitelist", "none"];

/// The music of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Soundtrack {
    /// The audio file.
    pub file: PathBuf,
    /// The volume, 0 to 1.
    pub volume: f64,
    /// The duration of the fade-in in milliseconds.
    pub fade_in_ms: u32,
    /// The duration of the fade-out in milliseconds.
    pub fade_out_ms: u32,
}

impl Ffmpeg {
    /// Joins segments in order into an MP4 that can start playing before it is fully loaded. `frames` is the total of
    /// all segments. Every frame has exactly the same duration, and the file states its exact length.
    ///
    /// Music is repeated or cut to the length of the video; without music the file has no sound. `directory` holds a
    /// temporary list of the segments.
    ///
    /// # Errors
    ///
    /// `RenderError::Ffmpeg` with the end of ffmpeg's output, `RenderError::Io`.
    pub async fn join(
        &self,
        segments: &[PathBuf],
        frames: u32,
        music: Option<&Soundtrack>,
        to: &Path,
        directory: &Path,
    ) -> Result<(), RenderError> {
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let list = directory.join(format!("{name}.ffconcat"));
        let files: Vec<(PathBuf, Option<u64>)> = segments.iter().map(|segment| (segment.clone(), None)).collect();
        write_list(&files, &list).await?;
        let mut command = self.command();
        // Without this ffmpeg leaves out a segment that it can't read, and reports success.
        command.arg("-xerror");
        command.args(["-f", "concat", "-safe", "0", "-protocol_whitelist", "file"]).args(NO_DECODER);
        command.arg("-i").arg(file_url(&list));
        if let Some(music) = music {
            command.args(["-stream_loop", "-1", "-i"]).arg(file_url(&music.file));
        }
        command.args(["-map", "0:v:0", "-c:v", "copy"]);
        match music {
            Some(music) => {
                command.args(["-map", "1:a:0", "-af"]).arg(filter(music, frames));
                command.args(["-c:a", "aac", "-b:a", "160k", "-ar", "44100", "-ac", "2"]);
            }
            None => {
                command.arg("-an");
            }
        }
        // Each frame gets its timestamp from its number. The concat demuxer would add up the segments' durations, which
        // are rounded to milliseconds: frames would start up to a millisecond late, and players would see a variable
        // frame rate.
        command.arg("-bsf:v").arg(format!("setts=ts=N*{TICKS}:duration={TICKS}"));
        let scale = TIME_SCALE.to_string();
        command.args(["-video_track_timescale", &scale, "-movie_timescale", &scale]);
        command.args(["-map_metadata", "-1", "-movflags", "+faststart", "-y", "-f", "mp4"]).arg(file_url(to));
        let child = start(&mut command)?;
        let joined = finish(child, "join the scenes", std::future::pending(), async { Ok(()) }).await;
        if let Err(error) = tokio::task::spawn_blocking(move || std::fs::remove_file(list)).await.unwrap_or(Ok(())) {
            tracing::debug!(%error, "failed to remove the list of segments");
        }
        joined
    }
}

/// Writes the list of the files that the concat demuxer joins, some with their durations in microseconds.
pub(crate) async fn write_list(files: &[(PathBuf, Option<u64>)], list: &Path) -> Result<(), RenderError> {
    let mut names = String::from("ffconcat version 1.0\n");
    for (file, duration) in files {
        let path = std::path::absolute(file).map_err(|source| RenderError::Io { action: "find a segment", source })?;
        // Writing to a string can't fail.
        let _ = writeln!(names, "file 'file:{}'", path.to_string_lossy().replace('\'', "'\\''"));
        if let Some(duration) = duration {
            let _ = writeln!(names, "duration {}.{:06}", duration / 1_000_000, duration % 1_000_000);
        }
    }
    let list = list.to_owned();
    tokio::task::spawn_blocking(move || std::fs::write(list, names))
        .await
        .map_err(|_| RenderError::DrawingThread)?
        .map_err(|source| RenderError::Io { action: "write the list of segments", source })
}

/// The audio filter. It consists of numbers and constants only; no text from a user gets into it.
fn filter(music: &Soundtrack, frames: u32) -> String {
    let length = f64::from(frames) / f64::from(FRAME_RATE);
    let volume = if music.volume.is_finite() { music.volume.clamp(0.0, 1.0) } else { 1.0 };
    let fade_in = (f64::from(music.fade_in_ms) / 1000.0).min(length);
    let fade_out = (f64::from(music.fade_out_ms) / 1000.0).min(length);
    let mut filter = format!("aresample=44100,atrim=end={length:.6},asetpts=N/SR/TB,volume={volume:.4}");
    if fade_in > 0.0 {
        let _ = write!(filter, ",afade=t=in:st=0:d={fade_in:.3}");
    }
    if fade_out > 0.0 {
        let _ = write!(filter, ",afade=t=out:st={:.3}:d={fade_out:.3}", length - fade_out);
    }
    filter
}
