//! POST /api/webhooks/step-update: authenticates and reads reports of external workers, and builds the answers
//! (contract.md, Steps).

use reelhook_app::change::Changed;
use reelhook_app::views::captions::step_name;
use reelhook_domain::{Ignored, JobId, RenderId, StepStatus, StepUpdate, Timestamp, WebUrl, cut};
use reelhook_signing::{RunClaims, SigningKeys, standard, streamgank};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::access::Access;
use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::numbers::{decimal, whole};
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;

/// The maximum length of a step's error, in bytes.
const ERROR_LIMIT: usize = 4096;
/// The maximum length of the data that step 1 extracts, in bytes.
const EXTRACTED_LIMIT: usize = 16 * 1024;
/// Headers in which workers send a plain HMAC of the body.
const SIGNATURES: [&str; 2] = ["x-streamgank-signature", "x-webhook-signature"];

/// The authenticated sender of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reporter {
    /// The holder of a run's token: it may report only about this job and attempt.
    Run(JobId, u32),
    /// The holder of a signing secret or an API key: it may report about any job.
    Trusted,
}

/// The secrets and keys that authenticate reports.
pub struct Credentials<'a> {
    /// CALLBACK_TOKEN_SECRET.
    pub tokens: &'a SigningKeys,
    /// STEP_WEBHOOK_SECRET, for workers that sign.
    pub secret: Option<&'a SigningKeys>,
    /// API keys.
    pub access: &'a Access,
}

/// Authenticates a report on its raw bytes, before anything is parsed.
///
/// # Errors
/// [`RequestProblem::Unauthorized`].
pub fn reporter(request: &ApiRequest, credentials: &Credentials<'_>, now: Timestamp) -> Result<Reporter, Problem> {
    if let Some(given) = &request.token {
        return run_of(given.expose_secret(), credentials.tokens).ok_or(Problem::Request(RequestProblem::Unauthorized));
    }
    if let Some(secret) = credentials.secret {
        let plain = SIGNATURES.iter().filter_map(|name| request.header(name));
        let mut signatures = plain.map(|header| streamgank::verify_hex(&request.body, header, secret).is_ok());
        if signatures.any(|valid| valid) {
            return Ok(Reporter::Trusted);
        }
        if let (Some(id), Some(at), Some(signature)) =
            (request.header("webhook-id"), request.header("webhook-timestamp"), request.header("webhook-signature"))
            && standard::verify(id, at, signature, &request.body, secret, now.seconds()).is_ok()
        {
            return Ok(Reporter::Trusted);
        }
    }
    credentials.access.caller(request, now).map(|_| Reporter::Trusted)
}

/// The run that a token is for; none if it is for a part of a run only.
pub(crate) fn run_of(given: &str, keys: &SigningKeys) -> Option<Reporter> {
    let claims = RunClaims::verify(given, keys).ok()?.into_inner();
    if claims.part.is_some() {
        return None;
    }
    Some(Reporter::Run(JobId::parse(&claims.job_id).ok()?, claims.attempt))
}

/// A report about a step of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The job.
    pub job_id: JobId,
    /// The attempt that the token names.
    pub attempt: Option<u32>,
    /// The report.
    pub update: StepUpdate,
}

/// Reads a report.
///
/// # Errors
/// [`Problem`]; a token of another job is [`RequestProblem::Unauthorized`].
pub fn read(request: &ApiRequest, reporter: &Reporter, now: Timestamp) -> Result<Report, Problem> {
    let body = request.callback_json()?;
    let id = body["job_id"].as_str().ok_or_else(|| bad("job_id", "the id of a job"))?;
    let job_id = JobId::parse(id).map_err(|error| bad("job_id", error.to_string()))?;
    let attempt = match reporter {
        Reporter::Run(known, attempt) if *known == job_id => Some(*attempt),
        Reporter::Run(..) => return Err(Problem::Request(RequestProblem::Unauthorized)),
        Reporter::Trusted => None,
    };
    let number = whole(&body["step_number"])
        .and_then(|number| u8::try_from(number).ok())
        .filter(|number| *number <= 8)
        .ok_or_else(|| bad("step_number", "a whole number from 0 to 8"))?;
    let status = match body["status"].as_str() {
        Some("started") => StepStatus::Started,
        Some("completed") => StepStatus::Completed,
        Some("failed") => StepStatus::Failed,
        Some("creatomate_ready") => StepStatus::RenderReady,
        _ => return Err(bad("status", "one of started, completed, failed, creatomate_ready")),
    };
    let duration = match &body["duration"] {
        Value::Null => None,
        value => Some(decimal(value).ok_or_else(|| bad("duration", "a number of seconds or null"))?),
    };
    let sequence = match &body["sequence"] {
        Value::Null => now.millis(),
        value => whole(value).ok_or_else(|| bad("sequence", "a whole number"))?,
    };
    let details = &body["details"];
    let short = |value: &Value, most: usize| value.as_str().map(|text| text.chars().take(most).collect::<String>());
    let name = short(&body["step_name"], 100).unwrap_or_else(|| step_name(number).to_owned());
    let render_id = match details["creatomate_id"].as_str().filter(|id| !id.is_empty()) {
        Some(id) => Some(RenderId::parse(id).map_err(|error| bad("details.creatomate_id", error.to_string()))?),
        None => None,
    };
    let video_url = match details["video_url"].as_str().filter(|url| !url.is_empty()) {
        Some(url) => Some(WebUrl::parse(url).ok_or_else(|| bad("details.video_url", "an http or https URL"))?),
        None => None,
    };
    let update = StepUpdate {
        number,
        workflow_failed: name == "Workflow Failed",
        name,
        status,
        key: short(&body["step_key"], 64),
        stage: short(&body["workflow_stage"], 64),
        sequence,
        duration,
        details: (!details.is_null()).then(|| details.clone()),
        render_id,
        video_url,
        extracted: extracted(details).filter(|_| number == 1),
        error: [&details["error"], &body["error"]]
            .into_iter()
            .find_map(|error| Some(cut(error.as_str()?, ERROR_LIMIT).to_owned())),
    };
    Ok(Report { job_id, attempt, update })
}

/// The movies that step 1 extracted, as text.
fn extracted(details: &Value) -> Option<String> {
    let text = match [&details["extracted_movies"], &details["extractedMovies"], &details["movies"]]
        .into_iter()
        .find(|value| !value.is_null())?
    {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(cut(&text, EXTRACTED_LIMIT).to_owned())
}

/// The answer that workers expect: 200 for every valid report.
///
/// # Errors
/// [`JobProblem::NotFound`].
pub fn answer(changed: &Changed, request_id: &str) -> Result<ApiAnswer, Problem> {
    let refused = |message: &str, reason: &str| json!({ "success": false, "message": message, "reason": reason, "request_id": request_id });
    let body = match changed {
        Changed::Applied(_) => json!({ "success": true, "message": "Real-time step update processed" }),
        Changed::NotFound => return Err(Problem::Job(JobProblem::NotFound)),
        Changed::Ignored(Ignored::Duplicate, _) => {
            json!({ "success": true, "duplicate": true, "message": "Duplicate step update ignored" })
        }
        Changed::Ignored(Ignored::StaleAttempt, _) => {
            refused("Step update of an earlier attempt ignored", "stale_attempt")
        }
        Changed::Ignored(Ignored::OutOfSequence, _) => {
            refused("Out-of-order step update rejected", "sequence_validation_failed")
        }
        Changed::Ignored(Ignored::BackwardStep, _) => {
            refused("Backward step progression rejected", "step_progression_validation_failed")
        }
        Changed::Ignored(Ignored::NotStarted | Ignored::NotReady, _) => {
            refused("The job has not been started", "job_not_started")
        }
        Changed::Ignored(Ignored::FinalJob | Ignored::AlreadySo | Ignored::OtherRender | Ignored::NotDue, job)
        | Changed::Rejected(_, job) => refused(&format!("Job is already {}", job.status.name()), "job_is_final"),
    };
    Ok(ApiAnswer::json(200, &body))
}

#[cfg(test)]
mod tests {
    use reelhook_signing::SignedToken;

    use super::*;

    #[test]
    fn a_token_of_a_part_does_not_report_on_the_run() {
        let keys = SigningKeys::parse("secret").unwrap();
        let run = RunClaims::of_run("job_1", 2);
        let part = run.clone().with_part("scene_1");
        let reporter = |claims: &RunClaims| run_of(SignedToken::mint(claims, &keys).expose(), &keys);
        assert_eq!(reporter(&run), Some(Reporter::Run(JobId::parse("job_1").unwrap(), 2)));
        assert_eq!(reporter(&part), None);
    }

    #[test]
    fn no_text_of_a_report_is_longer_than_what_is_kept() {
        let read = |body: &Value| {
            let request = crate::request::posting("/api/webhooks/step-update", body);
            read(&request, &Reporter::Trusted, Timestamp(1)).map(|report| report.update)
        };
        for text in ["a", "é", "\0"] {
            let long = text.repeat(50_000);
            let mut body = json!({ "job_id": "job_1", "step_number": 1, "status": "failed" });
            for field in ["step_name", "step_key", "workflow_stage", "error"] {
                let mut body = body.clone();
                body[field] = json!(long);
                let update = read(&body).unwrap();
                let kept = [Some(update.name), update.key, update.stage, update.error].into_iter().flatten();
                let longest = kept.map(|text| text.len()).max().unwrap_or_default();
                assert!(longest <= 4096, "{field}: {longest} bytes");
            }
            body["details"] = json!({ "error": long, "extracted_movies": long });
            let update = read(&body).unwrap();
            assert!(update.error.is_some_and(|error| error.len() <= 4096));
            assert!(update.extracted.is_some_and(|extracted| extracted.len() <= 16 * 1024));
            for (field, right) in [("creatomate_id", "details.creatomate_id"), ("video_url", "details.video_url")] {
                body["details"] = json!({ field: format!("https://a.example/{long}") });
                let refused = read(&body).expect_err(field);
                assert!(refused.path() == Some(right), "{refused:?}");
            }
        }
    }

    #[test]
    fn extracted_movies_are_kept_as_text() {
        assert_eq!(extracted(&json!({ "extracted_movies": "A, B" })).as_deref(), Some("A, B"));
        assert_eq!(extracted(&json!({ "movies": ["A"] })).as_deref(), Some("[\"A\"]"));
        assert_eq!(extracted(&json!({ "count": 3 })), None);
    }
}
