//! The answers of the routes of projects and scenes.

use reelhook_app::projects::estimate::Estimate;
use reelhook_app::projects::requests::list::Listed;
use reelhook_app::views::scenes::{
    ListedProject, ProjectIdText, ProjectView, SceneIdText, SceneView, Shown, dollars, listed, project, scene,
};
use reelhook_app::views::wire::Yes;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::Scene;
use reelhook_domain::{ProjectId, SceneId};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::jobs::status::matches_tag;
use crate::request::ApiRequest;

const PROJECT_DELETED: &str = "Project deleted";
const SCENE_REMOVED: &str = "Scene removed";

/// A project, and what differs from the request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectAnswer<'a> {
    /// The project.
    #[serde(flatten)]
    project: ProjectView<'a>,
    /// What differs from the request, with paths; absent if nothing does.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// A page of the list of projects.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectList<'a> {
    /// The projects, newest first.
    projects: Vec<ListedProject<'a>>,
    /// The number of all projects.
    total_docs: usize,
    /// True if there are more than `totalDocs`: counting ends at a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Yes")]
    has_more_docs: Option<Yes>,
    /// The maximum number of projects of a page.
    limit: usize,
    /// The number of pages.
    total_pages: usize,
    /// The number of this page, from 1.
    #[schemars(range(min = 1))]
    page: usize,
    /// Whether there is a next page.
    has_next_page: bool,
    /// Whether there is a page before.
    has_prev_page: bool,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    next_cursor: Option<String>,
}

/// The answer about a deleted project.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectDeleted<'a> {
    success: Yes,
    /// That the project was deleted.
    #[schemars(extend("const" = PROJECT_DELETED))]
    message: &'static str,
    /// The project.
    #[schemars(with = "ProjectIdText")]
    id: &'a str,
}

/// The scenes of a project.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SceneList<'a> {
    /// The scenes, in order.
    scenes: Vec<SceneView<'a>>,
}

/// Scenes that were added to a project.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ScenesAdded<'a> {
    /// The first added scene.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SceneView<'a>")]
    scene: Option<SceneView<'a>>,
    /// All added scenes, in the order of the project.
    scenes: Vec<SceneView<'a>>,
    /// What differs from the request, with paths; absent if nothing does.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// A scene, and what differs from the request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SceneAnswer<'a> {
    /// The scene.
    scene: SceneView<'a>,
    /// What differs from the request; absent if nothing does.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

/// What was started to be generated.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum GenerationAnswer<'a> {
    /// The scene that the request names.
    Scene(Box<SceneAnswer<'a>>),
    /// Without a scene in the request, the scenes of the project.
    Scenes(SceneList<'a>),
}

/// The answer about a removed scene.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SceneRemoved<'a> {
    success: Yes,
    /// That the scene was removed.
    #[schemars(extend("const" = SCENE_REMOVED))]
    message: &'static str,
    /// The scene.
    #[schemars(with = "SceneIdText")]
    id: &'a str,
}

/// What generating takes, if no task fails.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EstimateAnswer {
    /// The number of tasks.
    tasks: TaskCounts,
    /// The length of the videos together, in seconds.
    seconds: f64,
    /// The cost in dollars.
    cost: f64,
    /// `USD`.
    #[schemars(extend("const" = "USD"))]
    currency: &'static str,
    /// What the project's tasks have cost so far, in dollars.
    spent: f64,
    /// The project's budget in dollars; null for no limit.
    budget: Option<f64>,
    /// Whether the budget suffices: otherwise the command is answered with 402.
    within_budget: bool,
}

/// The number of tasks by what they make.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct TaskCounts {
    /// Videos of scenes.
    videos: usize,
    /// Last frames of videos.
    frames: usize,
    /// Stitches.
    stitches: usize,
    /// All tasks.
    total: usize,
}

/// The entity tag of a version of a project.
fn tag(of: &Project) -> String {
    format!("\"{}-{}\"", of.id, of.version)
}

/// The answer with a project after a command.
pub fn project_answer(status: u16, of: &Project, warnings: &[String], shown: Shown<'_>) -> ApiAnswer {
    ApiAnswer::json(status, &ProjectAnswer { project: project(of, shown), warnings }).header("etag", tag(of))
}

/// The answer with a new project.
pub fn created_answer(of: &Project, warnings: &[String], shown: Shown<'_>) -> ApiAnswer {
    project_answer(201, of, warnings, shown).header("location", format!("/api/v1/projects/{}", of.id))
}

/// Whether the caller has this version of a project.
pub fn is_known(request: &ApiRequest, of: &Project) -> bool {
    matches_tag(request.header("if-none-match"), &tag(of))
}

/// The answer to a caller that has this version of a project.
pub fn unchanged_answer(of: &Project) -> ApiAnswer {
    ApiAnswer::text(304, String::new()).header("etag", tag(of)).header("cache-control", "private, no-cache")
}

/// The project, for a caller that has not this version.
pub fn read_answer(of: &Project, shown: Shown<'_>) -> ApiAnswer {
    project_answer(200, of, &[], shown).header("cache-control", "private, no-cache")
}

/// A page of the list.
pub fn list_answer(of: &Listed, limit: usize, shown: Shown<'_>) -> ApiAnswer {
    let next = of.page.next.as_ref();
    let answer = ProjectList {
        projects: of.page.projects.iter().map(|project| listed(project, shown)).collect(),
        total_docs: of.total,
        has_more_docs: of.is_more.then_some(Yes),
        limit,
        total_pages: of.total.div_ceil(limit.max(1)).max(1),
        page: of.number,
        has_next_page: next.is_some(),
        has_prev_page: of.number > 1,
        next_cursor: next.map(|cursor| ApiRequest::write_cursor(&format!("{}.{cursor}", of.number.saturating_add(1)))),
    };
    ApiAnswer::json(200, &answer)
}

/// The answer about a deleted project.
pub fn deleted_answer(id: &ProjectId) -> ApiAnswer {
    ApiAnswer::json(200, &ProjectDeleted { success: Yes, message: PROJECT_DELETED, id: id.as_str() })
}

/// The answer with the scenes of a project.
pub fn scenes_answer(of: &Project, shown: Shown<'_>) -> ApiAnswer {
    ApiAnswer::json(200, &SceneList { scenes: scenes(of, shown) }).header("etag", tag(of))
}

fn scenes<'a>(of: &'a Project, shown: Shown<'a>) -> Vec<SceneView<'a>> {
    of.scenes.iter().map(|one| scene(of, one, shown)).collect()
}

/// The answer with the scenes that were added.
pub fn added_answer(of: &Project, added: &[SceneId], warnings: &[String], shown: Shown<'_>) -> ApiAnswer {
    let views = || of.scenes.iter().filter(|one| added.contains(&one.id)).map(|one| scene(of, one, shown));
    let first = added.first().and_then(|id| of.scene(id)).map(|one| scene(of, one, shown));
    let answer = ScenesAdded { scene: first, scenes: views().collect(), warnings };
    ApiAnswer::json(201, &answer).header("etag", tag(of))
}

/// The answer about what was started to be generated: one scene, or else those of the project.
pub fn generation_answer(of: &Project, one: Option<&Scene>, warnings: &[String], shown: Shown<'_>) -> ApiAnswer {
    let answer = match one {
        Some(one) => GenerationAnswer::Scene(Box::new(SceneAnswer { scene: scene(of, one, shown), warnings })),
        None => GenerationAnswer::Scenes(SceneList { scenes: scenes(of, shown) }),
    };
    ApiAnswer::json(202, &answer).header("etag", tag(of))
}

/// The answer with a scene.
pub fn scene_answer(of: &Project, one: &Scene, warnings: &[String], shown: Shown<'_>) -> ApiAnswer {
    ApiAnswer::json(200, &SceneAnswer { scene: scene(of, one, shown), warnings }).header("etag", tag(of))
}

/// The answer about a removed scene.
pub fn removed_answer(id: &SceneId) -> ApiAnswer {
    ApiAnswer::json(200, &SceneRemoved { success: Yes, message: SCENE_REMOVED, id: id.as_str() })
}

/// The answer with an estimate.
pub fn estimate_answer(of: &Project, estimate: &Estimate) -> ApiAnswer {
    let Estimate { videos, frames, stitches, video_ms, cost } = *estimate;
    let answer = EstimateAnswer {
        tasks: TaskCounts { videos, frames, stitches, total: videos + frames + stitches },
        seconds: video_ms as f64 / 1000.0,
        cost: dollars(cost),
        currency: "USD",
        spent: dollars(of.spent),
        budget: of.spec.budget.map(dollars),
        within_budget: of.spec.budget.is_none_or(|budget| of.spent.saturating_add(cost) <= budget),
    };
    ApiAnswer::json(200, &answer)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use reelhook_app::projects::requests::list::Listed;
    use reelhook_app::projects::store::ProjectPage;

    #[test]
    fn a_page_of_the_list_says_what_precedes_and_follows_it() {
        let page = |next: Option<&str>, number| {
            let page = ProjectPage { projects: Vec::new(), next: next.map(str::to_owned) };
            let texts = Default::default();
            let shown = Shown { url: &|_| None, texts: &texts };
            let listed = Listed { page, number, total: 21, is_more: false };
            serde_json::from_str::<Value>(&list_answer(&listed, 10, shown).body).unwrap()
        };
        let last = json!({
            "projects": [], "totalDocs": 21, "limit": 10, "totalPages": 3, "page": 3, "hasNextPage": false,
            "hasPrevPage": true,
        });
        assert_eq!(page(None, 3), last);
        let first = page(Some("after"), 1);
        assert_eq!((&first["hasNextPage"], &first["hasPrevPage"]), (&json!(true), &json!(false)));
        assert_eq!(first["nextCursor"], ApiRequest::write_cursor("2.after"));
    }
}
