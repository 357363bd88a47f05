//! Access to streams by an API key or a stream token in the query, and the route that issues such tokens.

use std::time::Duration;

use reelhook_domain::{JobId, Timestamp};
use reelhook_signing::{SignedToken, SigningKeys, SubjectClaims};
use serde_json::{Value, json};

use crate::access::Access;
use crate::answer::ApiAnswer;
use crate::jobs::problem::JobProblem;
use crate::problem::{Problem, RequestProblem, bad};
use crate::request::ApiRequest;
use crate::sse::{QUEUE_SUBJECT, Route, job_subject};

/// How long a token is valid.
const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// Admits a viewer with a key, or with a token for the requested stream.
///
/// # Errors
/// [`RequestProblem::Request(RequestProblem::Unauthorized)`].
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

/// Reads the request for a token: for a job's stream, or for the queue's.
///
/// # Errors
/// [`Problem`]; [`JobProblem::NotFound`] for an invalid id.
pub fn read_token_request(request: &ApiRequest) -> Result<Option<JobId>, Problem> {
    match &request.json_or_nothing()?["jobId"] {
        Value::Null => Ok(None),
        Value::String(id) => JobId::parse(id).map(Some).map_err(|_| Problem::Job(JobProblem::NotFound)),
        _ => Err(bad("jobId", "the id of a job")),
    }
}

/// The answer with a token.
pub fn token_answer(job: Option<&JobId>, keys: &SigningKeys, now: Timestamp) -> ApiAnswer {
    let subject = job.map_or(QUEUE_SUBJECT.to_owned(), job_subject);
    let expires = Timestamp::from_seconds(now.after(TOKEN_LIFE).seconds());
    let token = SignedToken::mint(&SubjectClaims { subject: &subject, expires: expires.seconds() }, keys);
    ApiAnswer::json(200, &json!({ "token": token.expose(), "expiresAt": expires.to_string() }))
}
