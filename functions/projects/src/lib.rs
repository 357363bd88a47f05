//! The API of projects and their scenes: creates, shows, changes and commands them, and links to their files.

mod deps;
mod scenes;

use reelhook_api::{MadeProject, submit_project};
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::projects::estimate::estimate;
use reelhook_app::projects::requests::create::{CreatePorts, ProjectRequest};
use reelhook_app::projects::requests::list::list;
use reelhook_app::videos::uploads::Links;
use reelhook_app::views::scenes::Texts;
use reelhook_aws::start::SystemClock;
use reelhook_domain::TraceParent;
use reelhook_domain::projects::event::Event;
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::projects::answers::{
    created_answer, deleted_answer, estimate_answer, is_known, list_answer, project_answer, read_answer, scenes_answer,
    unchanged_answer,
};
use reelhook_http::projects::files::{FileRoute, redirect};
use reelhook_http::projects::problem::ProjectProblem;
use reelhook_http::projects::routes::Route;
use reelhook_http::request::ApiRequest;

pub use deps::Deps;

/// Answers a request.
///
/// # Errors
/// [`Problem`].
pub async fn respond(deps: &Deps, request: &ApiRequest) -> Result<ApiAnswer, Problem> {
    let file = FileRoute::read(request);
    if let Ok(Some(file)) = &file
        && file.check_token(request, SystemClock.now(), &deps.api.settings.get().await.own)?
    {
        return download(deps, request, file).await;
    }
    // A caller without a key must not learn which routes and parameters are valid.
    let caller = deps.api.admit(request).await?;
    match file? {
        Some(file) => {
            check_file(deps, &caller, &file).await?;
            download(deps, request, &file).await
        }
        None => answer(deps, request, Route::read(request, &caller)?, &caller).await,
    }
}

/// Refuses an owner the files of a project that is not theirs, or does not exist.
async fn check_file(deps: &Deps, caller: &Caller, file: &FileRoute) -> Result<(), Problem> {
    if caller.owner.is_none() {
        return Ok(());
    }
    match deps.find(caller, &file.project).await {
        Err(Problem::Project(ProjectProblem::NotFound)) => Err(Problem::Project(ProjectProblem::FileNotFound)),
        found => found.map(drop),
    }
}

/// Redirects to a file. A signed S3 link is valid for one method.
async fn download(deps: &Deps, request: &ApiRequest, file: &FileRoute) -> Result<ApiAnswer, Problem> {
    let files = &deps.files;
    let link = if request.is_head() { files.head_link(&file.key).await } else { files.download(&file.key).await };
    Ok(redirect(&link?))
}

async fn answer(deps: &Deps, request: &ApiRequest, route: Route, caller: &Caller) -> Result<ApiAnswer, Problem> {
    match route {
        Route::List(at, limit) => {
            let listed = list(&deps.projects.of(caller.owner.as_ref()), &at, limit).await?;
            deps.show(request, &Texts::new(), |shown| list_answer(&listed, limit, shown)).await
        }
        Route::Create(new) => create(deps, request, *new, caller).await,
        Route::Read(id) => {
            let project = deps.find(caller, &id).await?;
            if is_known(request, &project) {
                return Ok(unchanged_answer(&project));
            }
            deps.show_project(request, &project, |shown| read_answer(&project, shown)).await
        }
        Route::Change(id, change) => {
            let project = deps.command(caller, &id, |project| change.event(project)).await?;
            tracing::info!(project_id = %id, caller = caller.fingerprint, "changed a project");
            deps.show_project(request, &project, |shown| project_answer(200, &project, &[], shown)).await
        }
        Route::Delete(id) => {
            deps.command(caller, &id, |_| Ok(Event::Delete)).await?;
            tracing::info!(project_id = %id, caller = caller.fingerprint, "deleted a project");
            Ok(deleted_answer(&id))
        }
        Route::Command(id, event) => {
            let project = deps.command(caller, &id, |_| Ok(event.clone())).await?;
            tracing::info!(project_id = %id, caller = caller.fingerprint, ?event, "commanded a project");
            deps.show_project(request, &project, |shown| project_answer(200, &project, &[], shown)).await
        }
        Route::Estimate(id, wanted) => {
            let project = deps.find(caller, &id).await?;
            Ok(estimate_answer(&project, &estimate(&project, &wanted, &deps.policy)))
        }
        Route::Scenes(id) => {
            let project = deps.find(caller, &id).await?;
            deps.show_project(request, &project, |shown| scenes_answer(&project, shown)).await
        }
        Route::Generate(id, generation) => scenes::generate(deps, request, &id, generation, caller).await,
        Route::AddScenes(id, new) => scenes::add(deps, request, &id, new, caller).await,
        Route::ChangeScene(at, change) => scenes::change(deps, request, at, *change, caller).await,
        Route::RemoveScene(at) => scenes::remove(deps, at, caller).await,
    }
}

async fn create(deps: &Deps, request: &ApiRequest, new: ProjectRequest, caller: &Caller) -> Result<ApiAnswer, Problem> {
    deps.api.admit_new(caller).await?;
    let ports = CreatePorts { projects: &deps.projects, files: &deps.texts, clock: &SystemClock, policy: &deps.policy };
    let (project, warnings) = match submit_project(&ports, new).await? {
        MadeProject::Now(project, warnings) => (*project, warnings),
        MadeProject::Before(id, warnings) => (deps.find(caller, &id).await?, warnings),
    };
    let trace = TraceParent::of_aggregate(&project);
    tracing::info!(project_id = %project.id, caller = caller.fingerprint, trace_id = trace.trace_id(), "accepted a project");
    deps.show_project(request, &project, |shown| created_answer(&project, &warnings, shown)).await
}
