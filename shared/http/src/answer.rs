//! An HTTP answer, independent of the gateway's type.

pub mod service;

use lambda_http::{Body, Response};
use serde::Serialize;

/// Status, headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, with lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// The body as text; empty if there is none.
    pub body: String,
    /// The body as binary data, instead of text; empty if there is none.
    pub bytes: Vec<u8>,
}

impl ApiAnswer {
    /// A JSON answer that is not cached.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self::text(status, serde_json::to_string(body).expect("the members of an answer have names"))
    }

    /// A JSON answer whose body is serialized already.
    pub fn text(status: u16, body: String) -> Self {
        let headers = vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
        Self { status, headers, body, bytes: Vec::new() }
    }

    /// A binary answer; the caller sets its content type by [`Self::header`].
    pub fn bytes(status: u16, bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::text(status, String::new()) }
    }

    /// Adds a header; it replaces a header of the same name.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    /// The answer to HEAD: status and headers, with the length of the omitted body (RFC 9110, 9.3.2).
    pub fn without_body(self) -> Self {
        let length = if self.bytes.is_empty() { self.body.len() } else { self.bytes.len() };
        let is_stream =
            |(name, value): &(&str, String)| *name == "content-type" && value.starts_with("text/event-stream");
        let has_length = !matches!(self.status, 204 | 304) && !self.headers.iter().any(is_stream);
        let head = Self { body: String::new(), bytes: Vec::new(), ..self };
        if has_length { head.header("content-length", length.to_string()) } else { head }
    }

    /// Converts the answer to Lambda's response.
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = match (self.bytes.is_empty(), self.body.is_empty()) {
            (false, _) => Body::Binary(self.bytes),
            (true, false) => Body::Text(self.body),
            (true, true) => Body::Empty,
        };
        response.body(body).unwrap_or_else(|error| {
            tracing::error!(%error, "an answer had an invalid header");
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_head_answer_has_everything_but_the_body() {
        let length = |answer: ApiAnswer| {
            let full = answer.clone();
            let head = answer.without_body();
            assert!(head.body.is_empty() && head.bytes.is_empty());
            assert_eq!(head.status, full.status);
            let (length, headers): (Vec<_>, Vec<_>) =
                head.headers.into_iter().partition(|(name, _)| *name == "content-length");
            assert_eq!(headers, full.headers);
            length.into_iter().next().map(|(_, length)| length)
        };
        assert_eq!(length(ApiAnswer::json(200, &json!({ "a": "é" }))).as_deref(), Some("10"));
        assert_eq!(length(ApiAnswer::bytes(200, vec![0; 70_000])).as_deref(), Some("70000"));
        assert_eq!(length(ApiAnswer::text(302, String::new()).header("location", "/x")).as_deref(), Some("0"));
        assert_eq!(length(ApiAnswer::text(304, String::new()).header("etag", "\"a\"")), None);
        assert_eq!(length(ApiAnswer::text(204, String::new())), None);
        let events =
            ApiAnswer::text(200, "data: 1\n\n".to_owned()).header("content-type", "text/event-stream; charset=utf-8");
        assert_eq!(length(events), None, "the length of a stream is unknown");
    }
}
