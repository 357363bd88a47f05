//! Reads requests about projects and scenes (docs/contract/scenes.md; seed 003).

use reelhook_app::projects::estimate::Wanted;
use reelhook_app::projects::requests::create::ProjectRequest;
use reelhook_app::projects::requests::list::PageAt;
use reelhook_app::projects::requests::scenes::{SceneFields, SceneRequest};
use reelhook_domain::projects::event::{Event, ScenePatch};
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::Scene;
use reelhook_domain::{ProjectId, SceneId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::Caller;
use crate::idempotency::key_of_body;
use crate::problem::{Problem, bad};
use crate::projects::bodies::{
    GenerateScene, ProjectBody, ProjectChangeBody, RetryProject, SceneBody, ScenesBody, WhichScenes, new_scenes,
};
use crate::projects::fields::{ProjectKey, SceneKey};
use crate::projects::problem::ProjectProblem;
use crate::request::ApiRequest;
use crate::routes;
use crate::typed;
use crate::typed::fields::{Flag, Whole, with_cursor};

/// Projects of one page of the list by default, and at most.
const PAGE: (i64, i64) = (10, 100);
/// Projects that precede a page by number at most: pages beyond it are reached by cursor.
const SKIPPED: usize = 10_000;
/// The maximum length of a cursor, in bytes.
const CURSOR_LIMIT: usize = 1024;

/// The parameters of the list of projects.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(transform = with_cursor)]
pub struct ProjectListQuery {
    /// The number of the page, from 1; at most 10,000 projects may precede it, and `cursor` takes precedence.
    #[schemars(extend("default" = 1))]
    page: Option<Whole<1, 10_000>>,
    /// The maximum number of projects in the answer.
    #[schemars(extend("default" = PAGE.0))]
    limit: Option<Whole<1, { PAGE.1 }>>,
}

/// A request about projects or scenes.
#[derive(Debug, Clone)]
pub enum Route {
    /// GET /api/v1/projects: a page, of at most so many projects.
    List(PageAt, usize),
    /// POST /api/v1/projects
    Create(Box<ProjectRequest>),
    /// GET /api/v1/projects/{id}
    Read(ProjectId),
    /// PATCH /api/v1/projects/{id}
    Change(ProjectId, ProjectChange),
    /// DELETE /api/v1/projects/{id}
    Delete(ProjectId),
    /// POST /api/v1/projects/{id}/start, …/cancel, …/stitch, …/retry
    Command(ProjectId, Event),
    /// POST /api/v1/projects/{id}/estimate
    Estimate(ProjectId, Wanted),
    /// POST /api/v1/projects/{id}/videos/generate, …/scenes/{scene}/generate
    Generate(ProjectId, Generation),
    /// GET /api/v1/projects/{id}/scenes
    Scenes(ProjectId),
    /// POST /api/v1/projects/{id}/scenes
    AddScenes(ProjectId, Vec<SceneRequest>),
    /// PATCH /api/v1/projects/{id}/scenes/{scene}, /api/scenes/{id}
    ChangeScene(SceneAt, Box<SceneChange>),
    /// DELETE /api/v1/projects/{id}/scenes/{scene}, /api/scenes/{id}
    RemoveScene(SceneAt),
}

/// A scene, by its project or by its id alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SceneAt {
    /// The project; none if its look-up finds it.
    pub project: Option<ProjectId>,
    /// The scene.
    pub scene: SceneId,
}

/// A change of a project.
#[derive(Debug, Clone)]
pub struct ProjectChange {
    given: ProjectChangeBody,
    seen: Option<u64>,
}

/// A change of a scene.
#[derive(Debug, Clone)]
pub struct SceneChange {
    given: SceneBody,
    seen: Option<u64>,
    /// What it says about what the scene shows.
    pub fields: SceneFields,
}

/// What is to be generated.
#[derive(Debug, Clone)]
pub struct Generation {
    /// The scene; none for all that are ready.
    pub scene: Option<SceneId>,
    /// Whether the scenes that depend on it are generated again too.
    pub cascade: bool,
    /// A change of the scene before it is generated.
    pub change: Option<Box<SceneChange>>,
}

impl Route {
    /// Reads the route.
    ///
    /// # Errors
    /// [`Problem`] for an unknown route, or names what is wrong.
    pub fn read(request: &ApiRequest, caller: &Caller) -> Result<Self, Problem> {
        let segments = request.segments();
        let (method, path) = (request.method.as_str(), &segments[..]);
        let rest = match path {
            ["api", "v1", "projects", rest @ ..] => rest,
            ["api", "projects", _, "scenes"] if method == "GET" => &path[2..],
            ["api", "projects", _, "scenes", _, "generate"] if method == "POST" => &path[2..],
            ["api", "scenes", scene] => return Self::read_scene(request, SceneAt { project: None, scene: id(scene)? }),
            _ => return Err(routes::unknown(request)),
        };
        match (method, rest) {
            ("GET", []) => read_list(request),
            ("POST", []) => read_new(request, caller),
            (_, [one]) => {
                let project = project(one)?;
                match method {
                    "GET" => Ok(Self::Read(project)),
                    "PATCH" => {
                        let given = request.body()?;
                        Ok(Self::Change(project, ProjectChange { given, seen: seen(request)? }))
                    }
                    "DELETE" => Ok(Self::Delete(project)),
                    _ => Err(routes::unknown(request)),
                }
            }
            ("POST", [one, "start"]) => Ok(Self::Command(project(one)?, Event::Start)),
            ("POST", [one, "cancel"]) => Ok(Self::Command(project(one)?, Event::Cancel)),
            ("POST", [one, "stitch"]) => Ok(Self::Command(project(one)?, Event::Stitch)),
            ("POST", [one, "retry"]) => {
                let given: RetryProject = request.optional_body()?;
                Ok(Self::Command(project(one)?, Event::Retry { scene: given.scene_id.map(|key| key.0) }))
            }
            ("POST", [one, "estimate"]) => {
                let given: WhichScenes = request.optional_body()?;
                let wanted = match given.scene_id {
                    Some(SceneKey(scene)) => Wanted::Scenes { scenes: vec![scene], cascade: cascade(given.cascade) },
                    None => Wanted::Rest,
                };
                Ok(Self::Estimate(project(one)?, wanted))
            }
            ("POST", [one, "videos", "generate"]) => Ok(Self::Generate(project(one)?, read_generation(request)?)),
            ("GET", [one, "scenes"]) => Ok(Self::Scenes(project(one)?)),
            ("POST", [one, "scenes"]) => Ok(Self::AddScenes(project(one)?, read_scenes(request)?)),
            (_, [one, "scenes", scene]) => {
                Self::read_scene(request, SceneAt { project: Some(project(one)?), scene: id(scene)? })
            }
            ("POST", [one, "scenes", scene, "generate"]) => {
                let given: GenerateScene = request.optional_body()?;
                let generation = Generation { scene: Some(id(scene)?), cascade: cascade(given.cascade), change: None };
                Ok(Self::Generate(project(one)?, generation))
            }
            _ => Err(routes::unknown(request)),
        }
    }

    fn read_scene(request: &ApiRequest, at: SceneAt) -> Result<Self, Problem> {
        match request.method.as_str() {
            "PATCH" => {
                let given: SceneBody = request.body()?;
                let fields = given.fields("")?;
                Ok(Self::ChangeScene(at, Box::new(SceneChange { given, seen: seen(request)?, fields })))
            }
            "DELETE" => Ok(Self::RemoveScene(at)),
            _ => Err(routes::unknown(request)),
        }
    }
}

fn project(text: &str) -> Result<ProjectId, Problem> {
    ProjectId::parse(text).map_err(|_| ProjectProblem::NotFound.into())
}

fn id(text: &str) -> Result<SceneId, Problem> {
    SceneId::parse(text).map_err(|_| ProjectProblem::SceneNotFound.into())
}

fn cascade(given: Option<Flag>) -> bool {
    given.is_none_or(|cascade| cascade.0)
}

/// The version that the caller saw: If-Match has the `ETag` of an answer.
fn seen(request: &ApiRequest) -> Result<Option<u64>, Problem> {
    let Some(tag) = request.header("if-match").map(str::trim).filter(|tag| *tag != "*") else { return Ok(None) };
    let text = tag.trim_matches('"');
    let version = text.rsplit_once('-').map_or(text, |(_, version)| version);
    version.parse().map(Some).map_err(|_| ProjectProblem::VersionMismatch.into())
}

fn read_list(request: &ApiRequest) -> Result<Route, Problem> {
    let given: ProjectListQuery = request.parameters()?;
    let limit = given.limit.map_or(PAGE.0 as usize, Whole::get);
    let cursor = request.cursor(|text| {
        let (number, cursor) = text.split_once('.')?;
        let is_cursor = !cursor.is_empty() && cursor.len() <= CURSOR_LIMIT;
        is_cursor.then_some(PageAt::Cursor(number.parse().ok()?, cursor.to_owned()))
    })?;
    let number = given.page.map_or(1, Whole::get);
    let at = cursor.unwrap_or(PageAt::Number(number));
    if matches!(at, PageAt::Number(_)) && (number - 1) * limit > SKIPPED {
        return Err(bad("page", format!("at most {} for this limit; use `cursor`", SKIPPED / limit + 1)));
    }
    Ok(Route::List(at, limit))
}

fn read_new(request: &ApiRequest, caller: &Caller) -> Result<Route, Problem> {
    let body = request.json()?;
    let given: ProjectBody = typed::read(&body)?;
    let (id, spec, scenes) = given.parts()?;
    let key = key_of_body(request, caller, &body)?;
    Ok(Route::Create(Box::new(ProjectRequest {
        id: id.map(|ProjectKey(id)| id),
        spec,
        scenes,
        origin: caller.origin(request),
        key,
    })))
}

/// One scene, or the list `scenes`.
fn read_scenes(request: &ApiRequest) -> Result<Vec<SceneRequest>, Problem> {
    let body = request.json()?;
    if body.get("scenes").is_some_and(|scenes| !scenes.is_null()) {
        let given: ScenesBody = typed::read(&body)?;
        return new_scenes(given.scenes);
    }
    let scene: SceneBody = typed::read(&body)?;
    Ok(vec![scene.added(None)?])
}

fn read_generation(request: &ApiRequest) -> Result<Generation, Problem> {
    let which: WhichScenes = request.optional_body()?;
    let given: SceneBody = request.optional_body()?;
    let fields = given.fields("")?;
    let changes = fields != SceneFields::default();
    if changes && which.scene_id.is_none() {
        return Err(bad("sceneId", "present, since the other members change one scene"));
    }
    let change = changes.then(|| Box::new(SceneChange { given, seen: None, fields }));
    Ok(Generation { scene: which.scene_id.map(|key| key.0), cascade: cascade(which.cascade), change })
}

/// Whether the project still has the version that the caller saw.
fn check_version(seen: Option<u64>, project: &Project) -> Result<(), Problem> {
    if seen.is_none_or(|seen| seen == project.version) { Ok(()) } else { Err(ProjectProblem::VersionMismatch.into()) }
}

impl ProjectChange {
    /// The event of the change.
    ///
    /// # Errors
    /// [`Problem`] names what is wrong.
    pub fn event(&self, project: &Project) -> Result<Event, Problem> {
        check_version(self.seen, project)?;
        self.given.event(project)
    }
}

impl SceneChange {
    /// The change of a scene besides what it shows.
    ///
    /// # Errors
    /// [`ProjectProblem::VersionMismatch`].
    pub fn patch(&self, project: &Project, scene: &Scene) -> Result<ScenePatch, Problem> {
        check_version(self.seen, project)?;
        Ok(self.given.patch(scene))
    }
}

impl Generation {
    /// The event.
    pub fn event(&self) -> Event {
        Event::Generate { scenes: self.scene.iter().cloned().collect(), cascade: self.cascade }
    }
}

#[cfg(test)]
mod tests;
