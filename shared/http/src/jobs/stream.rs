//! Access to streams by an API key or a stream token in the query, and the route that issues such tokens.

use std::time::Duration;

use reelhook_app::views::clips::ClipJobIdText;
use reelhook_app::views::scenes::ProjectIdText;
use reelhook_app::views::wire::{JobIdText, Time};
use reelhook_domain::{JobId, OwnerId, ProjectId, Subject, Timestamp};
use reelhook_signing::{SignedToken, SigningKeys, StreamClaims};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Access, Caller};
use crate::answer::ApiAnswer;
use crate::clips;
use crate::jobs::problem::JobProblem;
use crate::live::sse::{QUEUE_SUBJECT, Route, token_subject};
use crate::problem::{Problem, RequestProblem};
use crate::projects::problem::ProjectProblem;
use crate::request::ApiRequest;
use crate::typed::fields::Flag;

/// How long a token is valid.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// The stream that a token is for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamTokenRequest {
    /// The job whose stream the token is for; without it, `projectId` and `clipJobId`, the token is for the queue's stream.
    #[schemars(with = "Option<JobIdText>")]
    job_id: Option<String>,
    /// The project whose stream the token is for, instead of a job.
    #[schemars(with = "Option<ProjectIdText>")]
    project_id: Option<String>,
    /// The clip job whose stream the token is for, instead of a job.
    #[schemars(with = "Option<ClipJobIdText>")]
    clip_job_id: Option<String>,
    /// Whether the token is for the stream of errors instead.
    errors: Option<Flag>,
    /// Whether the token is for a WebSocket connection instead, which may follow all that the caller sees.
    live: Option<Flag>,
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

/// Admits a viewer with a key, or with a token for the requested stream: an operator, or the owner that the token was issued
/// for. Whether an owner may follow the stream must be checked then.
///
/// # Errors
/// Those of [`Access::caller`]; [`RequestProblem::Unauthorized`] for a token.
pub fn admit(
    request: &ApiRequest,
    route: &Route,
    access: &Access,
    keys: &SigningKeys,
    now: Timestamp,
) -> Result<Caller, Problem> {
    match request.query("token") {
        Some(token) => {
            of_token(token, &route.subject(), keys, now).ok_or(Problem::Request(RequestProblem::Unauthorized))
        }
        None => access.caller(request, now),
    }
}

/// The viewer that a valid token for this subject was issued for.
fn of_token(token: &str, subject: &str, keys: &SigningKeys, now: Timestamp) -> Option<Caller> {
    let claims = StreamClaims::verify(token, now.seconds(), keys).ok()?.into_inner();
    if claims.subject != subject {
        return None;
    }
    let viewer = Caller::known_as("stream token");
    match claims.owner {
        Some(owner) => Some(viewer.owned_by(OwnerId::parse(&owner)?)),
        None => Some(viewer),
    }
}

/// Reads the request for a token: for the stream of a job, a project or a clip job, or none for the queue's.
///
/// # Errors
/// [`Problem`]; [`JobProblem::NotFound`], [`ProjectProblem::NotFound`] or that of a clip job for an invalid id.
pub fn read_token_request(request: &ApiRequest) -> Result<Option<Subject>, Problem> {
    let given: StreamTokenRequest = request.optional_body()?;
    if let Some(id) = given.job_id {
        let id = JobId::parse(&id).map_err(|_| Problem::Job(JobProblem::NotFound))?;
        return Ok(Some(Subject::Job(id)));
    }
    if let Some(id) = given.project_id {
        let id = ProjectId::parse(&id).map_err(|_| Problem::Project(ProjectProblem::NotFound))?;
        return Ok(Some(Subject::Project(id)));
    }
    let Some(id) = given.clip_job_id else { return Ok(None) };
    clips::routes::id(&id).map(|id| Some(Subject::Clips(id)))
}

/// Whether a request for a token is for the stream of errors.
///
/// # Errors
/// [`Problem`].
pub fn wants_errors(request: &ApiRequest) -> Result<bool, Problem> {
    let given: StreamTokenRequest = request.optional_body()?;
    Ok(given.errors.is_some_and(|Flag(errors)| errors))
}

/// Whether a request for a token is for a WebSocket connection.
///
/// # Errors
/// [`Problem`].
pub fn wants_live(request: &ApiRequest) -> Result<bool, Problem> {
    let given: StreamTokenRequest = request.optional_body()?;
    Ok(given.live.is_some_and(|Flag(live)| live))
}

/// The answer with a token for this caller, who may follow the stream.
pub fn token_answer(of: Option<&Subject>, caller: &Caller, keys: &SigningKeys, now: Timestamp) -> ApiAnswer {
    let subject = of.and_then(token_subject);
    token_for(subject.as_deref().unwrap_or(QUEUE_SUBJECT), caller.owner.as_ref(), keys, now)
}

/// The answer with a token for the stream of this subject. One that is issued for an owner is valid for that owner only.
pub fn token_for(subject: &str, owner: Option<&OwnerId>, keys: &SigningKeys, now: Timestamp) -> ApiAnswer {
    let expires = Timestamp::from_seconds(now.after(TOKEN_LIFE).seconds());
    let owner = owner.map(|owner| owner.as_str().to_owned());
    let claims = StreamClaims { subject: subject.to_owned(), owner, expires: expires.seconds() };
    let token = SignedToken::mint(&claims, keys);
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
        let of_clips = |id: &str| read_token_request(&posting("/api/stream-token", &json!({ "clipJobId": id })));
        let uuid = "550e8400-e29b-41d4-a716-446655440000";
        assert_eq!(of_clips(uuid), Ok(Subject::parse(&format!("clip_{uuid}")).ok()));
        assert_eq!(of_clips("x"), Err(Problem::Clip(clips::problem::ClipProblem::NotFound)));
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
    fn a_token_for_a_connection_is_asked_for_by_name() {
        let wants = |body: &Value| wants_live(&posting("/api/stream-token", body));
        assert_eq!(wants(&json!({ "live": true })), Ok(true));
        for other in [json!({}), json!({ "live": false }), json!({ "errors": true })] {
            assert_eq!(wants(&other), Ok(false), "{other}");
        }
    }

    #[test]
    fn a_token_is_valid_for_its_owner_and_its_stream() {
        let (keys, now) = (SigningKeys::parse("secret").unwrap(), Timestamp(1_704_110_400_000));
        let ann = OwnerId::parse("ann").unwrap();
        let issued = |caller: &Caller| {
            let answer = token_answer(Some(&Subject::parse("job_1").unwrap()), caller, &keys, now);
            serde_json::from_str::<Value>(&answer.body).unwrap()["token"].as_str().unwrap().to_owned()
        };
        let owner = |token: &str| of_token(token, "job:job_1", &keys, now).map(|viewer| viewer.owner);
        let (operators, owners) =
            (issued(&Caller::known_as("x")), issued(&Caller::known_as("x").owned_by(ann.clone())));
        assert_eq!(owner(&operators), Some(None));
        assert_eq!(owner(&owners), Some(Some(ann)));
        // Tokens of operators have kept their form.
        assert!(operators.starts_with("s1.") && owners.starts_with("s2."), "{operators} {owners}");
        assert_eq!(of_token(&owners, "job:job_2", &keys, now), None);
        assert_eq!(of_token(&owners, "job:job_1", &keys, now.after(TOKEN_LIFE)), None);
    }

    #[test]
    fn the_answer_names_the_token_and_its_end() {
        let keys = SigningKeys::parse("secret").unwrap();
        let operator = Caller::known_as("ann");
        let answer = token_answer(None, &operator, &keys, Timestamp(1_704_110_400_500));
        let end = r#"","expiresAt":"2024-01-01T13:00:00.000Z"}"#;
        assert!(answer.body.starts_with(r#"{"token":""#) && answer.body.ends_with(end), "{}", answer.body);
    }
}
