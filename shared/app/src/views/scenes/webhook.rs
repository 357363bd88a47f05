//! The data of webhooks about projects and scenes (docs/contract/scenes.md, Webhook events).

use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::Scene;
use reelhook_domain::{Metadata, OutboundEvent, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{ProjectIdText, ProjectStatusText, SceneIdText, SceneNumberText, SceneStatusText};
use super::scene::seconds;
use super::urls::path;
use crate::views::wire::{MetadataText, Time};

/// A project at the time of an event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProjectData<'a> {
    /// The project.
    #[schemars(with = "ProjectIdText")]
    project_id: &'a str,
    /// Its name.
    project_name: &'a str,
    /// The client's word for the kind of the project.
    r#type: Option<&'a str>,
    /// The client's user.
    user: Option<&'a str>,
    /// The status of the project.
    #[schemars(with = "ProjectStatusText")]
    status: &'static str,
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The number of its scenes.
    total_scenes: usize,
    /// The video: a path of this API, which needs a key, or the URL at the service that made it.
    video_url: Option<String>,
    /// An image of the video.
    thumbnail_url: Option<String>,
    /// The length of the video in seconds, if its maker said it.
    duration: Option<f64>,
    /// Why it failed.
    error: Option<&'a str>,
    /// The caller's own data.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// When it happened.
    timestamp: Time,
}

/// A scene at the time of an event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SceneData<'a> {
    /// The project.
    #[schemars(with = "ProjectIdText")]
    project_id: &'a str,
    /// Its name.
    project_name: &'a str,
    /// The scene.
    #[schemars(with = "SceneIdText")]
    scene_id: &'a str,
    /// The number of the scene.
    #[schemars(with = "SceneNumberText")]
    scene_number: &'a str,
    /// The status of the scene.
    #[schemars(with = "SceneStatusText")]
    status: &'static str,
    /// Its attempt.
    attempt: u32,
    /// The video: a path of this API, which needs a key, or the URL at the service that made it.
    video_url: Option<String>,
    /// An image of the video.
    thumbnail_url: Option<String>,
    /// The last frame of the video.
    last_frame_url: Option<String>,
    /// The length of the video in seconds, if its maker said it.
    duration: Option<f64>,
    /// Only with `scene.rejected`: why its video was rejected.
    error: Option<&'a str>,
    /// The caller's own data of the project.
    #[schemars(with = "MetadataText")]
    metadata: &'a Metadata,
    /// When it happened.
    timestamp: Time,
}

/// The data of a webhook about a project.
pub(super) fn of_project(of: &Project, at: Timestamp) -> ProjectData<'_> {
    let video = of.video.as_ref().map(|made| &made.video);
    ProjectData {
        project_id: of.id.as_str(),
        project_name: &of.spec.name,
        r#type: of.spec.kind.as_deref(),
        user: of.spec.user.as_deref(),
        status: of.status().name(),
        progress: of.progress(),
        total_scenes: of.scenes.len(),
        video_url: video.and_then(|video| path(&video.file)),
        thumbnail_url: video.and_then(|video| path(video.thumbnail.as_ref()?)),
        duration: video.and_then(|video| video.duration_ms).map(seconds),
        error: of.error(),
        metadata: &of.spec.metadata,
        timestamp: at.into(),
    }
}

/// The data of a webhook about a scene.
pub(super) fn of_scene<'a>(of: &'a Project, scene: &'a Scene, event: OutboundEvent, at: Timestamp) -> SceneData<'a> {
    // A rejected attempt has no take; the takes of earlier ones are not what the event is about.
    let rejected = event == OutboundEvent::SceneRejected;
    let take = scene.takes.last().filter(|take| !rejected || take.attempt == scene.attempt);
    let video = take.map(|take| &take.video);
    SceneData {
        project_id: of.id.as_str(),
        project_name: &of.spec.name,
        scene_id: scene.id.as_str(),
        scene_number: &scene.spec.number,
        status: scene.status().name(),
        attempt: scene.attempt,
        video_url: video.and_then(|video| path(&video.file)),
        thumbnail_url: video.and_then(|video| path(video.thumbnail.as_ref()?)),
        last_frame_url: take.and_then(|take| path(take.last_frame.as_ref()?)),
        duration: video.and_then(|video| video.duration_ms).map(seconds),
        error: rejected.then_some(scene.notes.as_str()).filter(|notes| !notes.is_empty()),
        metadata: &of.spec.metadata,
        timestamp: at.into(),
    }
}
