//! POST /api/generate in StreamGank's format: reads the submission and builds the answer.

use reelhook_app::jobs::submit::Submission;
use reelhook_app::views::streamgank::{QueueCounts, job, queue_status};
use reelhook_domain::{Job, JobKind, Request};
use serde_json::{Value, json};

use crate::access::Caller;
use crate::idempotency::key;
use crate::metadata;
use crate::problem::Problem;
use crate::request::ApiRequest;

/// The maximum length of a parameter, in characters.
const PARAMETER_LIMIT: usize = 200;
/// The maximum length of a parameter that may list names, in characters: forms join all checked names.
const LIST_LIMIT: usize = 1000;

/// Reads a submission.
///
/// # Errors
/// [`Problem`] names the wrong member and says what would be right.
pub fn read(request: &ApiRequest, caller: Caller) -> Result<Submission, Problem> {
    let body = request.json()?;
    let (country, platform, genre) = (text(&body, "country")?, list(&body, "platform")?, list(&body, "genre")?);
    let (Some(country), Some(platform), Some(genre)) = (country, platform, genre) else {
        let received = json!({
            "country": body["country"], "platform": body["platform"], "genre": body["genre"],
            "contentType": body["contentType"], "template": body["template"],
        });
        return Err(Problem::MissingParameters { received });
    };
    let pause = match &body["pauseAfterExtraction"] {
        Value::Null => false,
        Value::Bool(pause) => *pause,
        _ => return Err(Problem::BadField { field: "pauseAfterExtraction", right: "true or false".to_owned() }),
    };
    let input = json!({
        "country": country,
        "platform": platform_alias(&platform),
        "genre": genre,
        "contentType": text(&body, "contentType")?.and_then(content_type),
        "template": text(&body, "template")?.unwrap_or_else(|| "auto".to_owned()),
        "pauseAfterExtraction": pause,
    });
    let metadata = metadata::read(body.get("metadata"))?;
    let key = key(request, &caller)?;
    Ok(Submission {
        kind: JobKind::Workflow,
        request: Request { input, pause_after_extraction: pause, callback: None, metadata },
        plan: None,
        caller: caller.fingerprint,
        traceparent: request.traceparent(),
        key,
    })
}

/// The answer: the job and its position in the queue.
pub fn answer(made: &Job, counts: &QueueCounts) -> String {
    json!({
        "success": true,
        "jobId": made.id.as_str(),
        "message": "Video added to queue successfully",
        "queuePosition": counts.pending + counts.processing + 1,
        "queueStatus": queue_status(counts),
        "job": job(made),
    })
    .to_string()
}

fn text(body: &Value, field: &'static str) -> Result<Option<String>, Problem> {
    text_within(body, field, PARAMETER_LIMIT)
}

fn list(body: &Value, field: &'static str) -> Result<Option<String>, Problem> {
    text_within(body, field, LIST_LIMIT)
}

fn text_within(body: &Value, field: &'static str, limit: usize) -> Result<Option<String>, Problem> {
    let right = || Problem::BadField { field, right: format!("a text of at most {limit} characters") };
    match &body[field] {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() > limit => Err(right()),
        Value::String(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        _ => Err(right()),
    }
}

/// The catalogue's name of a platform (contract.md, platform aliases).
pub fn platform_alias(platform: &str) -> &str {
    match platform {
        "amazon" | "Prime Video" => "Prime",
        "apple" => "Apple TV+",
        "disney" => "Disney+",
        "hulu" => "Hulu",
        "max" => "Max",
        "netflix" => "Netflix",
        "free" => "Free",
        other => other,
    }
}

/// The catalogue's name of a content type; none for `All`.
pub(crate) fn content_type(text: String) -> Option<String> {
    match text.as_str() {
        "All" => None,
        "Serie" => Some("Série".to_owned()),
        "all" => Some("Film".to_owned()),
        _ => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_those_of_the_contract() {
        let check = |given: &str, expected: &str| assert_eq!(platform_alias(given), expected);
        check("amazon", "Prime");
        check("Prime Video", "Prime");
        check("netflix", "Netflix");
        check("Sky Go", "Sky Go");
        assert_eq!(content_type("Serie".to_owned()).as_deref(), Some("Série"));
        assert_eq!(content_type("all".to_owned()).as_deref(), Some("Film"));
        assert_eq!(content_type("All".to_owned()), None);
    }
}
