//! VidBuilder's routes: reads requests (docs/contract/videos.md; seed 002).

use reelhook_app::jobs::queue::{Cursor, JobFilter};
use reelhook_app::videos::films::link_subject;
use reelhook_domain::videos::film::Rendition;
use reelhook_domain::{JobId, JobKind, Status};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::jobs::queue::read_cursor;
use crate::metadata;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::routes;
use crate::typed::fields::{Whole, with_cursor};
pub use crate::videos::answers::{
    QUEUED_SHOWN, deleted_answer, download_answer, finished_answer, list_answer, queue_answer, status_answer,
    tracks_answer, upload_answer,
};
use crate::videos::links::track_subject;
pub use crate::videos::links::{Link, track_link};
use crate::videos::problem::VideoProblem;
pub use crate::videos::request::{read, read_upload};

/// The maximum number of videos in one page of the list.
const LISTED: usize = 200;

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

/// The query of GET /api/videos.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(transform = with_cursor)]
pub struct VideoListQuery {
    /// The maximum number of completed jobs that the page examines.
    #[schemars(extend("default" = LISTED))]
    limit: Option<Whole<1, { LISTED as i64 }>>,
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
                let filter = JobFilter { family, status, metadata: metadata::filter(request)?, owner: None };
                let limit = request.parameters::<VideoListQuery>()?.limit.map_or(LISTED, Whole::get);
                Ok(Self::List { filter, limit, cursor: request.cursor(read_cursor)? })
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

/// Reads the file id of a video: the job's id, with `_reels` for the portrait rendition.
fn read_file_id(text: &str) -> Result<(JobId, Rendition), Problem> {
    let text = text.strip_suffix(".mp4").unwrap_or(text);
    let (id, rendition) = match text.strip_suffix("_reels") {
        Some(id) => (id, Rendition::Portrait),
        None => (text, Rendition::Landscape),
    };
    Ok((JobId::parse(id).map_err(|_| Problem::Video(VideoProblem::NotFound))?, rendition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::get_request;

    #[test]
    fn a_wrong_parameter_of_the_list_is_named() {
        let list = |query: &[(&str, &str)]| Route::read(&get_request("/api/videos", query));
        for (given, expected) in [(None, 200), (Some(""), 200), (Some("7.0"), 7)] {
            let query: Vec<(&str, &str)> = given.map(|text| ("limit", text)).into_iter().collect();
            let Ok(Route::List { limit, cursor: None, .. }) = list(&query) else { panic!("{query:?}") };
            assert_eq!(limit, expected, "{query:?}");
        }
        for (name, value, right) in [
            ("limit", "201", "a whole number from 1 to 200"),
            ("limit", "many", "a whole number from 1 to 200"),
            ("cursor", "", "the `nextCursor` of an answer"),
            ("cursor", "%", "the `nextCursor` of an answer"),
        ] {
            let problem = list(&[(name, value)]).unwrap_err();
            assert_eq!(problem.path(), Some(name));
            assert_eq!(problem.parts().2, format!("`{name}` must be {right}"));
        }
    }
}
