//! Encodes drawn scenes: one ffmpeg process per scene, or per part of it, reads frames from its standard input.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

use reelhook_app::videos::ports::PartFile;
use reelhook_domain::videos::film::FRAME_RATE;

use crate::error::RenderError;
use crate::frames::buffers::{Frames, buffers};
use crate::scene::LaidOutScene;

/// The ffmpeg program that encodes and joins.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    /// The path of the program.
    pub program: PathBuf,
}

/// The time scale of every file of a film in ticks per second: a frame lasts a whole number of ticks.
pub(crate) const TIME_SCALE: u32 = 15_360;

/// The encoder arguments of takes, prompt cards and clips, which are joined by stream copy: no B-frames, and a key frame
/// every two seconds. The maximum rate bounds the file size.
pub const ENCODER_ARGUMENTS: [&str; 26] = arguments("20");

/// The encoder arguments of the scenes of films: as for takes, but x264 looks at no frame in advance. Most frames of a
/// scene equal the one before, so there is little to see; another rate factor and [`SCENE_PARAMETERS`] give the same
/// similarity in fewer bytes (ADR 56).
pub const SCENE_ARGUMENTS: [&str; 26] = arguments("25");

/// What x264 gets beside [`SCENE_ARGUMENTS`], for `-x264-params`.
pub const SCENE_PARAMETERS: &str = "rc-lookahead=0:mbtree=0:aq-strength=0.5";

const fn arguments(rate_factor: &str) -> [&str; 26] {
    [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        rate_factor,
        "-profile:v",
        "high",
        "-pix_fmt",
        "yuv420p",
        "-maxrate",
        "40M",
        "-bufsize",
        "80M",
        "-bf",
        "0",
        "-g",
        "60",
        "-color_range",
        "tv",
        "-colorspace",
        "bt709",
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
    ]
}

impl Ffmpeg {
    /// Draws a scene and encodes it as H.264 without sound. Calls `progress` with the number of frames written so far.
    /// When `stop` completes, encoding ends with `RenderError::Stopped`. Dropping the future also kills ffmpeg.
    ///
    /// # Errors
    ///
    /// `RenderError::Ffmpeg` with the end of ffmpeg's output, `RenderError::Io`, `RenderError::Stopped`.
    pub async fn encode(
        &self,
        scene: LaidOutScene,
        to: &Path,
        progress: impl FnMut(u32) + Send + 'static,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), RenderError> {
        let mut command = self.command_for_scene(&scene);
        command.arg("-video_track_timescale").arg(TIME_SCALE.to_string());
        command.args(["-y", "-f", "mp4"]).arg(file_url(to));
        feed(command, scene, FRAME_RATE, progress, stop).await
    }

    /// As [`Self::encode`], for the parts of a scene that was laid out for their frames. One encode makes all files; each
    /// begins with a key frame.
    ///
    /// # Errors
    ///
    /// As [`Self::encode`], and `RenderError::Io` if a file cannot be moved to its place.
    pub async fn encode_parts(
        &self,
        scene: LaidOutScene,
        parts: &[PartFile],
        progress: impl FnMut(u32) + Send + 'static,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), RenderError> {
        let [first, rest @ ..] = parts else { return Ok(()) };
        if rest.is_empty() {
            return self.encode(scene, &first.to, progress, stop).await;
        }
        let io = |source| RenderError::Io { action: "place the parts of a scene", source };
        let below = first.to.parent().unwrap_or(Path::new("."));
        let directory = tempfile::Builder::new().prefix("parts-").tempdir_in(below).map_err(io)?;
        let cuts: Vec<String> = rest.iter().map(|part| (part.frames.start - first.frames.start).to_string()).collect();
        let key_frames: Vec<String> = cuts.iter().map(|cut| format!("eq(n,{cut})")).collect();
        let mut command = self.command_for_scene(&scene);
        command.arg("-force_key_frames").arg(format!("expr:{}", key_frames.join("+")));
        command.args(["-f", "segment", "-segment_format", "mp4", "-reset_timestamps", "1", "-segment_frames"]);
        command.arg(cuts.join(",")).arg("-segment_format_options");
        // The names have a place for their number: the directory's own name must not be read as one.
        command.arg(format!("video_track_timescale={TIME_SCALE}")).args(["-y", "file:%d.mp4"]);
        command.current_dir(directory.path());
        feed(command, scene, FRAME_RATE, progress, stop).await?;
        for (number, part) in parts.iter().enumerate() {
            tokio::fs::rename(directory.path().join(format!("{number}.mp4")), &part.to).await.map_err(io)?;
        }
        Ok(())
    }

    /// An ffmpeg command that encodes drawn frames of a film.
    fn command_for_scene(&self, frames: &impl Frames) -> Command {
        let mut command = self.reading_frames();
        command.arg("-an").arg("-vf").arg(every_frame(FRAME_RATE, frames.count()));
        command.args(SCENE_ARGUMENTS).args(["-x264-params", SCENE_PARAMETERS]);
        command
    }

    /// An ffmpeg command that reads drawn frames from its standard input.
    pub(crate) fn reading_frames(&self) -> Command {
        let mut command = self.command();
        // The first frame says everything about the stream: nothing has to be guessed.
        command.args(["-f", "matroska", "-fpsprobesize", "0", "-analyzeduration", "0", "-i", "pipe:0"]);
        command.stdin(Stdio::piped());
        command
    }

    /// An ffmpeg command that prints only errors and needs no terminal.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// The filter that shows each frame until the next one begins, and ends after `count` frames.
pub(crate) fn every_frame(rate: u32, count: u32) -> String {
    format!("fps=fps={rate}:round=near,trim=end_frame={count}")
}

/// Draws frames, `rate` per second, and writes them to the standard input of an encoder.
pub(crate) async fn feed(
    mut command: Command,
    frames: impl Frames,
    rate: u32,
    progress: impl FnMut(u32) + Send + 'static,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), RenderError> {
    let mut child = start(&mut command)?;
    let io = |source| RenderError::Io { action: "open ffmpeg's standard input", source };
    let pipe = child.stdin.take().map(|stdin| stdin.into_owned_fd()).transpose().map_err(io)?;
    let Some(pipe) = pipe.map(File::from) else {
        return Err(io(std::io::ErrorKind::BrokenPipe.into()));
    };
    // A larger pipe saves context switches. If it can't be enlarged, encoding only takes longer.
    if let Err(error) = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20) {
        tracing::debug!(%error, "failed to enlarge the pipe to ffmpeg, its default size is used");
    }
    let (draw, write) = buffers(&frames);
    let drawing = tokio::task::spawn_blocking(move || draw.run(frames));
    let writing = tokio::task::spawn_blocking(move || write.run(pipe, rate, progress));
    finish(child, "encode a scene", stop, async {
        let written = writing.await.map_err(|_| RenderError::DrawingThread)?;
        drawing.await.map_err(|_| RenderError::DrawingThread)?;
        written
    })
    .await
}

/// A path as a `file:` URL, so that ffmpeg never reads it as an option or another protocol.
pub(crate) fn file_url(path: &Path) -> std::ffi::OsString {
    let mut name = std::ffi::OsString::from("file:");
    name.push(path);
    name
}

pub(crate) fn start(command: &mut Command) -> Result<Child, RenderError> {
    command.spawn().map_err(|source| RenderError::Io { action: "start ffmpeg", source })
}

/// Waits for ffmpeg and for the work that runs beside it.
pub(crate) async fn finish(
    mut child: Child,
    action: &'static str,
    stop: impl Future<Output = ()> + Send,
    work: impl Future<Output = Result<(), RenderError>>,
) -> Result<(), RenderError> {
    let stderr = child.stderr.take();
    let all = async {
        let (worked, output, ended) = tokio::join!(work, tail(stderr), child.wait());
        let status = ended.map_err(|source| RenderError::Io { action: "wait for ffmpeg", source })?;
        if !status.success() {
            return Err(RenderError::Ffmpeg { action, status: status.to_string(), stderr: output });
        }
        worked
    };
    tokio::select! {
        ended = all => ended,
        () = stop => Err(RenderError::Stopped),
    }
}

/// The last 400 characters of ffmpeg's error output.
async fn tail(stderr: Option<ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut output: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stderr.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        output.extend_from_slice(&buffer[..count]);
        if output.len() > 16_384 {
            output.drain(..output.len() - 4_096);
        }
    }
    let output = String::from_utf8_lossy(&output);
    let skip = output.trim().chars().count().saturating_sub(400);
    output.trim().chars().skip(skip).collect()
}
