//! Reads one webhook within limits, and says why other requests are rejected.

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use tokio::time::{Instant, timeout_at};

/// Maximum bytes of a body.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// Maximum bytes of the request line and the headers, and of the trailers.
pub const HEAD_LIMIT: usize = 32 * 1024;

/// A POST request.
#[derive(Debug)]
pub struct Request {
    /// Path and query.
    pub path: String,
    /// The body's raw bytes.
    pub body: Bytes,
    /// Headers, names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    /// All headers.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The first header of this name; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }
}

/// Why a request is rejected.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// HTTP status.
    pub status: u16,
    /// The reason, for the terminal.
    pub reason: String,
}

/// Reads a webhook whose head has arrived; none for GET /, for example of a browser.
///
/// # Errors
/// Returns status and reason of the rejection.
pub async fn read(request: hyper::Request<Incoming>, deadline: Instant) -> Result<Option<Request>, Rejection> {
    let (head, body) = request.into_parts();
    let path = head.uri.to_string();
    match (head.method.as_str(), path.as_str()) {
        ("POST", _) => {}
        ("GET", "/") => return Ok(None),
        (method, _) => return Err(rejected(405, format!("{method} {path}: webhooks are sent by POST"))),
    }
    // Only reading asks a sender with `Expect: 100-continue` for the body.
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large());
    }
    let body = match timeout_at(deadline, Limited::new(body, BODY_LIMIT).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large()),
        Ok(Err(error)) => {
            let error = anyhow::Error::from_boxed(error);
            return Err(rejected(400, format!("the body can't be read: {}", error.root_cause())));
        }
        Err(_) => return Err(rejected(408, "the request was not complete in time")),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    Ok(Some(Request { path, body, headers }))
}

/// What was wrong with a head, and how the server reacted; none if the connection failed for another reason.
pub fn head_problem(error: &hyper::Error) -> Option<String> {
    if error.is_parse_too_large() {
        Some("rejected with 431: the headers must not exceed 32 KiB or 100 lines".to_owned())
    } else if error.is_parse() {
        Some(format!("rejected with 400: not HTTP/1.1: {error}"))
    } else if error.is_timeout() {
        Some("closed the connection: the headers were not complete in time".to_owned())
    } else if error.is_incomplete_message() {
        Some("the sender closed the connection before the end of the headers".to_owned())
    } else {
        None
    }
}

fn rejected(status: u16, reason: impl Into<String>) -> Rejection {
    Rejection { status, reason: reason.into() }
}

fn too_large() -> Rejection {
    rejected(413, "the body must not exceed 1 MiB")
}
