//! Encodes drawn scenes: one ffmpeg process per scene reads raw frames from its standard input.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

use reelhook_domain::videos::film::FRAME_RATE;

use crate::error::RenderError;
use crate::scene::LaidOutScene;
use crate::yuv::Yuv;

/// The ffmpeg program that encodes and joins.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    /// The path of the program.
    pub program: PathBuf,
}

/// The encoder arguments of every scene, so that scenes can be joined by stream copy: no B-frames, a key frame every
/// two seconds and one time scale. The maximum rate bounds the file size; cards stay far below it.
pub const ENCODER_ARGUMENTS: [&str; 28] = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "20",
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
    "-video_track_timescale",
    "15360",
];

/// Frames that are drawn one after the other.
pub(crate) trait Frames: Send + 'static {
    /// Width and height in pixels; both are even.
    fn size(&self) -> (u32, u32);

    /// The number of frames.
    fn count(&self) -> u32;

    /// Updates `into` from the frame before to this one; returns false if nothing changed.
    fn draw(&mut self, frame: u32, into: &mut Yuv) -> bool;
}

impl Frames for LaidOutScene {
    fn size(&self) -> (u32, u32) {
        self.size()
    }

    fn count(&self) -> u32 {
        self.frames()
    }

    fn draw(&mut self, frame: u32, into: &mut Yuv) -> bool {
        self.draw(frame, into)
    }
}

/// A message from the drawing thread to the writing thread.
enum Frame {
    New(Vec<u8>),
    Repeat,
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
        let mut command = self.command_for(&scene, FRAME_RATE);
        command.arg("-an").args(ENCODER_ARGUMENTS);
        command.args(["-frames:v"]).arg(scene.frames().to_string()).args(["-y", "-f", "mp4"]).arg(file_url(to));
        feed(command, scene, progress, stop).await
    }

    /// An ffmpeg command that reads drawn frames, so many per second, from its standard input.
    pub(crate) fn command_for(&self, frames: &impl Frames, rate: u32) -> Command {
        let (width, height) = frames.size();
        let mut command = self.command();
        command.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s"]).arg(format!("{width}x{height}"));
        command.arg("-r").arg(rate.to_string()).args(["-i", "pipe:0"]);
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

/// Draws frames and writes them to the standard input of an encoder.
pub(crate) async fn feed(
    mut command: Command,
    frames: impl Frames,
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
    let (send, receive) = sync_channel(2);
    let (returned, spare) = sync_channel(4);
    let drawing = tokio::task::spawn_blocking(move || draw(frames, &send, &spare));
    let writing = tokio::task::spawn_blocking(move || write(pipe, &receive, &returned, progress));
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

fn draw(mut frames: impl Frames, send: &SyncSender<Frame>, spare: &Receiver<Vec<u8>>) {
    let (width, height) = frames.size();
    let mut yuv = Yuv::new(width, height);
    for frame in 0..frames.count() {
        let message = if frames.draw(frame, &mut yuv) {
            let mut bytes = spare.try_recv().unwrap_or_default();
            bytes.clear();
            bytes.extend_from_slice(yuv.bytes());
            Frame::New(bytes)
        } else {
            Frame::Repeat
        };
        if send.send(message).is_err() {
            return;
        }
    }
}

fn write(
    mut pipe: File,
    receive: &Receiver<Frame>,
    returned: &SyncSender<Vec<u8>>,
    mut progress: impl FnMut(u32),
) -> Result<(), RenderError> {
    let mut shown = Vec::new();
    let mut frames = 0;
    while let Ok(frame) = receive.recv() {
        if let Frame::New(bytes) = frame {
            // If enough spare buffers are queued, this one is dropped.
            drop(returned.try_send(std::mem::replace(&mut shown, bytes)));
        }
        pipe.write_all(&shown).map_err(|source| RenderError::Io { action: "write to ffmpeg", source })?;
        frames += 1;
        progress(frames);
    }
    Ok(())
}
