//! The callback of a render, parsed from Creatomate's render object.

use reelhook_domain::{JobId, RenderState, RenderStatus, WebUrl, cut};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The maximum size of a render's status, in bytes.
const STATUS_LIMIT: usize = 64;
/// The maximum size of a render's error, in bytes.
const ERROR_LIMIT: usize = 4096;

/// The callback of a render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// The name of the status at Creatomate.
    pub status: String,
    /// The video; only valid on success.
    #[serde(default, deserialize_with = "stored_url", skip_serializing_if = "Option::is_none")]
    pub url: Option<WebUrl>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run whose token authenticated the callback; the callback applies to no other run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
}

/// Reads a stored URL. A text that is not a URL must not make its callback unreadable.
fn stored_url<'de, D: Deserializer<'de>>(stored: D) -> Result<Option<WebUrl>, D::Error> {
    let Some(text) = Option::<String>::deserialize(stored)? else { return Ok(None) };
    let url = WebUrl::try_from(text);
    if let Err(error) = &url {
        tracing::warn!(%error, "ignored the URL of a stored render callback");
    }
    Ok(url.ok())
}

/// One attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The job.
    pub job_id: JobId,
    /// Its attempt.
    pub attempt: u32,
}

impl Callback {
    /// Parses a render object. Its error is `error_message` or else `error`; none without a status.
    pub fn read(render: &Value) -> Option<Self> {
        let text = |name: &str| render[name].as_str().filter(|text| !text.is_empty());
        Some(Self::new(text("status")?, text("url"), text("error_message").or_else(|| text("error"))))
    }

    /// A callback with these texts, cut to the sizes that are stored; a URL that is not http or https is dropped.
    pub fn new(status: &str, url: Option<&str>, error: Option<&str>) -> Self {
        Self {
            status: cut(status, STATUS_LIMIT).to_owned(),
            url: url.and_then(WebUrl::parse),
            error: error.map(|error| cut(error, ERROR_LIMIT).to_owned()),
            run: None,
        }
    }

    /// Whether it reports the end of the render.
    pub fn is_final(&self) -> bool {
        matches!(self.state().status, RenderStatus::Succeeded | RenderStatus::Failed)
    }

    /// The state of the render.
    pub fn state(&self) -> RenderState {
        let status = match self.status.as_str() {
            "planned" => RenderStatus::Planned,
            "waiting" => RenderStatus::Waiting,
            "transcribing" => RenderStatus::Transcribing,
            "rendering" => RenderStatus::Rendering,
            "succeeded" => RenderStatus::Succeeded,
            "failed" | "cancelled" => RenderStatus::Failed,
            other => RenderStatus::Other(other.to_owned()),
        };
        let error = self.error.clone().or_else(|| (status == RenderStatus::Failed).then(|| FAILED.to_owned()));
        RenderState { status, url: self.url.clone(), error }
    }
}

/// The error of a failed render for which Creatomate gave no reason.
const FAILED: &str = "Creatomate render failed";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_error_fields_of_a_callback_are_read() {
        let seed = Callback::read(&json!({ "id": "r", "status": "failed", "error": "no", "data": {} })).unwrap();
        assert_eq!((seed.state().status, seed.error.as_deref()), (RenderStatus::Failed, Some("no")));
        let real = Callback::read(&json!({ "status": "failed", "error_message": "why", "error": "x" })).unwrap();
        assert_eq!(real.error.as_deref(), Some("why"));
        let evil = Callback::read(&json!({ "status": "succeeded", "url": "javascript:alert(1)" })).unwrap();
        assert_eq!(evil.url, None);
        assert_eq!(Callback::read(&json!({ "url": "https://x" })), None);
    }

    #[test]
    fn the_texts_of_a_callback_are_cut_to_the_stored_sizes() {
        for text in ["a", "é", "🎬", "\0"] {
            let long = text.repeat(900_000);
            let render = json!({ "status": long, "url": format!("https://a.example/{long}"), "error": long });
            let callback = Callback::read(&render).unwrap();
            let error = callback.error.as_deref().unwrap();
            assert!((4093..=4096).contains(&error.len()) && long.starts_with(error), "{text:?}: {}", error.len());
            assert!((61..=64).contains(&callback.status.len()), "{text:?}: {}", callback.status.len());
            assert_eq!(callback.url, None, "a URL that is too long is dropped, since its start is another URL");
            let failed = json!({ "status": "failed", "error_message": long, "error": "short" });
            assert_eq!(Callback::read(&failed).unwrap().error.as_deref(), Some(error));
        }
    }
}
