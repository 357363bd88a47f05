//! VidBuilder's routes: reads requests and builds answers (contract.md, VidBuilder; seed 002).

use std::time::Duration;

use reelhook_app::Url;
use reelhook_app::jobs::queue::{Cursor, JobFilter, Listed, QueueStatus};
use reelhook_app::videos::films::link_subject;
use reelhook_app::videos::uploads::Upload;
use reelhook_app::views::vidbuilder;
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::{Job, JobId, JobKind, Status, Timestamp};
use reelhook_signing::{SignedToken, SigningKeys, SubjectClaims};
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::jobs::queue::{read_cursor, write_cursor};
use crate::metadata;
use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;
use crate::routes;
use crate::videos::problem::VideoProblem;
pub use crate::videos::request::{read, read_upload};

/// The maximum number of waiting jobs in the answer about the queue.
pub const QUEUED_SHOWN: usize = 100;
/// The maximum number of videos in one page of the list.
const LISTED: usize = 200;
/// The time within which an upload must begin.
const UPLOAD_LIFE: Duration = Duration::from_secs(900);

/// A request to one of VidBuilder's routes.
#[derive(Debug, Clone, PartialEq)]
pub enum Route {
    /// POST /api/generate-video-async, POST /api/generate-flexible-video
    Create {
        /// Whether the answer waits until the job has ended.
        wait: bool,
    },
    /// POST /api/uploads
    Upload,
    /// GET /api/job-status/{id}
    Status(JobId),
    /// GET /api/download/{id}
    Download(JobId, Rendition),
    /// GET /api/videos
    List {
        /// Selects completed videos by their metadata.
        filter: JobFilter,
        /// The maximum number of videos in the answer.
        limit: usize,
        /// The position at which the list continues.
        cursor: Option<Cursor>,
    },
    /// DELETE /api/videos/{id}
    Delete(JobId),
    /// GET /api/queue-status
    Queue,
    /// GET /api/music-tracks
    Tracks,
    /// GET /api/music-tracks/{name}
    Track(String),
}

impl Route {
    /// Reads the route.
    ///
    /// # Errors
    /// [`Problem`] for an unknown route, or a parameter that is not valid.
    pub fn read(request: &ApiRequest) -> Result<Self, Problem> {
        match (request.method.as_str(), &request.segments()[..]) {
            ("POST", ["api", "generate-video-async"]) => Ok(Self::Create { wait: false }),
            ("POST", ["api", "generate-flexible-video"]) => Ok(Self::Create { wait: true }),
            ("POST", ["api", "uploads"]) => Ok(Self::Upload),
            ("GET", ["api", "job-status", id]) => JobId::parse(id)
                .map(Self::Status)
                .map_err(|_| Problem::Video(VideoProblem::NoJob(id.chars().take(128).collect()))),
            ("GET", ["api", "download", id]) => read_file_id(id).map(|(id, rendition)| Self::Download(id, rendition)),
            ("GET", ["api", "videos"]) => {
                let (family, status) = (Some(JobKind::Video), Some(Status::Completed));
                let filter = JobFilter { family, status, metadata: metadata::filter(request)? };
                Ok(Self::List { filter, limit: request.limit(LISTED, LISTED)?, cursor: request.cursor(read_cursor)? })
            }
            ("DELETE", ["api", "videos", id]) => {
                JobId::parse(id).map(Self::Delete).map_err(|_| Problem::Video(VideoProblem::Gone))
            }
            ("GET", ["api", "queue-status"]) => Ok(Self::Queue),
            ("GET", ["api", "music-tracks"]) => Ok(Self::Tracks),
            ("GET", ["api", "music-tracks", name]) => Ok(Self::Track((*name).to_owned())),
            _ => Err(routes::unknown(request)),
        }
    }

    /// The signed link of a request, if it has one. Such a request needs no API key.
    pub fn linked(&self, request: &ApiRequest) -> Option<Link> {
        let token = request.query("token")?.to_owned();
        let subject = match self {
            Self::Download(id, rendition) => link_subject(id.as_str(), *rendition),
            Self::Track(name) => track_subject(name),
            Self::Create { .. }
            | Self::Upload
            | Self::Status(_)
            | Self::List { .. }
            | Self::Delete(_)
            | Self::Queue
            | Self::Tracks => return None,
        };
        Some(Link { subject, token })
    }
}

/// A signed link.
#[derive(Debug)]
pub struct Link {
    subject: String,
    token: String,
}

impl Link {
    /// Verifies the signature and the expiry of the link.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`].
    pub fn check(&self, now: Timestamp, keys: &SigningKeys) -> Result<(), Problem> {
        let verified = SubjectClaims::verify(&self.token, &self.subject, now.seconds(), keys).map(drop);
        verified.map_err(|_| Problem::Request(RequestProblem::Unauthorized))
    }
}

fn track_subject(name: &str) -> String {
    format!("music:{name}")
}

/// A signed link to a music track. It is valid for as long as a link to a video.
pub fn track_link(filename: &str, base: &Url, keys: &SigningKeys, now: Timestamp) -> String {
    let (subject, expires) = (track_subject(filename), now.seconds() + vidbuilder::LINK_LIFE.0);
    let token = SignedToken::mint(&SubjectClaims { subject: &subject, expires }, keys);
    let base = base.as_str().trim_end_matches('/');
    format!("{base}/api/music-tracks/{filename}?token={}", token.expose())
}

/// Reads the file id of a video: the job's id, with `_reels` for the portrait rendition.
fn read_file_id(text: &str) -> Result<(JobId, Rendition), Problem> {
    let text = text.strip_suffix(".mp4").unwrap_or(text);
    let (id, rendition) = match text.strip_suffix("_reels") {
        Some(id) => (id, Rendition::Portrait),
        None => (text, Rendition::Landscape),
    };
    Ok((JobId::parse(id).map_err(|_| Problem::Video(VideoProblem::NotFound))?, rendition))
}

/// The answer with a job's status.
pub fn status_answer(job: &Job) -> ApiAnswer {
    ApiAnswer::json(200, &vidbuilder::status(job))
}

/// The answer about a job that the caller waited for. It has the warnings of `accepted`, the answer to a request that
/// does not wait.
///
/// # Errors
/// [`VideoProblem::Failed`].
pub fn finished_answer(job: &Job, accepted: &str) -> Result<ApiAnswer, Problem> {
    match job.status {
        Status::Completed => {
            let mut body = vidbuilder::finished(job);
            let accepted: Value = serde_json::from_str(accepted).unwrap_or_default();
            if let Some(warnings) = accepted.get("warnings") {
                body["warnings"] = warnings.clone();
            }
            Ok(ApiAnswer::json(200, &body))
        }
        Status::Failed | Status::Cancelled | Status::Pending | Status::Processing | Status::Rendering => {
            let view = vidbuilder::status(job);
            let error = view["error"].as_str().unwrap_or_default().to_owned();
            Err(Problem::Video(VideoProblem::Failed(job.id.to_string(), error)))
        }
    }
}

/// The answer with the link for an upload.
pub fn upload_answer(upload: &Upload, url: &str, now: Timestamp) -> ApiAnswer {
    let body = json!({
        "success": true,
        "key": upload.key,
        "uploadUrl": url,
        "method": "PUT",
        "headers": { "Content-Type": upload.content_type, "Content-Length": upload.bytes.to_string() },
        "expiresAt": now.after(UPLOAD_LIFE).to_string(),
    });
    ApiAnswer::json(201, &body)
}

/// The redirect to a video.
pub fn download_answer(url: &str) -> ApiAnswer {
    ApiAnswer::text(302, String::new()).header("location", url).header("cache-control", "no-store")
}

/// The answer with the list of videos.
pub fn list_answer(listed: &Listed) -> ApiAnswer {
    let videos: Vec<Value> = listed.jobs.iter().filter_map(vidbuilder::listed).collect();
    let mut body = json!({ "count": videos.len(), "videos": videos });
    if let Some(next) = &listed.next {
        body["nextCursor"] = json!(write_cursor(next));
    }
    ApiAnswer::json(200, &body)
}

/// The answer about a deleted video.
pub fn deleted_answer(id: &JobId) -> ApiAnswer {
    let message = "Video deleted successfully";
    ApiAnswer::json(200, &json!({ "success": true, "message": message, "jobId": id.as_str() }))
}

/// The answer with the number of running and waiting jobs.
pub fn queue_answer(status: &QueueStatus, waiting: &[JobId], most: usize) -> ApiAnswer {
    let body = json!({
        "activeRenders": status.active.len(),
        "maxConcurrent": most,
        "queueLength": status.counts.pending,
        "availableSlots": most.saturating_sub(status.running),
        "queuedJobs": waiting.iter().map(JobId::as_str).collect::<Vec<_>>(),
    });
    ApiAnswer::json(200, &body)
}

/// The answer with the music tracks: id, name, file name and a link of each.
pub fn tracks_answer<'a>(
    tracks: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
    base: &Url,
    keys: &SigningKeys,
    now: Timestamp,
) -> ApiAnswer {
    let tracks: Vec<Value> = tracks
        .map(|(id, name, filename)| {
            json!({ "id": id, "name": name, "filename": filename, "url": track_link(filename, base, keys, now) })
        })
        .collect();
    ApiAnswer::json(200, &json!({ "tracks": tracks }))
}
