//! What an owner may follow: their own jobs, projects and clip jobs. An operator may follow all streams.

use reelhook_api::WithAccess;
use reelhook_app::clips::requests::find;
use reelhook_app::jobs::store;
use reelhook_app::projects::requests::command;
use reelhook_app::store::StoreError;
use reelhook_domain::{Subject, Timestamp};
use reelhook_http::access::Caller;
use reelhook_http::jobs::stream::admit;
use reelhook_http::live::sse::Route;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::routes;
use reelhook_signing::SigningKeys;

use crate::Deps;

/// The stream that a request is for, and whether what it follows exists for the viewer.
///
/// # Errors
/// [`Problem`] if the caller has no valid key or token, or may not follow it. Without one nobody learns which ids are valid.
pub(crate) async fn admitted(deps: &Deps, request: &ApiRequest, now: Timestamp) -> Result<(Route, bool), Problem> {
    let route = match Route::read(request) {
        Ok(route) => route.ok_or_else(|| routes::unknown(request))?,
        Err(problem) => {
            deps.api.admit(request).await?;
            return Err(problem);
        }
    };
    let check = |settings: &WithAccess<SigningKeys>| admit(request, &route, &settings.access, &settings.own, now);
    let viewer = deps.api.check(request, check).await?;
    let exists = match route.of() {
        Some(subject) => may_follow(deps, &viewer, &subject).await?,
        None => check_operator(&viewer).map(|()| true)?,
    };
    Ok((route, exists))
}

/// Whether what it follows exists for this viewer. What an operator follows is not read here: the stream finds out
/// whether it exists.
async fn may_follow(deps: &Deps, viewer: &Caller, subject: &Subject) -> Result<bool, StoreError> {
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
