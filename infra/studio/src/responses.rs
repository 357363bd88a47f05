//! What all mock services share in requests and responses: problems, control bodies, health.

use axum::Json;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An error response: `{"error": message}`.
#[derive(Debug)]
pub(crate) struct Problem {
    pub status: StatusCode,
    pub message: String,
}

impl Problem {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

/// Parses the body of a control request; an empty body counts as `{}`.
pub(crate) fn control_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| Problem::bad_request(error.to_string()))
}

pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "studio" }))
}

pub(crate) async fn unknown_route(uri: Uri) -> Problem {
    Problem::not_found(format!("unknown route `{}`: `studio --help` lists the routes", uri.path()))
}
