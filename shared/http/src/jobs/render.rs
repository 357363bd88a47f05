//! GET /api/status/{creatomateId}: a render as Creatomate itself tells of it.

use reelhook_domain::RenderId;
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// Reads the route; none where it is another's.
///
/// # Errors
/// [`Problem::RenderUnknown`] for an id that can't be one.
pub fn read_render_lookup(request: &ApiRequest) -> Result<Option<RenderId>, Problem> {
    match (request.method.as_str(), &request.segments()[..]) {
        ("GET", ["api", "status", render]) => {
            let unknown = |_| Problem::RenderUnknown(render.chars().take(100).collect());
            RenderId::parse(render).map(Some).map_err(unknown)
        }
        _ => Ok(None),
    }
}

/// The answer; our own address and what we told Creatomate about the job are left out.
pub fn render_lookup_answer(render: &RenderId, found: &Value) -> ApiAnswer {
    let mut data = found.clone();
    if let Some(data) = data.as_object_mut() {
        data.remove("webhook_url");
        data.remove("metadata");
    }
    let video = found["url"].as_str().filter(|_| found["status"] == "succeeded");
    ApiAnswer::json(
        200,
        &json!({
            "success": true,
            "creatomateId": render.as_str(),
            "status": found["status"],
            "videoUrl": video,
            "data": data,
            "source": "direct_api",
        }),
    )
}
