//! Access to streams by an API key or a stream token in the query, and the route that issues such tokens.

use std::time::Duration;

use reelhook_app::views::scenes::ProjectIdText;
use reelhook_app::views::wire::{JobIdText, Time};
use reelhook_domain::{JobId, ProjectId, Subject, Timestamp};
use reelhook_signing::{SignedToken, SigningKeys, SubjectClaims};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::{Problem, RequestProblem};
use crate::projects::problem::ProjectProblem;
use crate::request::ApiRequest;
use crate::sse::{QUEUE_SUBJECT, Route, job_subject, project_subject};
use crate::typed::fields::Flag;

/// How long a token is valid.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// The stream that a token is for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamTokenRequest {
    /// The job whose stream the token is for; without it and `projectId`, the token is for the queue's stream.
    #[schemars(with = "Option<JobIdText>")]
    job_id: Option<String>,
    /// The project whose stream the token is for, instead of a job.
    #[schemars(with = "Option<ProjectIdText>")]
    project_id: Option<String>,
    /// Whether the token is for the stream of errors instead.
    errors: Option<Flag>,
}

/// A token for one stream.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamToken<'a> {
    /// The token: the parameter `token` of the stream's query.
    token: &'a str,
    /// When it expires: one hour after it was issued.
    expires_at: Time,
}

/// Admits a viewer with a key, or with a token for the requested stream.
///
/// # Errors
/// [`RequestProblem::Unauthorized`].
pub fn admit(
    request: &ApiRequest,
    route: &Route,
    access: &Access,
    keys: &SigningKeys,
    now: Timestamp,
) -> Result<(), Problem> {
    match request.query("token") {
        Some(token) => {
            let verified = SubjectClaims::verify(token, &route.subject(), now.seconds(), keys).map(drop);
            verified.map_err(|_| Problem::Request(RequestProblem::Unauthorized))
        }
        None => access.caller(request, now).map(drop),
    }
}

/// Reads the request for a token: for the stream of a job or a project, or none for the queue's.
///
/// # Errors
/// [`Problem`]; [`JobProblem::NotFound`] or [`ProjectProblem::NotFound`] for an invalid id.
pub fn read_token_request(request: &ApiRequest) -> Result<Option<Subject>, Problem> {
    let given: StreamTokenRequest = request.optional_body()?;
    if let Some(id) = given.job_id {
        let id = JobId::parse(&id).map_err(|_| Problem::Job(JobProblem::NotFound))?;
        return Ok(Some(Subject::Job(id)));
    }
    let Some(id) = given.project_id else { return Ok(None) };
    let id = ProjectId::parse(&id).map_err(|_| Problem::Project(ProjectProblem::NotFound))?;
    Ok(Some(Subject::Project(id)))
}

/// Whether a request for a token is for the stream of errors.
///
/// # Errors
/// [`Problem`].
pub fn wants_errors(request: &ApiRequest) -> Result<bool, Problem> {
    let given: StreamTokenRequest = request.optional_body()?;
    Ok(given.errors.is_some_and(|Flag(errors)| errors))
}

/// The answer with a token.
pub fn token_answer(of: Option<&Subject>, keys: &SigningKeys, now: Timestamp) -> ApiAnswer {
    match of {
        Some(Subject::Job(id)) => token_for(&job_subject(id), keys, now),
        Some(Subject::Project(id)) => token_for(&project_subject(id), keys, now),
        // Nothing else has a stream of its own.
        Some(Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_)) | None => {
            token_for(QUEUE_SUBJECT, keys, now)
        }
    }
}

/// The answer with a token for the stream of this subject.
pub fn token_for(subject: &str, keys: &SigningKeys, now: Timestamp) -> ApiAnswer {
    let expires = Timestamp::from_seconds(now.after(TOKEN_LIFE).seconds());
    let token = SignedToken::mint(&SubjectClaims { subject, expires: expires.seconds() }, keys);
    ApiAnswer::json(200, &StreamToken { token: token.expose(), expires_at: expires.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::request::posting;

    fn read(body: &Value) -> Result<Option<JobId>, Problem> {
        let of = read_token_request(&posting("/api/stream-token", body))?;
        Ok(of.and_then(|of| of.job().cloned()))
    }

    #[test]
    fn a_token_is_for_a_job_or_for_the_queue() {
        assert_eq!(read(&json!({ "jobId": "job_1_a" })), Ok(JobId::parse("job_1_a").ok()));
        for queue in [json!({}), json!({ "jobId": null, "other": 1 })] {
            assert_eq!(read(&queue), Ok(None), "{queue}");
        }
        for unknown in ["", "a/b", &"a".repeat(81)] {
            assert_eq!(read(&json!({ "jobId": unknown })), Err(Problem::Job(JobProblem::NotFound)), "{unknown}");
        }
        let project = read_token_request(&posting("/api/stream-token", &json!({ "projectId": "proj_1" })));
        assert_eq!(project, Ok(Subject::parse("proj_1").ok()));
        let wrong = read(&json!({ "jobId": 7 })).unwrap_err();
        assert_eq!(wrong.path(), Some("jobId"));
    }

    #[test]
    fn a_token_for_the_stream_of_errors_is_asked_for_by_name() {
        let wants = |body: &Value| wants_errors(&posting("/api/stream-token", body));
        assert_eq!(wants(&json!({ "errors": true })), Ok(true));
        for other in [json!({}), json!({ "errors": false }), json!({ "jobId": "job_1_a" })] {
            assert_eq!(wants(&other), Ok(false), "{other}");
        }
    }

    #[test]
    fn the_answer_names_the_token_and_its_end() {
        let keys = SigningKeys::parse("secret").unwrap();
        let answer = token_answer(None, &keys, Timestamp(1_704_110_400_500));
        let end = r#"","expiresAt":"2024-01-01T13:00:00.000Z"}"#;
        assert!(answer.body.starts_with(r#"{"token":""#) && answer.body.ends_with(end), "{}", answer.body);
    }
}
