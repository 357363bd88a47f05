//! Files of projects: the paths of signed links, and the redirect to the object.

use reelhook_app::files::links::subject;
use reelhook_app::projects::links;
use reelhook_domain::{ProjectId, SceneId, Timestamp};
use reelhook_signing::{SigningKeys, SubjectClaims};

use crate::answer::ApiAnswer;
use crate::problem::{Problem, RequestProblem};
use crate::projects::problem::ProjectProblem;
use crate::request::ApiRequest;

/// A request for a file of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRoute {
    /// The key of the object in the bucket.
    pub key: String,
    /// The project that has the file.
    pub project: ProjectId,
}

impl FileRoute {
    /// Reads the route; none if the path is not that of a file.
    ///
    /// # Errors
    /// [`ProjectProblem::FileNotFound`] if no file has such a path.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        let segments = request.segments();
        let ("GET", ["api", "v1", "files", project, name @ ..]) = (request.method.as_str(), &segments[..]) else {
            return Ok(None);
        };
        let missing = || Problem::Project(ProjectProblem::FileNotFound);
        let project = ProjectId::parse(project).map_err(|_| missing())?;
        let is_number = |text: &str| text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_file = match name {
            ["scenes", scene, attempt, file] => is_name(scene) && is_number(attempt) && is_name(file),
            ["final", generation, file] => is_number(generation) && is_name(file),
            ["prompts", file] => is_name(file.strip_suffix(".txt").unwrap_or(file)),
            _ => false,
        };
        if !is_file {
            return Err(missing());
        }
        Ok(Some(Self { key: links::key(&project, &name.join("/")), project }))
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

/// The name of a file with the hash of a long prompt in it is longer than an id.
fn is_name(text: &str) -> bool {
    text.len() <= 100
        && text.get(..text.len().min(80)).is_some_and(|start| SceneId::parse(start).is_ok())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// The redirect to an object.
pub fn redirect(url: &str) -> ApiAnswer {
    ApiAnswer::text(302, String::new()).header("location", url).header("cache-control", "no-store")
}

#[cfg(test)]
mod tests {
    use reelhook_app::Url;
    use reelhook_app::files::links::FileLinks;

    use super::*;
    use crate::request::get_request;

    const NOON: Timestamp = Timestamp(1_704_110_400_000);

    #[test]
    fn a_link_opens_its_own_file_until_it_expires() {
        let (base, keys) = (Url::parse("https://api.example").unwrap(), SigningKeys::parse("secret").unwrap());
        let links = FileLinks { base: &base, keys: &keys };
        let key = "projects/proj_1/scenes/scene_a/1/video.mp4";
        let link = links.of_key(key, NOON);
        let (path, token) = link.strip_prefix("https://api.example").unwrap().split_once("?token=").unwrap();
        let request = get_request(path, &[("token", token)]);
        let route = FileRoute::read(&request).unwrap().unwrap();
        assert_eq!(route.key, key);
        assert_eq!(route.check_token(&request, NOON, &keys), Ok(true));
        let later = Timestamp(NOON.millis() + 8 * 24 * 3_600_000);
        assert!(route.check_token(&request, later, &keys).is_err());
        let other = FileRoute { key: "projects/proj_1/scenes/scene_a/2/video.mp4".to_owned(), ..route.clone() };
        assert!(other.check_token(&request, NOON, &keys).is_err());
        assert_eq!(route.check_token(&get_request(path, &[]), NOON, &keys), Ok(false));
    }

    #[test]
    fn only_paths_of_files_are_read() {
        for good in ["final/2/video.mp4", "scenes/s/10/last.png", "prompts/scene_a-0123456789abcdef.txt"] {
            let route = FileRoute::read(&get_request(&format!("/api/v1/files/proj_1/{good}"), &[])).unwrap();
            assert_eq!(route.map(|route| route.key), Some(format!("projects/proj_1/{good}")));
        }
        for bad in
            ["", "final/2", "final/x/video.mp4", "scenes/../1/video.mp4", "scenes/s/1/..", "other/1/a", "final/1/a%2Fb"]
        {
            assert!(FileRoute::read(&get_request(&format!("/api/v1/files/proj_1/{bad}"), &[])).is_err(), "{bad}");
        }
        assert_eq!(FileRoute::read(&get_request("/api/v1/projects", &[])), Ok(None));
    }
}
