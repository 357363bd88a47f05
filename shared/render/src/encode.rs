//! Turns drawn scenes into files: one ffmpeg per scene reads raw frames from its standard input.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

use reelhook_domain::videos::film::FRAME_RATE;

use crate::error::RenderError;
use crate::shot::Shot;
use crate::yuv::Yuv;

/// The encoder.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    /// Where the program is.
    pub program: PathBuf,
}

/// How every scene is encoded, so that they join by copying: no frames that wait for later ones, a key frame each two
/// seconds, one time scale; and a bound for the disk, far above what cards need.
pub const ENCODING: [&str; 28] = [
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

/// What the drawing thread hands to the writing one.
enum Frame {
    New(Vec<u8>),
    Same,
}

impl Ffmpeg {
    /// Draws a shot and writes it as H.264 without sound. `progress` hears how many frames have been written;
    /// when `stop` completes, everything ends with `RenderError::Stopped`. Dropping the future kills ffmpeg too.
    ///
    /// # Errors
    ///
    /// `RenderError::Ffmpeg` with what ffmpeg said last, `RenderError::Io`, `RenderError::Stopped`.
    pub async fn encode(
        &self,
        shot: Shot,
        to: &Path,
        progress: impl FnMut(u32) + Send + 'static,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), RenderError> {
        let (width, height) = shot.size();
        let frames = shot.frames();
        let mut command = self.command();
        command.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s"]).arg(format!("{width}x{height}"));
        command.arg("-r").arg(FRAME_RATE.to_string()).args(["-i", "pipe:0", "-an"]);
        command.args(ENCODING);
        command.args(["-frames:v"]).arg(frames.to_string()).args(["-y", "-f", "mp4"]);
        command.arg(file(to));
        command.stdin(Stdio::piped());
        let mut child = start(&mut command)?;
        let io = |source| RenderError::Io { action: "open ffmpeg's standard input", source };
        let pipe = child.stdin.take().map(|stdin| stdin.into_owned_fd()).transpose().map_err(io)?;
        let Some(pipe) = pipe.map(File::from) else {
            return Err(io(std::io::ErrorKind::BrokenPipe.into()));
        };
        // A larger pipe saves switches between the two programs; a smaller one only costs time.
        if let Err(error) = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20) {
            tracing::debug!(%error, "the pipe to ffmpeg keeps its size");
        }
        let (send, receive) = sync_channel(2);
        let (give_back, spare) = sync_channel(4);
        let drawing = tokio::task::spawn_blocking(move || draw(shot, &send, &spare));
        let writing = tokio::task::spawn_blocking(move || write(pipe, &receive, &give_back, progress));
        finish(child, "encode a scene", stop, async {
            let written = writing.await.map_err(|_| RenderError::Drawing)?;
            drawing.await.map_err(|_| RenderError::Drawing)?;
            written
        })
        .await
    }

    /// ffmpeg, silent but for errors, in no need of a terminal.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// A path as ffmpeg reads it: never as an option or a protocol.
pub(crate) fn file(path: &Path) -> std::ffi::OsString {
    let mut name = std::ffi::OsString::from("file:");
    name.push(path);
    name
}

pub(crate) fn start(command: &mut Command) -> Result<Child, RenderError> {
    command.spawn().map_err(|source| RenderError::Io { action: "start ffmpeg", source })
}

/// Waits for ffmpeg and for the work beside it.
pub(crate) async fn finish(
    mut child: Child,
    action: &'static str,
    stop: impl Future<Output = ()> + Send,
    work: impl Future<Output = Result<(), RenderError>>,
) -> Result<(), RenderError> {
    let stderr = child.stderr.take();
    let all = async {
        let (worked, said, ended) = tokio::join!(work, tail(stderr), child.wait());
        let status = ended.map_err(|source| RenderError::Io { action: "wait for ffmpeg", source })?;
        if !status.success() {
            return Err(RenderError::Ffmpeg { action, status: status.to_string(), stderr: said });
        }
        worked
    };
    tokio::select! {
        ended = all => ended,
        () = stop => Err(RenderError::Stopped),
    }
}

/// The last 400 characters that ffmpeg says.
async fn tail(stderr: Option<ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut said: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stderr.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        said.extend_from_slice(&buffer[..count]);
        if said.len() > 16_384 {
            said.drain(..said.len() - 4_096);
        }
    }
    let said = String::from_utf8_lossy(&said);
    let skip = said.trim().chars().count().saturating_sub(400);
    said.trim().chars().skip(skip).collect()
}

fn draw(mut shot: Shot, send: &SyncSender<Frame>, spare: &Receiver<Vec<u8>>) {
    let (width, height) = shot.size();
    let mut yuv = Yuv::new(width, height);
    for frame in 0..shot.frames() {
        let message = if shot.draw(frame, &mut yuv) {
            let mut bytes = spare.try_recv().unwrap_or_default();
            bytes.clear();
            bytes.extend_from_slice(yuv.bytes());
            Frame::New(bytes)
        } else {
            Frame::Same
        };
        if send.send(message).is_err() {
            return;
        }
    }
}

fn write(
    mut pipe: File,
    receive: &Receiver<Frame>,
    give_back: &SyncSender<Vec<u8>>,
    mut progress: impl FnMut(u32),
) -> Result<(), RenderError> {
    let mut shown = Vec::new();
    let mut frames = 0;
    while let Ok(frame) = receive.recv() {
        if let Frame::New(bytes) = frame {
            // A full stack of spare buffers lets this one go.
            drop(give_back.try_send(std::mem::replace(&mut shown, bytes)));
        }
        pipe.write_all(&shown).map_err(|source| RenderError::Io { action: "write to ffmpeg", source })?;
        frames += 1;
        progress(frames);
    }
    Ok(())
}
