//! Recent rendering speed: measured when a video completes, and used to estimate how long the next one takes.

use async_trait::async_trait;
use reelhook_domain::videos::film::Quality;
use reelhook_domain::videos::render::{RenderPlan, Renderer};
use reelhook_domain::{Job, Status};

use crate::store::StoreError;

/// Stores recent rendering speed by quality.
#[async_trait]
pub trait Speeds: Send + Sync {
    /// Notes that rendering `frames` frames of a quality took `seconds` from start to end.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn note(&self, quality: &str, frames: u32, seconds: f64) -> Result<(), StoreError>;

    /// Recent frames per second of a quality; none if none were measured.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn speed(&self, quality: &str) -> Result<Option<f64>, StoreError>;
}

/// Notes the speed of a completed video that our own renderers drew; of any other job it notes nothing.
pub(super) async fn note_speed(speeds: &dyn Speeds, job: &Job) {
    let (Some(plan), false) = (job.plan(), job.videos().is_empty()) else { return };
    // After a workflow, the time of the run is not that of the render alone.
    let after_steps = job.run.engine.steps().is_some();
    if after_steps || plan.renderer != Renderer::Own || job.status != Status::Completed {
        return;
    }
    let Some((start, end)) = job.run.times.started_at.zip(job.run.times.completed_at) else { return };
    let seconds = end.since(start).as_secs_f64();
    let quality = job.request.input["quality"].as_str().unwrap_or("1080p");
    if let Err(error) = speeds.note(quality, plan.all_frames(), seconds.max(0.001)).await {
        tracing::warn!(job_id = %job.id, %error, "failed to note the rendering speed");
    }
}

/// The expected time of a render in seconds, by the measured speed or, without one, by the speed of one core (`cargo xtask
/// bench render`: some 44 frames a second in 1080p; other sizes by their number of pixels).
pub fn expected_seconds(plan: &RenderPlan, quality: Quality, speed: Option<f64>) -> f64 {
    let unmeasured = match quality {
        Quality::Hd => 100.0,
        Quality::FullHd => 44.0,
        Quality::UltraHd => 11.0,
    };
    f64::from(plan.all_frames()) / speed.filter(|speed| *speed > 0.1).unwrap_or(unmeasured) + 5.0
}
