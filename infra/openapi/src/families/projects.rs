//! Projects of scenes: the projects, their scenes and files, and the webhooks about them.

use reelhook_app::views::scenes::{ProjectData, ProjectIdText, SceneData, SceneIdText};
use reelhook_http::projects::answers::{
    EstimateAnswer, GenerationAnswer, ProjectAnswer, ProjectDeleted, ProjectList, SceneAnswer, SceneList, SceneRemoved,
    ScenesAdded,
};
use reelhook_http::projects::bodies::{
    GenerateScene, GenerateVideos, NewScenes, ProjectBody, ProjectChangeBody, RetryProject, SceneBody, WhichScenes,
};
use reelhook_http::projects::routes::ProjectListQuery;
use reelhook_http::typed::fields::Text;

use super::jobs::{ONCE, SAME_VERSION, TAGGED, VERSIONS};
use crate::operation::{Access, Operation, Webhook, operation, schema_of};

/// The operations about projects.
pub fn operations() -> Vec<Operation> {
    [of_all(), commands(), scenes(), aliases(), files()].into_iter().flatten().collect()
}

/// Creating, listing, reading, changing and deleting projects.
fn of_all() -> Vec<Operation> {
    vec![
        of_projects("POST /api/v1/projects", "createProject", "Create a project of scenes")
            .about(
                "Scenes may be created with it or added later. A scene starts from the last frame of the one before \
                 unless `dependsOn` says otherwise. The project does nothing before it is started.",
            )
            .idempotent(ONCE)
            .body::<ProjectBody>()
            .answer_with::<ProjectAnswer>(201, "The project", "application/json", &["Location", "ETag"])
            .codes(&[
                "daily_limit",
                "project_name_missing",
                "project_exists",
                "too_many_scenes",
                "bad_scene_graph",
                "over_budget",
            ]),
        of_projects("GET /api/v1/projects", "listProjects", "List projects, newest first")
            .query::<ProjectListQuery>()
            .answer::<ProjectList>(200, "A page of projects, without their scenes"),
        of_one("GET /api/v1/projects/{id}", "getProject", "Get a project")
            .header::<Text<1024>>("If-None-Match", VERSIONS)
            .answer_with::<ProjectAnswer>(200, "The project", "application/json", TAGGED)
            .empty_answer(304, SAME_VERSION, TAGGED),
        of_one("PATCH /api/v1/projects/{id}", "changeProject", "Change a project")
            .about("With `If-Match` only if nothing else has changed it. `scenes` orders its scenes.")
            .header::<Text<200>>("If-Match", SEEN)
            .body::<ProjectChangeBody>()
            .answer_with::<ProjectAnswer>(200, "The project", "application/json", &["ETag"])
            .codes(&["project_name_missing", "bad_scene_graph", "version_mismatch", "over_budget"]),
        of_one("DELETE /api/v1/projects/{id}", "deleteProject", "Delete a project and its files")
            .answer::<ProjectDeleted>(200, "The project is deleted"),
    ]
}

/// The commands of a project.
fn commands() -> Vec<Operation> {
    let command = |route, id, summary| {
        of_one(route, id, summary).answer_with::<ProjectAnswer>(200, "The project", "application/json", &["ETag"])
    };
    vec![
        command("POST /api/v1/projects/{id}/start", "startProject", "Start a project, or continue it")
            .about("It continues after a failure or a cancellation. A project that is running stays so.")
            .codes(&["nothing_ready", "over_budget", "project_ended"]),
        command("POST /api/v1/projects/{id}/cancel", "cancelProject", "Cancel a project")
            .about(
                "Tasks at outside services are cancelled where the service can. A project that has ended stays as it is.",
            )
            .codes(&["project_not_running"]),
        command("POST /api/v1/projects/{id}/stitch", "stitchProject", "Stitch the scenes again")
            .codes(&["scenes_not_verified"]),
        command("POST /api/v1/projects/{id}/retry", "retryProject", "Retry what failed or is unclear")
            .about("Errors of the errors API whose cause a retry may end name this call as their `action`.")
            .optional_body::<RetryProject>()
            .codes(&["scene_not_found", "nothing_ready", "over_budget", "project_ended"]),
        of_one("POST /api/v1/projects/{id}/estimate", "estimateProject", "Estimate tasks, seconds and cost")
            .about("Of everything that is not generated yet, or with `sceneId` of a new attempt, if no task fails.")
            .optional_body::<WhichScenes>()
            .answer::<EstimateAnswer>(200, "The estimate"),
        of_one(
            "POST /api/v1/projects/{id}/videos/generate",
            "generateVideos",
            "Generate one scene, or all that are ready",
        )
        .about("The other members change the scene that `sceneId` names before it is generated.")
        .optional_body::<GenerateVideos>()
        .answer_with::<GenerationAnswer>(
            202,
            "The scene that `sceneId` names; without it, the scenes of the project",
            "application/json",
            &["ETag"],
        )
        .codes(&["scene_not_found", "nothing_ready", "scene_busy", "over_budget"]),
    ]
}

/// The scenes of a project.
fn scenes() -> Vec<Operation> {
    vec![
        of_one("GET /api/v1/projects/{id}/scenes", "listScenes", "List the scenes of a project")
            .answer::<SceneList>(200, "The scenes, in order"),
        of_one("POST /api/v1/projects/{id}/scenes", "addScenes", "Add scenes")
            .body::<NewScenes>()
            .answer::<ScenesAdded>(201, "The scenes that were added")
            .codes(&["too_many_scenes", "bad_scene_graph", "over_budget"]),
        change(of_scene("PATCH /api/v1/projects/{id}/scenes/{scene}", "changeScene", "Change a scene")),
        of_scene("DELETE /api/v1/projects/{id}/scenes/{scene}", "removeScene", "Remove a scene")
            .answer::<SceneRemoved>(200, "The scene is removed")
            .codes(&["bad_scene_graph", "scene_busy"]),
        generate("POST /api/v1/projects/{id}/scenes/{scene}/generate", "generateScene"),
    ]
}

/// The paths of the original's pages.
fn aliases() -> Vec<Operation> {
    vec![
        of_one("GET /api/projects/{id}/scenes", "listScenesOfOriginal", "List the scenes of a project")
            .about("The same as `GET /api/v1/projects/{id}/scenes`.")
            .answer::<SceneList>(200, "The scenes, in order"),
        generate("POST /api/projects/{id}/scenes/{scene}/generate", "generateSceneOfOriginal"),
        change(by_scene("PATCH /api/scenes/{id}", "changeSceneOfOriginal", "Change a scene by its id alone"))
            .codes(&["scene_ambiguous"]),
        by_scene("DELETE /api/scenes/{id}", "removeSceneOfOriginal", "Remove a scene by its id alone")
            .answer::<SceneRemoved>(200, "The scene is removed")
            .codes(&["project_not_found", "scene_ambiguous", "bad_scene_graph", "scene_busy"]),
    ]
}

/// The files of projects.
fn files() -> Vec<Operation> {
    let file = |route, id, summary| {
        of_projects(route, id, summary)
            .access(Access::Link)
            .path::<ProjectIdText>("project", "The project")
            .empty_answer(302, "A redirect to a link of S3, which is valid for an hour", &["Location", "Cache-Control"])
            .codes(&["file_not_found"])
    };
    vec![
        file("GET /api/v1/files/{project}/scenes/{scene}/{attempt}/{name}", "getSceneFile", "Get a file of a take")
            .path::<SceneIdText>("scene", "The scene")
            .path::<Text<10>>("attempt", "The attempt")
            .path::<Text<100>>("name", "The file, such as `video.mp4` or `last.png`"),
        file("GET /api/v1/files/{project}/final/{generation}/{name}", "getFinalFile", "Get the video of a project")
            .path::<Text<10>>("generation", "The generation of its stitch")
            .path::<Text<100>>("name", "The file, such as `video.mp4`"),
        file("GET /api/v1/files/{project}/prompts/{name}", "getPrompt", "Get a prompt of more than 2 KiB")
            .path::<Text<110>>("name", "The file, as in `promptUrl`"),
    ]
}

/// The webhooks about projects and scenes.
pub fn webhooks() -> Vec<Webhook> {
    let of_projects = [
        ("project.started", "A project was started"),
        ("project.completed", "The video of a project is ready"),
        ("project.failed", "A project failed: a scene or the stitch failed for good"),
        ("project.cancelled", "A project was cancelled"),
    ];
    let of_scenes = [
        ("scene.generated", "The video of a scene is there"),
        ("scene.verified", "The last frame of a scene is there too"),
        ("scene.rejected", "The video of a scene failed"),
    ];
    let projects = of_projects.map(|(event, about)| Webhook { event, about, data: schema_of::<ProjectData> });
    let scenes = of_scenes.map(|(event, about)| Webhook { event, about, data: schema_of::<SceneData> });
    projects.into_iter().chain(scenes).collect()
}

/// An operation with errors in the form of projects.
fn of_projects(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("projects", route, id, summary).projects()
}

/// An operation about one project.
fn of_one(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    of_projects(route, id, summary).path::<ProjectIdText>("id", "The project").codes(&["project_not_found"])
}

/// An operation about one scene.
fn of_scene(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    of_one(route, id, summary).path::<SceneIdText>("scene", "The scene").codes(&["scene_not_found"])
}

/// An operation about one scene that is named alone.
fn by_scene(route: &'static str, id: &'static str, summary: &'static str) -> Operation {
    of_projects(route, id, summary).path::<SceneIdText>("id", "The scene").codes(&["scene_not_found"])
}

/// A change of a scene.
fn change(of: Operation) -> Operation {
    of.about(
        "`take` chooses an earlier take; `status` sets `approved`, `rejected`, `revision`, `ready` or `draft`. With \
         `If-Match` only if nothing else has changed the project.",
    )
    .header::<Text<200>>("If-Match", SEEN)
    .body::<SceneBody>()
    .answer_with::<SceneAnswer>(200, "The scene", "application/json", &["ETag"])
    .codes(&[
        "take_not_found",
        "bad_scene_status",
        "bad_scene_graph",
        "scene_busy",
        "version_mismatch",
        "over_budget",
    ])
}

/// A new attempt of a scene.
fn generate(route: &'static str, id: &'static str) -> Operation {
    of_scene(route, id, "Generate a scene anew")
        .about("Its earlier takes stay. The scenes that depend on it are generated again, unless `cascade` is false.")
        .optional_body::<GenerateScene>()
        .answer_with::<SceneAnswer>(202, "The scene", "application/json", &["ETag"])
        .codes(&["scene_busy", "over_budget", "nothing_ready"])
}

/// The header `If-Match`.
const SEEN: &str = "The ETag of the version that the caller saw";
