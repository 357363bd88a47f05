//! Problems of projects and their scenes; and all problems in the form of these routes (docs/contract/errors.md).

use reelhook_app::projects::requests::scenes::SceneFault;
use reelhook_domain::projects::money::dollars;
use reelhook_domain::projects::project::{MAX_BYTES, MAX_SCENES, MAX_TAKES};
use reelhook_domain::projects::reasons::Rejected;
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::ApiAnswer;
use crate::problem::{Problem, RequestProblem, bad, problems};

problems! {
    /// A problem of a project.
    pub enum ProjectProblem {
        /// A new project has no name.
        NameMissing = 400 "project_name_missing" "Project name is required";
        /// The scenes form no valid graph; the text says why.
        BadGraph(why: String) = 400 "bad_scene_graph" format!("The scenes do not fit together: {why}");
        /// A project would have too many scenes.
        TooManyScenes = 400 "too_many_scenes" format!("A project has at most {MAX_SCENES} scenes");
        /// The command would exceed the project's budget: its cost and what is left, in millionths of a dollar.
        OverBudget(cost: u64, left: u64) = 402 "over_budget"
            format!("This would cost {}, and {} of the budget are left", dollars(*cost), dollars(*left));
        /// The project does not exist.
        NotFound = 404 "project_not_found" "Project not found";
        /// The scene does not exist.
        SceneNotFound = 404 "scene_not_found" "Scene not found";
        /// The scene has no take of this attempt.
        TakeNotFound(take: u32) = 404 "take_not_found" format!("The scene has no take {take}");
        /// The file does not exist.
        FileNotFound = 404 "file_not_found" "File not found";
        /// A project with the client's id exists.
        Exists = 409 "project_exists" "A project with this id exists";
        /// No scene is ready.
        NothingReady = 409 "nothing_ready" "No scene is ready to be generated";
        /// The project is not running.
        NotRunning = 409 "project_not_running" "The project is not running";
        /// The project is completed.
        Ended = 409 "project_ended" "The project is completed: nothing of it is left to do";
        /// Not all scenes are verified.
        NotVerified = 409 "scenes_not_verified" "The project can be stitched once all its scenes are verified";
        /// A scene is being generated; the text is its id.
        SceneBusy(scene: String) = 409 "scene_busy" format!("Scene `{scene}` is being generated");
        /// Several projects have a scene with this id, and the path names no project.
        SceneAmbiguous(scene: String) = 409 "scene_ambiguous" format!(
            "Several projects have a scene `{scene}`: use `/api/v1/projects/{{id}}/scenes/{scene}`"
        );
        /// A person cannot set this status.
        BadStatus = 409 "bad_scene_status"
            "The scene can't get this status now: `approved` needs its video and its last frame, and a scene that is \
             being generated keeps its status";
        /// The project has another version than the one that the caller saw.
        VersionMismatch = 412 "version_mismatch" "The project has changed in the meantime; read it again";
    }
}

/// An error of the routes of projects.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProjectError")]
pub struct ProjectErrorBody<'a> {
    /// A sentence; it may change.
    error: String,
    /// A stable word; docs/errors.md lists them all.
    #[schemars(regex(pattern = "^[a-z][a-z0-9_]*$"))]
    code: &'static str,
    /// The gateway's id of the request.
    #[serde(rename = "request_id")]
    request_id: &'a str,
    /// Only with `bad_field` and `unknown_field`: the path of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    field: Option<&'a str>,
    /// Only with `rate_limited` and `daily_limit`: seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Problem {
    /// The error in the form of the routes of projects.
    pub fn scenes(&self, request_id: &str) -> ApiAnswer {
        let (status, code, sentence) = self.parts();
        let (error, retry_after) = match self {
            Self::Request(RequestProblem::RateLimited(wait)) => ("Rate limit exceeded".to_owned(), Some(*wait)),
            Self::Request(RequestProblem::DailyLimit(_, wait)) => (sentence, Some(*wait)),
            Self::Request(_)
            | Self::Job(_)
            | Self::Webhook(_)
            | Self::Video(_)
            | Self::Project(_)
            | Self::Clip(_)
            | Self::Error(_) => (sentence, None),
        };
        let body = ProjectErrorBody { error, code, request_id, field: self.path(), retry_after };
        self.headers(ApiAnswer::json(status, &body))
    }
}

impl From<ProjectProblem> for Problem {
    fn from(problem: ProjectProblem) -> Self {
        Self::Project(problem)
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        Self::Project(match rejected {
            Rejected::Deleted => ProjectProblem::NotFound,
            Rejected::NoScene(_) => ProjectProblem::SceneNotFound,
            Rejected::NoTake(take) => ProjectProblem::TakeNotFound(take),
            Rejected::NothingReady => ProjectProblem::NothingReady,
            Rejected::NotRunning => ProjectProblem::NotRunning,
            Rejected::Ended => ProjectProblem::Ended,
            Rejected::NotVerified => ProjectProblem::NotVerified,
            Rejected::SceneBusy(scene) => ProjectProblem::SceneBusy(scene.to_string()),
            Rejected::BadStatus => ProjectProblem::BadStatus,
            Rejected::Graph(error) => ProjectProblem::BadGraph(error.to_string()),
            Rejected::TooManyScenes => ProjectProblem::TooManyScenes,
            Rejected::TooLarge => {
                let size = MAX_BYTES / 1024;
                return bad(
                    "scenes",
                    format!("less: a project has at most {size} KiB of texts and URLs, and {MAX_TAKES} takes"),
                );
            }
            Rejected::OverBudget { cost, left } => ProjectProblem::OverBudget(cost, left),
        })
    }
}

impl From<SceneFault> for Problem {
    fn from(fault: SceneFault) -> Self {
        let SceneFault { index, member, right } = fault;
        match index {
            Some(index) => bad(format!("scenes[{index}].{member}"), right),
            None => bad(member, right),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_error_has_its_sentence_its_code_and_its_field() {
        let body = |problem: Problem| -> Value { serde_json::from_str(&problem.scenes("r-1").body).unwrap() };
        let missing = body(ProjectProblem::NameMissing.into());
        let expected =
            json!({ "error": "Project name is required", "code": "project_name_missing", "request_id": "r-1" });
        assert_eq!(missing, expected);
        let fault = SceneFault { index: Some(2), member: "firstFrameUrl", right: "present".to_owned() };
        assert_eq!(body(fault.into())["field"], "scenes[2].firstFrameUrl");
        let fault = SceneFault { index: Some(1), member: "dependsOn", right: "the id of a scene".to_owned() };
        assert_eq!(body(fault.into())["error"], "`scenes[1].dependsOn` must be the id of a scene");
        let limited = Problem::Request(RequestProblem::RateLimited(7)).scenes("r-1");
        assert!(limited.headers.contains(&("retry-after", "7".to_owned())), "{limited:?}");
        assert!(limited.body.starts_with(r#"{"error":"Rate limit exceeded","#), "{}", limited.body);
        let full = Problem::Request(RequestProblem::DailyLimit(5, 60));
        for answer in [full.scenes("r-1"), full.clips("r-1"), full.vidbuilder("r-1"), full.streamgank("r-1")] {
            assert!(answer.status == 429 && answer.headers.contains(&("retry-after", "60".to_owned())), "{answer:?}");
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!((&body["code"], &body["retryAfter"]), (&json!("daily_limit"), &json!(60)));
            let sentence = body["error"].as_str().unwrap();
            assert!(sentence.contains("5 jobs a day") && sentence.contains("midnight UTC"), "{sentence}");
        }
    }

    #[test]
    fn an_ambiguous_scene_is_told_its_own_path() {
        let (status, code, sentence) = Problem::from(ProjectProblem::SceneAmbiguous("1".to_owned())).parts();
        assert_eq!((status, code), (409, "scene_ambiguous"));
        assert_eq!(sentence, "Several projects have a scene `1`: use `/api/v1/projects/{id}/scenes/1`");
    }

    #[test]
    fn a_budget_is_told_in_dollars() {
        let problem = Problem::from(Rejected::OverBudget { cost: 1_250_000, left: 500_000 });
        let sentence = "This would cost $1.25, and $0.50 of the budget are left".to_owned();
        assert_eq!(problem.parts(), (402, "over_budget", sentence));
        let problem = Problem::from(Rejected::OverBudget { cost: 1_500, left: 500 });
        let sentence = "This would cost $0.0015, and $0.0005 of the budget are left".to_owned();
        assert_eq!(problem.parts(), (402, "over_budget", sentence));
    }
}
