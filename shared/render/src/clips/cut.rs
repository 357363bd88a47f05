//! Cuts a clip out of a source: exactly at its frames, with the sound of the same time, and vertical on request.

use std::fmt::Write;
use std::path::Path;
use std::process::Stdio;

use reelhook_domain::clips::request::{Layout, Range};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::clips::crop::{Place, SceneColumns, places};
use crate::clips::frames::{FrameTimes, Span};
use crate::clips::pictures::SIZE;
use crate::clips::scan::{Effort, Part};
use crate::encode::{ENCODER_ARGUMENTS, Ffmpeg, file_url, finish, start};
use crate::error::RenderError;
use crate::takes::Probe;

/// The longest side of a clip in pixels.
const LONGEST_SIDE: f64 = 1920.0;
/// The samples of sound per second.
const SAMPLES: u64 = 48_000;
/// The time scale of a clip whose source has an unusual one.
const USUAL_SCALE: u32 = 90_000;
/// What is read of a source behind the end of a clip, in seconds.
const BEHIND: f64 = 2.0;

/// A clip that is to be cut.
#[derive(Debug, Clone, Copy)]
struct Cutting<'a> {
    source: &'a Path,
    probe: &'a Probe,
    frames: &'a FrameTimes,
    span: Span,
}

/// What a clip shows of the pictures of its source.
#[derive(Debug, Clone, PartialEq)]
struct Framing {
    /// The crop; none if all is shown.
    crop: Option<Crop>,
    /// The size of the clip.
    size: (u32, u32),
}

/// A crop in pixels of the source.
#[derive(Debug, Clone, PartialEq)]
struct Crop {
    size: (u32, u32),
    /// Its distance from the top.
    top: u32,
    /// Its distance from the left, from a frame on.
    lefts: Vec<(usize, u32)>,
}

impl Ffmpeg {
    /// Cuts a clip whose frames are those of the source, each at its time, and returns its length in milliseconds. The
    /// range is moved to the nearest frames, and a clip never lasts longer than the longest one. `directory` holds temporary
    /// files. Calls `progress` with the percentage of the frames that are done.
    ///
    /// # Errors
    ///
    /// `RenderError::Video` if the source can't be decoded, `RenderError::Ffmpeg`, `RenderError::Io`.
    pub(crate) async fn cut(
        &self,
        source: &Path,
        range: Range,
        layout: Layout,
        (to, directory): (&Path, &Path),
        mut progress: impl FnMut(u32) + Send,
    ) -> Result<u64, RenderError> {
        let probe = self.probe(source).await?;
        let frames = FrameTimes::of(&probe).ok_or_else(|| RenderError::Video("has no frame".to_owned()))?;
        let cutting = Cutting { source, probe: &probe, frames: &frames, span: frames.span(range) };
        let framing = self.framing(&cutting, layout, directory).await?;
        self.encode_clip(&cutting, &framing, true, to, &mut progress).await?;
        let frames_cut = self.packets(to).await.map(|clip| clip.packets.len()).unwrap_or_default();
        if frames_cut != cutting.span.count() {
            // A seek missed its place, or frames are damaged.
            tracing::info!(frames_cut, frames = cutting.span.count(), "a clip lacks frames, it is cut without a seek");
            self.encode_clip(&cutting, &framing, false, to, &mut progress).await?;
        }
        Ok((cutting.micros() + 500) / 1000)
    }

    /// Decides what a clip shows. For a crop, the clip's part of the source is scanned.
    async fn framing(&self, cutting: &Cutting<'_>, layout: Layout, directory: &Path) -> Result<Framing, RenderError> {
        let look = &cutting.probe.look;
        if layout == Layout::Original {
            return Ok(Framing::whole(look.size, look.pixel_aspect));
        }
        let part = Part { from: cutting.begin(), length: cutting.end(true) };
        let scan = self.scan(cutting.source, Some(part), (Effort::All, false), directory, |_| {}).await?;
        let mut starts = vec![0];
        starts.extend(scan.pictures.scene_changes(&scan.times));
        let ends = starts.iter().copied().skip(1).chain([scan.pictures.count()]);
        let scenes = starts.iter().zip(ends).map(|(first, end)| {
            let columns = scan.pictures.columns(*first, end);
            SceneColumns { first: *first, end, columns }
        });
        let scenes: Vec<SceneColumns> = scenes.collect();
        Ok(Framing::vertical(look.size, look.pixel_aspect, |width| places(&scenes, width)))
    }

    /// Encodes a clip: after a seek to its first frame, or from the start of the source.
    async fn encode_clip(
        &self,
        cutting: &Cutting<'_>,
        framing: &Framing,
        seeks: bool,
        to: &Path,
        progress: &mut (impl FnMut(u32) + Send),
    ) -> Result<(), RenderError> {
        let [from, length] = [cutting.begin(), cutting.length(seeks)].map(|time| format!("{time:.6}"));
        let mut options = vec!["-max_error_rate", "1"];
        if seeks && cutting.span.first > 0 {
            options.extend(["-ss", from.as_str()]);
        }
        options.extend(["-t", length.as_str()]);
        let scale = cutting.scale();
        let mut command = self.reading(cutting.source, &options)?;
        command.args(["-map", "0:V:0", "-vf"]).arg(cutting.video_filter(framing, seeks));
        command.args(["-fps_mode", "passthrough", "-enc_time_base"]).arg(format!("1/{scale}"));
        command.args(ENCODER_ARGUMENTS).arg("-video_track_timescale").arg(scale.to_string());
        // Some versions leave the length of the last frame out.
        command.arg("-bsf:v").arg(format!("setts=duration={}", cutting.last_ticks()));
        if cutting.probe.sound {
            command.args(["-map", "0:a:0", "-af"]).arg(cutting.sound_filter(seeks));
            command.args(["-c:a", "aac", "-b:a", "160k", "-ar", "48000", "-ac", "2"]);
        }
        command.args(["-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart"]);
        command.args(["-progress", "pipe:1", "-y", "-f", "mp4"]).arg(file_url(to));
        command.stdout(Stdio::piped());
        let mut child = start(&mut command)?;
        let stdout = child.stdout.take();
        finish(child, "cut a clip", std::future::pending(), async {
            let Some(stdout) = stdout else { return Ok::<_, RenderError>(()) };
            let mut lines = BufReader::new(stdout).lines();
            let io = |source| RenderError::Io { action: "read the progress of ffmpeg", source };
            while let Some(line) = lines.next_line().await.map_err(io)? {
                if let Some(frames) = line.strip_prefix("frame=").and_then(|frames| frames.trim().parse::<u64>().ok()) {
                    let percent = (frames.saturating_mul(100) / cutting.span.count() as u64).min(100);
                    progress(u32::try_from(percent).unwrap_or(100));
                }
            }
            Ok(())
        })
        .await
    }
}

impl Cutting<'_> {
    /// Its length in microseconds.
    fn micros(&self) -> u64 {
        self.frames.end_of(self.span) - self.frames.at(self.span.first)
    }

    /// A time in seconds between its first frame and the one before. After a seek, times count from there.
    fn begin(&self) -> f64 {
        self.frames.seconds_before(self.span.first)
    }

    /// A time in seconds between its last frame and the next one.
    fn end(&self, seeks: bool) -> f64 {
        self.frames.seconds_before(self.span.end) - if seeks { self.begin() } else { 0.0 }
    }

    /// What is read of the source, in seconds: the sound goes on until the last frame ends.
    fn length(&self, seeks: bool) -> f64 {
        let end = self.frames.end_of(self.span) as f64 / 1e6;
        end + BEHIND - if seeks { self.begin() } else { 0.0 }
    }

    /// The time scale of the clip: that of the source, so that each frame keeps its time.
    fn scale(&self) -> u32 {
        match self.probe.time_base {
            (1, scale @ 1000..=1_000_000) => scale,
            _ => USUAL_SCALE,
        }
    }

    /// The length of its last frame, in units of its time scale.
    fn last_ticks(&self) -> u64 {
        let micros = self.frames.end_of(self.span) - self.frames.at(self.span.end - 1);
        (micros.saturating_mul(u64::from(self.scale())).saturating_add(500_000) / 1_000_000).max(1)
    }

    /// The filter of the pictures. It consists of numbers and constants only.
    fn video_filter(&self, framing: &Framing, seeks: bool) -> String {
        let (start, end) = (if seeks { 0.0 } else { self.begin() }, self.end(seeks));
        let mut filter = format!("trim=start={start:.6}:end={end:.6},setpts=PTS-STARTPTS,");
        if let Some(Crop { size: (width, height), top, lefts }) = &framing.crop {
            // Writing to a string can't fail.
            let _ = write!(filter, "crop=w={width}:h={height}:y={top}:x='{}',", left_of(lefts));
        }
        let ((width, height), input) = (framing.size, self.probe.look.scale_input());
        let _ = write!(
            filter,
            "scale=w={width}:h={height}:{input}:out_color_matrix=bt709:out_range=tv\
             :flags=bicubic+accurate_rnd+full_chroma_inp,setsar=1,format=yuv420p"
        );
        filter
    }

    /// The filter of the sound: exactly as long as the pictures, and silent where the source has no sound.
    fn sound_filter(&self, seeks: bool) -> String {
        let zero = if seeks { (self.begin() * 1e6).round() as u64 } else { 0 };
        let samples = |micros: u64| (micros * SAMPLES + 500_000) / 1_000_000;
        let first = samples(self.frames.at(self.span.first).saturating_sub(zero));
        let count = samples(self.micros());
        format!(
            "aresample={SAMPLES}:async=1:first_pts={first},aformat=sample_fmts=fltp:channel_layouts=stereo\
             ,atrim=end_sample={count},apad=whole_len={count},asetpts=N/SR/TB"
        )
    }
}

impl Framing {
    /// The whole picture.
    fn whole((width, height): (u32, u32), pixel_aspect: f64) -> Self {
        Self { crop: None, size: fitting(f64::from(width) * pixel_aspect, f64::from(height)) }
    }

    /// A crop of 9:16 with the places that are chosen for its width, in columns of scanned pictures.
    fn vertical((width, height): (u32, u32), pixel_aspect: f64, places: impl FnOnce(f32) -> Vec<Place>) -> Self {
        let (full_width, full_height) = (f64::from(width), f64::from(height));
        let crop_width = even(full_height * 9.0 / 16.0 / pixel_aspect).min(width & !1);
        // A source that is narrower than 9:16 loses something above and below.
        let crop_height = even(f64::from(crop_width) * pixel_aspect * 16.0 / 9.0).min(height & !1);
        let columns = SIZE.0 as f64;
        let places = places((f64::from(crop_width) / full_width * columns).min(columns) as f32);
        let left = |column: f32| even_below(f64::from(column) / columns * full_width).min((width & !1) - crop_width);
        let lefts = places.into_iter().map(|place| (place.frame, left(place.column))).collect();
        let top = even_below((full_height - f64::from(crop_height)) / 2.0);
        let size = fitting(f64::from(crop_width) * pixel_aspect, f64::from(crop_height));
        Self { crop: Some(Crop { size: (crop_width, crop_height), top, lefts }), size }
    }
}

/// The distance of a crop from the left, as an expression of the frame's number.
fn left_of(places: &[(usize, u32)]) -> String {
    let mut expression = String::from("0");
    let mut before = 0;
    for (frame, left) in places {
        let step = i64::from(*left) - before;
        before = i64::from(*left);
        // Writing to a string can't fail.
        let _ = write!(expression, "+gte(n,{frame})*({step})");
    }
    expression
}

/// A size that H.264 can have and that is not larger than clips may be.
fn fitting(width: f64, height: f64) -> (u32, u32) {
    let shrink = (LONGEST_SIDE / width.max(height)).min(1.0);
    (even(width * shrink), even(height * shrink))
}

/// The nearest even number of pixels; at least 2.
fn even(side: f64) -> u32 {
    (((side / 2.0).round() as u32) * 2).max(2)
}

/// The largest even number of pixels up to this one.
fn even_below(side: f64) -> u32 {
    (side.max(0.0) / 2.0).floor() as u32 * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vertical_crop_has_the_height_of_the_source_and_stays_inside() {
        let place = |frame, column| Place { frame, column };
        let framing = Framing::vertical((1920, 1080), 1.0, |width| {
            assert!((width - 20.27).abs() < 0.01, "{width}");
            vec![place(0, 0.0), place(30, 21.9), place(75, 43.75)]
        });
        let crop = |size, top, lefts| Some(Crop { size, top, lefts });
        let lefts = vec![(0, 0), (30, 656), (75, 1312)];
        let expected = Framing { crop: crop((608, 1080), 0, lefts), size: (608, 1080) };
        assert_eq!(framing, expected);
        let narrow = Framing::vertical((540, 1200), 1.0, |_| vec![place(0, 0.0)]);
        assert_eq!(narrow, Framing { crop: crop((540, 960), 120, vec![(0, 0)]), size: (540, 960) });
        let wide = Framing::vertical((3840, 2160), 1.0, |_| vec![place(0, 64.0)]);
        assert_eq!((wide.size, wide.crop.unwrap().lefts), ((1080, 1920), vec![(0, 2624)]));
    }

    #[test]
    fn a_whole_picture_keeps_its_shape_and_is_not_too_large() {
        for (size, aspect, expected) in [
            ((1280, 720), 1.0, (1280, 720)),
            ((720, 576), 16.0 / 15.0, (768, 576)),
            ((3840, 2160), 1.0, (1920, 1080)),
            ((1081, 1921), 1.0, (1080, 1920)),
        ] {
            assert_eq!(Framing::whole(size, aspect), Framing { crop: None, size: expected }, "{size:?}");
        }
    }

    #[test]
    fn a_crop_jumps_at_scenes() {
        assert_eq!(left_of(&[(0, 100), (30, 40)]), "0+gte(n,0)*(100)+gte(n,30)*(-60)");
    }
}
