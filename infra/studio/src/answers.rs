//! Answers that all stand-ins give in the same way: problems, control bodies, health.

use axum::Json;
use axum::body::Bytes;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A refusal as `{"error": sentence}`.
#[derive(Debug)]
pub(crate) struct Problem {
    pub status: StatusCode,
    pub sentence: String,
}

impl Problem {
    pub(crate) fn bad_request(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, sentence: sentence.into() }
    }

    pub(crate) fn not_found(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, sentence: sentence.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.sentence }))).into_response()
    }
}

/// Reads the body of a control request; an empty one counts as `{}`.
pub(crate) fn control_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| Problem::bad_request(error.to_string()))
}

pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "studio" }))
}

pub(crate) async fn no_such_route(uri: Uri) -> Problem {
    Problem::not_found(format!("studio has no route `{}`; `studio --help` lists them", uri.path()))
}
