//! A scene of a project: what it shows, its attempts, and the takes that they made.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::projects::media::{File, Video};
use crate::projects::task::{Stage, Task};
use crate::{SceneId, Timestamp, WebUrl};

/// How a scene is generated. The names are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum SceneKind {
    /// From its prompt alone, unless a scene before it supplies the first frame.
    #[default]
    TextToVideo,
    /// From a first frame.
    ImageToVideo,
    /// Between a first frame and, if there is one, a last frame.
    FirstLastFrame,
    /// From several images.
    CompositeToVideo,
}

impl SceneKind {
    /// Every kind.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A long text: in the item, or in the bucket if it has more than 2 KiB.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LongText {
    /// The text.
    Inline(String),
    /// The key of the text in the bucket.
    Stored(String),
}

impl Default for LongText {
    fn default() -> Self {
        Self::Inline(String::new())
    }
}

/// What a scene depends on for its first frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Dependency {
    /// The scene before it in the project's order; none for the first.
    #[default]
    Previous,
    /// No scene: it runs as soon as the project does.
    Nothing,
    /// This scene.
    Scene(SceneId),
}

/// What a scene shows: the client's parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SceneSpec {
    /// The place in the project's order, unique in it: `2`, `010`, `002a`.
    pub number: String,
    /// A name for people.
    pub name: Option<String>,
    /// What the video shows, in words.
    pub prompt: LongText,
    /// How it is generated.
    pub kind: SceneKind,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Frames per second, if the client chose.
    pub fps: Option<u32>,
    /// The model, if the client chose.
    pub model: Option<String>,
    /// The resolution, such as `1920x1080` or `1080p`, if the client chose.
    pub resolution: Option<String>,
    /// The client's first frame.
    pub first_frame: Option<WebUrl>,
    /// The client's last frame.
    pub last_frame: Option<WebUrl>,
    /// The client's images to compose.
    pub images: Vec<WebUrl>,
    /// What it depends on.
    pub depends_on: Dependency,
}

/// What one attempt made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    /// The attempt.
    pub attempt: u32,
    /// The video.
    pub video: Video,
    /// The first frame that it was given.
    pub first_frame: Option<File>,
    /// Its last frame, once it is extracted.
    pub last_frame: Option<File>,
    /// The service's id of the task that made it.
    pub task_id: Option<String>,
    /// When its video arrived.
    pub at: Timestamp,
}

impl Take {
    /// Whether a file of it still has to be copied into our bucket.
    pub fn is_to_copy(&self) -> bool {
        let files = [Some(&self.video.file), self.video.thumbnail.as_ref(), self.last_frame.as_ref()];
        files.into_iter().flatten().any(File::is_to_copy)
    }
}

/// The state of a scene's present attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SceneState {
    /// Not to be generated yet.
    Draft,
    /// To be generated once the project runs and its first frame is there.
    #[default]
    Ready,
    /// A task makes its video.
    Generating(Task),
    /// Its video is there; a task extracts the last frame.
    Generated(Task),
    /// Its video is there, but its last frame could not be extracted.
    FrameFailed {
        /// The number of the extraction's last submission: the next one has a higher number.
        number: u32,
    },
    /// Video and last frame are there.
    Verified,
    /// As verified, and a person approved it.
    Approved,
    /// Its video failed, or a person rejected it.
    Rejected,
    /// A person wants another attempt: it counts as ready.
    Revision,
}

/// The status of a scene as clients see it. The names are those of the wire.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SceneStatus {
    /// Not to be generated yet.
    Draft,
    /// To be generated.
    Ready,
    /// Its video is being made.
    Generating,
    /// Its video is there.
    Generated,
    /// Its last frame is there too.
    Verified,
    /// A person approved it.
    Approved,
    /// It failed, or a person rejected it.
    Rejected,
    /// It waits for a new attempt.
    Revision,
}

impl SceneStatus {
    /// Every status.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    /// Its id, unique in the project.
    pub id: SceneId,
    /// What it shows.
    pub spec: SceneSpec,
    /// What people noted, and the reason of its last failure.
    pub notes: String,
    /// Counts its attempts from 1; 0 before the first.
    pub attempt: u32,
    /// Videos that failed since a person last started it.
    pub failures: u32,
    /// The state of the present attempt.
    pub state: SceneState,
    /// What its attempts made, the oldest first.
    pub takes: Vec<Take>,
    /// The attempt whose take counts; none for the newest.
    pub chosen: Option<u32>,
    /// Whether its first frame is of an older attempt of the scene that it depends on.
    pub stale: bool,
    /// The scene and the attempt whose last frame the present attempt was given; none if it was the client's frame, or
    /// none.
    pub given: Option<(SceneId, u32)>,
}

impl Scene {
    /// Its status as clients see it.
    pub fn status(&self) -> SceneStatus {
        match &self.state {
            SceneState::Draft => SceneStatus::Draft,
            SceneState::Ready => SceneStatus::Ready,
            SceneState::Generating(_) => SceneStatus::Generating,
            SceneState::Generated(_) | SceneState::FrameFailed { .. } => SceneStatus::Generated,
            SceneState::Verified => SceneStatus::Verified,
            SceneState::Approved => SceneStatus::Approved,
            SceneState::Rejected => SceneStatus::Rejected,
            SceneState::Revision => SceneStatus::Revision,
        }
    }

    /// Whether its video and last frame are there.
    pub fn is_verified(&self) -> bool {
        matches!(self.state, SceneState::Verified | SceneState::Approved)
    }

    /// The take that counts.
    pub fn take(&self) -> Option<&Take> {
        match self.chosen {
            Some(chosen) => self.takes.iter().find(|take| take.attempt == chosen),
            None => self.takes.last(),
        }
    }

    /// Its task of this stage, if that is under way.
    pub fn task(&self, stage: Stage) -> Option<&Task> {
        match (&self.state, stage) {
            (SceneState::Generating(task), Stage::Video) | (SceneState::Generated(task), Stage::Frame) => Some(task),
            _ => None,
        }
    }

    /// Like [`Self::task`], to change it.
    pub(super) fn task_mut(&mut self, stage: Stage) -> Option<&mut Task> {
        match (&mut self.state, stage) {
            (SceneState::Generating(task), Stage::Video) | (SceneState::Generated(task), Stage::Frame) => Some(task),
            _ => None,
        }
    }

    /// Whether its present attempt has failed without a video. A service may still end it: its answer was lost, or late.
    pub(super) fn awaits_late_video(&self) -> bool {
        self.has_failed() && self.takes.iter().all(|take| take.attempt != self.attempt)
    }

    /// The take of a present attempt that has failed: its video came late, and nothing was made of it yet.
    pub(super) fn late_take(&self) -> Option<&Take> {
        self.takes.iter().find(|take| take.attempt == self.attempt).filter(|_| self.has_failed())
    }

    /// Whether its present attempt has failed for good. What a person rejects has no failures.
    pub(super) fn has_failed(&self) -> bool {
        self.state == SceneState::Rejected && self.failures > 0
    }

    /// How much of it is made, 0 to 100: the video is most of it.
    pub fn progress(&self) -> u8 {
        match &self.state {
            SceneState::Draft | SceneState::Ready | SceneState::Rejected | SceneState::Revision => 0,
            SceneState::Generating(task) => task.progress.min(100) / 5 * 4,
            SceneState::Generated(_) | SceneState::FrameFailed { .. } => 85,
            SceneState::Verified | SceneState::Approved => 100,
        }
    }
}
