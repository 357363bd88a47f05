//! The outside services as they are configured, and what all requests to them have in common.

use std::time::Duration;

use bytes::Bytes;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{ProjectId, RenderId};
use reelhook_signing::{SignedToken, SigningKeys, TaskClaims};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::outbound::{Method, OutboundRequest};
use crate::projects::links::FileLinks;
use crate::projects::services::conceal::concealed;

/// The time limit of one request. It is well below the lease of a submission.
const DEADLINE: Duration = Duration::from_secs(20);
/// The maximum size of an answer, in bytes.
const ANSWER_LIMIT: usize = 256 * 1024;

/// An outside service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its URL. If this has a path of its own, the service has its own form of requests, and neither a list nor
    /// cancellations.
    pub url: Url,
    /// Its API key.
    pub key: Option<SecretString>,
}

/// The outside services, and what callbacks and links to files are made with.
#[derive(Debug, Clone)]
pub struct Services {
    /// VIDEO_GENERATION_SERVICE with TASK_API_KEY; none if our own renderers make videos.
    pub video: Option<Service>,
    /// LAST_FRAME_SERVICE_URL with LAST_FRAME_API_KEY.
    pub frame: Option<Service>,
    /// STITCH_SERVICE_URL with LAST_FRAME_API_KEY.
    pub stitch: Option<Service>,
    /// PUBLIC_BASE_URL, the base of callbacks and links.
    pub base: Url,
    /// CALLBACK_TOKEN_SECRET.
    pub tokens: SigningKeys,
}

/// The name of the webhook that a stage's service calls, in its path.
pub fn webhook(stage: Stage) -> &'static str {
    match stage {
        Stage::Video => "video-complete",
        Stage::Frame => "last-frame-complete",
        Stage::Stitch => "stitch-complete",
    }
}

/// Whether a service's URL has a path of its own.
pub fn has_own_path(url: &Url) -> bool {
    !matches!(url.path(), "" | "/")
}

/// The URL of the service that stitches: STITCH_SERVICE_URL, or else LAST_FRAME_SERVICE_URL, unless this has a path of its
/// own, which takes no stitches.
pub fn stitch_url(stitch: Option<Url>, last_frame: Option<&Url>) -> Option<Url> {
    stitch.or_else(|| last_frame.filter(|url| !has_own_path(url)).cloned())
}

impl Services {
    /// The service that makes a stage's tasks.
    pub fn of(&self, stage: Stage) -> Option<&Service> {
        match stage {
            Stage::Video => self.video.as_ref(),
            Stage::Frame => self.frame.as_ref(),
            Stage::Stitch => self.stitch.as_ref(),
        }
    }

    /// A text of a stage's service without our key and without tokens of ours, which some services repeat in their errors.
    pub fn concealed(&self, stage: Stage, text: &str) -> String {
        concealed(text, self.of(stage).and_then(|service| service.key.as_ref()))
    }

    /// The service that makes a stage's tasks, if it has the API for cancellations and lists.
    pub(super) fn with_api(&self, stage: Stage) -> Option<&Service> {
        self.of(stage).filter(|service| !has_own_path(&service.url))
    }

    pub(super) fn links(&self) -> FileLinks<'_> {
        FileLinks { base: &self.base, keys: &self.tokens }
    }

    /// The URL for the callback of a task, with the task's token.
    pub fn callback_url(&self, project: &ProjectId, task: &TaskRef) -> String {
        let claims = TaskClaims { project: project.to_string(), task: task.to_string() };
        let token = SignedToken::mint(&claims, &self.tokens);
        let base = self.base.as_str().trim_end_matches('/');
        format!("{base}/w/{}/api/webhooks/{}", token.expose(), webhook(task.stage()))
    }
}

impl Service {
    /// The URL of a path of its API. Each segment is percent-encoded; no id is `.` or `..`, which would change the path.
    fn at(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        url
    }

    /// The request for the status of a task; at a URL with a path of its own, this path with the id of the task.
    pub(super) fn status_of(&self, stage: Stage, id: &RenderId) -> OutboundRequest {
        let segments: &[&str] = match stage {
            Stage::Video => &["tasks", id.as_str(), "status"],
            Stage::Frame | Stage::Stitch => &["status", id.as_str()],
        };
        let mut request = self.request(Method::Get, stage, segments);
        if has_own_path(&self.url) {
            request.url = self.url.clone();
            if let Ok(mut path) = request.url.path_segments_mut() {
                path.pop_if_empty().push(id.as_str());
            }
        }
        request
    }

    /// The headers that authenticate us. The last-frame service reads either of two.
    fn headers(&self, stage: Stage) -> Vec<(String, String)> {
        let Some(key) = &self.key else { return Vec::new() };
        let key = key.expose_secret();
        let mut headers = vec![("x-api-key".to_owned(), key.to_owned())];
        match stage {
            Stage::Video => {}
            Stage::Frame | Stage::Stitch => headers.push(("authorization".to_owned(), format!("Bearer {key}"))),
        }
        headers
    }

    /// A request without a body to a path of its API.
    pub(super) fn request(&self, method: Method, stage: Stage, segments: &[&str]) -> OutboundRequest {
        OutboundRequest {
            method,
            url: self.at(segments),
            headers: self.headers(stage),
            body: Bytes::new(),
            deadline: DEADLINE,
            response_limit: ANSWER_LIMIT,
        }
    }
}

/// The text that names a submission at a service: `<project>.<task>`.
pub fn submission_name(project: &ProjectId, task: &TaskRef) -> String {
    format!("{project}.{task}")
}
