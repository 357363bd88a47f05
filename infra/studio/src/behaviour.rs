//! How a webhook receiver responds: correctly, late, with errors, partially, endlessly or not at all.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use reelhook_faults::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

const CHUNK: &[u8] = &[b'x'; 8 * 1024];

/// The settings of one receiver; by default it responds with 200 at once.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Behaviour {
    /// Status of the response.
    pub answer: Option<u16>,
    /// Value of the Retry-After header, in seconds.
    pub retry_after: Option<u64>,
    /// The settings apply to this many deliveries; later ones get 200.
    pub times: Option<u64>,
    /// Delay before the response.
    pub delay_ms: u64,
    /// Stops within the response and keeps the connection open.
    pub stall: Option<Stall>,
    /// Reads the request and never responds.
    pub never: bool,
    /// Closes the connection without a response.
    pub close: bool,
    /// Responds with a body that never ends.
    pub endless: bool,
    /// The body: a string is sent as it is, anything else as JSON.
    pub body: Option<Value>,
    /// Additional headers, for example a Location.
    pub headers: Map<String, Value>,
}

/// Where a response stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stall {
    /// After the status line.
    Head,
    /// Within the body.
    Body,
}

impl Behaviour {
    /// # Errors
    /// Names the unknown member, the wrong type or the value out of range.
    pub(crate) fn parse(settings: Value) -> Result<Self, String> {
        let behaviour: Self = serde_json::from_value(settings).map_err(|error| error.to_string())?;
        if let Some(status) = behaviour.answer
            && !(200..600).contains(&status)
        {
            return Err(format!("`answer` must be a status from 200 to 599 (got {status})"));
        }
        behaviour.header_pairs()?;
        Ok(behaviour)
    }

    /// The status that the sender receives; none if the headers are never complete.
    pub(crate) fn status(&self) -> Option<u16> {
        if self.never || self.close || self.stall == Some(Stall::Head) {
            return None;
        }
        Some(self.answer.unwrap_or(200))
    }

    pub(crate) async fn respond(self, connection: Connection) -> Response {
        tokio::time::sleep(Duration::from_millis(self.delay_ms)).await;
        if self.never {
            return std::future::pending().await;
        }
        if self.close {
            connection.close();
        }
        if self.stall == Some(Stall::Head) {
            connection.stall_head();
        }
        let mut response = self.body();
        let status = self.answer.and_then(|status| StatusCode::from_u16(status).ok());
        *response.status_mut() = status.unwrap_or(StatusCode::OK);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        // Checked when the settings were set.
        headers.extend(self.header_pairs().unwrap_or_default());
        response
    }

    fn body(&self) -> Response {
        if self.endless {
            let chunks = stream::repeat(Ok::<_, Infallible>(Bytes::from_static(CHUNK)));
            return Body::from_stream(chunks).into_response();
        }
        if self.stall == Some(Stall::Body) {
            let beginning = Ok::<_, Infallible>(Bytes::from_static(b"{\"received\":"));
            let body = stream::iter([beginning]).chain(stream::pending());
            let length = [(header::CONTENT_LENGTH, "1000")];
            return (length, Body::from_stream(body)).into_response();
        }
        match &self.body {
            Some(Value::String(text)) => text.clone().into_response(),
            Some(value) => Json(value).into_response(),
            None if self.answer == Some(204) => Body::empty().into_response(),
            None => Json(json!({ "received": true })).into_response(),
        }
    }

    fn header_pairs(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let pair = |(name, value): (&String, &Value)| {
            let wrong = || format!("`headers` has an invalid entry `{name}`");
            let value = value.as_str().ok_or_else(wrong)?;
            let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            Ok((name.parse().map_err(|_| wrong())?, value))
        };
        self.headers.iter().map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_explained() {
        let check = |settings: Value, expected: &str| {
            let error = Behaviour::parse(settings).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(json!({"answr": 500}), "unknown field `answr`");
        check(json!({"answer": 42}), "must be a status from 200 to 599 (got 42)");
        check(json!({"stall": "tail"}), "unknown variant `tail`");
        check(json!({"headers": {"a b": "c"}}), "invalid entry `a b`");
    }
}
