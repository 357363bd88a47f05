//! Single frames of a take as RGB pixels, exactly as its colours are meant: the first one, and the last one.

use std::path::Path;
use std::process::Stdio;

use image::{ExtendedColorType, ImageFormat, RgbImage};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::encode::{Ffmpeg, finish, start};
use crate::error::RenderError;
use crate::takes::probe::{FrameLook, Probe};

/// The frames at the end that are decoded first.
const END: usize = 24;
/// The maximum number of pixels of a frame.
const MAX_PIXELS: u64 = 40_000_000;

/// What is decoded of a take.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    /// Where it begins, in seconds; none for the start.
    from: Option<f64>,
    /// Whether frames with errors are left out.
    strict: bool,
    /// Only the first frame.
    one: bool,
}

impl Ffmpeg {
    /// Extracts the last frame that can be decoded into a PNG: upright, with square pixels, and in full-range RGB by the
    /// take's own matrix and range.
    ///
    /// # Errors
    ///
    /// `RenderError::Video` if it is no video or no frame can be decoded, `RenderError::Ffmpeg`, `RenderError::Io`.
    pub async fn last_frame(&self, video: &Path, to: &Path) -> Result<(), RenderError> {
        let probe = self.probe(video).await?;
        let frame = self.last(video, &probe).await?;
        let to = to.to_owned();
        let written = tokio::task::spawn_blocking(move || write(&frame, &to));
        written.await.map_err(|_| RenderError::DrawingThread)?
    }

    /// The first frame.
    pub(crate) async fn first(&self, video: &Path, probe: &Probe) -> Result<RgbImage, RenderError> {
        let part = Part { from: None, strict: false, one: true };
        let (_, frame) = self.decode(video, &probe.look, part).await?;
        frame.ok_or_else(none)
    }

    /// The last frame. Its end alone is decoded if that yields as many frames as the end has packets; else a packet is
    /// damaged, or the seek missed its place, and the whole take is decoded.
    pub(crate) async fn last(&self, video: &Path, probe: &Probe) -> Result<RgbImage, RenderError> {
        let times = probe.times();
        if times.len() > 2 * END {
            let at = times.len() - END;
            let between = (times[at - 1] as f64 + times[at] as f64) / 2.0;
            let part = Part { from: Some(probe.seconds(between)), strict: true, one: false };
            match self.decode(video, &probe.look, part).await {
                Ok((END, Some(frame))) => return Ok(frame),
                Ok((frames, _)) => tracing::debug!(frames, "the end of a take is damaged, it is decoded as a whole"),
                Err(error) => tracing::debug!(%error, "the end of a take can't be decoded, it is decoded as a whole"),
            }
        }
        let whole = Part { from: None, strict: true, one: false };
        if let Ok((_, Some(frame))) = self.decode(video, &probe.look, whole).await {
            return Ok(frame);
        }
        let (_, frame) = self.decode(video, &probe.look, Part { strict: false, ..whole }).await?;
        frame.ok_or_else(none)
    }

    /// Decodes a part of a take; returns the number of its frames and the last one.
    async fn decode(
        &self,
        video: &Path,
        look: &FrameLook,
        part: Part,
    ) -> Result<(usize, Option<RgbImage>), RenderError> {
        let from = part.from.map(|from| format!("{from:.6}"));
        let mut options = vec!["-max_error_rate", "1"];
        if let Some(from) = &from {
            options.extend(["-ss", from.as_str()]);
        }
        if part.strict {
            options.extend(["-err_detect", "explode"]);
        }
        let mut command = self.reading(video, &options)?;
        command.args(["-map", "0:V:0", "-an", "-fps_mode", "passthrough", "-vf"]).arg(rgb_filter(look));
        if part.one {
            command.args(["-frames:v", "1"]);
        }
        command.args(["-c:v", "ppm", "-f", "image2pipe", "pipe:1"]).stdout(Stdio::piped());
        let mut child = start(&mut command)?;
        let (stdout, mut count, mut last, mut next) = (child.stdout.take(), 0, Ppm::default(), Ppm::default());
        let read = async {
            let Some(stdout) = stdout else { return Ok::<_, RenderError>(()) };
            let mut stdout = BufReader::with_capacity(1 << 18, stdout);
            let io = |source| RenderError::Io { action: "read a frame", source };
            while next.read(&mut stdout).await.map_err(io)? {
                std::mem::swap(&mut last, &mut next);
                count += 1;
            }
            Ok(())
        };
        finish(child, "decode a video", std::future::pending(), read).await?;
        Ok((count, RgbImage::from_raw(last.width, last.height, last.pixels).filter(|_| count > 0)))
    }
}

/// The filter that makes upright frames RGB. ffmpeg has rotated them before.
///
/// Colours that are stored for blocks of pixels are repeated and not interpolated, so that a video that is encoded from
/// the frame stores the same ones again.
fn rgb_filter(look: &FrameLook) -> String {
    let input = look.scale_input();
    let is_square = (look.pixel_aspect - 1.0).abs() < 1e-6;
    let method = if is_square { "neighbor" } else { "bicubic" };
    format!(
        "scale=w=trunc(iw*sar+0.5):h=ih:{input}:flags={method}+accurate_rnd+full_chroma_int+full_chroma_inp,format=rgb24"
    )
}

/// A frame in the PPM format: `P6`, the size, `255`, and the pixels.
#[derive(Debug, Default)]
struct Ppm {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Ppm {
    /// Reads the next frame; false at the end.
    async fn read(&mut self, from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<bool> {
        let Some(kind) = line(from).await? else { return Ok(false) };
        let (size, depth) = (line(from).await?.unwrap_or_default(), line(from).await?.unwrap_or_default());
        let sides = size
            .split_once(' ')
            .and_then(|(width, height)| Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?)));
        let Some((width, height)) =
            sides.filter(|(width, height)| u64::from(*width) * u64::from(*height) <= MAX_PIXELS)
        else {
            return Err(std::io::ErrorKind::InvalidData.into());
        };
        if (kind.as_str(), depth.as_str()) != ("P6", "255") {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        (self.width, self.height) = (width, height);
        self.pixels.resize(width as usize * height as usize * 3, 0);
        from.read_exact(&mut self.pixels).await?;
        Ok(true)
    }
}

/// A line of a header; none at the end.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut from = from.take(32);
    if from.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}

fn write(frame: &RgbImage, to: &Path) -> Result<(), RenderError> {
    let written = image::save_buffer_with_format(
        to,
        frame.as_raw(),
        frame.width(),
        frame.height(),
        ExtendedColorType::Rgb8,
        ImageFormat::Png,
    );
    written.map_err(|error| RenderError::Io { action: "write a frame", source: std::io::Error::other(error) })
}

fn none() -> RenderError {
    RenderError::Video("has no frame that can be decoded".to_owned())
}
