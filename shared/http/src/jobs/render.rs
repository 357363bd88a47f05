//! GET /api/status/{creatomateId}: a render as Creatomate reports it.

use reelhook_app::views::wire::{RenderIdText, Yes};
use reelhook_domain::RenderId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// The description of a valid render id, for errors.
pub(crate) const RENDER_ID: &str = "the id of a render: 1 to 128 letters, digits, `_`, `-` or `.`";

/// A render as Creatomate reports it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderStatus<'a> {
    success: Yes,
    /// The id of the render.
    #[schemars(with = "RenderIdText")]
    creatomate_id: &'a str,
    /// `planned`, `waiting`, `transcribing`, `rendering`, `succeeded`, `failed` or `cancelled`.
    status: &'a str,
    /// The URL of the video; null unless the render succeeded.
    #[schemars(url)]
    video_url: Option<&'a str>,
    /// Creatomate's answer without `webhook_url` and `metadata`.
    #[schemars(with = "Map<String, Value>")]
    data: Value,
    /// `direct_api`.
    #[schemars(extend("const" = "direct_api"))]
    source: &'static str,
}

/// Reads the route; none for another route.
///
/// # Errors
/// [`JobProblem::RenderUnknown`] for an id that can't be a render's.
pub fn read_render_lookup(request: &ApiRequest) -> Result<Option<RenderId>, Problem> {
    match (request.method.as_str(), &request.segments()[..]) {
        ("GET", ["api", "status", render]) => {
            let unknown = |_| Problem::Job(JobProblem::RenderUnknown(render.chars().take(100).collect()));
            RenderId::parse(render).map(Some).map_err(unknown)
        }
        _ => Ok(None),
    }
}

/// The answer with a render that has a status. It omits Reelhook's callback URL and the metadata that Reelhook sent to
/// Creatomate.
pub fn render_lookup_answer(render: &RenderId, found: &Value) -> ApiAnswer {
    let mut data = found.clone();
    if let Some(data) = data.as_object_mut() {
        data.remove("webhook_url");
        data.remove("metadata");
    }
    let status = found["status"].as_str().unwrap_or_default();
    let video_url = found["url"].as_str().filter(|_| status == "succeeded");
    let creatomate_id = render.as_str();
    ApiAnswer::json(200, &RenderStatus { success: Yes, creatomate_id, status, video_url, data, source: "direct_api" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_omits_what_reelhook_sent_and_shows_the_video_of_a_success() {
        let render = RenderId::parse("r1").unwrap();
        let body = |found: Value| render_lookup_answer(&render, &found).body;
        let found = json!({
            "id": "r1", "webhook_url": "https://api.example/w/secret", "status": "succeeded",
            "url": "https://cdn.example/v.mp4", "metadata": "job_1",
        });
        let expected = r#"{"success":true,"creatomateId":"r1","status":"succeeded","videoUrl":"https://cdn.example/v.mp4","data":{"id":"r1","status":"succeeded","url":"https://cdn.example/v.mp4"},"source":"direct_api"}"#;
        // What is removed may change the order of the rest.
        let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(parsed(&body(found)), parsed(expected));
        let expected = r#"{"success":true,"creatomateId":"r1","status":"failed","videoUrl":null,"data":{"status":"failed","url":"https://cdn.example/v.mp4"},"source":"direct_api"}"#;
        assert_eq!(body(json!({ "status": "failed", "url": "https://cdn.example/v.mp4" })), expected);
    }
}
