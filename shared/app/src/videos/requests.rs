//! Submits a video: stores its images and its film specification first, so that its job always finds them.

use futures_util::future::try_join_all;
use reelhook_domain::videos::film::{Film, Quality};
use reelhook_domain::videos::render::{RenderPlan, Renderer};
use reelhook_domain::{JobId, JobKind, Metadata, Origin, Policy, Priority, Request, TraceParent, WebUrl};
use serde_json::{Value, json};

use crate::clock::ClockAndRandom;
use crate::idempotency::IdempotencyKey;
use crate::jobs::submit::{Submission, SubmitStore, Submitted, submit_as};
use crate::store::StoreError;
use crate::videos::films::FilmStore;
use crate::videos::speeds::{Speeds, expected_seconds};
use crate::videos::uploads::{Links, Upload};
use crate::views::vidbuilder::{accepted, estimate};

/// A request for a video.
#[derive(Debug, Clone)]
pub struct VideoRequest {
    /// The film specification.
    pub film: Film,
    /// Sentences about what the video shows differently from the request.
    pub warnings: Vec<String>,
    /// The parameters that the job shows.
    pub input: Value,
    /// The client's http or https URL for webhooks about the job.
    pub callback: Option<WebUrl>,
    /// The caller's metadata.
    pub metadata: Metadata,
    /// The priority among the caller's jobs.
    pub priority: Priority,
    /// Images that came with the request.
    pub uploads: Vec<(Upload, Vec<u8>)>,
    /// Where it comes from.
    pub origin: Origin,
    /// The request's Idempotency-Key.
    pub key: Option<IdempotencyKey>,
    /// Whether what the job uses is counted.
    pub usage: bool,
}

/// The ports of [`submit_video`].
pub struct VideoRequestPorts<'a> {
    /// Jobs.
    pub jobs: &'a dyn SubmitStore,
    /// Film specifications.
    pub films: &'a dyn FilmStore,
    /// Uploaded images.
    pub links: &'a dyn Links,
    /// Measured rendering speeds.
    pub speeds: &'a dyn Speeds,
    /// Clock and randomness.
    pub clock: &'a dyn ClockAndRandom,
    /// The jobs' timers.
    pub policy: &'a Policy,
    /// RENDERER.
    pub renderer: Renderer,
}

/// The result of [`submit_video`].
#[derive(Debug, Clone, PartialEq)]
pub enum VideoSubmitted {
    /// The video has a job; a repeated key gets the first answer again.
    Answer {
        /// The body of the answer.
        body: String,
        /// The job.
        job_id: JobId,
    },
    /// The idempotency key was used with another body.
    KeyReused,
}

/// Creates the job of a video.
///
/// # Errors
/// [`StoreError`]; then either no job exists, or a complete one.
pub async fn submit_video(ports: &VideoRequestPorts<'_>, request: VideoRequest) -> Result<VideoSubmitted, StoreError> {
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
        kind: JobKind::Video,
        request: Request {
            input: request.input,
            pause_after_extraction: false,
            callback: request.callback,
            metadata: request.metadata,
            priority: request.priority,
        },
        plan: Some(plan),
        origin: request.origin,
        key: request.key,
        usage: request.usage,
    };
    let warnings = request.warnings;
    let submitted = submit_as(ports.jobs, now, ports.policy, id, submission, |job| {
        let (id, caller, trace) = (&job.id, &job.origin.caller, TraceParent::of_aggregate(job));
        tracing::info!(job_id = %id, caller, trace_id = trace.trace_id(), "accepted a video");
        json!(accepted(job, &expected, &warnings)).to_string()
    });
    let Submitted::Answer(body) = submitted.await? else { return Ok(VideoSubmitted::KeyReused) };
    let answer: Value = serde_json::from_str(&body).unwrap_or_default();
    let job_id = answer["jobId"].as_str().and_then(|id| JobId::parse(id).ok());
    let reason = || "the first answer for this key has no `jobId`".to_owned();
    match job_id {
        Some(job_id) => Ok(VideoSubmitted::Answer { body, job_id }),
        None => Err(StoreError::Unreadable { operation: "read key", reason: reason() }),
    }
}

/// The name of a quality, under which speeds are stored.
pub fn quality_name(quality: Quality) -> &'static str {
    match quality {
        Quality::Hd => "720p",
        Quality::FullHd => "1080p",
        Quality::UltraHd => "4k",
    }
}
