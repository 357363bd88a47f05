//! The answers of VidBuilder's routes.

use std::time::Duration;

use reelhook_app::Url;
use reelhook_app::jobs::queue::{Listed, QueueStatus};
use reelhook_app::videos::uploads::Upload;
use reelhook_app::views::vidbuilder::{self, ListedVideo, VideoJobIdText};
use reelhook_app::views::wire::{Time, Yes};
use reelhook_domain::{Job, JobId, Status, Timestamp};
use reelhook_signing::SigningKeys;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::ApiAnswer;
use crate::jobs::queue::write_cursor;
use crate::problem::Problem;
use crate::videos::links::track_link;
use crate::videos::problem::VideoProblem;

/// The maximum number of waiting jobs in the answer about the queue.
pub const QUEUED_SHOWN: usize = 100;
/// The time within which an upload must begin.
const UPLOAD_LIFE: Duration = Duration::from_secs(900);
const DELETED: &str = "Video deleted successfully";
const PUT: &str = "PUT";

/// A link for the upload of an image or a video.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadAnswer<'a> {
    success: Yes,
    /// The key by which scenes name the image, or a clip job its source, for 30 days.
    #[schemars(
        regex(pattern = r"^uploads/[0-9a-f]{32}\.(png|jpg|webp|gif|mp4|mov|webm|mkv)$"),
        extend("examples" = ["uploads/0f1e2d3c4b5a69788796a5b4c3d2e1f0.png"])
    )]
    key: &'a str,
    /// The URL for the upload.
    #[schemars(url)]
    upload_url: &'a str,
    /// `PUT`.
    #[schemars(extend("const" = PUT))]
    method: &'static str,
    /// The headers of the upload; other values are refused.
    headers: UploadHeaders,
    /// The time before which the upload must begin.
    expires_at: Time,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct UploadHeaders {
    /// The media type.
    #[serde(rename = "Content-Type")]
    content_type: &'static str,
    /// Bytes.
    #[serde(rename = "Content-Length")]
    #[schemars(regex(pattern = "^[0-9]+$"))]
    content_length: String,
}

/// A page of the list of videos.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoList<'a> {
    /// The number of videos of this page.
    count: usize,
    /// The videos, newest first.
    videos: Vec<ListedVideo<'a>>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The answer about a deleted video.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoDeleted<'a> {
    success: Yes,
    /// That the video was deleted.
    #[schemars(extend("const" = DELETED))]
    message: &'static str,
    /// The id of the video.
    #[schemars(with = "VideoJobIdText")]
    job_id: &'a str,
}

/// The numbers of the queue. Videos and StreamGank's jobs share one queue.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VideoQueue<'a> {
    /// The number of jobs of both families that run.
    active_renders: usize,
    /// The number of jobs that may run at once: MAX_WORKERS.
    #[schemars(range(min = 1))]
    max_concurrent: usize,
    /// The number of jobs of both families that wait.
    queue_length: u64,
    /// The number of further jobs that may start now.
    available_slots: usize,
    /// The jobs that start next.
    #[schemars(with = "Vec<VideoJobIdText>", length(max = QUEUED_SHOWN))]
    queued_jobs: Vec<&'a str>,
}

/// The music tracks.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MusicTracks<'a> {
    /// The tracks.
    tracks: Vec<MusicTrack<'a>>,
}

/// A music track.
#[derive(Debug, Serialize, JsonSchema)]
struct MusicTrack<'a> {
    /// The id, which `music.trackId` of a video names.
    id: &'a str,
    /// The display name.
    name: &'a str,
    /// The file name.
    filename: &'a str,
    /// A signed link, which needs no key and is valid for 7 days.
    #[schemars(url)]
    url: String,
}

/// The answer with a job's status.
pub fn status_answer(job: &Job) -> ApiAnswer {
    ApiAnswer::json(200, &vidbuilder::status(job))
}

/// The warnings of an answer to a request that does not wait.
#[derive(Debug, Default, Deserialize)]
struct Accepted {
    #[serde(default)]
    warnings: Vec<String>,
}

/// The answer about a job that the caller waited for. It has the warnings of `accepted`, the answer to a request that
/// does not wait.
///
/// # Errors
/// [`VideoProblem::Failed`].
pub fn finished_answer(job: &Job, accepted: &str) -> Result<ApiAnswer, Problem> {
    match job.status {
        Status::Completed => {
            let accepted: Accepted = serde_json::from_str(accepted).unwrap_or_default();
            let mut made = vidbuilder::finished(job);
            made.warnings = accepted.warnings;
            Ok(ApiAnswer::json(200, &made))
        }
        Status::Failed | Status::Cancelled | Status::Pending | Status::Processing | Status::Rendering => {
            let error = vidbuilder::error(job).to_owned();
            Err(Problem::Video(VideoProblem::Failed(job.id.to_string(), error)))
        }
    }
}

/// The answer with the link for an upload.
pub fn upload_answer(upload: &Upload, url: &str, now: Timestamp) -> ApiAnswer {
    let answer = UploadAnswer {
        success: Yes,
        key: &upload.key,
        upload_url: url,
        method: PUT,
        headers: UploadHeaders { content_type: upload.content_type, content_length: upload.bytes.to_string() },
        expires_at: now.after(UPLOAD_LIFE).into(),
    };
    ApiAnswer::json(201, &answer)
}

/// The redirect to a video.
pub fn download_answer(url: &str) -> ApiAnswer {
    ApiAnswer::text(302, String::new()).header("location", url).header("cache-control", "no-store")
}

/// The answer with the list of videos.
pub fn list_answer(listed: &Listed) -> ApiAnswer {
    let videos: Vec<ListedVideo<'_>> = listed.jobs.iter().filter_map(vidbuilder::listed).collect();
    let next_cursor = listed.next.as_ref().map(write_cursor);
    ApiAnswer::json(200, &VideoList { count: videos.len(), videos, next_cursor })
}

/// The answer about a deleted video.
pub fn deleted_answer(id: &JobId) -> ApiAnswer {
    ApiAnswer::json(200, &VideoDeleted { success: Yes, message: DELETED, job_id: id.as_str() })
}

/// The answer with the number of running and waiting jobs.
pub fn queue_answer(status: &QueueStatus, waiting: &[JobId], most: usize) -> ApiAnswer {
    let answer = VideoQueue {
        active_renders: status.active.len(),
        max_concurrent: most,
        queue_length: status.counts.pending,
        available_slots: most.saturating_sub(status.running),
        queued_jobs: waiting.iter().map(JobId::as_str).collect(),
    };
    ApiAnswer::json(200, &answer)
}

/// The answer with the music tracks: id, name, file name and a link of each.
pub fn tracks_answer<'a>(
    tracks: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
    base: &Url,
    keys: &SigningKeys,
    now: Timestamp,
) -> ApiAnswer {
    let track = |(id, name, filename)| MusicTrack { id, name, filename, url: track_link(filename, base, keys, now) };
    ApiAnswer::json(200, &MusicTracks { tracks: tracks.map(track).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_answered_with_its_link_and_headers() {
        let upload = Upload::new("image/png", 1234, 7).unwrap();
        let answer = upload_answer(&upload, "https://s3.example/x?y=z", Timestamp(1_704_110_400_000));
        let expected = concat!(
            r#"{"success":true,"key":"uploads/00000000000000000000000000000007.png","#,
            r#""uploadUrl":"https://s3.example/x?y=z","method":"PUT","#,
            r#""headers":{"Content-Type":"image/png","Content-Length":"1234"},"#,
            r#""expiresAt":"2024-01-01T12:15:00.000Z"}"#,
        );
        assert_eq!((answer.status, answer.body.as_str()), (201, expected));
    }

    #[test]
    fn the_last_page_of_a_list_has_no_cursor() {
        let body = list_answer(&Listed { jobs: Vec::new(), next: None }).body;
        assert_eq!(body, r#"{"count":0,"videos":[]}"#);
    }
}
