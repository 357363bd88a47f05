//! The data of webhooks about projects and scenes (docs/contract/scenes.md, Webhook events).

use reelhook_domain::projects::media::File;
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::Scene;
use reelhook_domain::{Metadata, OutboundEvent, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{ProjectIdText, ProjectStatusText, SceneIdText, SceneNumberText, SceneStatusText};
use super::scene::seconds;
use crate::files::links::FileLinks;
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
    /// The video: a link that is valid for 7 days, or the URL at the service that made it until it is copied.
    video_url: Option<String>,
    /// An image of the video, in the same way.
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
    /// The video: a link that is valid for 7 days, or the URL at the service that made it until it is copied.
    video_url: Option<String>,
    /// An image of the video, in the same way.
    thumbnail_url: Option<String>,
    /// The last frame of the video, in the same way.
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
pub(super) fn of_project<'a>(of: &'a Project, at: Timestamp, links: FileLinks<'_>) -> ProjectData<'a> {
    let video = of.video.as_ref().map(|made| &made.video);
    let link = |file: Option<&File>| links.of(file?, at);
    ProjectData {
        project_id: of.id.as_str(),
        project_name: &of.spec.name,
        r#type: of.spec.kind.as_deref(),
        user: of.spec.user.as_deref(),
        status: of.status().name(),
        progress: of.progress(),
        total_scenes: of.scenes.len(),
        video_url: link(video.map(|video| &video.file)),
        thumbnail_url: link(video.and_then(|video| video.thumbnail.as_ref())),
        duration: video.and_then(|video| video.duration_ms).map(seconds),
        error: of.error(),
        metadata: &of.spec.metadata,
        timestamp: at.into(),
    }
}

/// The data of a webhook about a scene.
pub(super) fn of_scene<'a>(
    of: &'a Project,
    scene: &'a Scene,
    event: OutboundEvent,
    at: Timestamp,
    links: FileLinks<'_>,
) -> SceneData<'a> {
    // A rejected attempt has no take; the takes of earlier ones are not what the event is about.
    let rejected = event == OutboundEvent::SceneRejected;
    let take = scene.takes.last().filter(|take| !rejected || take.attempt == scene.attempt);
    let video = take.map(|take| &take.video);
    let link = |file: Option<&File>| links.of(file?, at);
    SceneData {
        project_id: of.id.as_str(),
        project_name: &of.spec.name,
        scene_id: scene.id.as_str(),
        scene_number: &scene.spec.number,
        status: scene.status().name(),
        attempt: scene.attempt,
        video_url: link(video.map(|video| &video.file)),
        thumbnail_url: link(video.and_then(|video| video.thumbnail.as_ref())),
        last_frame_url: link(take.and_then(|take| take.last_frame.as_ref())),
        duration: video.and_then(|video| video.duration_ms).map(seconds),
        error: rejected.then_some(scene.notes.as_str()).filter(|notes| !notes.is_empty()),
        metadata: &of.spec.metadata,
        timestamp: at.into(),
    }
}

#[cfg(test)]
mod tests {
    use reelhook_domain::OutboundEvent::{ProjectCompleted, SceneGenerated};
    use reelhook_domain::WebUrl;
    use reelhook_signing::{SigningKeys, SubjectClaims};
    use serde_json::{Value, json};
    use url::Url;

    use super::*;
    use crate::files;
    use crate::projects::{examples, links};

    const NOON: Timestamp = Timestamp(1_704_110_400_000);
    const WEEK_S: i64 = 7 * 24 * 3600;

    fn keys() -> SigningKeys {
        SigningKeys::parse("secret").unwrap()
    }

    fn data(of: impl Fn(FileLinks<'_>) -> Value) -> Value {
        let (base, keys) = (Url::parse("https://api.example").unwrap(), keys());
        of(FileLinks { base: &base, keys: &keys })
    }

    #[test]
    fn a_stored_file_is_a_link_that_is_valid_for_a_week_from_the_event() {
        let project = examples::project(ProjectCompleted, NOON);
        let at = project.updated_at;
        let data = data(|links| json!(of_project(&project, at, links)));
        let url = Url::parse(data["video_url"].as_str().unwrap()).unwrap();
        let file = format!("{}/final/1/video.mp4", project.id);
        assert_eq!((url.host_str(), url.path()), (Some("api.example"), format!("/api/v1/files/{file}").as_str()));
        let token = url.query_pairs().find(|(name, _)| name == "token").unwrap().1.into_owned();
        let (subject, keys) = (files::links::subject(&format!("{}{file}", links::FILES)), keys());
        let opens = |s: i64| SubjectClaims::verify(&token, &subject, at.seconds() + s, &keys).is_ok();
        assert!(opens(0) && opens(WEEK_S - 1) && !opens(WEEK_S + 1));
    }

    #[test]
    fn a_file_that_is_not_copied_yet_has_the_url_of_its_service() {
        let mut project = examples::project(SceneGenerated, NOON);
        let url = "HTTPS://media.example/v.mp4?sig=%7e";
        project.scenes[0].takes[0].video.file = File::outside(WebUrl::parse(url).unwrap());
        let data = data(|links| json!(of_scene(&project, &project.scenes[0], SceneGenerated, NOON, links)));
        assert_eq!((&data["video_url"], &data["last_frame_url"]), (&json!(url), &Value::Null));
        assert!(data["thumbnail_url"].as_str().unwrap().starts_with("https://api.example/api/v1/files/"));
    }
}
