//! VidBuilder's videos: Reelhook draws a film specification.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::family::{Creation, Family, Outcome, Paths, Remote, State, is_uuid, percent, text};
use super::job::update;
use crate::failure::Failure;
use crate::input;

/// Videos from scenes.
pub struct Video;

/// What a video shows.
#[derive(Debug, Args)]
pub struct Submit {
    /// JSON file with the film specification (docs/videos.md), or `-` for standard input
    file: PathBuf,
    /// URL that gets the notifications; the file may have it as `webhookUrl`
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
}

impl Submit {
    /// The request. Without a URL for notifications, the route is the one that waits for the video for up to 25 s.
    pub fn creation(&self) -> Result<Creation, Failure> {
        let mut film = Value::Object(input::json_file(&self.file)?);
        if let Some(url) = &self.webhook_url {
            film["webhookUrl"] = json!(url);
        }
        let path = match text(&film["webhookUrl"]) {
            Some(_) => "/api/generate-video-async",
            None => "/api/generate-flexible-video",
        };
        Ok(Creation { path, body: film, id_member: "jobId" })
    }
}

impl Family for Video {
    fn name(&self) -> &'static str {
        "video"
    }

    fn may_have(&self, id: &str) -> bool {
        is_uuid(id)
    }

    fn paths(&self, id: &str) -> Paths {
        Paths {
            state: format!("/api/job-status/{id}"),
            stream: format!("/api/job/{id}/stream"),
            cancel: format!("/api/job/{id}/cancel"),
        }
    }

    fn read(&self, id: &str, body: &Value) -> State {
        let status = text(&body["status"]).unwrap_or_default();
        let error = text(&body["error"]);
        let outcome = match (status.as_str(), error.as_deref()) {
            ("completed", _) => Some(Outcome::Succeeded),
            ("failed", Some("Cancelled")) => Some(Outcome::Cancelled),
            ("failed", _) => Some(Outcome::Failed),
            (_, _) => None,
        };
        let files = [
            Remote::at(&body["videoUrl"], format!("{id}.mp4"), "video"),
            Remote::at(&body["reelsVideoUrl"], format!("{id}_reels.mp4"), "vertical"),
        ];
        State {
            id: id.to_owned(),
            family: self.name(),
            progress: percent(&body["progress"]).unwrap_or_default(),
            step: text(&body["message"]),
            error,
            outcome,
            files: files.into_iter().flatten().collect(),
            status,
        }
    }

    /// The events are those of a job.
    fn update(&self, state: &mut State, event: &Value) {
        update(state, event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b";

    #[test]
    fn a_video_is_read() {
        let body =
            json!({ "jobId": ID, "status": "processing", "progress": 45, "message": "Rendering frames: 450/1000" });
        let found = Video.read(ID, &body);
        assert_eq!((found.progress, found.outcome, found.files.len()), (45, None, 0));
        assert_eq!(found.step.as_deref(), Some("Rendering frames: 450/1000"));
        let done = json!({ "status": "completed", "progress": 100, "videoUrl": format!("/api/download/{ID}"),
            "reelsGenerated": true, "reelsVideoUrl": format!("/api/download/{ID}_reels") });
        let done = Video.read(ID, &done);
        assert_eq!(done.outcome, Some(Outcome::Succeeded));
        let names = done.files.iter().map(|file| (file.kind.as_str(), file.name.clone())).collect::<Vec<_>>();
        assert_eq!(names, [("video", format!("{ID}.mp4")), ("vertical", format!("{ID}_reels.mp4"))]);
        let deleted = Video.read(ID, &json!({ "status": "completed", "videoUrl": null }));
        assert!(deleted.files.is_empty());
        let cancelled = Video.read(ID, &json!({ "status": "failed", "error": "Cancelled" }));
        assert_eq!(cancelled.outcome, Some(Outcome::Cancelled));
    }

    #[test]
    fn the_route_follows_from_the_notifications() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("film.json");
        for (film, url, expected) in [
            (json!({ "scenes": [] }), None, "/api/generate-flexible-video"),
            (json!({ "scenes": [] }), Some("https://shop.example/hook"), "/api/generate-video-async"),
            (json!({ "scenes": [], "webhookUrl": "https://shop.example/hook" }), None, "/api/generate-video-async"),
        ] {
            std::fs::write(&path, film.to_string()).unwrap();
            let submit = Submit { file: path.clone(), webhook_url: url.map(str::to_owned) };
            assert_eq!(submit.creation().unwrap().path, expected);
        }
    }
}
