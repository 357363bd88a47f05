//! Server-sent events (HTML Standard, 9.2): the parts of a stream, and the requests of viewers.

use std::time::Duration;

use reelhook_app::live::subjects::state_path;
use reelhook_app::watch::{Cursor, LiveEvent};
use reelhook_domain::{ClipJobId, JobId, ProjectId, Subject};
use serde_json::Value;

use crate::answer::ApiAnswer;
use crate::clips::problem::ClipProblem;
use crate::clips::{below, routes};
use crate::jobs::problem::JobProblem;
use crate::problem::Problem;
use crate::projects::problem::ProjectProblem;
use crate::request::ApiRequest;

/// The routes of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// GET /api/job/{id}/stream
    Job {
        /// The job.
        id: JobId,
        /// The last event that the viewer has seen, by its Last-Event-ID.
        last: Option<Cursor>,
        /// What the viewer has received, by its cookie.
        received: Option<Received>,
    },
    /// GET /api/v1/projects/{id}/stream
    Project {
        /// The project.
        id: ProjectId,
        /// The last event that the viewer has seen, by its Last-Event-ID.
        last: Option<Cursor>,
        /// What the viewer has received, by its cookie.
        received: Option<Received>,
    },
    /// GET /ai-clipping-agent/jobs/{id}/stream
    Clips {
        /// The clip job.
        id: ClipJobId,
        /// Whether the path begins with /api.
        is_below_api: bool,
        /// The last event that the viewer has seen, by its Last-Event-ID.
        last: Option<Cursor>,
        /// What the viewer has received, by its cookie.
        received: Option<Received>,
    },
    /// GET /api/queue/status/stream
    Queue {
        /// The id of the numbers that the viewer has seen, by its Last-Event-ID.
        last: Option<String>,
        /// The id of the numbers that the viewer has received, by its cookie.
        received: Option<String>,
    },
}

/// What a viewer of a job, a project or a clip job has received, by its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// All events up to this one.
    Seen(Cursor),
    /// The answer that the job or the project does not exist.
    NotFound,
}

impl Received {
    fn parse(text: &str) -> Option<Self> {
        match text {
            NOT_FOUND => Some(Self::NotFound),
            _ => Cursor::parse(text).map(Self::Seen),
        }
    }

    /// The last event, if the viewer has received one.
    pub fn cursor(self) -> Option<Cursor> {
        match self {
            Self::Seen(cursor) => Some(cursor),
            Self::NotFound => None,
        }
    }
}

impl Route {
    /// Reads the route; none if the path is not a stream. An invalid Last-Event-ID or cookie counts as missing.
    ///
    /// # Errors
    /// [`JobProblem::NotFound`], [`ProjectProblem::NotFound`] or [`ClipProblem::NotFound`] for an invalid id.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        let last = request.header("last-event-id").or_else(|| request.query("lastEventId"));
        let received = request.cookie(SEEN);
        let of_one = || received.and_then(Received::parse);
        let segments = request.segments();
        if let ("GET", Some(["jobs", id, "stream"])) = (request.method.as_str(), below(&segments)) {
            return Ok(Some(Self::Clips {
                id: routes::id(id)?,
                is_below_api: segments.first() == Some(&"api"),
                last: last.and_then(Cursor::parse),
                received: of_one(),
            }));
        }
        Ok(Some(match (request.method.as_str(), &segments[..]) {
            ("GET", ["api", "job", id, "stream"]) => Self::Job {
                id: JobId::parse(id).map_err(|_| Problem::Job(JobProblem::NotFound))?,
                last: last.and_then(Cursor::parse),
                received: of_one(),
            },
            ("GET", ["api", "v1", "projects", id, "stream"]) => Self::Project {
                id: ProjectId::parse(id).map_err(|_| Problem::Project(ProjectProblem::NotFound))?,
                last: last.and_then(Cursor::parse),
                received: of_one(),
            },
            ("GET", ["api", "queue", "status", "stream"]) => {
                Self::Queue { last: last.map(str::to_owned), received: received.map(str::to_owned) }
            }
            _ => return Ok(None),
        }))
    }

    /// The job, the project or the clip job that the stream follows; none for the queue.
    pub fn of(&self) -> Option<Subject> {
        match self {
            Self::Job { id, .. } => Some(Subject::Job(id.clone())),
            Self::Project { id, .. } => Some(Subject::Project(id.clone())),
            Self::Clips { id, .. } => Some(Subject::Clips(id.clone())),
            Self::Queue { .. } => None,
        }
    }

    /// Whether the viewer has received, by its cookie, that what it wants to follow does not exist.
    pub fn has_received_not_found(&self) -> bool {
        match self {
            Self::Job { received, .. } | Self::Project { received, .. } | Self::Clips { received, .. } => {
                *received == Some(Received::NotFound)
            }
            Self::Queue { .. } => false,
        }
    }

    /// The subject that a stream token must name.
    pub fn subject(&self) -> String {
        self.of().and_then(|of| token_subject(&of)).unwrap_or_else(|| QUEUE_SUBJECT.to_owned())
    }

    /// The answer that what the viewer wants to follow does not exist. All streams have errors of one form.
    pub fn not_found(&self, request: &ApiRequest) -> ApiAnswer {
        let problem = match self {
            Self::Job { .. } | Self::Queue { .. } => Problem::Job(JobProblem::NotFound),
            Self::Project { .. } => Problem::Project(ProjectProblem::NotFound),
            Self::Clips { .. } => Problem::Clip(ClipProblem::NotFound),
        };
        problem.streamgank(&request.request_id)
    }

    /// Stores what the viewer has received in a cookie, in case it comes back without a Last-Event-ID. The cookie is
    /// short-lived, is valid for this stream only, can't be read by scripts, and does not identify the viewer.
    pub fn note(&self, request: &ApiRequest, answer: ApiAnswer, value: &str, lasts: Duration) -> ApiAnswer {
        let of = self.of().map_or_else(|| "/api/queue/status".to_owned(), |of| state_path(&of));
        let prefix = if matches!(self, Self::Clips { is_below_api: true, .. }) { "/api" } else { "" };
        let path = format!("{prefix}{of}/stream");
        let secure = if request.header("x-forwarded-proto") == Some("https") { "; Secure" } else { "" };
        let seconds = lasts.as_secs();
        let cookie = format!("{SEEN}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        answer.header("set-cookie", cookie)
    }
}

/// The cookie's name.
const SEEN: &str = "seen";

/// Its value for a job or a project that does not exist.
pub const NOT_FOUND: &str = "not-found";

/// The lifetime of a cursor in the cookie: long enough for the page to come back, too short for a page that is loaded
/// again much later.
pub const SHORT_COOKIE_LIFE: Duration = Duration::from_secs(30);

/// The lifetime of the cookie for a job that has ended or does not exist: longer than the `retry` that the page gets.
pub const IDLE_COOKIE_LIFE: Duration = Duration::from_secs(300);

/// The subject of tokens for the queue's stream.
pub const QUEUE_SUBJECT: &str = "queue";

/// The subject of tokens for the stream of a job, a project or a clip job; nothing else has a stream of its own.
pub fn token_subject(of: &Subject) -> Option<String> {
    let kind = match of {
        Subject::Job(_) => "job",
        Subject::Project(_) => "project",
        Subject::Clips(_) => "clips",
        Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_) => return None,
    };
    Some(format!("{kind}:{}", of.client_id()))
}

/// What a token with this subject is for: a job, a project or a clip job.
pub fn of_token_subject(text: &str) -> Option<Subject> {
    match text.split_once(':')? {
        ("job", id) => JobId::parse(id).ok().map(Subject::Job),
        ("project", id) => ProjectId::parse(id).ok().map(Subject::Project),
        ("clips", id) => ClipJobId::parse(id).ok().map(Subject::Clips),
        _ => None,
    }
}

/// The time after which a viewer reconnects, in milliseconds.
pub fn retry(ms: u32) -> String {
    format!("retry: {ms}\n\n")
}

/// A viewer's position without an event: the viewer reconnects with this id.
pub fn cursor(cursor: &Cursor) -> String {
    format!("id: {cursor}\n\n")
}

/// An event of a job or a project.
pub fn seen(event: &LiveEvent) -> String {
    format!("id: {}\ndata: {}\n\n", event.id, event.data)
}

/// An event without an id.
pub fn unnumbered(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A named event, with its id if it has one.
pub fn named(name: &str, id: Option<&str>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use lambda_http::{Body, Request, RequestExt};

    use super::*;

    const JOB: &str = "/api/job/job_1/stream";
    const QUEUE: &str = "/api/queue/status/stream";

    fn viewing(path: &str, headers: &[(&'static str, &str)]) -> ApiRequest {
        let mut request = Request::new(Body::Empty).with_raw_http_path(path);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        ApiRequest::of(request)
    }

    fn read(path: &str, headers: &[(&'static str, &str)]) -> Route {
        Route::read(&viewing(path, headers)).unwrap().unwrap()
    }

    #[test]
    fn a_position_comes_from_the_header_or_the_cookie() {
        let check = |headers: &[(&'static str, &str)], said: Option<&str>, seen: Option<Received>| {
            let Route::Job { last, received, .. } = read(JOB, headers) else { panic!("{JOB} is a job's") };
            assert_eq!((last, received), (said.and_then(Cursor::parse), seen), "{headers:?}");
        };
        let at = |text: &str| Cursor::parse(text).map(Received::Seen);
        check(&[], None, None);
        check(&[("last-event-id", "4.1")], Some("4.1"), None);
        check(&[("cookie", "seen=7")], None, at("7"));
        check(&[("cookie", "a=b; seen=7.2; c=d"), ("last-event-id", "9")], Some("9"), at("7.2"));
        check(&[("cookie", "seen=not-found")], None, Some(Received::NotFound));
        for bad in ["seen=", "seen=x", "seen=1.x", "seen=-1", "seen=99999999999999999999", "theme=12"] {
            check(&[("cookie", bad)], None, None);
        }
        let queue = Route::Queue { last: None, received: Some("0f3c".to_owned()) };
        assert_eq!(read(QUEUE, &[("cookie", "seen=0f3c")]), queue);
    }

    #[test]
    fn the_cookie_goes_only_to_its_stream_and_comes_back() {
        let check = |path: &str, value: &str, proto: &'static str, end: &str| {
            let request = viewing(path, &[("x-forwarded-proto", proto)]);
            let route = Route::read(&request).unwrap().unwrap();
            let answer = route.note(&request, ApiAnswer::text(200, String::new()), value, SHORT_COOKIE_LIFE);
            let (_, cookie) = answer.headers.iter().find(|(name, _)| *name == "set-cookie").unwrap();
            assert_eq!(*cookie, format!("seen={value}; Path={path}; Max-Age=30; HttpOnly; SameSite=Strict{end}"));
            let (pair, _) = cookie.split_once(';').unwrap();
            read(path, &[("cookie", pair)])
        };
        let Route::Job { received, .. } = check(JOB, "12.0", "https", "; Secure") else { panic!("a job's") };
        assert_eq!(received.and_then(Received::cursor).map(|place| place.to_string()).as_deref(), Some("12.0"));
        let Route::Job { received, .. } = check(JOB, NOT_FOUND, "http", "") else { panic!("a job's") };
        assert_eq!(received, Some(Received::NotFound));
        let queue = Route::Queue { last: None, received: Some("0f3c".to_owned()) };
        assert_eq!(check(QUEUE, "0f3c", "http", ""), queue);
        for base in ["/ai-clipping-agent", "/api/ai-clipping-agent"] {
            let path = format!("{base}/jobs/550e8400-e29b-41d4-a716-446655440000/stream");
            let Route::Clips { received, .. } = check(&path, "3", "http", "") else { panic!("a clip job's") };
            assert_eq!(received, Cursor::parse("3").map(Received::Seen));
        }
        let Route::Project { id, received, .. } = check("/api/v1/projects/proj_1/stream", "3", "http", "") else {
            panic!("a project's")
        };
        assert_eq!((id.as_str(), received), ("proj_1", Cursor::parse("3").map(Received::Seen)));
    }
}
