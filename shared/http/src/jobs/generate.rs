//! POST /api/generate in StreamGank's format: reads the submission and builds the answer.

use reelhook_app::jobs::submit::Submission;
use reelhook_app::views::streamgank::{JobView, QueueCounts, QueueStatusShort, job, queue_status};
use reelhook_app::views::wire::{JobIdText, Yes};
use reelhook_domain::{Job, JobKind, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Caller;
use crate::idempotency::key;
use crate::jobs::problem::JobProblem;
use crate::metadata;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::typed;
use crate::typed::fields::{Flag, Text, blank_is_absent};

/// A job to submit. Texts that are null or blank count as absent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["country", "platform", "genre"]))]
pub struct GenerateRequest {
    /// `US` or `FR`, in any case.
    #[serde(default, deserialize_with = "blank_is_absent")]
    country: Option<Text<200>>,
    /// A platform's name, or `amazon`, `apple`, `disney`, `hulu`, `max`, `netflix`, `free`; several are separated by
    /// commas.
    #[serde(default, deserialize_with = "blank_is_absent")]
    platform: Option<Text<1000>>,
    /// A genre, or several separated by commas.
    #[serde(default, deserialize_with = "blank_is_absent")]
    genre: Option<Text<1000>>,
    /// `Film`, `Serie` or `Série`; `all` means Film, `All` or null means both.
    #[serde(default, deserialize_with = "blank_is_absent")]
    content_type: Option<Text<200>>,
    /// The template; `auto` by default.
    #[serde(default, deserialize_with = "blank_is_absent")]
    template: Option<Text<200>>,
    /// Whether the job ends after step 1; false by default.
    pause_after_extraction: Option<Flag>,
}

/// The answer to a new job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Generated<'a> {
    success: Yes,
    /// The job's id.
    job_id: JobIdText,
    /// `Video added to queue successfully`.
    message: &'static str,
    /// The number of jobs that wait or run, plus one.
    queue_position: u64,
    /// The number of jobs.
    queue_status: QueueStatusShort,
    /// The job.
    job: JobView<'a>,
}

/// Reads a submission.
///
/// # Errors
/// [`Problem`] names the wrong field and says what would be right.
pub fn read(request: &ApiRequest, caller: Caller) -> Result<Submission, Problem> {
    let body = request.json()?;
    let given: GenerateRequest = typed::read(&body)?;
    let filled = |text: Option<Text<200>>| text.and_then(Text::filled);
    let (country, platform, genre) =
        (filled(given.country), given.platform.and_then(Text::filled), given.genre.and_then(Text::filled));
    let (Some(country), Some(platform), Some(genre)) = (country, platform, genre) else {
        let received = json!({
            "country": body["country"], "platform": body["platform"], "genre": body["genre"],
            "contentType": body["contentType"], "template": body["template"],
        });
        return Err(Problem::Job(JobProblem::MissingParameters(received)));
    };
    let pause = given.pause_after_extraction.is_some_and(|pause| pause.0);
    let input = json!({
        "country": country,
        "platform": platform_alias(&platform),
        "genre": genre,
        "contentType": filled(given.content_type).and_then(content_type),
        "template": filled(given.template).unwrap_or_else(|| "auto".to_owned()),
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
    let answer = Generated {
        success: Yes,
        job_id: JobIdText::from(&made.id),
        message: "Video added to queue successfully",
        queue_position: counts.pending + counts.processing + 1,
        queue_status: queue_status(counts),
        job: job(made),
    };
    json!(answer).to_string()
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
