//! POST /api/generate in StreamGank's format: reads the submission and builds the answer.

use reelhook_app::jobs::submit::Submission;
use reelhook_app::views::streamgank::{JobView, QueueCounts, QueueStatusShort, WorkflowParameters, job, queue_status};
use reelhook_app::views::wire::{JobIdText, Yes};
use reelhook_domain::{Job, JobKind, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::access::Caller;
use crate::catalog::content_type;
use crate::idempotency::key_of_body;
use crate::jobs::priority::{PriorityField, priority};
use crate::jobs::problem::JobProblem;
use crate::metadata::MetadataField;
use crate::problem::Problem;
use crate::request::ApiRequest;
use crate::typed;
use crate::typed::fields::{Flag, Text, blank_is_absent};

/// The message of the answer.
const ADDED: &str = "Video added to queue successfully";

/// A job to submit. Texts that are null or blank count as absent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["country", "platform", "genre"]))]
pub struct GenerateRequest {
    /// `US` or `FR`, in any case.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Text<200>", regex(pattern = r"\S"))]
    country: Option<Text<200>>,
    /// A platform's name, or `amazon`, `apple`, `disney`, `hulu`, `max`, `netflix`, `free`; several are separated by
    /// commas.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Text<1000>", regex(pattern = r"\S"))]
    platform: Option<Text<1000>>,
    /// A genre, or several separated by commas.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(with = "Text<1000>", regex(pattern = r"\S"))]
    genre: Option<Text<1000>>,
    /// `Film`, `Serie` or `Série`; `all` means Film, `All` or null means both.
    #[serde(default, deserialize_with = "blank_is_absent")]
    content_type: Option<Text<200>>,
    /// The template.
    #[serde(default, deserialize_with = "blank_is_absent")]
    #[schemars(extend("default" = "auto"))]
    template: Option<Text<200>>,
    /// Whether the job ends after step 1.
    #[schemars(extend("default" = false))]
    pause_after_extraction: Option<Flag>,
    /// The caller's own data.
    metadata: Option<MetadataField>,
    /// Whether what the job uses is counted, and shown as `usage` once it has ended.
    #[schemars(extend("default" = false))]
    usage: Option<Flag>,
    /// The order among the caller's own waiting jobs: higher ones start first.
    #[schemars(extend("default" = 5))]
    priority: Option<PriorityField>,
}

/// The answer to a new job.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Generated<'a> {
    success: Yes,
    /// The job's id.
    job_id: JobIdText,
    /// `Video added to queue successfully`.
    #[schemars(extend("const" = ADDED))]
    message: &'static str,
    /// The number of jobs that wait or run, plus one.
    #[schemars(range(min = 1))]
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
    let input = json!(WorkflowParameters {
        country,
        platform: platform_alias(&platform).to_owned(),
        genre,
        content_type: filled(given.content_type).and_then(content_type),
        template: filled(given.template).unwrap_or_else(|| "auto".to_owned()),
        pause_after_extraction: pause,
    });
    let MetadataField(metadata) = given.metadata.unwrap_or_default();
    let priority = priority(given.priority);
    let key = key_of_body(request, &caller, &body)?;
    Ok(Submission {
        kind: JobKind::Workflow,
        request: Request { input, pause_after_extraction: pause, callback: None, metadata, priority },
        plan: None,
        origin: caller.origin(request),
        key,
        usage: given.usage.is_some_and(|usage| usage.0),
    })
}

/// The answer: the job and its position in the queue.
pub fn answer(made: &Job, counts: &QueueCounts) -> String {
    let answer = Generated {
        success: Yes,
        job_id: JobIdText::from(&made.id),
        message: ADDED,
        queue_position: counts.pending + counts.processing + 1,
        queue_status: queue_status(counts),
        job: job(made),
    };
    serde_json::to_string(&answer).expect("the members of an answer have names")
}

/// The catalogue's name of a platform (docs/contract/jobs.md, Creating).
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::request::posting;

    #[test]
    fn a_wrong_field_is_named() {
        let refused = |name: &str, value: Value| {
            let mut body = json!({ "country": "FR", "platform": "netflix", "genre": "Drama" });
            body[name] = value;
            read(&posting("/api/generate", &body), Caller::known_as("ann")).unwrap_err()
        };
        for (name, value, right) in [
            ("country", json!(7), "a text of at most 200 characters"),
            ("platform", json!(["netflix"]), "a text of at most 1000 characters"),
            ("genre", json!("x".repeat(1001)), "a text of at most 1000 characters"),
            ("contentType", json!({}), "a text of at most 200 characters"),
            ("template", json!(true), "a text of at most 200 characters"),
            ("pauseAfterExtraction", json!("yes"), "true or false"),
            ("priority", json!(10), "a whole number from 0 to 9"),
            ("priority", json!(-1), "a whole number from 0 to 9"),
        ] {
            let problem = refused(name, value);
            assert_eq!(problem.path(), Some(name));
            assert_eq!(problem.parts().2, format!("`{name}` must be {right}"));
        }
        assert_eq!(refused("metadata", json!({ "order": 42 })).path(), Some("metadata.order"));
    }

    #[test]
    fn what_is_missing_is_echoed() {
        let body = json!({ "country": "FR", "platform": " ", "template": null });
        let problem = read(&posting("/api/generate", &body), Caller::known_as("ann")).unwrap_err();
        let received = json!({
            "country": "FR", "platform": " ", "genre": null, "contentType": null, "template": null,
        });
        assert_eq!(problem, Problem::Job(JobProblem::MissingParameters(received)));
    }

    #[test]
    fn aliases_are_those_of_the_contract() {
        let check = |given: &str, expected: &str| assert_eq!(platform_alias(given), expected);
        check("amazon", "Prime");
        check("Prime Video", "Prime");
        check("netflix", "Netflix");
        check("Sky Go", "Sky Go");
    }
}
