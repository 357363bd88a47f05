//! Implements the application's ports for clips: probes, plans, scores and cuts of sources on the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use reelhook_app::clips::perform::ports::{ClipCutter, ClipPlan, ClipScorer, Findings, SourceShape};
use reelhook_app::videos::draw_error::DrawError;
use reelhook_app::videos::ports::{SceneRenderer, ScratchDir};
use reelhook_domain::clips::clip::{ClipScore, SourceFacts};
use reelhook_domain::clips::request::{ClipRequest, Layout, Range};

use super::{LocalRenderer, draw_error};

#[async_trait]
impl ClipScorer for LocalRenderer {
    async fn score(
        &self,
        source: &Path,
        range: Range,
        request: &ClipRequest,
        findings: &Findings,
    ) -> Result<ClipScore, DrawError> {
        self.ffmpeg.score_clip(source, range, request, findings).await.map_err(draw_error)
    }
}

#[async_trait]
impl ClipCutter for LocalRenderer {
    async fn shape(&self, source: &Path) -> Result<SourceShape, DrawError> {
        self.ffmpeg.shape(source).await.map_err(draw_error)
    }

    async fn plan(
        &self,
        source: &Path,
        facts: &SourceFacts,
        request: &ClipRequest,
        percent: Arc<AtomicU32>,
    ) -> Result<ClipPlan, DrawError> {
        let directory = self.scratch_dir()?;
        let progress = move |done| percent.store(done, Ordering::Relaxed);
        self.ffmpeg.plan_clips(source, facts, request, directory.path(), progress).await.map_err(draw_error)
    }

    async fn cut(
        &self,
        source: &Path,
        range: Range,
        layout: Layout,
        to: &Path,
        percent: Arc<AtomicU32>,
    ) -> Result<u64, DrawError> {
        let directory = self.scratch_dir()?;
        let progress = move |done| percent.store(done, Ordering::Relaxed);
        let duration_ms = self.ffmpeg.cut(source, range, layout, (to, directory.path()), progress).await;
        duration_ms.map_err(draw_error)
    }

    fn free_for_clips(&self) -> Result<u64, DrawError> {
        self.free()
    }

    fn clip_dir(&self) -> Result<Box<dyn ScratchDir>, DrawError> {
        self.scratch_dir()
    }
}
