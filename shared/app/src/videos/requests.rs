//! Making a video's job: its pictures and its film are kept first, so that a job always finds what it is to show.

use futures_util::future::try_join_all;
use reelhook_domain::videos::drawing::{RenderPlan, Renderer};
use reelhook_domain::videos::film::{Film, Quality};
use reelhook_domain::{Dialect, JobId, Policy};
use serde_json::{Value, json};

use crate::clock::ClockAndRandom;
use crate::idempotency::IdempotencyKey;
use crate::jobs::submit::{Submission, SubmitStore, Submitted, submit_as};
use crate::store::StoreError;
use crate::videos::drawing::{Speeds, expected_seconds};
use crate::videos::films::FilmStore;
use crate::videos::uploads::{Links, Upload};
use crate::views::vidbuilder::{accepted, estimate};

/// A video that is asked for, with everything that came along.
#[derive(Debug, Clone)]
pub struct VideoRequest {
    /// What it shows.
    pub film: Film,
    /// What is drawn otherwise than was asked.
    pub warnings: Vec<String>,
    /// What its job shows as its parameters.
    pub input: Value,
    /// Who wants to be told: http or https.
    pub callback: Option<String>,
    /// Pictures that are to be stored before it is drawn.
    pub uploads: Vec<(Upload, Vec<u8>)>,
    /// The W3C trace of the request.
    pub traceparent: Option<String>,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
}

/// What ordering needs.
pub struct VideoRequestPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn SubmitStore,
    /// Films.
    pub films: &'a dyn FilmStore,
    /// Pictures.
    pub links: &'a dyn Links,
    /// What was measured.
    pub speeds: &'a dyn Speeds,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// RENDERER.
    pub renderer: Renderer,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum VideoSubmitted {
    /// The answer, the first one for a repeated key.
    Answer {
        /// Its body.
        body: String,
        /// The job.
        job_id: JobId,
    },
    /// The key was used with another body.
    KeyReused,
}

/// Makes a video's job.
///
/// # Errors
/// [`StoreError`]; nothing was made then, or the job is whole.
pub async fn submit_video(
    ports: &VideoRequestPorts<'_>,
    request: VideoRequest,
    caller: String,
) -> Result<VideoSubmitted, StoreError> {
    let now = ports.clock.now();
    let id = JobId::uuid(ports.clock.random());
    let plan = RenderPlan::of(&request.film, ports.renderer);
    let stored =
        request.uploads.into_iter().map(|(upload, bytes)| async move { ports.links.put_image(&upload, bytes).await });
    try_join_all(stored).await?;
    ports.films.put_film(&id, &request.film).await?;
    let speed = ports.speeds.speed(quality_name(request.film.quality)).await?;
    let expected = estimate(expected_seconds(&plan, request.film.quality, speed));
    let submission = Submission {
        dialect: Dialect::VidBuilder,
        input: request.input,
        pause_after_extraction: false,
        film: Some(plan),
        callback: request.callback,
        caller,
        traceparent: request.traceparent,
        key: request.key,
    };
    let warnings = request.warnings;
    let submitted = submit_as(ports.jobs, now, ports.policy, id, submission, |job| {
        let mut answer = accepted(job, &expected);
        if !warnings.is_empty() {
            answer["warnings"] = json!(warnings);
        }
        tracing::info!(job_id = %job.id, caller = job.caller, traceparent = job.traceparent, "a video was asked for");
        answer.to_string()
    });
    let Submitted::Answer(body) = submitted.await? else { return Ok(VideoSubmitted::KeyReused) };
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let job_id = answer["jobId"].as_str().and_then(|id| JobId::parse(id).ok());
    let reason = || "the first answer of this key names no video".to_owned();
    match job_id {
        Some(job_id) => Ok(VideoSubmitted::Answer { body, job_id }),
        None => Err(StoreError::Unreadable { operation: "read key", reason: reason() }),
    }
}

/// The word for a quality, under which speeds are kept.
pub fn quality_name(quality: Quality) -> &'static str {
    match quality {
        Quality::Hd => "720p",
        Quality::FullHd => "1080p",
        Quality::UltraHd => "4k",
    }
}
