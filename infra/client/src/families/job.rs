//! StreamGank's jobs: an external worker makes a video of a country, a platform and a genre.

use clap::Args;
use serde_json::{Value, json};

use super::family::{Creation, Family, Outcome, Paths, Remote, State, percent, text};

/// Jobs for an external worker.
pub struct Job;

/// What a job is about.
#[derive(Debug, Args)]
pub struct Submit {
    /// Country, such as US
    #[arg(long)]
    country: String,
    /// Platform, such as netflix
    #[arg(long)]
    platform: String,
    /// Genre, such as Horror
    #[arg(long)]
    genre: String,
    /// Kind of content: Film or Série
    #[arg(long)]
    content_type: Option<String>,
    /// Look of the video; `GET /api/templates` lists them
    #[arg(long)]
    template: Option<String>,
    /// End after the movies are found
    #[arg(long)]
    pause_after_extraction: bool,
}

impl Submit {
    /// The request.
    pub fn creation(&self) -> Creation {
        let mut body = json!({ "country": self.country, "platform": self.platform, "genre": self.genre });
        for (name, value) in [("contentType", &self.content_type), ("template", &self.template)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if self.pause_after_extraction {
            body["pauseAfterExtraction"] = json!(true);
        }
        Creation { path: "/api/generate", body, id_member: "jobId" }
    }
}

impl Family for Job {
    fn name(&self) -> &'static str {
        "job"
    }

    fn may_have(&self, id: &str) -> bool {
        id.starts_with("job_")
    }

    fn paths(&self, id: &str) -> Paths {
        Paths::below(format!("/api/job/{id}"))
    }

    fn read(&self, id: &str, body: &Value) -> State {
        let job = &body["job"];
        let status = text(&job["status"]).unwrap_or_default();
        State {
            id: id.to_owned(),
            family: self.name(),
            progress: percent(&job["progress"]).unwrap_or_default(),
            step: text(&job["currentStep"]),
            error: text(&job["error"]),
            outcome: Outcome::of_status(&status),
            files: Remote::at(&job["videoUrl"], format!("{id}.mp4"), "video").into_iter().collect(),
            status,
        }
    }

    fn update(&self, state: &mut State, event: &Value) {
        update(state, event);
    }
}

/// An event of a job's stream. The `status` of a step or of a render is not the job's.
pub fn update(state: &mut State, event: &Value) {
    let status = match event["type"].as_str() {
        Some("job_update") => text(&event["status"]),
        Some("render_completed") => Some("completed".to_owned()),
        Some("render_failed") => Some("failed".to_owned()),
        _ => None,
    };
    if let Some(status) = status {
        state.outcome = Outcome::of_status(&status);
        state.status = status;
        state.error = text(&event["error"]);
    }
    if let Some(progress) = percent(&event["progress"]) {
        state.progress = progress;
    }
    if let Some(step) = text(&event["currentStep"]) {
        state.step = Some(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let body = json!({ "success": true, "job": { "id": "job_1_a", "status": "processing", "progress": 24,
            "currentStep": "Movie Extraction - started", "error": null, "videoUrl": null } });
        Job.read("job_1_a", &body)
    }

    #[test]
    fn a_job_is_read() {
        let found = state();
        assert_eq!((found.status.as_str(), found.progress, found.outcome), ("processing", 24, None));
        assert_eq!(found.step.as_deref(), Some("Movie Extraction - started"));
        let done =
            json!({ "job": { "status": "completed", "progress": 100, "videoUrl": "https://cdn.example/1.mp4" } });
        let done = Job.read("job_1_a", &done);
        assert_eq!(done.outcome, Some(Outcome::Succeeded));
        assert_eq!(
            (done.files[0].name.as_str(), done.files[0].link.as_str()),
            ("job_1_a.mp4", "https://cdn.example/1.mp4")
        );
    }

    #[test]
    fn events_change_the_state() {
        let mut state = state();
        let step = json!({ "type": "step_update", "status": "completed", "progress": 36, "currentStep": "Assets" });
        Job.update(&mut state, &step);
        assert_eq!((state.status.as_str(), state.progress, state.outcome), ("processing", 36, None));
        Job.update(&mut state, &json!({ "type": "heartbeat", "job_id": "job_1_a" }));
        assert_eq!((state.progress, state.step.as_deref()), (36, Some("Assets")));
        let failed = json!({ "type": "job_update", "status": "failed", "progress": 36, "currentStep": "Failed", "error": "No movies" });
        Job.update(&mut state, &failed);
        assert_eq!((state.outcome, state.error.as_deref()), (Some(Outcome::Failed), Some("No movies")));
        Job.update(&mut state, &json!({ "type": "render_completed", "progress": 100, "videoUrl": "x" }));
        assert_eq!((state.outcome, state.status.as_str(), state.error), (Some(Outcome::Succeeded), "completed", None));
    }

    #[test]
    fn a_request_has_what_is_given() {
        let submit = Submit {
            country: "US".to_owned(),
            platform: "netflix".to_owned(),
            genre: "Horror".to_owned(),
            content_type: None,
            template: Some("modern".to_owned()),
            pause_after_extraction: true,
        };
        let expected = json!({ "country": "US", "platform": "netflix", "genre": "Horror", "template": "modern",
            "pauseAfterExtraction": true });
        assert_eq!(submit.creation().body, expected);
    }
}
