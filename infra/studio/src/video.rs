//! Videos and images: short real files, made by one ffmpeg process at a time.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;

use crate::config::Config;

pub(crate) const WIDTH: u32 = 640;
pub(crate) const HEIGHT: u32 = 360;
pub(crate) const FRAME_RATE: u32 = 25;
pub(crate) const SECONDS: f64 = 2.4;

const FFMPEG_TIMEOUT: Duration = Duration::from_secs(60);
/// The background of the titles; its number changes with the way it is made.
const BASE: &str = "base-1.mp4";
const TITLE_COLUMNS: usize = 26;
const TITLE_ROWS: usize = 4;
const ENCODING: [&str; 10] =
    ["-c:v", "libx264", "-preset", "veryfast", "-crf", "26", "-pix_fmt", "yuv420p", "-movflags", "+faststart"];
/// Usual directories of fonts, for an ffmpeg that finds none by itself.
const FONTS: [&str; 4] =
    ["/usr/share/fonts", "/usr/local/share/fonts", "/System/Library/Fonts/Supplemental", "/Library/Fonts"];

/// A finished file.
#[derive(Clone, Debug)]
pub(crate) struct Video {
    /// Bytes.
    pub file_size: u64,
}

/// The formats of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Mp4,
    /// The last image of the input, as a PNG.
    Png,
    /// The last image of the input, as a JPEG.
    Jpeg,
}

impl Format {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Mp4 => &["-f", "mp4"],
            Self::Png => &["-c:v", "png", "-compression_level", "1", "-f", "image2", "-update", "1"],
            Self::Jpeg => &["-c:v", "mjpeg", "-f", "image2", "-update", "1"],
        }
    }
}

/// Makes the videos and names their files.
#[derive(Clone)]
pub(crate) struct VideoMaker(Arc<Inner>);

struct Inner {
    /// None with --no-video.
    ffmpeg: Option<PathBuf>,
    directory: PathBuf,
    one_at_a_time: Semaphore,
    base: OnceCell<()>,
    /// The drawtext filter without its textfile; none if this ffmpeg can't draw text.
    drawtext: OnceCell<Option<&'static str>>,
}

impl VideoMaker {
    /// # Errors
    /// There is no ffmpeg, or the directory can't be created.
    pub(crate) fn find(config: &Config) -> anyhow::Result<Self> {
        let ffmpeg = match config.no_video {
            true => None,
            false => Some(find_ffmpeg(config.ffmpeg.as_deref())?),
        };
        let directory = config.data.join("videos");
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("create the directory `{}`", directory.display()))?;
        let directory = directory.canonicalize().context("resolve the data directory")?;
        Ok(Self(Arc::new(Inner {
            ffmpeg,
            directory,
            one_at_a_time: Semaphore::new(1),
            base: OnceCell::new(),
            drawtext: OnceCell::new(),
        })))
    }

    /// The path of the file with this name.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.0.directory.join(name)
    }

    /// Makes a file with these arguments of ffmpeg; input files have names without a directory.
    ///
    /// # Errors
    /// When ffmpeg fails, with its output.
    pub(crate) async fn encode(&self, arguments: &[&str], format: Format, name: &str) -> anyhow::Result<()> {
        let ffmpeg = self.ffmpeg()?;
        let _permit = self.0.one_at_a_time.acquire().await?;
        self.make_file(ffmpeg, arguments, format, name).await
    }

    /// What ffmpeg prints about a file.
    ///
    /// # Errors
    /// When ffmpeg can't be run.
    pub(crate) async fn describe(&self, name: &str) -> anyhow::Result<String> {
        // Without an output, ffmpeg prints the description and then fails.
        let output = self.output(self.ffmpeg()?, &["-hide_banner", "-nostdin", "-i", name]).await?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn ffmpeg(&self) -> anyhow::Result<&Path> {
        self.0.ffmpeg.as_deref().context("no videos are made because of --no-video")
    }

    /// Makes the file with this id (a UUID, as it becomes a file name); without a title, the shared video.
    ///
    /// # Errors
    /// When ffmpeg fails, with its output.
    pub(crate) async fn make(&self, id: &str, title: Option<&str>) -> anyhow::Result<Video> {
        let ffmpeg = self.ffmpeg()?;
        let _permit = self.0.one_at_a_time.acquire().await?;
        self.0.base.get_or_try_init(|| self.make_base(ffmpeg)).await?;
        let path = self.path_of(&format!("{id}.mp4"));
        let filter = self.0.drawtext.get_or_init(|| self.probe_drawtext(ffmpeg)).await;
        match (title, filter) {
            (Some(title), Some(filter)) => self.make_titled(ffmpeg, id, title, filter).await?,
            _ => share(&self.0.directory.join(BASE), &path)?,
        }
        let file = std::fs::metadata(&path).context("read the size of the video")?;
        Ok(Video { file_size: file.len() })
    }

    /// Makes the background: a moving gradient, a growing bar and a fading tone.
    async fn make_base(&self, ffmpeg: &Path) -> anyhow::Result<()> {
        if self.0.directory.join(BASE).is_file() {
            return Ok(());
        }
        let size = format!("s={WIDTH}x{HEIGHT}:r={FRAME_RATE}:d={SECONDS}");
        let colours = "c0=0x1b1036:c1=0x7a1f5c:c2=0xe0633a:n=3";
        let gradient = format!("gradients={size}:speed=0.03:{colours}");
        let bar = format!("color=c=white:s={WIDTH}x6:r={FRAME_RATE}:d={SECONDS}");
        let tone = "(0.06*sin(2*PI*220*t)+0.04*sin(2*PI*330*t))*exp(-t)";
        let sound = format!("aevalsrc=exprs={tone}:s=44100:d={SECONDS}");
        let graph = format!("[0:v][1:v]overlay=x='-w+w*t/{SECONDS}':y=H-h,format=yuv420p[v]");
        let seconds = SECONDS.to_string();
        let mut arguments = vec!["-f", "lavfi", "-i", &gradient, "-f", "lavfi", "-i", &bar];
        arguments.extend(["-f", "lavfi", "-i", &sound, "-filter_complex", &graph]);
        arguments.extend(["-map", "[v]", "-map", "2:a", "-c:a", "aac", "-b:a", "64k"]);
        arguments.extend(["-t", &seconds]);
        arguments.extend(ENCODING);
        self.make_file(ffmpeg, &arguments, Format::Mp4, BASE).await
    }

    async fn make_titled(&self, ffmpeg: &Path, id: &str, title: &str, filter: &str) -> anyhow::Result<()> {
        let text = format!("{id}.txt");
        let text_path = self.0.directory.join(&text);
        std::fs::write(&text_path, wrapped(title)).context("write the title")?;
        let filter = format!("{filter}:textfile={text}");
        let mut arguments = vec!["-i", BASE, "-vf", &filter, "-c:a", "copy"];
        arguments.extend(ENCODING);
        let made = self.make_file(ffmpeg, &arguments, Format::Mp4, &format!("{id}.mp4")).await;
        std::fs::remove_file(&text_path).context("remove the title")?;
        made
    }

    /// Makes a file under a temporary name, so that an incomplete file never has its final name.
    async fn make_file(&self, ffmpeg: &Path, arguments: &[&str], format: Format, name: &str) -> anyhow::Result<()> {
        let part = format!("{name}.part");
        let mut arguments = arguments.to_vec();
        arguments.extend(format.arguments());
        arguments.push(&part);
        self.run(ffmpeg, &arguments).await?;
        let directory = &self.0.directory;
        std::fs::rename(directory.join(&part), directory.join(name)).context("rename the video")
    }

    /// Finds out how this ffmpeg draws text: a static one without fontconfig needs the path of a font.
    async fn probe_drawtext(&self, ffmpeg: &Path) -> Option<&'static str> {
        const PLAIN: &str = concat!(
            "drawtext=expansion=none:fontsize=36:fontcolor=white:line_spacing=10:",
            "x=(w-text_w)/2:y=(h-text_h)/2:shadowcolor=black@0.6:shadowx=2:shadowy=2"
        );
        const WITH_FONT: &str = concat!(
            "drawtext=expansion=none:fontsize=36:fontcolor=white:line_spacing=10:",
            "x=(w-text_w)/2:y=(h-text_h)/2:shadowcolor=black@0.6:shadowx=2:shadowy=2:fontfile=font"
        );
        let draws = async |filter: &str| {
            let filter = format!("{filter}:text=a");
            let arguments = ["-i", BASE, "-vf", &filter, "-frames:v", "1", "-f", "null", "-"];
            self.run(ffmpeg, &arguments).await.is_ok()
        };
        if draws(PLAIN).await {
            return Some(PLAIN);
        }
        let font = FONTS.iter().find_map(|fonts| find_font(Path::new(fonts), 4))?;
        // A copy with a plain name: a path would have to be escaped twice within the filter.
        std::fs::copy(font, self.0.directory.join("font")).ok()?;
        draws(WITH_FONT).await.then_some(WITH_FONT)
    }

    /// Runs ffmpeg in the directory of the videos, so that arguments are plain names.
    async fn run(&self, ffmpeg: &Path, arguments: &[&str]) -> anyhow::Result<()> {
        let quiet: &[&str] = &["-hide_banner", "-nostdin", "-loglevel", "error", "-y"];
        let output = self.output(ffmpeg, &[quiet, arguments].concat()).await?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ffmpeg failed: {}", error.trim());
        Ok(())
    }

    async fn output(&self, ffmpeg: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
        let run = Command::new(ffmpeg)
            .args(arguments)
            .current_dir(&self.0.directory)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match timeout(FFMPEG_TIMEOUT, run).await {
            Ok(output) => output.with_context(|| format!("run `{}`", ffmpeg.display())),
            Err(_) => bail!("ffmpeg must end within {} s", FFMPEG_TIMEOUT.as_secs()),
        }
    }
}

fn find_ffmpeg(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    const ADVICE: &str = "install ffmpeg, or `pip install imageio-ffmpeg` and set STUDIO_FFMPEG to the output of \
        `python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())'`, or start with --no-video";
    let name = given.unwrap_or(Path::new("ffmpeg"));
    if name.components().count() > 1 {
        ensure!(name.is_file(), "no ffmpeg at `{}`: {ADVICE}", name.display());
        return name.canonicalize().context("resolve the path of ffmpeg");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file());
    found.with_context(|| format!("no `{}` on PATH: {ADVICE}", name.display()))
}

fn find_font(directory: &Path, depth: u8) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_font = |path: &&PathBuf| path.extension().is_some_and(|end| end == "ttf" || end == "otf");
    if let Some(font) = paths.iter().find(is_font) {
        return Some(font.clone());
    }
    if depth == 0 {
        return None;
    }
    let mut directories = paths.iter().filter(|path| path.is_dir());
    directories.find_map(|path| find_font(path, depth - 1))
}

fn share(base: &Path, path: &Path) -> anyhow::Result<()> {
    if std::fs::hard_link(base, path).is_err() {
        std::fs::copy(base, path).context("copy the shared video")?;
    }
    Ok(())
}

/// Wraps a title to a few short lines, since the video is small.
fn wrapped(title: &str) -> String {
    let mut rows: Vec<String> = Vec::new();
    for line in title.lines() {
        let mut row = String::new();
        for word in line.split(|c: char| c.is_whitespace() || c.is_control()) {
            if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > TITLE_COLUMNS {
                rows.push(std::mem::take(&mut row));
            }
            if !row.is_empty() && !word.is_empty() {
                row.push(' ');
            }
            let room = TITLE_COLUMNS.saturating_sub(row.chars().count());
            row.extend(word.chars().take(room));
        }
        rows.push(row);
    }
    rows.retain(|row| !row.is_empty());
    rows.truncate(TITLE_ROWS);
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_fits_the_video() {
        assert_eq!(wrapped("Action on Netflix\nTop 3 in US"), "Action on Netflix\nTop 3 in US");
        assert_eq!(
            wrapped("a rather long title that needs more than one line"),
            "a rather long title that\nneeds more than one line"
        );
        let endless = wrapped(&"x".repeat(500));
        assert_eq!(endless.len(), TITLE_COLUMNS);
        assert_eq!(wrapped("a\u{7}b\n\n\n"), "a b");
    }

    #[test]
    fn a_missing_ffmpeg_is_explained() {
        let error = find_ffmpeg(Some(Path::new("/nowhere/ffmpeg"))).unwrap_err();
        assert!(error.to_string().starts_with("no ffmpeg at `/nowhere/ffmpeg`: install"));
    }
}
