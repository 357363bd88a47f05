//! The outside services as they are configured, and what all requests to them have in common.

use std::time::Duration;

use bytes::Bytes;
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{ProjectId, RenderId, WebUrl, brief};
use reelhook_signing::{SignedToken, SigningKeys, TaskClaims};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::files::links::FileLinks;
use crate::outbound::conceal::concealed;
use crate::outbound::{Method, OutboundRequest};

/// The time limit of one request. It is well below the lease of a submission.
const DEADLINE: Duration = Duration::from_secs(20);
/// The maximum size of an answer, in bytes.
const ANSWER_LIMIT: usize = 256 * 1024;
/// The maximum size of the status of a task, in bytes: that of a callback, which has the same data.
const STATUS_LIMIT: usize = 1024 * 1024;

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

    /// The URL of a task's status that the answer to its submission `named`, where the service may be asked there: at its
    /// own origin, since the request has its key. `base` is the URL of the submission. None for the usual URL.
    pub fn status_url(&self, base: &Url, stage: Stage, id: &RenderId, named: &str) -> Option<WebUrl> {
        match base.join(named).ok() {
            Some(url) if self.has_origin_of(&url) => {
                WebUrl::parse(url.as_str()).filter(|url| **url != self.usual_status(stage, id))
            }
            other => {
                // Its path may have a token, and its query a signature.
                let origin = other.map(|url| brief(&url.origin().ascii_serialization()));
                let stage = stage.name();
                tracing::warn!(stage, task_id = %id, origin, "ignored a status_url, it is no URL of its service");
                None
            }
        }
    }

    /// The request for the status of a task, at the URL that the service named for it or else at the usual one.
    pub(super) fn status_of(&self, stage: Stage, id: &RenderId, named: Option<&WebUrl>) -> OutboundRequest {
        // The service may have been moved since it named the URL.
        let named = named.filter(|url| self.has_origin_of(url)).cloned();
        let url = named.map_or_else(|| self.usual_status(stage, id), Url::from);
        OutboundRequest { url, response_limit: STATUS_LIMIT, ..self.request(Method::Get, stage, &[]) }
    }

    /// The usual URL of a task's status; at a URL with a path of its own, this path with the id of the task.
    fn usual_status(&self, stage: Stage, id: &RenderId) -> Url {
        if has_own_path(&self.url) {
            let mut url = self.url.clone();
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push(id.as_str());
            }
            return url;
        }
        match stage {
            Stage::Video => self.at(&["tasks", id.as_str(), "status"]),
            Stage::Frame | Stage::Stitch => self.at(&["status", id.as_str()]),
        }
    }

    /// Whether a URL has the scheme, the host and the port of the service, and no user of its own.
    fn has_origin_of(&self, url: &Url) -> bool {
        url.origin() == self.url.origin() && url.username().is_empty() && url.password().is_none()
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
