//! Makes the files of scenes: clips that begin with a given image, last frames and joined videos, as real services do.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use uuid::Uuid;

use crate::calls::Caller;
use crate::video::{Format, VideoMaker};

use super::label::Label;
use super::request::Clip;
use super::settings::Files;

/// A clip of 5 frames, its last frame and its first: what the fast mode returns.
const CLIP: &[u8] = include_bytes!("../../files/clip.mp4");
const FRAME: &[u8] = include_bytes!("../../files/frame.png");
const THUMBNAIL: &[u8] = include_bytes!("../../files/thumbnail.jpg");
const PREPARED: Shape = Shape { width: 64, height: 36, fps: 10.0, seconds: 0.5, sound: false };

/// Converts RGB to video, with exact rounding so that a chain of scenes keeps its colours.
const TO_VIDEO: &str = "flags=accurate_rnd+full_chroma_int+full_chroma_inp:out_color_matrix=bt709:out_range=tv";
/// Converts video to RGB.
const TO_RGB: &str = "scale=flags=accurate_rnd+full_chroma_int";
const ENCODING: [&str; 18] = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "12",
    "-pix_fmt",
    "yuv420p",
    "-colorspace",
    "bt709",
    "-color_primaries",
    "bt709",
    "-color_trc",
    "bt709",
    "-color_range",
    "tv",
    "-movflags",
    "+faststart",
];
/// Brighter than the background.
const BAR_COLOURS: [&str; 6] = ["0xe6194b", "0x3cb44b", "0xffe119", "0x6a84f0", "0xf58231", "0x46f0f0"];
const SAMPLE_RATE: u32 = 44_100;

/// What a video looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    pub width: u32,
    pub height: u32,
    pub fps: f64,
    pub seconds: f64,
    pub sound: bool,
}

/// A file that was made, and its thumbnail.
#[derive(Clone, Debug)]
pub(crate) struct Film {
    /// The file's name: an id with an extension.
    pub name: String,
    pub thumbnail: Option<String>,
    pub shape: Shape,
    /// Bytes of the file.
    pub size: u64,
}

/// Makes files, and fetches those that they are made of.
pub(crate) struct Films {
    video: VideoMaker,
    caller: Caller,
    /// The base of the URLs of our own files.
    files_url: String,
}

impl Films {
    pub(crate) fn new(video: VideoMaker, caller: Caller, studio_url: &str) -> Self {
        Self { video, caller, files_url: format!("{studio_url}/files/") }
    }

    /// The URL of a file, which expires if the settings say so.
    pub(crate) fn url_of(&self, name: &str, expires_ms: Option<u64>) -> String {
        let expires = expires_ms.map(|expires| format!("?expires={expires}")).unwrap_or_default();
        format!("{}{name}{expires}", self.files_url)
    }

    /// Fetches a file, ours or any other.
    ///
    /// # Errors
    /// The file can't be fetched.
    pub(crate) async fn fetch(&self, url: &str) -> Result<Bytes, String> {
        self.caller.get(url).await
    }

    /// Makes a clip whose first frame is the start image. What `seed` chooses, such as colours, differs between scenes.
    ///
    /// # Errors
    /// An image can't be fetched, or ffmpeg fails.
    pub(crate) async fn clip(&self, clip: &Clip, files: &Files, label: &Label, seed: u64) -> anyhow::Result<Film> {
        if files.fast {
            return self.prepared(label, !files.no_thumbnail).await;
        }
        let id = Uuid::new_v4();
        let start = self.input(clip.start_image.as_deref()).await?;
        let end = self.input(clip.end_image.as_deref()).await?;
        let name = format!("{id}.mp4");
        let arguments = clip_arguments(clip, files, [start.as_deref(), end.as_deref()], seed);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let made = self.video.encode(&arguments, Format::Mp4, &name).await;
        self.forget(start.into_iter().chain(end)).await;
        made?;
        let shape = Shape {
            width: clip.width,
            height: clip.height,
            fps: clip.fps,
            seconds: frames_of(clip) as f64 / clip.fps,
            sound: files.sound,
        };
        self.finish(id, shape, label, !files.no_thumbnail).await
    }

    /// Extracts the last frame of a video.
    ///
    /// # Errors
    /// ffmpeg fails, for example because the file is no video.
    pub(crate) async fn last_frame(&self, video: Bytes, files: &Files) -> anyhow::Result<Film> {
        let name = format!("{}.png", Uuid::new_v4());
        if files.fast {
            let size = self.write(&name, FRAME.to_vec()).await?;
            return Ok(Film { name, thumbnail: None, shape: PREPARED, size });
        }
        let source = self.store(video).await?;
        let made = self.extract(&source, &name).await;
        self.forget([source]).await;
        let shape = made?;
        let size = std::fs::metadata(self.video.path_of(&name)).context("read the size of the image")?.len();
        Ok(Film { name, thumbnail: None, shape, size })
    }

    async fn extract(&self, source: &str, name: &str) -> anyhow::Result<Shape> {
        let shape = self.shape_of(source).await?;
        // Each frame replaces the one before it: the last one is also found where the frame rate varies.
        let arguments = ["-i", source, "-an", "-vf", TO_RGB, "-fps_mode", "passthrough"];
        self.video.encode(&arguments, Format::Png, name).await?;
        Ok(shape)
    }

    /// Joins videos in the size and frame rate of the first.
    ///
    /// # Errors
    /// ffmpeg fails.
    pub(crate) async fn join(&self, videos: Vec<Bytes>, files: &Files, label: &Label) -> anyhow::Result<Film> {
        if files.fast {
            return self.prepared(label, !files.no_thumbnail).await;
        }
        let mut sources = Vec::new();
        for video in videos {
            sources.push(self.store(video).await?);
        }
        let id = Uuid::new_v4();
        let made = self.join_sources(&sources, &format!("{id}.mp4")).await;
        self.forget(sources).await;
        self.finish(id, made?, label, !files.no_thumbnail).await
    }

    async fn join_sources(&self, sources: &[String], name: &str) -> anyhow::Result<Shape> {
        let mut shapes = Vec::new();
        for source in sources {
            shapes.push(self.shape_of(source).await?);
        }
        let arguments = join_arguments(sources, &shapes)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.video.encode(&arguments, Format::Mp4, name).await?;
        self.shape_of(name).await
    }

    /// Copies of the prepared clip.
    async fn prepared(&self, label: &Label, thumbnail: bool) -> anyhow::Result<Film> {
        let id = Uuid::new_v4();
        let name = format!("{id}.mp4");
        let mut clip = CLIP.to_vec();
        clip.extend(label.to_box());
        let size = self.write(&name, clip).await?;
        let image = format!("{id}.jpg");
        if thumbnail {
            self.write(&image, THUMBNAIL.to_vec()).await?;
        }
        Ok(Film { name, thumbnail: thumbnail.then_some(image), shape: PREPARED, size })
    }

    /// Labels a finished video, and makes its thumbnail from the first frame.
    async fn finish(&self, id: Uuid, shape: Shape, label: &Label, thumbnail: bool) -> anyhow::Result<Film> {
        let name = format!("{id}.mp4");
        let image = format!("{id}.jpg");
        if thumbnail {
            let arguments = ["-i", name.as_str(), "-frames:v", "1", "-q:v", "4"];
            self.video.encode(&arguments, Format::Jpeg, &image).await?;
        }
        let path = self.video.path_of(&name);
        let mut file = tokio::fs::read(&path).await.context("read the video")?;
        file.extend(label.to_box());
        let size = self.write(&name, file).await?;
        Ok(Film { name, thumbnail: thumbnail.then_some(image), shape, size })
    }

    /// The name of a file with what this URL returns.
    async fn input(&self, url: Option<&str>) -> anyhow::Result<Option<String>> {
        let Some(url) = url else {
            return Ok(None);
        };
        let image = self.fetch(url).await.map_err(anyhow::Error::msg).context("fetch the image")?;
        self.store(image).await.map(Some)
    }

    async fn store(&self, content: Bytes) -> anyhow::Result<String> {
        let name = format!("{}.source", Uuid::new_v4());
        self.write(&name, content.to_vec()).await?;
        Ok(name)
    }

    async fn write(&self, name: &str, content: Vec<u8>) -> anyhow::Result<u64> {
        let size = content.len() as u64;
        tokio::fs::write(self.video.path_of(name), content).await.context("write the file")?;
        Ok(size)
    }

    /// Removes sources. One that remains does no harm.
    async fn forget(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            let _ = tokio::fs::remove_file(self.video.path_of(&name)).await;
        }
    }

    async fn shape_of(&self, name: &str) -> anyhow::Result<Shape> {
        let text = self.video.describe(name).await?;
        shape_in(&text).with_context(|| format!("no video: {}", text.lines().last().unwrap_or_default()))
    }
}

fn frames_of(clip: &Clip) -> u64 {
    ((clip.fps * clip.seconds).round() as u64).max(1)
}

/// The arguments for a clip: an image or a gradient, over which a bar moves that is not yet visible in the first frame.
fn clip_arguments(clip: &Clip, files: &Files, images: [Option<&str>; 2], seed: u64) -> Vec<String> {
    let Clip { width, height, fps, .. } = clip;
    let frames = frames_of(clip);
    let seconds = frames as f64 / fps;
    let (bar_width, bar_height) = ((width / 2) & !1, (height / 3) & !1);
    let top = (u64::from(*height) / 3 * (seed % 3)) & !1;
    let bar_colour = BAR_COLOURS[(seed / 3) as usize % BAR_COLOURS.len()];
    let dark = |shift: u32| format!("0x{:06x}", (seed >> shift) & 0x007f_7f7f);
    let size = format!("s={width}x{height}:r={fps}");
    let mut arguments: Vec<String> = Vec::new();
    let mut input = |options: &[&str], source: &str| {
        arguments.extend(options.iter().map(ToString::to_string));
        arguments.extend(["-i".to_owned(), source.to_owned()]);
    };
    let lavfi = ["-f", "lavfi"];
    let back = match images[0] {
        Some(_) => format!("color=c=black:{size}"),
        None => format!("gradients={size}:n=2:c0={}:c1={}:speed=0.02:seed={}", dark(0), dark(24), seed % 100_000),
    };
    input(&lavfi, &back);
    input(&lavfi, &format!("color=c={bar_colour}:s={bar_width}x{bar_height}:r={fps}"));

    let mut graph = format!("[0:v]scale={TO_VIDEO},format=yuv420p,setsar=1[back];[1:v]format=yuv420p[bar];");
    let mut shown = "back";
    let mut inputs = 2;
    // An image is one frame, which the overlay repeats.
    let bar = format!("overlay=x='-w+W*0.9*t/{seconds}':y={top}:eval=frame");
    let image = format!("scale={width}:{height}:{TO_VIDEO},format=yuv420p,setsar=1");
    if let Some(name) = images[0] {
        input(&[], name);
        let _ = write!(graph, "[{inputs}:v]{image}[first];[{shown}][first]overlay=eof_action=repeat[start];");
        shown = "start";
        inputs += 1;
    }
    let _ = write!(graph, "[{shown}][bar]{bar}[moving];");
    shown = "moving";
    if let Some(name) = images[1] {
        input(&[], name);
        let begin = (frames as f64 - 1.5) / fps;
        let _ = write!(
            graph,
            "[{inputs}:v]{image}[last];[{shown}][last]overlay=eof_action=repeat:enable='gte(t,{begin})'[end];"
        );
        shown = "end";
        inputs += 1;
    }
    let _ = write!(graph, "[{shown}]trim=end_frame={frames}");
    if files.vfr {
        // Every frame of the first half, then each fourth, and the last three: so the last one has its usual length.
        let _ = write!(graph, ",select='lt(n,{frames}/2)+not(mod(n,4))+gte(n,{frames}-3)'");
    }
    graph.push_str("[v]");
    if files.sound {
        input(&lavfi, &format!("sine=frequency=440:sample_rate={SAMPLE_RATE}:duration={seconds}"));
    }
    let mut add = |more: &[&str]| arguments.extend(more.iter().map(ToString::to_string));
    add(&["-filter_complex", &graph, "-map", "[v]"]);
    if files.sound {
        add(&["-map", &format!("{inputs}:a"), "-c:a", "aac", "-b:a", "96k", "-ac", "2"]);
    }
    if files.vfr {
        add(&["-fps_mode", "vfr"]);
    }
    match files.b_frames {
        true => add(&["-bf", "3", "-x264-params", "b-adapt=0"]),
        false => add(&["-bf", "0"]),
    }
    add(&ENCODING);
    arguments
}

/// The arguments that join videos of any sizes and rates, with silence for those without sound if others have some.
fn join_arguments(sources: &[String], shapes: &[Shape]) -> anyhow::Result<Vec<String>> {
    ensure!(sources.len() == shapes.len(), "each video has one shape");
    let Shape { width, height, fps, .. } = shapes.first().context("there is no video")?;
    let sound = shapes.iter().any(|shape| shape.sound);
    let mut arguments: Vec<String> = Vec::new();
    let mut graph = String::new();
    let mut joined = String::new();
    for (index, (source, shape)) in sources.iter().zip(shapes).enumerate() {
        arguments.extend(["-i".to_owned(), source.clone()]);
        let fit = format!("scale={width}:{height}:force_original_aspect_ratio=decrease");
        let pad = format!("pad={width}:{height}:(ow-iw)/2:(oh-ih)/2");
        let _ = write!(graph, "[{index}:v]{fit},{pad},setsar=1,fps={fps},format=yuv420p[v{index}];");
        let _ = write!(joined, "[v{index}]");
        if sound {
            let form = format!("aformat=sample_rates={SAMPLE_RATE}:channel_layouts=stereo");
            let _ = match shape.sound {
                true => write!(graph, "[{index}:a]{form}[a{index}];"),
                false => {
                    write!(graph, "anullsrc=r={SAMPLE_RATE}:cl=stereo,atrim=duration={}[a{index}];", shape.seconds)
                }
            };
            let _ = write!(joined, "[a{index}]");
        }
    }
    let (count, audio) = (sources.len(), u8::from(sound));
    let _ = write!(graph, "{joined}concat=n={count}:v=1:a={audio}[v]");
    let mut add = |more: &[&str]| arguments.extend(more.iter().map(ToString::to_string));
    match sound {
        true => add(&["-filter_complex", &format!("{graph}[a]"), "-map", "[v]", "-map", "[a]", "-c:a", "aac"]),
        false => add(&["-filter_complex", &graph, "-map", "[v]"]),
    }
    add(&ENCODING);
    Ok(arguments)
}

/// The shape in ffmpeg's description of a file.
fn shape_in(text: &str) -> Option<Shape> {
    let duration = text.lines().find_map(|line| line.trim().strip_prefix("Duration: "))?;
    let mut seconds = 0.0;
    for part in duration.split(',').next()?.split(':') {
        seconds = seconds * 60.0 + part.trim().parse::<f64>().ok()?;
    }
    let stream = text.lines().find(|line| line.contains(" Video: "))?;
    let mut parts = stream.split(", ");
    let (width, height) = parts.find_map(|part| {
        let (width, height) = part.split(' ').next()?.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    })?;
    // Without a rate, `tbr` says it.
    let fps = parts.clone().find_map(|part| part.strip_suffix(" fps")?.parse().ok());
    let fps = fps.or_else(|| parts.find_map(|part| part.strip_suffix(" tbr")?.parse().ok()))?;
    Some(Shape { width, height, fps, seconds, sound: text.contains(" Audio: ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_read_from_ffmpegs_description() {
        let text = "  Duration: 00:01:02.40, start: 0.000000, bitrate: 205 kb/s\n  Stream #0:0[0x1](und): Video: h264 \
            (High) (avc1 / 0x31637661), yuv420p(tv, bt709, progressive), 640x360 [SAR 1:1 DAR 16:9], 105 kb/s, 20.71 \
            fps, 29.97 tbr, 11988 tbn (default)\n  Stream #0:1[0x2](und): Audio: aac (LC), 44100 Hz, stereo\n";
        let expected = Shape { width: 640, height: 360, fps: 20.71, seconds: 62.4, sound: true };
        assert_eq!(shape_in(text), Some(expected));
        assert_eq!(shape_in("source: Invalid data found when processing input"), None);
    }

    #[test]
    fn videos_without_sound_get_silence_among_others() {
        let silent = Shape { width: 64, height: 36, fps: 10.0, seconds: 0.5, sound: false };
        let sources = ["a".to_owned(), "b".to_owned()];
        let graph = |shapes: &[Shape]| join_arguments(&sources, shapes).unwrap()[5].clone();
        assert!(graph(&[silent, silent]).ends_with("[v0][v1]concat=n=2:v=1:a=0[v]"));
        let mixed = graph(&[silent, Shape { sound: true, ..silent }]);
        assert!(mixed.contains("anullsrc=r=44100:cl=stereo,atrim=duration=0.5[a0];"), "{mixed}");
        assert!(mixed.ends_with("[v0][a0][v1][a1]concat=n=2:v=1:a=1[v][a]"), "{mixed}");
    }
}
