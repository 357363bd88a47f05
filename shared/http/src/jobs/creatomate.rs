//! POST /api/webhooks/creatomate: authenticates and reads render callbacks, and builds the answers
//! (docs/contract/renders.md, Callbacks).

use reelhook_app::jobs::renders::{Callback, CallbackAuth, Received};
use reelhook_app::views::wire::{JobIdText, No, RenderIdText, Yes};
use reelhook_domain::{Job, RenderId};
use reelhook_signing::{SigningKeys, same_secret};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::jobs::render::RENDER_ID;
use crate::jobs::step::{Reporter, run_of};
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;
use crate::typed::fields::LenientText;

/// The message of a callback that was processed.
const PROCESSED: &str = "Creatomate webhook processed successfully";

/// Creatomate's render object; other members are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["status"], "anyOf" = [{ "required": ["id"] }, { "required": ["render_id"] }]))]
pub struct RenderCallback {
    /// The id of the render.
    #[serde(default)]
    #[schemars(with = "RenderIdText")]
    id: LenientText,
    /// The id of the render, instead of `id`.
    #[serde(default)]
    #[schemars(with = "RenderIdText")]
    render_id: LenientText,
    /// `planned`, `waiting`, `transcribing`, `rendering`, `succeeded`, `failed` or `cancelled`; another status is only
    /// shown.
    #[serde(default)]
    #[schemars(with = "String", length(min = 1))]
    status: LenientText,
    /// The URL of the video: http or https; only used with `succeeded`.
    #[serde(default)]
    url: LenientText,
    /// Why it failed.
    #[serde(default)]
    error_message: LenientText,
    /// Why it failed, instead of `error_message`.
    #[serde(default)]
    error: LenientText,
}

/// The callback was processed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RenderTaken<'a> {
    success: Yes,
    /// A sentence.
    #[schemars(extend("const" = PROCESSED))]
    message: &'static str,
    /// The job.
    #[schemars(with = "JobIdText")]
    job_id: &'a str,
    /// The status that was reported, at most 64 bytes of it.
    status: &'a str,
}

/// The callback counts as a hint. The answer does not reveal whether a job waits for the render.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RenderHintTaken<'a> {
    success: Yes,
    /// A sentence.
    #[schemars(extend("const" = PROCESSED))]
    message: &'static str,
    /// The status that was reported, at most 64 bytes of it.
    status: &'a str,
}

/// The callback is about the render of an earlier run; it changed nothing.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RenderIgnored<'a> {
    success: No,
    /// A sentence.
    message: &'static str,
    /// Why it was ignored.
    #[schemars(extend("const" = "stale_attempt"))]
    reason: &'static str,
    /// The job.
    #[schemars(with = "JobIdText")]
    job_id: &'a str,
}

/// The answers to a callback with a token.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum RenderAnswer<'a> {
    /// It was processed.
    Taken(RenderTaken<'a>),
    /// It was ignored.
    Ignored(RenderIgnored<'a>),
}

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
    let given: RenderCallback = request.callback_body()?;
    let id = given.id.text().or(given.render_id.text()).filter(|id| !id.is_empty());
    let render = RenderId::parse(id.ok_or(Problem::Job(JobProblem::RenderIdMissing))?);
    let render = render.map_err(|_| bad("id", RENDER_ID))?;
    let status = given.status.filled().ok_or(Problem::Job(JobProblem::RenderStatusMissing))?;
    let error = given.error_message.filled().or(given.error.filled());
    Ok((render, Callback::new(status, given.url.filled(), error)))
}

/// The answer.
///
/// # Errors
/// [`JobProblem::RenderUnknown`] for an authenticated callback about a render that belongs to no job.
pub fn answer(received: &Received, render: &RenderId, callback: &Callback) -> Result<ApiAnswer, Problem> {
    let status = callback.status.as_str();
    Ok(match received {
        Received::Reached(job) => ApiAnswer::json(200, &RenderAnswer::Taken(taken(job, status))),
        // The answer to a caller without a token must not reveal whether a job waits for the render.
        Received::Hinted(_) => ApiAnswer::json(200, &RenderHintTaken { success: Yes, message: PROCESSED, status }),
        Received::Stale(job) => ApiAnswer::json(200, &RenderAnswer::Ignored(stale(job))),
        Received::Unknown => return Err(Problem::Job(JobProblem::RenderUnknown(render.to_string()))),
    })
}

fn taken<'a>(job: &'a Job, status: &'a str) -> RenderTaken<'a> {
    RenderTaken { success: Yes, message: PROCESSED, job_id: job.id.as_str(), status }
}

fn stale(job: &Job) -> RenderIgnored<'_> {
    let message = "Render of an earlier attempt ignored";
    RenderIgnored { success: No, message, reason: "stale_attempt", job_id: job.id.as_str() }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::JobId;
    use reelhook_testkit::{NOON, make_job, policy};
    use serde_json::{Value, json};

    use super::*;
    use crate::request::posting;

    fn parsed(body: &Value) -> Result<(RenderId, Callback), Problem> {
        read(&posting("/api/webhooks/creatomate", body))
    }

    #[test]
    fn a_render_object_is_read_leniently() {
        let id = |body: &Value| parsed(body).map(|(render, _)| render.to_string());
        assert_eq!(id(&json!({ "id": "r1", "render_id": "r2", "status": "failed" })).as_deref(), Ok("r1"));
        assert_eq!(id(&json!({ "id": 7, "render_id": "r2", "status": "failed" })).as_deref(), Ok("r2"));
        for missing in [json!({}), json!({ "id": "", "render_id": "r2" }), json!({ "id": null, "render_id": [] })] {
            assert_eq!(parsed(&missing), Err(Problem::Job(JobProblem::RenderIdMissing)), "{missing}");
        }
        for status in [Value::Null, json!(""), json!(1), json!({ "name": "failed" })] {
            let body = json!({ "id": "r1", "status": status });
            assert_eq!(parsed(&body), Err(Problem::Job(JobProblem::RenderStatusMissing)), "{body}");
        }
        let body = json!({
            "id": "r1", "status": "failed", "url": 1, "error_message": "", "error": "no", "metadata": { "a": [1.5] },
        });
        assert_eq!(parsed(&body).map(|(_, callback)| callback), Ok(Callback::new("failed", None, Some("no"))));
        let (_, callback) = parsed(&body).unwrap();
        assert_eq!(Some(callback), Callback::read(&body), "as in an answer of Creatomate");
        let wrong = parsed(&json!({ "id": "a b", "status": "failed" })).unwrap_err();
        assert_eq!(wrong.parts().2, format!("`id` must be {RENDER_ID}"));
    }

    #[test]
    fn each_outcome_has_its_answer() {
        let (render, callback) = parsed(&json!({ "id": "r1", "status": "planned" })).unwrap();
        let job = Box::new(make_job(1, NOON, &policy()));
        for (received, expected) in [
            (
                Received::Reached(job.clone()),
                r#"{"success":true,"message":"Creatomate webhook processed successfully","job_id":"job_1704110400000_0001","status":"planned"}"#,
            ),
            (
                Received::Hinted(None),
                r#"{"success":true,"message":"Creatomate webhook processed successfully","status":"planned"}"#,
            ),
            (
                Received::Stale(job),
                r#"{"success":false,"message":"Render of an earlier attempt ignored","reason":"stale_attempt","job_id":"job_1704110400000_0001"}"#,
            ),
        ] {
            assert_eq!(answer(&received, &render, &callback).unwrap().body, expected);
        }
    }

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
