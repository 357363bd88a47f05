//! POST /api/webhooks/creatomate: authenticates and reads render callbacks, and builds the answers (contract.md,
//! Renders).

use reelhook_app::jobs::renders::{Callback, CallbackAuth, Received};
use reelhook_domain::{JobId, RenderId, brief};
use reelhook_signing::{SigningKeys, same_secret};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::jobs::step::{Reporter, run_of};
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;

/// Authenticates a render callback. Without a token the callback only counts as a hint.
///
/// # Errors
/// [`RequestProblem::Unauthorized`] for a token that is not valid.
pub fn authenticate(
    request: &ApiRequest,
    tokens: &SigningKeys,
    operator: Option<&SigningKeys>,
) -> Result<CallbackAuth, Problem> {
    let Some(given) = &request.token else { return Ok(CallbackAuth::Anonymous) };
    let given = given.expose_secret();
    if operator.is_some_and(|operator| same_secret(given, operator)) {
        return Ok(CallbackAuth::Operator);
    }
    match run_of(given, tokens) {
        Some(Reporter::Run(job_id, attempt)) => Ok(CallbackAuth::Run(job_id, attempt)),
        Some(Reporter::Trusted) | None => Err(Problem::Request(RequestProblem::Unauthorized)),
    }
}

/// Reads the render object: `id` (Creatomate) or `render_id`.
///
/// # Errors
/// [`Problem`] if the id or the status is missing.
pub fn read(request: &ApiRequest) -> Result<(RenderId, Callback), Problem> {
    let body = request.callback_json()?;
    let id = body["id"].as_str().or_else(|| body["render_id"].as_str()).filter(|id| !id.is_empty());
    let id = id.ok_or(Problem::Job(JobProblem::RenderIdMissing))?;
    let render = RenderId::parse(id).map_err(|error| bad("id", error.to_string()))?;
    let callback = Callback::read(&body).ok_or(Problem::Job(JobProblem::RenderStatusMissing))?;
    Ok((render, callback))
}

/// Logs the outcome of a callback.
pub fn note(received: &Received, render: &RenderId, callback: &Callback) {
    let (job_id, outcome) = (received.job().map(JobId::as_str), received.name());
    let status = brief(&callback.status);
    tracing::info!(render_id = %render, status, job_id, outcome, "received a render callback");
}

/// The answer.
///
/// # Errors
/// [`JobProblem::RenderUnknown`] for an authenticated callback about a render that belongs to no job.
pub fn answer(received: &Received, render: &RenderId, callback: &Callback) -> Result<ApiAnswer, Problem> {
    let processed = "Creatomate webhook processed successfully";
    let body = match received {
        Received::Reached(job) => {
            json!({ "success": true, "message": processed, "job_id": job.id.as_str(), "status": callback.status })
        }
        // The answer to a caller without a token must not reveal whether a job waits for the render.
        Received::Hinted(_) => json!({ "success": true, "message": processed, "status": callback.status }),
        Received::Stale(job) => json!({
            "success": false,
            "message": "Render of an earlier attempt ignored",
            "reason": "stale_attempt",
            "job_id": job.id.as_str(),
        }),
        Received::Unknown => return Err(Problem::Job(JobProblem::RenderUnknown(render.to_string()))),
    };
    Ok(ApiAnswer::json(200, &body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::posting;

    #[test]
    fn an_id_that_would_change_a_path_is_refused() {
        for id in [".", "..", "...", "a/b", "..%2f", "a b", "?"] {
            let request = posting("/api/webhooks/creatomate", &json!({ "id": id, "status": "succeeded" }));
            assert!(read(&request).as_ref().is_err_and(|problem| problem.path() == Some("id")), "{id}");
            let path = format!("/api/status/{id}");
            let lookup = crate::jobs::render::read_render_lookup(&crate::request::get_request(&path, &[]));
            assert!(!matches!(lookup, Ok(Some(_))), "{path}");
        }
    }

    #[test]
    fn a_caller_without_a_token_learns_nothing_about_jobs() {
        let request = posting("/api/webhooks/creatomate", &json!({ "id": "render_1", "status": "succeeded" }));
        let (render, callback) = read(&request).unwrap();
        let body = |found: Option<&str>| {
            let job_id = found.map(|id| JobId::parse(id).unwrap());
            answer(&Received::Hinted(job_id), &render, &callback).unwrap()
        };
        let (known, unknown) = (body(Some("job_1_a")), body(None));
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
        assert!(
            answer(&Received::Unknown, &render, &callback).is_err(),
            "an authenticated caller learns that the render is unknown"
        );
    }
}
