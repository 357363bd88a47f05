//! Clips: a source is scanned once, clips are planned from what the scan found, and each one is cut exactly at its
//! frames.

mod boundaries;
mod crop;
mod cut;
mod frames;
mod pictures;
mod plan;
mod scan;
mod score;
mod select;
mod sound;

use std::path::Path;

use reelhook_app::clips::perform::ports::{ClipPlan, Findings, SourceShape};
use reelhook_domain::clips::clip::{ClipScore, SourceFacts};
use reelhook_domain::clips::request::{ClipRequest, LONGEST_CLIP_MS, Range};

use crate::clips::frames::FrameTimes;
use crate::clips::scan::{Effort, Scan};
use crate::encode::Ffmpeg;
use crate::error::RenderError;
use crate::takes::rate;

/// The seconds between two key frames, as a rule.
const KEY_FRAME_SECONDS: f64 = 2.0;

impl Ffmpeg {
    /// Finds out what a source is like.
    ///
    /// # Errors
    ///
    /// `RenderError::Video` if it can't be decoded, `RenderError::Ffmpeg`, `RenderError::Io`.
    pub(crate) async fn shape(&self, source: &Path) -> Result<SourceShape, RenderError> {
        let probe = self.probe(source).await?;
        let frames = FrameTimes::of(&probe).ok_or_else(|| RenderError::Video("has no frame".to_owned()))?;
        let rate = rate(&probe);
        let (width, height) = probe.look.size;
        let fps = (rate.frames, rate.seconds);
        let clip_frames = u64::try_from(frames.most_within(LONGEST_CLIP_MS)).unwrap_or(u64::MAX);
        Ok(SourceShape { duration_ms: frames.end_ms(), width, height, fps, sound: probe.sound, clip_frames })
    }

    /// Scans a source and chooses clips. `directory` holds temporary files. Calls `progress` with the percentage that
    /// is scanned.
    ///
    /// # Errors
    ///
    /// As of [`Self::scan`].
    pub(crate) async fn plan_clips(
        &self,
        source: &Path,
        facts: &SourceFacts,
        request: &ClipRequest,
        directory: &Path,
        mut progress: impl FnMut(u32) + Send,
    ) -> Result<ClipPlan, RenderError> {
        let (frames, seconds) = facts.fps;
        let per_frame = f64::from(seconds) / f64::from(frames.max(1));
        let count = (facts.duration_ms as f64 / 1000.0 / per_frame.max(1e-6)).round() as usize;
        let effort = Effort::of(count, (facts.width, facts.height));
        let step = match effort {
            Effort::All => per_frame,
            Effort::Needed => per_frame * 2.0,
            Effort::Key => KEY_FRAME_SECONDS,
        };
        let length = (facts.duration_ms as f64 / 1000.0).max(step);
        let progress = |frames: u32| progress((f64::from(frames) * step * 100.0 / length).min(100.0) as u32);
        let scan = self.scan(source, None, (effort, facts.sound), directory, progress).await?;
        let findings = findings(&scan);
        tracing::info!(
            frames = scan.pictures.count(),
            ?effort,
            scene_changes = findings.scene_changes.len(),
            silences = findings.silences.len(),
            pauses = findings.pauses.len(),
            "scanned a source"
        );
        let frames = FrameTimes::new(scan.times, facts.duration_ms * 1000)
            .ok_or_else(|| RenderError::Video("has no frame that can be decoded".to_owned()))?;
        let clips = plan::plan(&frames, &findings, facts.sound, request);
        Ok(ClipPlan { clips, findings })
    }

    /// Scores a range of a source by what a scan found.
    ///
    /// # Errors
    ///
    /// `RenderError::Video` if the source can't be decoded, `RenderError::Ffmpeg`, `RenderError::Io`.
    pub(crate) async fn score_clip(
        &self,
        source: &Path,
        range: Range,
        request: &ClipRequest,
        findings: &Findings,
    ) -> Result<ClipScore, RenderError> {
        let probe = self.probe(source).await?;
        let frames = FrameTimes::of(&probe).ok_or_else(|| RenderError::Video("has no frame".to_owned()))?;
        Ok(plan::rate(&frames, findings, probe.sound, range, request))
    }
}

/// What a scan says about a source.
fn findings(scan: &Scan) -> Findings {
    let changes = scan.pictures.scene_changes(&scan.times);
    Findings {
        scene_changes: changes.iter().map(|frame| (scan.times[*frame] + 500) / 1000).collect(),
        silences: sound::silences(&scan.levels),
        pauses: sound::pauses(&scan.levels),
        loudness: sound::loudness(&scan.levels),
        motion: scan.pictures.motion(&scan.times, &changes),
    }
}
