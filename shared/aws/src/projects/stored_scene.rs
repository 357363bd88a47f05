//! The stored form of a scene with its takes.

use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::scene::{Dependency, LongText, Scene, SceneKind, SceneSpec, SceneState, Take};
use reelhook_domain::{SceneId, Timestamp, WebUrl};
use serde::{Deserialize, Serialize};

use super::stored_task::StoredTask;
use crate::items::is_default;

/// The stored form of a scene.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredScene {
    id: SceneId,
    spec: StoredSpec,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    notes: String,
    #[serde(default, skip_serializing_if = "is_default")]
    attempt: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    state: StoredState,
    /// The number of the last extraction, if that failed.
    #[serde(default, skip_serializing_if = "is_default")]
    frames: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    takes: Vec<StoredTake>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chosen: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    stale: bool,
    /// The scene and the attempt that gave the present attempt its first frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<(SceneId, u32)>,
}

/// The stored form of what a scene shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredSpec {
    #[serde(rename = "no")]
    number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    prompt: LongText,
    #[serde(default, with = "kind_name")]
    kind: SceneKind,
    #[serde(rename = "ms")]
    duration_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fps: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolution: Option<String>,
    #[serde(default, rename = "first", skip_serializing_if = "Option::is_none")]
    first_frame: Option<WebUrl>,
    #[serde(default, rename = "last", skip_serializing_if = "Option::is_none")]
    last_frame: Option<WebUrl>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    images: Vec<WebUrl>,
    #[serde(default, rename = "on", skip_serializing_if = "is_default")]
    depends_on: StoredDependency,
}

/// The stored form of what a scene depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredDependency {
    #[default]
    Previous,
    Nothing,
    Scene(SceneId),
}

/// The stored form of a scene's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredState {
    Draft,
    Ready,
    Generating(StoredTask),
    Generated(StoredTask),
    FrameFailed,
    Verified,
    Approved,
    Rejected,
    Revision,
}

/// The stored form of what an attempt made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredTake {
    attempt: u32,
    video: Video,
    #[serde(default, rename = "first", skip_serializing_if = "Option::is_none")]
    first_frame: Option<File>,
    #[serde(default, rename = "last", skip_serializing_if = "Option::is_none")]
    last_frame: Option<File>,
    #[serde(default, rename = "task", skip_serializing_if = "Option::is_none")]
    task_id: Option<String>,
    at: Timestamp,
}

/// Kinds of scenes by their names.
mod kind_name {
    use reelhook_domain::projects::scene::SceneKind;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(kind: &SceneKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SceneKind, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| D::Error::custom(format!("`{name}` is not a kind of scenes")))
    }
}

impl From<&Scene> for StoredScene {
    fn from(scene: &Scene) -> Self {
        Self {
            id: scene.id.clone(),
            spec: StoredSpec::from(&scene.spec),
            notes: scene.notes.clone(),
            attempt: scene.attempt,
            failures: scene.failures,
            state: StoredState::from(&scene.state),
            frames: if let SceneState::FrameFailed { number } = scene.state { number } else { 0 },
            takes: scene.takes.iter().map(StoredTake::from).collect(),
            chosen: scene.chosen,
            stale: scene.stale,
            given: scene.given.clone(),
        }
    }
}

impl From<StoredScene> for Scene {
    fn from(stored: StoredScene) -> Self {
        Self {
            id: stored.id,
            spec: stored.spec.into(),
            notes: stored.notes,
            attempt: stored.attempt,
            failures: stored.failures,
            state: stored.state.read(stored.frames),
            takes: stored.takes.into_iter().map(Take::from).collect(),
            chosen: stored.chosen,
            stale: stored.stale,
            given: stored.given,
        }
    }
}

impl From<&SceneSpec> for StoredSpec {
    fn from(spec: &SceneSpec) -> Self {
        let spec = spec.clone();
        Self {
            number: spec.number,
            name: spec.name,
            prompt: spec.prompt,
            kind: spec.kind,
            duration_ms: spec.duration_ms,
            fps: spec.fps,
            model: spec.model,
            resolution: spec.resolution,
            first_frame: spec.first_frame,
            last_frame: spec.last_frame,
            images: spec.images,
            depends_on: match spec.depends_on {
                Dependency::Previous => StoredDependency::Previous,
                Dependency::Nothing => StoredDependency::Nothing,
                Dependency::Scene(on) => StoredDependency::Scene(on),
            },
        }
    }
}

impl From<StoredSpec> for SceneSpec {
    fn from(stored: StoredSpec) -> Self {
        Self {
            number: stored.number,
            name: stored.name,
            prompt: stored.prompt,
            kind: stored.kind,
            duration_ms: stored.duration_ms,
            fps: stored.fps,
            model: stored.model,
            resolution: stored.resolution,
            first_frame: stored.first_frame,
            last_frame: stored.last_frame,
            images: stored.images,
            depends_on: match stored.depends_on {
                StoredDependency::Previous => Dependency::Previous,
                StoredDependency::Nothing => Dependency::Nothing,
                StoredDependency::Scene(on) => Dependency::Scene(on),
            },
        }
    }
}

impl From<&SceneState> for StoredState {
    fn from(state: &SceneState) -> Self {
        match state {
            SceneState::Draft => Self::Draft,
            SceneState::Ready => Self::Ready,
            SceneState::Generating(task) => Self::Generating(task.into()),
            SceneState::Generated(task) => Self::Generated(task.into()),
            SceneState::FrameFailed { .. } => Self::FrameFailed,
            SceneState::Verified => Self::Verified,
            SceneState::Approved => Self::Approved,
            SceneState::Rejected => Self::Rejected,
            SceneState::Revision => Self::Revision,
        }
    }
}

impl StoredState {
    /// The state of a scene whose last extraction has this number.
    fn read(self, frames: u32) -> SceneState {
        match self {
            Self::Draft => SceneState::Draft,
            Self::Ready => SceneState::Ready,
            Self::Generating(task) => SceneState::Generating(task.into()),
            Self::Generated(task) => SceneState::Generated(task.into()),
            Self::FrameFailed => SceneState::FrameFailed { number: frames },
            Self::Verified => SceneState::Verified,
            Self::Approved => SceneState::Approved,
            Self::Rejected => SceneState::Rejected,
            Self::Revision => SceneState::Revision,
        }
    }
}

impl From<&Take> for StoredTake {
    fn from(take: &Take) -> Self {
        let Take { attempt, video, first_frame, last_frame, task_id, at } = take.clone();
        Self { attempt, video, first_frame, last_frame, task_id, at }
    }
}

impl From<StoredTake> for Take {
    fn from(stored: StoredTake) -> Self {
        let StoredTake { attempt, video, first_frame, last_frame, task_id, at } = stored;
        Self { attempt, video, first_frame, last_frame, task_id, at }
    }
}
