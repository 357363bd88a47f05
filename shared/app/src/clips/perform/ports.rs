//! The ports of the work that our renderers do for clips.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use reelhook_domain::ClipPolicy;
use reelhook_domain::clips::clip::{ClipScore, PlannedClip, SourceFacts};
use reelhook_domain::clips::request::{ClipRequest, Layout, Range};
use serde::{Deserialize, Serialize};

use crate::clips::store::{AttemptPorts, ClipAttempts, ClipStore};
use crate::clock::{ClockAndRandom, Timer};
use crate::files::fetch::FileSources;
use crate::files::ports::StoredFiles;
use crate::outbound::download::Downloader;
use crate::videos::draw_error::DrawError;
use crate::videos::ports::ScratchDir;

/// The pixels that a scan of a source decodes at most, so that it ends in the time of a plan. Above, frames that no other one
/// needs are left out.
pub const SCANNED_PIXELS: u64 = 300_000_000_000;

/// What a source is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceShape {
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its width in pixels, after rotation.
    pub width: u32,
    /// Its height in pixels, after rotation.
    pub height: u32,
    /// Frames per second as a fraction: the average, if the rate varies.
    pub fps: (u32, u32),
    /// Whether it has sound.
    pub sound: bool,
    /// The most frames of a clip of the greatest length, wherever it is in the source.
    pub clip_frames: u64,
}

/// What a scan finds in a source. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Findings {
    /// The first frames of new scenes; the first scene, which starts at 0, is not listed.
    pub scene_changes: Vec<u64>,
    /// Silences.
    pub silences: Vec<Range>,
    /// Short pauses of speech, which may have music or noise in them. Some are silences too.
    pub pauses: Vec<Range>,
    /// The loudness of each second, in dB below full scale; none without sound.
    pub loudness: Vec<f32>,
    /// The motion of each second: how much the brightness of pixels changes, without scene changes.
    pub motion: Vec<f32>,
}

/// Clips that are proposed, and what they were chosen from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClipPlan {
    /// The clips, the best one first.
    pub clips: Vec<PlannedClip>,
    /// What the scan found.
    pub findings: Findings,
}

/// Scores clips that people choose.
#[async_trait]
pub trait ClipScorer: Send + Sync {
    /// Scores a range of a source, moved to the nearest frames, by what a scan of the source found.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn score(
        &self,
        source: &Path,
        range: Range,
        request: &ClipRequest,
        findings: &Findings,
    ) -> Result<ClipScore, DrawError>;
}

/// Plans and cuts clips.
#[async_trait]
pub trait ClipCutter: ClipScorer {
    /// Finds out what a source is like.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn shape(&self, source: &Path) -> Result<SourceShape, DrawError>;

    /// Scans a source and chooses clips; keeps the percentage that is scanned in `percent`.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn plan(
        &self,
        source: &Path,
        facts: &SourceFacts,
        request: &ClipRequest,
        percent: Arc<AtomicU32>,
    ) -> Result<ClipPlan, DrawError>;

    /// Cuts a clip that begins and ends at the frames nearest to the range, and returns its length in milliseconds;
    /// keeps the percentage of its frames that are done in `percent`.
    ///
    /// # Errors
    /// [`DrawError`].
    async fn cut(
        &self,
        source: &Path,
        range: Range,
        layout: Layout,
        to: &Path,
        percent: Arc<AtomicU32>,
    ) -> Result<u64, DrawError>;

    /// The bytes that are free on the disk of these directories.
    ///
    /// # Errors
    /// [`DrawError`].
    fn free_for_clips(&self) -> Result<u64, DrawError>;

    /// An empty directory for the files of one piece; dropping it removes them.
    ///
    /// # Errors
    /// [`DrawError`].
    fn clip_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError>;
}

/// The ports of a renderer that works for clips.
pub struct ClipPorts<'a> {
    /// Clip jobs.
    pub jobs: &'a dyn ClipStore,
    /// Raises what attempts reserve.
    pub attempts: &'a dyn ClipAttempts,
    /// Sources and clips.
    pub files: &'a dyn StoredFiles,
    /// Downloads of sources, and from a worker.
    pub downloads: &'a dyn Downloader,
    /// Our own renderer.
    pub renderer: &'a dyn ClipCutter,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// Times the heartbeats.
    pub timer: &'a dyn Timer,
    /// The jobs' timers and prices.
    pub policy: &'a ClipPolicy,
    /// Whether an account must have the credits that it reserves (CREDITS).
    pub limited: bool,
}

impl ClipPorts<'_> {
    /// What raises reservations.
    pub(in crate::clips) fn of_attempts(&self) -> AttemptPorts<'_> {
        let Self { attempts, jobs, clock, policy, limited, .. } = *self;
        AttemptPorts { attempts, jobs, clock, policy, limited }
    }

    /// Where files are fetched from.
    pub(super) fn sources(&self) -> FileSources<'_> {
        FileSources { files: self.files, downloads: self.downloads }
    }
}
