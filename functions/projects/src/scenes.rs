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
    caller: &str,
) -> Result<ApiAnswer, Problem> {
    let project = deps.find(id).await?;
    if project.scenes.len() + new.len() > MAX_SCENES {
        return Err(Problem::Project(ProjectProblem::TooManyScenes));
    }
    let mut prompts = Prompts::of(&project);
    let read = read_new(id, &project.scenes, new, &mut prompts, || SystemClock.random())?;
    prompts.store(&deps.texts).await?;
    let (scenes, warnings): (Vec<NewScene>, _) = (read.scenes, read.warnings);
    let added: Vec<SceneId> = scenes.iter().map(|scene| scene.id.clone()).collect();
    let project = deps.command(id, |_| Ok(Event::AddScenes(scenes.clone()))).await?;
    tracing::info!(project_id = %id, caller, scenes = added.len(), "added scenes");
    deps.show_project(request, &project, |shown| added_answer(&project, &added, &warnings, shown)).await
}

/// Changes a scene.
pub(crate) async fn change(
    deps: &Deps,
    request: &ApiRequest,
    at: SceneAt,
    change: SceneChange,
    caller: &str,
) -> Result<ApiAnswer, Problem> {
    let (id, scene) = (project_of(deps, &at).await?, at.scene);
    let (project, warnings) = apply(deps, &id, &scene, &change).await?;
    tracing::info!(project_id = %id, scene_id = %scene, caller, "changed a scene");
    let found = find(&project, &scene)?;
    deps.show_project(request, &project, |shown| scene_answer(&project, found, &warnings, shown)).await
}

/// Removes a scene.
pub(crate) async fn remove(deps: &Deps, at: SceneAt, caller: &str) -> Result<ApiAnswer, Problem> {
    let (id, scene) = (project_of(deps, &at).await?, at.scene);
    deps.command(&id, |_| Ok(Event::RemoveScene(scene.clone()))).await?;
    tracing::info!(project_id = %id, scene_id = %scene, caller, "removed a scene");
    Ok(removed_answer(&scene))
}

/// Generates one scene anew, or all that are ready.
pub(crate) async fn generate(
    deps: &Deps,
    request: &ApiRequest,
    id: &ProjectId,
    generation: Generation,
    caller: &str,
) -> Result<ApiAnswer, Problem> {
    let mut warnings = Vec::new();
    if let (Some(scene), Some(change)) = (&generation.scene, &generation.change) {
        (_, warnings) = apply(deps, id, scene, change).await?;
    }
    let event = |project: &Project| -> Result<Event, Problem> {
        // A draft was never checked.
        if let Some(scene) = &generation.scene {
            read_change(project, find(project, scene)?, SceneFields::default(), false, &mut Prompts::default())?;
        }
        Ok(generation.event())
    };
    let project = deps.command(id, event).await?;
    tracing::info!(project_id = %id, scene_id = generation.scene.as_ref().map(SceneId::as_str), caller, "started to generate scenes");
    let scene = generation.scene.as_ref().map(|scene| find(&project, scene)).transpose()?;
    deps.show_project(request, &project, |shown| generation_answer(&project, scene, &warnings, shown)).await
}

/// Applies a change of a scene: its project after that, and what differs from the request.
async fn apply(
    deps: &Deps,
    id: &ProjectId,
    scene: &SceneId,
    change: &SceneChange,
) -> Result<(Project, Vec<String>), Problem> {
    // A long prompt is stored before the project names it. Its key depends only on its text and its scene.
    let project = deps.find(id).await?;
    let mut prompts = Prompts::of(&project);
    let (_, warning) = edit(&project, scene, change, &mut prompts)?;
    prompts.store(&deps.texts).await?;
    let event = |project: &Project| edit(project, scene, change, &mut Prompts::of(project)).map(|(event, _)| event);
    let project = deps.command(id, event).await?;
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

/// The project of a scene. An id that several projects have names no scene by itself.
async fn project_of(deps: &Deps, at: &SceneAt) -> Result<ProjectId, Problem> {
    match &at.project {
        Some(project) => Ok(project.clone()),
        None => match deps.lookups.of_scene(&at.scene).await? {
            Some(SceneOwner::One(project)) => Ok(project),
            Some(SceneOwner::Several) => Err(Problem::Project(ProjectProblem::SceneAmbiguous(at.scene.to_string()))),
            None => Err(Problem::Project(ProjectProblem::SceneNotFound)),
        },
    }
}
