//! Server-sent events (HTML Standard, 9.2): how a stream's parts are written, and what viewers ask for.

use reelhook_app::watch::{Position, Seen};
use reelhook_domain::JobId;
use serde_json::Value;

use crate::problem::Problem;
use crate::request::ApiRequest;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// GET /api/job/{id}/stream
    Job {
        /// Which.
        id: JobId,
        /// What the viewer has seen.
        last: Option<Position>,
    },
    /// GET /api/queue/status/stream
    Queue {
        /// The id of the numbers that the viewer has seen.
        last: Option<String>,
    },
}

impl Asked {
    /// Reads the route; none where it is another's. A Last-Event-ID that is none of ours counts as missing.
    ///
    /// # Errors
    /// [`Problem::JobNotFound`] for an id that can't be one.
    pub fn read(request: &ApiRequest) -> Result<Option<Self>, Problem> {
        let last = request.header("last-event-id").or_else(|| request.query("lastEventId"));
        Ok(Some(match (request.method.as_str(), &request.segments()[..]) {
            ("GET", ["api", "job", id, "stream"]) => Self::Job {
                id: JobId::parse(id).map_err(|_| Problem::JobNotFound)?,
                last: last.and_then(Position::parse),
            },
            ("GET", ["api", "queue", "status", "stream"]) => Self::Queue { last: last.map(str::to_owned) },
            _ => return Ok(None),
        }))
    }

    /// What a stream token has to name.
    pub fn subject(&self) -> String {
        match self {
            Self::Job { id, .. } => job_subject(id),
            Self::Queue { .. } => QUEUE_SUBJECT.to_owned(),
        }
    }
}

/// The subject of tokens for the queue's stream.
pub const QUEUE_SUBJECT: &str = "queue";

/// The subject of tokens for a job's stream.
pub fn job_subject(id: &JobId) -> String {
    format!("job:{id}")
}

/// How soon a viewer comes back, in milliseconds.
pub fn retry(ms: u32) -> String {
    format!("retry: {ms}\n\n")
}

/// Tells where a viewer is, without an event: it comes back with this id.
pub fn position(position: &Position) -> String {
    format!("id: {position}\n\n")
}

/// An event of a job.
pub fn seen(event: &Seen) -> String {
    format!("id: {}\ndata: {}\n\n", event.id, event.data)
}

/// An event without an id.
pub fn unnumbered(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A named event, with an id where it has one.
pub fn named(name: &str, id: Option<&str>, data: &Value) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n")
}
