//! POST /api/webhooks/step-update: authenticates and reads reports of external workers, and builds the answers
//! (docs/contract/workers.md, Step reports).

use reelhook_app::change::Changed;
use reelhook_app::views::captions::step_name;
use reelhook_app::views::streamgank::StepStatusName;
use reelhook_app::views::wire::{No, Yes};
use reelhook_domain::{Ignored, JobId, RenderId, StepUpdate, Timestamp, WebUrl, cut};
use reelhook_signing::{RunClaims, SigningKeys, standard, streamgank};
use schemars::{JsonSchema, Schema};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Access;
use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::jobs::render::RENDER_ID;
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;
use crate::typed;
use crate::typed::fields::{Decimal, Integer, LenientText, Parsed, Shortened, Whole};

/// The maximum length of a step's error, in bytes.
const ERROR_LIMIT: usize = 4096;
/// The maximum length of the data that step 1 extracts, in bytes.
const EXTRACTED_LIMIT: usize = 16 * 1024;
/// Headers in which workers send a plain HMAC of the body.
const SIGNATURES: [&str; 2] = ["x-streamgank-signature", "x-webhook-signature"];

/// A worker's report about a step. Other members are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "StepUpdate")]
pub struct StepReport {
    /// The job.
    #[serde(rename = "job_id")]
    _job_id: Parsed<JobId>,
    /// 0 begins a run, 1 to 7 are its steps, 8 ends it.
    step_number: Whole<0, 8>,
    /// The name of the step, shortened to 100 characters; `Workflow Failed` ends the run.
    #[serde(default)]
    step_name: Shortened<100>,
    /// What happened to the step.
    status: StepStatusName,
    /// Seconds.
    duration: Option<Decimal>,
    /// Any JSON, usually an object. It is stored as it is.
    #[schemars(with = "Option<StepDetails>")]
    details: Option<Value>,
    /// The worker's key for the step, shortened to 64 characters.
    #[serde(default)]
    step_key: Shortened<64>,
    /// Rises with each report of a run, such as Unix milliseconds; the server's time by default.
    sequence: Option<Integer>,
    /// The stage of the workflow in the worker's words, shortened to 64 characters.
    #[serde(default)]
    workflow_stage: Shortened<64>,
    /// Why the step failed, if `details` have no `error`; shortened to 4,096 bytes.
    #[serde(default)]
    error: LenientText,
    /// When it happened, ISO 8601 or Unix seconds, for the worker's own records: the server's time counts.
    #[serde(rename = "timestamp")]
    _timestamp: Option<Value>,
}

/// What counts in the details of a step. Other members, and members of another type, are only stored.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(transform = of_any_type)]
pub struct StepDetails {
    /// The id of the render that the step submitted.
    #[serde(default)]
    creatomate_id: LenientText,
    /// The video that the step made: an http or https URL.
    #[serde(default)]
    video_url: LenientText,
    /// Why the step failed; shortened to 4,096 bytes.
    #[serde(default)]
    error: LenientText,
    /// The movies that step 1 extracted: a text, or other JSON that becomes text; shortened to 16 KiB.
    extracted_movies: Option<Value>,
    /// The same as `extracted_movies`, if that is absent or null.
    #[serde(rename = "extractedMovies")]
    extracted: Option<Value>,
    /// The same as `extracted_movies`, if both are absent or null.
    movies: Option<Value>,
}

/// Details of any type are valid, and may have any other members.
fn of_any_type(schema: &mut Schema) {
    schema.remove("type");
    schema.insert("additionalProperties".to_owned(), Value::Bool(true));
}

impl StepDetails {
    /// What counts in these details; nothing if they are no object.
    fn of(details: &Value) -> Self {
        typed::read(details).unwrap_or_default()
    }

    /// The render that the step submitted.
    fn render_id(&self) -> Result<Option<RenderId>, Problem> {
        let id = self.creatomate_id.filled().map(RenderId::parse);
        id.transpose().map_err(|_| bad("details.creatomate_id", RENDER_ID))
    }

    /// The video that the step made.
    fn video_url(&self) -> Result<Option<WebUrl>, Problem> {
        let wrong = || bad("details.video_url", "an http or https URL");
        self.video_url.filled().map(|url| WebUrl::parse(url).ok_or_else(wrong)).transpose()
    }

    /// The movies that step 1 extracted, as text.
    fn extracted(&self) -> Option<String> {
        let text = match self.extracted_movies.as_ref().or(self.extracted.as_ref()).or(self.movies.as_ref())? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(cut(&text, EXTRACTED_LIMIT).to_owned())
    }
}

/// The job of a report.
#[derive(Debug, Deserialize)]
struct JobOfReport {
    job_id: Parsed<JobId>,
}

/// The report was processed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepTaken {
    success: Yes,
    /// Only if the same report came before.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate: Option<Yes>,
    /// A sentence.
    message: &'static str,
}

/// The report is valid and changed nothing. The status is 200, because workers accept only 200 and never retry.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepIgnored<'a> {
    success: No,
    /// A sentence.
    message: String,
    /// Why it was ignored.
    reason: StepIgnoredReason,
    /// The gateway's id of the request.
    request_id: &'a str,
}

/// Why a report changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum StepIgnoredReason {
    StaleAttempt,
    JobIsFinal,
    SequenceValidationFailed,
    StepProgressionValidationFailed,
    JobNotStarted,
}

/// The answers to a valid report.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum StepAnswer<'a> {
    /// It was processed.
    Taken(StepTaken),
    /// It changed nothing.
    Ignored(StepIgnored<'a>),
}

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
    // The token is for one job: it is compared before anything else is read.
    let JobOfReport { job_id: Parsed(job_id) } = typed::read(&body)?;
    let attempt = match reporter {
        Reporter::Run(known, attempt) if *known == job_id => Some(*attempt),
        Reporter::Run(..) => return Err(Problem::Request(RequestProblem::Unauthorized)),
        Reporter::Trusted => None,
    };
    let given: StepReport = typed::read(&body)?;
    let number: u8 = given.step_number.get();
    let details = given.details.unwrap_or_default();
    let name = given.step_name.0.unwrap_or_else(|| step_name(number).to_owned());
    let known = StepDetails::of(&details);
    let error = known.error.text().or(given.error.text()).map(|error| cut(error, ERROR_LIMIT).to_owned());
    let update = StepUpdate {
        number,
        workflow_failed: name == "Workflow Failed",
        name,
        status: given.status.into(),
        key: given.step_key.0,
        stage: given.workflow_stage.0,
        sequence: given.sequence.map_or(now.millis(), |sequence| sequence.0),
        duration: given.duration.map(|duration| duration.0),
        render_id: known.render_id()?,
        video_url: known.video_url()?,
        extracted: known.extracted().filter(|_| number == 1),
        error,
        details: (!details.is_null()).then_some(details),
    };
    Ok(Report { job_id, attempt, update })
}

/// The answer that workers expect: 200 for every valid report.
///
/// # Errors
/// [`JobProblem::NotFound`].
pub fn answer(changed: &Changed, request_id: &str) -> Result<ApiAnswer, Problem> {
    let taken = |duplicate: Option<Yes>, message| StepAnswer::Taken(StepTaken { success: Yes, duplicate, message });
    let ignored = |message: &str, reason| {
        StepAnswer::Ignored(StepIgnored { success: No, message: message.to_owned(), reason, request_id })
    };
    let body = match changed {
        Changed::Applied(_) => taken(None, "Real-time step update processed"),
        Changed::NotFound => return Err(Problem::Job(JobProblem::NotFound)),
        Changed::Ignored(Ignored::Duplicate, _) => taken(Some(Yes), "Duplicate step update ignored"),
        Changed::Ignored(Ignored::StaleAttempt, _) => {
            ignored("Step update of an earlier attempt ignored", StepIgnoredReason::StaleAttempt)
        }
        Changed::Ignored(Ignored::OutOfSequence, _) => {
            ignored("Out-of-order step update rejected", StepIgnoredReason::SequenceValidationFailed)
        }
        Changed::Ignored(Ignored::BackwardStep, _) => {
            ignored("Backward step progression rejected", StepIgnoredReason::StepProgressionValidationFailed)
        }
        Changed::Ignored(Ignored::NotStarted | Ignored::NotReady, _) => {
            ignored("The job has not been started", StepIgnoredReason::JobNotStarted)
        }
        Changed::Ignored(Ignored::FinalJob | Ignored::AlreadySo | Ignored::OtherRender | Ignored::NotDue, job)
        | Changed::Rejected(_, job) => {
            ignored(&format!("Job is already {}", job.status.name()), StepIgnoredReason::JobIsFinal)
        }
    };
    Ok(ApiAnswer::json(200, &body))
}

#[cfg(test)]
mod tests {
    use reelhook_domain::{Job, StepStatus};
    use reelhook_signing::SignedToken;
    use reelhook_testkit::{NOON, make_job, policy};
    use serde_json::json;

    use super::*;

    fn read_report(body: &Value) -> Result<StepUpdate, Problem> {
        let request = crate::request::posting("/api/webhooks/step-update", body);
        read(&request, &Reporter::Trusted, Timestamp(7)).map(|report| report.update)
    }

    #[test]
    fn a_report_is_read_leniently() {
        let smallest = json!({ "job_id": "job_1", "step_number": 3, "status": "started" });
        let update = StepUpdate::plain(3, "Asset Preparation", StepStatus::Started, 7);
        assert_eq!(read_report(&smallest), Ok(update.clone()));
        let odd = json!({
            "job_id": "job_1", "step_number": "3.0", "status": "started", "step_name": 5, "step_key": [], "error": {},
            "workflow_stage": null, "duration": null, "details": null, "sequence": null, "timestamp": [{}], "more": 1,
        });
        assert_eq!(read_report(&odd), Ok(update));
        let full = json!({
            "job_id": "job_1", "step_number": 7.0, "status": "creatomate_ready", "step_name": "Assembly",
            "step_key": "key", "error": "not this", "workflow_stage": "stage", "duration": "1.5", "sequence": 9e0,
            "details": { "error": "this", "creatomate_id": "r1", "video_url": "https://cdn.example/v.mp4" },
        });
        let update = read_report(&full).unwrap();
        assert_eq!((update.number, update.status, update.name.as_str()), (7, StepStatus::RenderReady, "Assembly"));
        assert_eq!((update.key.as_deref(), update.stage.as_deref()), (Some("key"), Some("stage")));
        assert_eq!((update.duration, update.sequence, update.error.as_deref()), (Some(1.5), 9, Some("this")));
        assert_eq!(update.render_id, RenderId::parse("r1").ok());
        assert_eq!(update.video_url, WebUrl::parse("https://cdn.example/v.mp4"));
        assert_eq!(update.details, Some(full["details"].clone()));
        let texts =
            json!({ "job_id": "job_1", "step_number": 1, "status": "failed", "details": "disk", "error": "no" });
        let update = read_report(&texts).unwrap();
        assert_eq!((update.details, update.error.as_deref()), (Some(json!("disk")), Some("no")));
    }

    #[test]
    fn a_wrong_field_of_a_report_is_named() {
        let good = json!({ "job_id": "job_1", "step_number": 1, "status": "started" });
        for (name, value, right) in [
            ("job_id", json!(5), "the id of a job"),
            ("job_id", json!("../x"), "the id of a job"),
            ("step_number", json!(9), "a whole number from 0 to 8"),
            ("step_number", json!(1.5), "a whole number from 0 to 8"),
            ("status", json!("finished"), "`started`, `completed`, `failed` or `creatomate_ready`"),
            ("status", json!(1), "`started`, `completed`, `failed` or `creatomate_ready`"),
            ("duration", json!("long"), "a number"),
            ("sequence", json!("first"), "a whole number"),
        ] {
            let mut body = good.clone();
            body[name] = value;
            let problem = read_report(&body).unwrap_err();
            assert_eq!(problem.parts().2, format!("`{name}` must be {right}"));
            assert_eq!(problem.path(), Some(name));
        }
        for name in ["job_id", "step_number", "status"] {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(name);
            assert_eq!(read_report(&body).unwrap_err().path(), Some(name));
        }
        let mut body = good;
        body["details"] = json!({ "creatomate_id": "a b" });
        assert_eq!(read_report(&body), Err(bad("details.creatomate_id", RENDER_ID)));
        body["details"] = json!({ "video_url": "javascript:alert(1)" });
        assert_eq!(read_report(&body), Err(bad("details.video_url", "an http or https URL")));
    }

    #[test]
    fn each_outcome_has_its_answer() {
        let body = |changed: &Changed<Job>| answer(changed, "r-1").map(|answer| answer.body);
        assert_eq!(body(&Changed::NotFound), Err(Problem::Job(JobProblem::NotFound)));
        let job = Box::new(make_job(1, NOON, &policy()));
        let applied = r#"{"success":true,"message":"Real-time step update processed"}"#;
        assert_eq!(body(&Changed::Applied(job.clone())).as_deref(), Ok(applied));
        for (reason, expected) in [
            (Ignored::Duplicate, r#"{"success":true,"duplicate":true,"message":"Duplicate step update ignored"}"#),
            (
                Ignored::StaleAttempt,
                r#"{"success":false,"message":"Step update of an earlier attempt ignored","reason":"stale_attempt","request_id":"r-1"}"#,
            ),
            (
                Ignored::OutOfSequence,
                r#"{"success":false,"message":"Out-of-order step update rejected","reason":"sequence_validation_failed","request_id":"r-1"}"#,
            ),
            (
                Ignored::BackwardStep,
                r#"{"success":false,"message":"Backward step progression rejected","reason":"step_progression_validation_failed","request_id":"r-1"}"#,
            ),
            (
                Ignored::NotStarted,
                r#"{"success":false,"message":"The job has not been started","reason":"job_not_started","request_id":"r-1"}"#,
            ),
            (
                Ignored::FinalJob,
                r#"{"success":false,"message":"Job is already pending","reason":"job_is_final","request_id":"r-1"}"#,
            ),
        ] {
            assert_eq!(body(&Changed::Ignored(reason, job.clone())).as_deref(), Ok(expected));
        }
    }

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
        let extracted = |details: Value| StepDetails::of(&details).extracted();
        assert_eq!(extracted(json!({ "extracted_movies": "A, B" })).as_deref(), Some("A, B"));
        assert_eq!(extracted(json!({ "movies": ["A"] })).as_deref(), Some("[\"A\"]"));
        assert_eq!(extracted(json!({ "extracted_movies": null, "extractedMovies": 3 })).as_deref(), Some("3"));
        assert_eq!(extracted(json!({ "count": 3 })), None);
    }

    #[test]
    fn details_of_any_type_are_accepted() {
        for details in
            [json!("disk"), json!(["A"]), json!(7), json!({ "error": {}, "creatomate_id": 5, "video_url": [] })]
        {
            let mut body = json!({ "job_id": "job_1", "step_number": 1, "status": "started" });
            body["details"] = details.clone();
            let update = read_report(&body).unwrap();
            assert_eq!((update.error, update.render_id, update.video_url, update.extracted), (None, None, None, None));
            assert_eq!(update.details, Some(details));
        }
        let schema = schemars::schema_for!(StepReport);
        let known = &schema.as_value()["$defs"]["StepDetails"];
        assert!(known.get("type").is_none() && known["properties"].get("video_url").is_some(), "{known}");
    }
}
