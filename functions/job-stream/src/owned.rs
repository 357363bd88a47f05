//! What an owner may follow: their own jobs, projects and clip jobs. An operator may follow all streams.

use reelhook_app::clips::requests::find;
use reelhook_app::jobs::store;
use reelhook_app::projects::requests::command;
use reelhook_app::store::StoreError;
use reelhook_domain::Subject;
use reelhook_http::access::Caller;
use reelhook_http::problem::{Problem, RequestProblem};

use crate::Deps;

/// Whether what it follows exists for this viewer. What an operator follows is not read here: the stream finds out
/// whether it exists.
pub(crate) async fn may_follow(deps: &Deps, viewer: &Caller, subject: &Subject) -> Result<bool, StoreError> {
    if viewer.owner.is_none() {
        return Ok(true);
    }
    exists_for(deps, viewer, subject).await
}

/// Whether the job or the project exists and the caller sees it. Nothing else has a stream of its own.
pub(crate) async fn exists_for(deps: &Deps, caller: &Caller, subject: &Subject) -> Result<bool, StoreError> {
    let origin = match subject {
        Subject::Job(id) => store::find(&deps.jobs, id).await?.map(|job| job.origin),
        Subject::Project(id) => command::find(&deps.projects, id).await?.map(|project| project.origin),
        Subject::Clips(id) => find::find(&deps.clips, id).await?.map(|job| job.origin),
        Subject::Endpoint(_) | Subject::Error(_) | Subject::Trigger(_) => None,
    };
    Ok(origin.is_some_and(|origin| caller.may_see(&origin)))
}

/// Refuses an owner the streams of the queue and of errors, also with a token.
pub(crate) fn check_operator(viewer: &Caller) -> Result<(), Problem> {
    if viewer.owner.is_some() { Err(Problem::Request(RequestProblem::OperatorOnly)) } else { Ok(()) }
}
