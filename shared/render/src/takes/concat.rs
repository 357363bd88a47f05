//! Joins takes into one video: copied as they are where they match, else brought to one size, rate and format.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::encode::{Ffmpeg, file_url, finish, start};
use crate::error::RenderError;
use crate::join::write_list;
use crate::takes::likeness::compare;
use crate::takes::plan::{Plan, Rate};
use crate::takes::probe::Probe;
use crate::takes::sound::{RAW_SOUND, TakeSound};

/// The frames of a joined video at most: some 46 hours at the highest rate. A file of a few bytes may claim to last for years.
const MOST_FRAMES: u64 = 10_000_000;

/// A take to be joined with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    /// Its file.
    pub path: PathBuf,
    /// Whether it was generated from the last frame of the take before.
    pub continues: bool,
}

/// What was joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConcatVideo {
    /// The number of frames.
    pub frames: u64,
    /// The frame rate.
    pub rate: Rate,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Whether the video was copied without encoding it again.
    pub copied: bool,
}

impl ConcatVideo {
    /// The length in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.rate.millis(self.frames)
    }
}

impl Ffmpeg {
    /// Joins takes in order into an MP4 that can start playing before it is fully loaded. Its frame rate is constant, it
    /// has exactly the frames of the takes, and its sound is as long as they are, without gaps; it has none if no take has.
    /// Where a take continues the one before and starts with its last frame, this frame is shown once: the frames are
    /// compared.
    ///
    /// Calls `progress` with the number of frames that are done. `directory` holds the segments.
    ///
    /// # Errors
    ///
    /// `RenderError::Video` if a take can't be decoded, `RenderError::Ffmpeg`, `RenderError::Io`.
    pub async fn concat(
        &self,
        takes: &[Take],
        to: &Path,
        directory: &Path,
        mut progress: impl FnMut(u32) + Send,
    ) -> Result<ConcatVideo, RenderError> {
        let mut probes = Vec::with_capacity(takes.len());
        for take in takes {
            probes.push(self.probe(&take.path).await?);
        }
        let mut plan = Plan::new(&probes, &self.doubled(takes, &probes).await?);
        if plan.frames() > MOST_FRAMES {
            return Err(RenderError::Video(format!("would have more than {MOST_FRAMES} frames")));
        }
        if let Some(step) = plan.copied {
            match self.join_takes(takes, &probes, &plan, to, directory, &mut progress).await {
                Ok(()) if self.is_exact(to, &plan, &probes[0], step).await => return Ok(done(&plan, &probes)),
                Ok(()) => tracing::info!("copied takes have no even times, they are encoded"),
                Err(error) => tracing::info!(%error, "takes can't be copied, they are encoded"),
            }
            plan.copied = None;
        }
        self.join_takes(takes, &probes, &plan, to, directory, &mut progress).await?;
        Ok(done(&plan, &probes))
    }

    /// For each take, whether its last frame is also the first one of the next.
    async fn doubled(&self, takes: &[Take], probes: &[Probe]) -> Result<Vec<bool>, RenderError> {
        let mut doubled = vec![false; takes.len()];
        for (at, (pair, both)) in takes.windows(2).zip(probes.windows(2)).enumerate() {
            let ([before, next], [ended, begun]) = (pair, both) else { continue };
            if !next.continues || ended.packets.len() < 2 {
                continue;
            }
            let last = self.last(&before.path, ended).await?;
            let first = self.first(&next.path, begun).await?;
            let likeness = compare(&last, &first);
            tracing::debug!(at, ?likeness, "compared the frames of a cut");
            doubled[at] = likeness.is_same();
        }
        Ok(doubled)
    }

    /// Writes a segment for each take, and joins the segments with the sound.
    async fn join_takes(
        &self,
        takes: &[Take],
        probes: &[Probe],
        plan: &Plan,
        to: &Path,
        directory: &Path,
        progress: &mut (impl FnMut(u32) + Send),
    ) -> Result<(), RenderError> {
        let (mut segments, mut sounds, mut frames) = (Vec::new(), Vec::new(), 0_u64);
        for (index, ((take, probe), part)) in takes.iter().zip(probes).zip(&plan.parts).enumerate() {
            let segment = directory.join(format!("segment-{index}.mp4"));
            match plan.copied {
                Some(_) => self.copy_segment(&take.path, probe, *part, &segment).await?,
                None => self.encode_segment(&take.path, probe, *part, plan, &segment).await?,
            }
            let until = frames + u64::from(part.frames);
            let samples = plan.rate.sample(until) - plan.rate.sample(frames);
            sounds.push(TakeSound { take: &take.path, probe, samples });
            // Durations are differences of rounded times, so that their errors do not add up.
            segments.push((segment, Some(micros(plan.rate, until) - micros(plan.rate, frames))));
            frames = until;
            progress(u32::try_from(frames).unwrap_or(u32::MAX));
        }
        let sounds = if probes.iter().any(|probe| probe.sound) { sounds } else { Vec::new() };
        let grid = match plan.copied {
            Some(step) => (probes[0].time_base.1, step),
            None => (plan.rate.ticks().0, i64::from(plan.rate.ticks().1)),
        };
        self.join_segments(&segments, &sounds, grid, to, directory).await
    }

    /// Joins segments without encoding them again, and encodes the sound. The times of all frames are multiples of a step;
    /// `grid` is the time scale and this step.
    async fn join_segments(
        &self,
        segments: &[(PathBuf, Option<u64>)],
        sounds: &[TakeSound<'_>],
        (scale, step): (u32, i64),
        to: &Path,
        directory: &Path,
    ) -> Result<(), RenderError> {
        let list = directory.join("segments.ffconcat");
        write_list(segments, &list).await?;
        let mut command = self.command();
        command.args(["-f", "concat", "-safe", "0", "-protocol_whitelist", "file", "-i"]).arg(file_url(&list));
        if !sounds.is_empty() {
            command.args(RAW_SOUND).args(["-i", "pipe:0"]).stdin(Stdio::piped());
        }
        command.args(["-map", "0:v:0", "-c:v", "copy"]);
        if !sounds.is_empty() {
            command.args(["-map", "1:a:0", "-c:a", "aac", "-b:a", "192k"]);
        }
        command
            .arg("-bsf:v")
            .arg(format!("setts=pts=round(PTS/{step})*{step}:dts=round(DTS/{step})*{step}:duration={step}"));
        let scale = scale.to_string();
        command.args(["-video_track_timescale", &scale, "-movie_timescale", &scale]);
        command.args(["-map_metadata", "-1", "-movflags", "+faststart", "-y", "-f", "mp4"]).arg(file_url(to));
        let mut child = start(&mut command)?;
        let stdin = child.stdin.take();
        finish(child, "join takes", std::future::pending(), async {
            match stdin {
                Some(stdin) => self.write_sound(sounds, stdin).await,
                None => Ok(()),
            }
        })
        .await
    }

    /// Whether a joined file has every frame of the plan, each at its time.
    async fn is_exact(&self, file: &Path, plan: &Plan, first: &Probe, step: i64) -> bool {
        match self.packets(file).await {
            Ok(joined) => {
                let times = joined.times();
                joined.time_base == first.time_base
                    && times.len() as u64 == plan.frames()
                    && times.iter().zip(0..).all(|(time, frame)| *time == frame * step)
            }
            Err(error) => {
                tracing::info!(%error, "a joined file can't be read");
                false
            }
        }
    }
}

fn done(plan: &Plan, probes: &[Probe]) -> ConcatVideo {
    let copied = plan.copied.is_some();
    let size = probes.first().filter(|_| copied).map_or(plan.size, |probe| probe.look.size);
    ConcatVideo { frames: plan.frames(), rate: plan.rate, size, copied }
}

/// The time of a frame in microseconds.
fn micros(rate: Rate, frame: u64) -> u64 {
    let exact = u128::from(frame) * u128::from(rate.seconds) * 1_000_000 / u128::from(rate.frames);
    u64::try_from(exact).unwrap_or(u64::MAX)
}
