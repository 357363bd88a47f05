//! A video as VidBuilder's API shows it: accepted, under way, completed, failed, and in a list.

use reelhook_domain::videos::film::Rendition;
use reelhook_domain::{Job, Metadata, Status};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Number, Value};

use super::files::{LINK_LIFE, VideoJobIdText, download};
use crate::views::usage::UsageView;
use crate::views::wire::{MetadataText, Time, Yes};

const QUEUED: &str = "queued";
const ACCEPTED: &str = "Video generation started. You will receive updates via webhook.";
const COMPLETED: &str = "completed";
const GENERATED: &str = "Video generated successfully";
const DELETED: &str = "Video deleted";
pub(super) const FAILED: &str = "failed";

/// The answer to a request for a video.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoAccepted<'a> {
    success: Yes,
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
    /// `queued`.
    #[schemars(extend("const" = QUEUED))]
    status: &'static str,
    /// That the video was accepted.
    #[schemars(extend("const" = ACCEPTED))]
    message: &'static str,
    /// Whether the request names a URL for webhooks.
    webhook_configured: bool,
    /// The path of the video's status.
    #[schemars(extend("examples" = ["/api/job-status/3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b"]))]
    status_url: String,
    /// An estimate, from the recent rendering speed at this quality.
    #[schemars(extend("examples" = ["10-20 seconds", "3-15 minutes"]))]
    estimated_time: &'a str,
    /// What the video shows differently from the request, with its path: an unknown theme, or characters that no
    /// typeface has. Absent if there is nothing.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schemars(length(min = 1))]
    warnings: &'a [String],
}

/// The status of a video. `status` tells its forms apart.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum VideoStatus<'a> {
    /// The video is not finished.
    UnderWay(VideoUnderWay<'a>),
    /// The video is finished.
    Done(Box<VideoDone<'a>>),
    /// There will be no video.
    NotMade(VideoNotMade<'a>),
}

/// A video that waits or renders.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoUnderWay<'a> {
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
    /// Whether it waits or renders.
    status: UnderWay,
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The current activity.
    #[schemars(extend("examples" = ["Rendering frames: 450/1000"]))]
    message: &'a str,
    /// When it was requested.
    created_at: Time,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum UnderWay {
    Queued,
    Processing,
}

/// A finished video.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoDone<'a> {
    #[serde(flatten)]
    video: CompletedVideo<'a>,
    /// When it was requested.
    created_at: Time,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// Only if its request has `usage`: what the job of the video has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UsageView")]
    usage: Option<UsageView>,
}

/// A video that failed or was cancelled.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoNotMade<'a> {
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
    /// `failed`.
    #[schemars(extend("const" = FAILED))]
    status: &'static str,
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The last activity.
    message: &'a str,
    /// Why it failed; `Cancelled` if it was cancelled.
    error: &'a str,
    /// When it was requested.
    created_at: Time,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// Only if its request has `usage`: what the job of the video has used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "UsageView")]
    usage: Option<UsageView>,
}

/// The answer about a video that the caller waited for.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoMade<'a> {
    #[serde(flatten)]
    video: CompletedVideo<'a>,
    success: Yes,
    /// The title of the request.
    title: Option<&'a str>,
    /// The type that the request names; `flexible` if it names none.
    r#type: &'a str,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// What the video shows differently from the request, with its path. Absent if there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub warnings: Vec<String>,
}

/// What every form of a finished video has.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletedVideo<'a> {
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
    /// `completed`.
    #[schemars(extend("const" = COMPLETED))]
    status: &'static str,
    /// 100.
    #[schemars(with = "Value", extend("const" = 100))]
    progress: u8,
    /// Whether the video was deleted.
    #[schemars(extend("enum" = [GENERATED, DELETED]))]
    message: &'static str,
    /// The path of the video in this API; a call needs a key. Null if the video was deleted.
    #[schemars(extend("examples" = ["/api/download/3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b"]))]
    video_url: Option<String>,
    /// Seconds.
    duration: Option<Number>,
    /// The number of scenes.
    #[schemars(range(min = 1))]
    scenes: Option<usize>,
    /// Whether there is a vertical rendition.
    reels_generated: bool,
    /// Where the renditions are stored. Null if the video was deleted.
    s3_upload: Option<VideoUploads<'a>>,
    /// The time from start to end.
    #[schemars(extend("examples" = ["180s"]))]
    render_time: Option<String>,
    /// Only with a vertical rendition: its path in this API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["/api/download/3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b_reels"]))]
    reels_video_url: Option<String>,
}

/// The renditions of a video in storage.
#[derive(Debug, Serialize, JsonSchema)]
struct VideoUploads<'a> {
    enabled: Yes,
    /// The landscape rendition.
    #[serde(skip_serializing_if = "Option::is_none")]
    standard: Option<VideoFile<'a>>,
    /// The vertical rendition.
    #[serde(skip_serializing_if = "Option::is_none")]
    reels: Option<VideoFile<'a>>,
}

/// A rendition of a video in storage.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct VideoFile<'a> {
    /// The key in the bucket.
    #[schemars(extend("examples" = ["videos/2025-11-12/standard/3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b.mp4"]))]
    s3_key: &'a str,
    /// A link that needs no key; each call is redirected to a new link of S3.
    #[schemars(url)]
    signed_url: &'a str,
    /// How long the link is valid.
    #[schemars(extend("const" = LINK_LIFE.1))]
    expires_in: &'static str,
    /// Bytes.
    size: u64,
}

/// An entry of the list of videos.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedVideo<'a> {
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
    /// The name with which the file is downloaded.
    filename: String,
    /// Bytes.
    size: u64,
    /// When it was completed.
    created_at: Time,
    /// The path of the video in this API; a call needs a key.
    download_url: String,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
}

/// The answer to a request for a video.
pub fn accepted<'a>(job: &'a Job, estimate: &'a str, warnings: &'a [String]) -> VideoAccepted<'a> {
    VideoAccepted {
        success: Yes,
        job_id: job.id.as_str(),
        status: QUEUED,
        message: ACCEPTED,
        webhook_configured: job.request.callback.is_some(),
        status_url: format!("/api/job-status/{}", job.id),
        estimated_time: estimate,
        warnings,
    }
}

/// The status of a job: with all that its webhook has once it is completed, with its error once it has failed.
pub fn status(job: &Job) -> VideoStatus<'_> {
    let (created_at, metadata) = (Time(job.created_at), &job.request.metadata);
    let under_way = |status| {
        VideoStatus::UnderWay(VideoUnderWay {
            job_id: job.id.as_str(),
            status,
            progress: job.run.progress,
            message: &job.run.caption,
            created_at,
            metadata,
        })
    };
    match job.status {
        Status::Pending => under_way(UnderWay::Queued),
        Status::Processing | Status::Rendering => under_way(UnderWay::Processing),
        Status::Completed => VideoStatus::Done(Box::new(VideoDone {
            video: CompletedVideo::of(job),
            created_at,
            metadata,
            usage: UsageView::of(job),
        })),
        Status::Failed | Status::Cancelled => VideoStatus::NotMade(VideoNotMade {
            job_id: job.id.as_str(),
            status: FAILED,
            progress: job.run.progress,
            message: &job.run.caption,
            error: error(job),
            created_at,
            metadata,
            usage: UsageView::of(job),
        }),
    }
}

/// Why there is no video.
pub fn error(job: &Job) -> &str {
    if job.status == Status::Cancelled {
        return "Cancelled";
    }
    job.run.error.as_deref().unwrap_or("Video generation failed")
}

/// The answer about a video that the caller waited for.
pub fn finished(job: &Job) -> VideoMade<'_> {
    let input = &job.request.input;
    VideoMade {
        video: CompletedVideo::of(job),
        success: Yes,
        title: input["title"].as_str(),
        r#type: input["type"].as_str().unwrap_or("flexible"),
        metadata: &job.request.metadata,
        warnings: Vec::new(),
    }
}

/// An entry of the list of videos; none if the job has no video.
pub fn listed(job: &Job) -> Option<ListedVideo<'_>> {
    let video = job.videos().iter().find(|video| video.rendition == Rendition::Landscape)?;
    Some(ListedVideo {
        job_id: job.id.as_str(),
        filename: format!("{}.mp4", job.id),
        size: video.bytes,
        created_at: job.run.times.completed_at.unwrap_or(job.created_at).into(),
        download_url: download(job.id.as_str(), Rendition::Landscape),
        metadata: &job.request.metadata,
    })
}

impl<'a> CompletedVideo<'a> {
    /// The video of a completed job.
    pub(super) fn of(job: &'a Job) -> Self {
        let (id, film) = (job.id.as_str(), job.plan());
        let file = |rendition: Rendition| {
            let video = job.videos().iter().find(|video| video.rendition == rendition)?;
            let (s3_key, signed_url) = (video.key.as_str(), video.link.as_str());
            Some(VideoFile { s3_key, signed_url, expires_in: LINK_LIFE.1, size: video.bytes })
        };
        let (standard, reels) = (file(Rendition::Landscape), file(Rendition::Portrait));
        let is_deleted = film.is_some() && job.videos().is_empty();
        Self {
            job_id: id,
            status: COMPLETED,
            progress: 100,
            message: if is_deleted { DELETED } else { GENERATED },
            video_url: (!is_deleted).then(|| download(id, Rendition::Landscape)),
            duration: film.and_then(|film| seconds(film.seconds())),
            scenes: film.map(|film| film.scenes.len()),
            reels_generated: reels.is_some(),
            render_time: job.duration_ms(job.updated_at).map(|ms| format!("{}s", (ms + 500) / 1000)),
            reels_video_url: reels.is_some().then(|| download(id, Rendition::Portrait)),
            s3_upload: (!is_deleted).then_some(VideoUploads { enabled: Yes, standard, reels }),
        }
    }
}

/// Seconds; whole ones without a fraction, as in the seed.
fn seconds(seconds: f64) -> Option<Number> {
    let rounded = (seconds * 100.0).round() / 100.0;
    if rounded.fract() == 0.0 { Some(Number::from(rounded as i64)) } else { Number::from_f64(rounded) }
}
