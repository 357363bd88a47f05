//! Projects of scenes: each scene starts from the last frame of the one before, and all are stitched to one video.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::family::{Creation, Family, Outcome, Paths, Remote, State, percent, text};
use crate::api::Call;
use crate::failure::Failure;
use crate::input;

/// Projects of scenes.
pub struct Project;

/// Where projects are.
const PROJECTS: &str = "/api/v1/projects";

/// What a project shows.
#[derive(Debug, Args)]
pub struct Submit {
    /// JSON file with the project (docs/scenes.md), or `-` for standard input
    #[arg(required_unless_present = "prompts")]
    file: Option<PathBuf>,
    /// Prompt of a scene; may be repeated, in the order of the video
    #[arg(long = "prompt", value_name = "TEXT")]
    prompts: Vec<String>,
    /// Name of the project, by default the first prompt
    #[arg(long)]
    name: Option<String>,
    /// Seconds of each scene that has a prompt here
    #[arg(long)]
    seconds: Option<f64>,
    /// The most that its videos may cost, in dollars
    #[arg(long)]
    budget: Option<f64>,
}

impl Submit {
    /// The request. It makes a draft, which [`start`] starts.
    pub fn creation(&self) -> Result<Creation, Failure> {
        let mut project = match &self.file {
            Some(file) => Value::Object(input::json_file(file)?),
            None => json!({}),
        };
        let scene = |prompt: &String| match self.seconds {
            Some(seconds) => json!({ "prompt": prompt, "duration": seconds }),
            None => json!({ "prompt": prompt }),
        };
        if !self.prompts.is_empty() {
            let scenes = project["scenes"].as_array().cloned().unwrap_or_default();
            project["scenes"] = scenes.into_iter().chain(self.prompts.iter().map(scene)).collect();
        }
        let first = self.prompts.first().map(|prompt| prompt.chars().take(80).collect::<String>());
        let name = self.name.clone().or_else(|| text(&project["name"])).or(first);
        if let Some(name) = name {
            project["name"] = json!(name);
        }
        if let Some(budget) = self.budget {
            project["budget"] = json!(budget);
        }
        Ok(Creation { path: PROJECTS, body: project, id_member: "id" })
    }
}

/// The command that starts a project. One that runs stays as it is.
pub fn start(id: &str) -> Call {
    Call::post(format!("{PROJECTS}/{id}/start"), json!({})).repeatable()
}

impl Family for Project {
    fn name(&self) -> &'static str {
        "project"
    }

    fn may_have(&self, id: &str) -> bool {
        id.starts_with("proj_")
    }

    fn paths(&self, id: &str) -> Paths {
        Paths::below(format!("{PROJECTS}/{id}"))
    }

    fn read(&self, id: &str, body: &Value) -> State {
        let status = text(&body["status"]).unwrap_or_default();
        let scenes = body["scenes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_done = |scene: &&Value| matches!(scene["status"].as_str(), Some("verified" | "approved"));
        let done = format!("{} of {} scenes done", scenes.iter().filter(is_done).count(), scenes.len());
        let waiting = text(&body["waitingFor"]).map(|what| format!("waits for a person: {what}"));
        State {
            id: id.to_owned(),
            family: self.name(),
            progress: percent(&body["progress"]).unwrap_or_default(),
            step: Some(waiting.unwrap_or(done)),
            error: text(&body["error"]),
            outcome: Outcome::of_status(&status),
            files: Remote::at(&body["finalVideoUrl"], format!("{id}.mp4"), "video").into_iter().collect(),
            status,
        }
    }

    fn update(&self, state: &mut State, event: &Value) {
        let (status, progress) = match event["type"].as_str() {
            Some("project_update") => ("status", "progress"),
            Some("scene_update") => ("project_status", "project_progress"),
            _ => return,
        };
        if let Some(status) = text(&event[status]) {
            state.outcome = Outcome::of_status(&status);
            state.status = status;
        }
        if let Some(progress) = percent(&event[progress]) {
            state.progress = progress;
        }
        match (text(&event["scene_id"]), text(&event["error"])) {
            (Some(scene), _) => state.step = text(&event["status"]).map(|status| format!("{scene} is {status}")),
            (None, error) => state.error = error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_read() {
        let body = json!({ "id": "proj_1", "status": "generating", "progress": 40, "finalVideoUrl": null,
            "scenes": [{ "status": "verified" }, { "status": "generating" }, { "status": "ready" }] });
        let mut state = Project.read("proj_1", &body);
        assert_eq!((state.progress, state.step.as_deref()), (40, Some("1 of 3 scenes done")));
        let scene = json!({ "type": "scene_update", "scene_id": "scene_2", "status": "generated",
            "project_status": "generating", "project_progress": 55 });
        Project.update(&mut state, &scene);
        assert_eq!((state.progress, state.step.as_deref()), (55, Some("scene_2 is generated")));
        assert_eq!((state.status.as_str(), state.outcome), ("generating", None));
        let failed = json!({ "type": "project_update", "status": "failed", "progress": 55, "error": "No video" });
        Project.update(&mut state, &failed);
        assert_eq!((state.outcome, state.error.as_deref()), (Some(Outcome::Failed), Some("No video")));
    }

    #[test]
    fn prompts_become_scenes() {
        let submit = Submit {
            file: None,
            prompts: vec!["A fox runs".to_owned(), "It stops".to_owned()],
            name: None,
            seconds: Some(5.0),
            budget: Some(2.5),
        };
        let expected = json!({ "name": "A fox runs", "budget": 2.5,
            "scenes": [{ "prompt": "A fox runs", "duration": 5.0 }, { "prompt": "It stops", "duration": 5.0 }] });
        assert_eq!(submit.creation().unwrap().body, expected);
    }
}
