//! Calls about the scenes of a project: adding, changing, removing and generating them.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::projects::lookup::SceneOwner;
use reelhook_app::projects::requests::scenes::{SceneFields, SceneRequest, read_change, read_new};
use reelhook_app::projects::requests::texts::Prompts;
use reelhook_app::projects::store::Lookups;
use reelhook_aws::start::SystemClock;
use reelhook_domain::projects::event::{Event, NewScene, ScenePatch};
use reelhook_domain::projects::project::{MAX_SCENES, Project};
use reelhook_domain::projects::scene::{Scene, SceneStatus};
use reelhook_domain::{ProjectId, SceneId};
use reelhook_http::access::Caller;
use reelhook_http::answer::ApiAnswer;
use reelhook_http::problem::Problem;
use reelhook_http::projects::answers::{added_answer, generation_answer, removed_answer, scene_answer};
use reelhook_http::projects::problem::ProjectProblem;
use reelhook_http::projects::routes::{Generation, SceneAt, SceneChange};
use reelhook_http::request::ApiRequest;

use crate::deps::Deps;

/// Adds scenes.
pub(crate) async fn add(
    deps: &Deps,
    request: &ApiRequest,
    id: &ProjectId,
    new: Vec<SceneRequest>,
    caller: &Caller,
) -> Result<ApiAnswer, Problem> {
    let project = deps.find(caller, id).await?;
    if project.scenes.len() + new.len() > MAX_SCENES {
        return Err(Problem::Project(ProjectProblem::TooManyScenes));
    }
    let mut prompts = Prompts::of(&project);
    let read = read_new(id, &project.scenes, new, &mut prompts, || SystemClock.random())?;
    prompts.store(&deps.texts).await?;
    let (scenes, warnings): (Vec<NewScene>, _) = (read.scenes, read.warnings);
    let added: Vec<SceneId> = scenes.iter().map(|scene| scene.id.clone()).collect();
    let project = deps.command(caller, id, |_| Ok(Event::AddScenes(scenes.clone()))).await?;
    tracing::info!(project_id = %id, caller = caller.fingerprint, scenes = added.len(), "added scenes");
    deps.show_project(request, &project, |shown| added_answer(&project, &added, &warnings, shown)).await
}

/// Changes a scene.
pub(crate) async fn change(
    deps: &Deps,
    request: &ApiRequest,
    at: SceneAt,
    change: SceneChange,
    caller: &Caller,
) -> Result<ApiAnswer, Problem> {
    let (id, scene) = (project_of(deps, caller, &at).await?, at.scene);
    let (project, warnings) = apply(deps, caller, &id, &scene, &change).await?;
    tracing::info!(project_id = %id, scene_id = %scene, caller = caller.fingerprint, "changed a scene");
    let found = find(&project, &scene)?;
    deps.show_project(request, &project, |shown| scene_answer(&project, found, &warnings, shown)).await
}

/// Removes a scene.
pub(crate) async fn remove(deps: &Deps, at: SceneAt, caller: &Caller) -> Result<ApiAnswer, Problem> {
    let (id, scene) = (project_of(deps, caller, &at).await?, at.scene);
    deps.command(caller, &id, |_| Ok(Event::RemoveScene(scene.clone()))).await?;
    tracing::info!(project_id = %id, scene_id = %scene, caller = caller.fingerprint, "removed a scene");
    Ok(removed_answer(&scene))
}

/// Generates one scene anew, or all that are ready.
pub(crate) async fn generate(
    deps: &Deps,
    request: &ApiRequest,
    id: &ProjectId,
    generation: Generation,
    caller: &Caller,
) -> Result<ApiAnswer, Problem> {
    let mut warnings = Vec::new();
    if let (Some(scene), Some(change)) = (&generation.scene, &generation.change) {
        (_, warnings) = apply(deps, caller, id, scene, change).await?;
    }
    let event = |project: &Project| -> Result<Event, Problem> {
        // A draft was never checked.
        if let Some(scene) = &generation.scene {
            read_change(project, find(project, scene)?, SceneFields::default(), false, &mut Prompts::default())?;
        }
        Ok(generation.event())
    };
    let project = deps.command(caller, id, event).await?;
    tracing::info!(project_id = %id, scene_id = generation.scene.as_ref().map(SceneId::as_str), caller = caller.fingerprint, "started to generate scenes");
    let scene = generation.scene.as_ref().map(|scene| find(&project, scene)).transpose()?;
    deps.show_project(request, &project, |shown| generation_answer(&project, scene, &warnings, shown)).await
}

/// Applies a change of a scene: its project after that, and what differs from the request.
async fn apply(
    deps: &Deps,
    caller: &Caller,
    id: &ProjectId,
    scene: &SceneId,
    change: &SceneChange,
) -> Result<(Project, Vec<String>), Problem> {
    // A long prompt is stored before the project names it. Its key depends only on its text and its scene.
    let project = deps.find(caller, id).await?;
    let mut prompts = Prompts::of(&project);
    let (_, warning) = edit(&project, scene, change, &mut prompts)?;
    prompts.store(&deps.texts).await?;
    let event = |project: &Project| edit(project, scene, change, &mut Prompts::of(project)).map(|(event, _)| event);
    let project = deps.command(caller, id, event).await?;
    Ok((project, warning.into_iter().collect()))
}

/// The event of a change of a scene, and what differs from the request.
fn edit(
    project: &Project,
    id: &SceneId,
    change: &SceneChange,
    prompts: &mut Prompts,
) -> Result<(Event, Option<String>), Problem> {
    let scene = find(project, id)?;
    let patch = change.patch(project, scene)?;
    let draft = patch.status.unwrap_or_else(|| scene.status()) == SceneStatus::Draft;
    let (spec, warning) = read_change(project, scene, change.fields.clone(), draft, prompts)?;
    let patch = ScenePatch { spec: Some(spec).filter(|spec| *spec != scene.spec), ..patch };
    Ok((Event::EditScene { scene: id.clone(), patch: Box::new(patch) }, warning))
}

fn find<'a>(project: &'a Project, id: &SceneId) -> Result<&'a Scene, Problem> {
    project.scene(id).ok_or(Problem::Project(ProjectProblem::SceneNotFound))
}

/// The project of a scene. An id that several projects have names no scene by itself. An owner does not learn of scenes
/// that others have.
async fn project_of(deps: &Deps, caller: &Caller, at: &SceneAt) -> Result<ProjectId, Problem> {
    let missing = Err(Problem::Project(ProjectProblem::SceneNotFound));
    if let Some(project) = &at.project {
        return Ok(project.clone());
    }
    match deps.lookups.of_scene(&at.scene).await? {
        Some(SceneOwner::One(project)) if caller.owner.is_some() => match deps.find(caller, &project).await {
            Err(Problem::Project(ProjectProblem::NotFound)) => missing,
            found => found.map(|_| project),
        },
        Some(SceneOwner::One(project)) => Ok(project),
        Some(SceneOwner::Several) if caller.owner.is_none() => {
            Err(Problem::Project(ProjectProblem::SceneAmbiguous(at.scene.to_string())))
        }
        Some(SceneOwner::Several) | None => missing,
    }
}
