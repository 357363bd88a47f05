//! GET /api/status/{creatomateId}: a render as Creatomate reports it.

use reelhook_domain::RenderId;
use serde_json::{Value, json};

use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::Problem;
use crate::request::ApiRequest;

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

/// The answer. It omits Reelhook's callback URL and the metadata that Reelhook sent to Creatomate.
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
