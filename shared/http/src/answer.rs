//! An answer on its way to the gateway.

use lambda_http::{Body, Response};
use serde_json::Value;

/// Status, headers and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, or nothing.
    pub body: String,
    /// What is no text, instead of the body.
    pub bytes: Vec<u8>,
}

impl ApiAnswer {
    /// A JSON answer that nobody caches.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// A JSON answer that is text already.
    pub fn text(status: u16, body: String) -> Self {
        let headers = vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())];
        Self { status, headers, body, bytes: Vec::new() }
    }

    /// An answer that is no text; its type is a header of its own.
    pub fn bytes(status: u16, bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::text(status, String::new()) }
    }

    /// With one more header; it replaces one of the same name.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    /// As Lambda's response.
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
            tracing::error!(%error, "an answer had a bad header");
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}
