//! Files of clip jobs, and uploads: the paths of signed links.

use reelhook_app::clips::files::key;
use reelhook_app::files::links::{ENCODED, encoded_key, is_name, subject};
use reelhook_app::videos::uploads;
use reelhook_domain::{ClipJobId, Timestamp};
use reelhook_signing::{SigningKeys, SubjectClaims};

use crate::clips::problem::ClipProblem;
use crate::problem::{Problem, RequestProblem};
use crate::request::ApiRequest;

/// The longest last segment of a path, in bytes: that of an encoded key.
const SEGMENT_LIMIT: usize = 1400;

/// A request for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRoute {
    /// The key of the object in the bucket.
    pub key: String,
    /// The job that has the file. Other files have only signed links for people, and operators may read them.
    pub job: Option<ClipJobId>,
}

impl FileRoute {
    /// Reads the route; none if the path is not that of a file.
    ///
    /// # Errors
    /// [`ClipProblem::FileNotFound`] if no file has such a path.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        let segments = request.segments();
        let ("GET", ["api", "v1", "files", rest @ ..]) = (request.method.as_str(), &segments[..]) else {
            return Ok(None);
        };
        let found = match rest {
            ["clips", ENCODED, segment] if segment.len() <= SEGMENT_LIMIT => {
                encoded_key(segment).map(|key| Self { key, job: None })
            }
            ["clips", job, name] if is_name(name) => {
                let job = ClipJobId::parse(job).ok().filter(|id| id.as_str() == *job);
                job.map(|job| Self { key: key(&job, name), job: Some(job) })
            }
            ["uploads", name] => Some(format!("uploads/{name}"))
                .filter(|key| uploads::is_video_key(key))
                .map(|key| Self { key, job: None }),
            ["clips" | "uploads", ..] => None,
            _ => return Ok(None),
        };
        found.map(Some).ok_or(Problem::Clip(ClipProblem::FileNotFound))
    }

    /// Verifies the token of a signed link; false without a token, so that the caller needs a key.
    ///
    /// # Errors
    /// [`RequestProblem::Unauthorized`].
    pub fn check_token(&self, request: &ApiRequest, now: Timestamp, keys: &SigningKeys) -> Result<bool, Problem> {
        let Some(token) = request.query("token") else { return Ok(false) };
        let verified = SubjectClaims::verify(token, &subject(&self.key), now.seconds(), keys).is_ok();
        if verified { Ok(true) } else { Err(Problem::Request(RequestProblem::Unauthorized)) }
    }
}

#[cfg(test)]
mod tests {
    use reelhook_app::Url;
    use reelhook_app::files::links::FileLinks;

    use super::*;
    use crate::request::get_request;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);
    const JOB: &str = "clip_550e8400-e29b-41d4-a716-446655440000";

    fn read(path: &str) -> Result<Option<FileRoute>, Problem> {
        FileRoute::read(&get_request(path, &[]))
    }

    #[test]
    fn a_link_opens_its_own_file_until_it_expires() {
        let (base, keys) = (Url::parse("https://api.example").unwrap(), SigningKeys::parse("secret").unwrap());
        let links = FileLinks { base: &base, keys: &keys };
        let upload = format!("uploads/{}.mp4", "0a".repeat(16));
        for key in [format!("clips/{JOB}/0-1.mp4"), "clips/worker/clip 00.mp4".to_owned(), upload] {
            let link = links.of_key(&key, NOON);
            let (path, token) = link.strip_prefix("https://api.example").unwrap().split_once("?token=").unwrap();
            let request = get_request(path, &[("token", token)]);
            let route = FileRoute::read(&request).unwrap().unwrap();
            assert_eq!((route.key.as_str(), route.job.is_some()), (key.as_str(), key.contains(JOB)));
            assert_eq!(route.check_token(&request, NOON, &keys), Ok(true));
            let later = Timestamp(NOON.millis() + 8 * 24 * 3_600_000);
            assert!(route.check_token(&request, later, &keys).is_err());
            let other = FileRoute { key: format!("clips/{JOB}/1-0.mp4"), job: None };
            assert!(other.check_token(&request, NOON, &keys).is_err());
            assert_eq!(route.check_token(&get_request(path, &[]), NOON, &keys), Ok(false));
        }
    }

    #[test]
    fn only_paths_of_files_are_read() {
        for bad in [
            "clips",
            "clips/a",
            "clips/-/",
            "clips/-/x",
            "clips/550e8400-e29b-41d4-a716-446655440000/0-0.mp4",
            &format!("clips/{JOB}/.."),
            &format!("clips/{JOB}/a/b"),
            "uploads/0.mp4",
            "uploads/../clips/a",
        ] {
            let found = read(&format!("/api/v1/files/{bad}"));
            assert_eq!(found, Err(Problem::Clip(ClipProblem::FileNotFound)), "{bad}");
        }
        for other in ["/api/v1/files/proj_1/final/1/video.mp4", "/ai-clipping-agent/jobs"] {
            assert_eq!(read(other), Ok(None), "{other}");
        }
    }
}
