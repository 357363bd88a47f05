//! A scene as clients see it, with its takes.

use reelhook_domain::projects::graph;
use reelhook_domain::projects::media::{File, SentMetadata};
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::{Dependency, Scene, SceneState, Take};
use reelhook_domain::{RenderId, WebUrl};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::names::{ProjectIdText, SceneIdText, SceneKindText, SceneNumberText, SceneStatusText};
use super::urls::Shown;
use crate::views::wire::Time;

/// A scene of a project.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ProjectScene")]
pub struct SceneView<'a> {
    /// The scene's id.
    #[schemars(with = "SceneIdText")]
    id: &'a str,
    /// The project.
    #[serde(rename = "project_id")]
    #[schemars(with = "ProjectIdText")]
    project_id: &'a str,
    /// The number, unique in the project.
    #[schemars(with = "SceneNumberText")]
    scene_number: &'a str,
    /// A name for people.
    name: Option<&'a str>,
    /// What the video shows; null for a text of more than 2 KiB that is only at `promptUrl`.
    prompt: Option<&'a str>,
    /// The URL of a prompt of more than 2 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    prompt_url: Option<String>,
    /// How it is generated.
    #[schemars(with = "SceneKindText")]
    r#type: &'static str,
    /// Its length in seconds.
    duration: f64,
    /// Frames per second, if the client chose.
    fps: Option<u32>,
    /// The model, if the client chose.
    model: Option<&'a str>,
    /// The resolution, if the client chose.
    resolution: Option<&'a str>,
    /// The status.
    #[schemars(with = "SceneStatusText")]
    status: &'static str,
    /// Per cent, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    progress: u8,
    /// The video of the take that counts.
    video_url: Option<String>,
    /// An image of it.
    thumbnail_url: Option<String>,
    /// Its last frame, from which the next scene starts.
    last_frame_url: Option<String>,
    /// The first frame that the take was given; before there is one, the last frame of the scene before or the client's
    /// image.
    first_frame_url: Option<String>,
    /// The client's own first frame, which counts where no scene supplies one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    own_first_frame_url: Option<&'a str>,
    /// The last frame that the client wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    end_frame_url: Option<&'a str>,
    /// The client's images, for `composite-to-video`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_urls: Vec<&'a str>,
    /// What people noted, and why its video last failed.
    notes: &'a str,
    /// Attempts so far.
    attempt: u32,
    /// The attempt whose take counts.
    take: Option<u32>,
    /// What its attempts made, the oldest first.
    takes: Vec<TakeView<'a>>,
    /// The scene from whose last frame it starts; null for none.
    #[schemars(with = "Option<SceneIdText>")]
    depends_on: Option<&'a str>,
    /// Whether that is the scene before it, whatever the order.
    depends_on_previous: bool,
    /// Whether its first frame is of an older attempt of the scene that it depends on.
    stale: bool,
    /// The service's id of the task that makes its video or its last frame; only while one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    task_id: Option<&'a str>,
}

/// What one attempt of a scene made.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Take")]
pub struct TakeView<'a> {
    /// The attempt.
    attempt: u32,
    /// The video.
    video_url: Option<String>,
    /// An image of it.
    thumbnail_url: Option<String>,
    /// The first frame that it was given.
    first_frame_url: Option<String>,
    /// Its last frame.
    last_frame_url: Option<String>,
    /// Its length in seconds, if its maker said it.
    duration: Option<f64>,
    /// Its width in pixels.
    width: Option<u32>,
    /// Its height in pixels.
    height: Option<u32>,
    /// Frames per second, as its maker wrote the number.
    #[schemars(with = "Option<f64>")]
    fps: Option<&'a Number>,
    /// Its maker's score, on the maker's scale.
    #[schemars(with = "Option<f64>")]
    quality_score: Option<&'a Number>,
    /// Its size in bytes.
    file_size: Option<u64>,
    /// The service's id of the task that made it.
    task_id: Option<&'a str>,
    /// The data that its maker sent with it, if that has at most 1 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Map<String, Value>")]
    metadata: Option<&'a Map<String, Value>>,
    /// The URL of larger data that its maker sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    metadata_url: Option<String>,
    /// When its video arrived.
    created_at: Time,
}

/// A scene of a project.
pub fn scene<'a>(of: &'a Project, scene: &'a Scene, shown: Shown<'a>) -> SceneView<'a> {
    let (spec, take) = (&scene.spec, scene.take());
    let (prompt, prompt_url) = shown.text(&spec.prompt);
    let video = take.map(|take| &take.video);
    let first_frame = take.and_then(|take| take.first_frame.clone()).or_else(|| of.first_frame_of(&scene.id));
    let task = match &scene.state {
        SceneState::Generating(task) | SceneState::Generated(task) => task.id(),
        SceneState::Draft
        | SceneState::Ready
        | SceneState::FrameFailed { .. }
        | SceneState::Verified
        | SceneState::Approved
        | SceneState::Rejected
        | SceneState::Revision => None,
    };
    SceneView {
        id: scene.id.as_str(),
        project_id: of.id.as_str(),
        scene_number: &spec.number,
        name: spec.name.as_deref(),
        prompt,
        prompt_url,
        r#type: spec.kind.name(),
        duration: seconds(spec.duration_ms),
        fps: spec.fps,
        model: spec.model.as_deref(),
        resolution: spec.resolution.as_deref(),
        status: scene.status().name(),
        progress: scene.progress(),
        video_url: shown.url(video.map(|video| &video.file)),
        thumbnail_url: shown.url(video.and_then(|video| video.thumbnail.as_ref())),
        last_frame_url: shown.url(take.and_then(|take| take.last_frame.as_ref())),
        first_frame_url: shown.url(first_frame.as_ref()),
        own_first_frame_url: spec.first_frame.as_ref().map(WebUrl::as_written),
        end_frame_url: spec.last_frame.as_ref().map(WebUrl::as_written),
        image_urls: spec.images.iter().map(WebUrl::as_written).collect(),
        notes: &scene.notes,
        attempt: scene.attempt,
        take: take.map(|take| take.attempt),
        takes: scene.takes.iter().map(|take| self::take(take, shown)).collect(),
        depends_on: depends_on(of, scene),
        depends_on_previous: spec.depends_on == Dependency::Previous,
        stale: scene.stale,
        task_id: task.map(RenderId::as_str),
    }
}

fn take<'a>(of: &'a Take, shown: Shown<'_>) -> TakeView<'a> {
    let (metadata, metadata_url) = match &of.video.metadata {
        Some(SentMetadata::Inline(metadata)) => (Some(metadata), None),
        Some(SentMetadata::Stored(key)) => (None, shown.url(Some(&File::stored(key.as_str())))),
        None => (None, None),
    };
    TakeView {
        attempt: of.attempt,
        video_url: shown.url(Some(&of.video.file)),
        thumbnail_url: shown.url(of.video.thumbnail.as_ref()),
        first_frame_url: shown.url(of.first_frame.as_ref()),
        last_frame_url: shown.url(of.last_frame.as_ref()),
        duration: of.video.duration_ms.map(seconds),
        width: of.video.width,
        height: of.video.height,
        fps: of.video.fps.as_ref(),
        quality_score: of.video.quality.as_ref(),
        file_size: of.video.bytes,
        task_id: of.task_id.as_deref(),
        metadata,
        metadata_url,
        created_at: of.at.into(),
    }
}

/// The id of the scene from whose last frame a scene starts.
fn depends_on<'a>(of: &'a Project, scene: &'a Scene) -> Option<&'a str> {
    match &scene.spec.depends_on {
        Dependency::Nothing => None,
        Dependency::Scene(on) => Some(on.as_str()),
        Dependency::Previous => {
            let index = of.scenes.iter().position(|one| one.id == scene.id)?;
            graph::dependency(&of.scenes, index).map(|on| of.scenes[on].id.as_str())
        }
    }
}

/// Seconds of milliseconds.
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
