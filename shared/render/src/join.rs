//! Joins the encoded scenes of a picture into one file, with music under it, without encoding the picture again.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use reelhook_domain::videos::film::FRAME_RATE;

use crate::encode::{Ffmpeg, file, finish, start};
use crate::error::RenderError;

/// Ticks of a second in every file: each frame begins at a whole one. `ENCODING` has it too.
const TIME_SCALE: u32 = 15_360;
/// Ticks of a frame.
const TICKS: u32 = TIME_SCALE / FRAME_RATE;

/// Music for a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Soundtrack {
    /// The file.
    pub file: PathBuf,
    /// 0 to 1.
    pub volume: f64,
    /// Milliseconds until it is at its volume.
    pub fade_in_ms: u32,
    /// Milliseconds that it takes to end.
    pub fade_out_ms: u32,
}

impl Ffmpeg {
    /// Joins segments, `frames` together, in their order into an MP4 that starts playing before it is loaded. Every frame
    /// shows for exactly the same time, and the file says just how long it is.
    /// Music is repeated and cut to the picture's length; without it the file has no sound. `directory` takes a list meanwhile.
    ///
    /// # Errors
    ///
    /// `RenderError::Ffmpeg` with what ffmpeg said last, `RenderError::Io`.
    pub async fn join(
        &self,
        segments: &[PathBuf],
        frames: u32,
        music: Option<&Soundtrack>,
        to: &Path,
        directory: &Path,
    ) -> Result<(), RenderError> {
        let mut names = String::from("ffconcat version 1.0\n");
        for segment in segments {
            let path =
                std::path::absolute(segment).map_err(|source| RenderError::Io { action: "find a segment", source })?;
            // Writing to a string cannot fail.
            let _ = writeln!(names, "file 'file:{}'", path.to_string_lossy().replace('\'', "'\\''"));
        }
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let list = directory.join(format!("{name}.ffconcat"));
        tokio::task::spawn_blocking({
            let list = list.clone();
            move || std::fs::write(list, names)
        })
        .await
        .map_err(|_| RenderError::Drawing)?
        .map_err(|source| RenderError::Io { action: "write the list of segments", source })?;
        let mut command = self.command();
        command.args(["-f", "concat", "-safe", "0", "-protocol_whitelist", "file", "-i"]).arg(file(&list));
        if let Some(music) = music {
            command.args(["-stream_loop", "-1", "-i"]).arg(file(&music.file));
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
        // Each frame gets its time by its number. The concat demuxer goes by the segments' durations, which files round to
        // milliseconds: frames would begin up to a millisecond late, and players would see an uneven rate.
        command.arg("-bsf:v").arg(format!("setts=ts=N*{TICKS}:duration={TICKS}"));
        let scale = TIME_SCALE.to_string();
        command.args(["-video_track_timescale", &scale, "-movie_timescale", &scale]);
        command.args(["-map_metadata", "-1", "-movflags", "+faststart", "-y", "-f", "mp4"]).arg(file(to));
        let child = start(&mut command)?;
        let joined = finish(child, "join the scenes", std::future::pending(), async { Ok(()) }).await;
        if let Err(error) = tokio::task::spawn_blocking(move || std::fs::remove_file(list)).await.unwrap_or(Ok(())) {
            tracing::debug!(%error, "the list of segments stays behind");
        }
        joined
    }
}

/// Numbers only: nothing that a user wrote.
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
