//! A project: an ordered list of scenes that become one video. One aggregate, so that the next scene and the stitch are
//! started once.

use crate::metadata::Metadata;
use crate::pieces::Pieces;
use crate::projects::media::Video;
use crate::projects::scene::Scene;
pub use crate::projects::status::ProjectStatus;
use crate::projects::stitch::{Stitch, Takes};
use crate::{Effect, Emitted, Origin, ProjectId, SceneId, Timestamp};

/// Scenes of a project at most.
pub const MAX_SCENES: usize = 200;
/// Bytes of what a client says about a project and its scenes at most, as JSON: texts, URLs, and short prompts. The item
/// has room for 400 KB, with the results of all tasks.
pub const MAX_BYTES: usize = 192 * 1024;
/// Bytes at most of what services send about all tasks: the URLs of files, for which copies make room, and the ids of
/// the tasks.
pub const MAX_URLS: usize = 128 * 1024;
/// Bytes of the URLs of the statuses that services name for tasks under way at most: beyond, a task is polled at the usual
/// URL.
pub const MAX_STATUS_URLS: usize = 16 * 1024;
/// Takes of a project at most: beyond, no new attempts are begun.
pub const MAX_TAKES: usize = 2000;

/// Where a project stands between commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Not started.
    Draft,
    /// Under way; what it does follows from its scenes.
    Running,
    /// Its video is there.
    Completed,
    /// It failed, with the reason.
    Failed(String),
    /// It was cancelled.
    Cancelled,
}

/// The project's video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalVideo {
    /// The video.
    pub video: Video,
    /// What it was made of.
    pub takes: Takes,
    /// When it arrived.
    pub at: Timestamp,
}

/// What the client said about the project as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectSpec {
    /// Its name.
    pub name: String,
    /// The client's word for its kind.
    pub kind: Option<String>,
    /// The client's user.
    pub user: Option<String>,
    /// What its tasks may cost in all, in millionths of a dollar; none for no limit.
    pub budget: Option<u64>,
    /// The caller's metadata.
    pub metadata: Metadata,
}

/// A unit of work for our renderers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectPiece {
    /// Draw the prompt card of a scene, from its first frame.
    Card {
        /// The scene.
        scene: SceneId,
        /// Its attempt.
        attempt: u32,
    },
    /// Copy the files of a take from an outside service into the bucket.
    Copy {
        /// The scene.
        scene: SceneId,
        /// The take's attempt.
        attempt: u32,
    },
    /// Extract the last frame of a take.
    LastFrame {
        /// The scene.
        scene: SceneId,
        /// The take's attempt.
        attempt: u32,
    },
    /// Join the takes of a generation.
    Concat {
        /// The generation.
        generation: u32,
    },
    /// Copy the final video from an outside service into the bucket.
    CopyFinal {
        /// The generation.
        generation: u32,
    },
}

impl ProjectPiece {
    /// Whether it copies files that are there already. The chain of scenes never waits for a copy.
    pub fn is_copy(&self) -> bool {
        match self {
            Self::Copy { .. } | Self::CopyFinal { .. } => true,
            Self::Card { .. } | Self::LastFrame { .. } | Self::Concat { .. } => false,
        }
    }
}

/// A project: an aggregate, changed in one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Rises by one with each change.
    pub version: u64,
    /// What the client said about it.
    pub spec: ProjectSpec,
    /// Where it came from.
    pub origin: Origin,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was last started; none before.
    pub started_at: Option<Timestamp>,
    /// When it ended; none while it has not.
    pub ended_at: Option<Timestamp>,
    /// When it was deleted; readers no longer see it.
    pub deleted_at: Option<Timestamp>,
    /// Where it stands.
    pub phase: Phase,
    /// Its scenes, in order.
    pub scenes: Vec<Scene>,
    /// The highest attempt of a scene that was removed. A scene that is begun later counts from it, so that a task and a
    /// file never get the name of another one, whatever ids come again.
    pub removed_attempts: u32,
    /// The stitch under way; none before all scenes are verified and after its end.
    pub stitch: Option<Stitch>,
    /// Generations of stitches so far.
    pub generations: u32,
    /// The project's video.
    pub video: Option<FinalVideo>,
    /// The work of our renderers.
    pub pieces: Pieces<ProjectPiece>,
    /// What its tasks have cost so far, in millionths of a dollar.
    pub spent: u64,
    /// When a scene of it last got a slot: slots go to the project that waits longest since.
    pub served_at: Timestamp,
    /// The time for which the launcher has a hint; none if nothing is to be done.
    pub hinted_at: Option<Timestamp>,
    /// The time at which the due sweep acts on it; none if it has no timer.
    pub due_at: Option<Timestamp>,
    /// The newest version of which viewers see something; 0 for none.
    pub live_version: u64,
    /// The last webhook events that it caused.
    pub emitted: Vec<Emitted>,
    /// The effects of this version.
    pub outbox: Vec<Effect>,
}

impl Project {
    /// Its status, which follows from its phase and its scenes.
    pub fn status(&self) -> ProjectStatus {
        match &self.phase {
            Phase::Draft => ProjectStatus::Draft,
            Phase::Running if self.stitch.is_some() => ProjectStatus::Stitching,
            Phase::Running => ProjectStatus::Generating,
            Phase::Completed => ProjectStatus::Completed,
            Phase::Failed(_) => ProjectStatus::Failed,
            Phase::Cancelled => ProjectStatus::Cancelled,
        }
    }

    /// The scene with this id.
    pub fn scene(&self, id: &SceneId) -> Option<&Scene> {
        self.scenes.iter().find(|scene| scene.id == *id)
    }

    /// Why it failed.
    pub fn error(&self) -> Option<&str> {
        match &self.phase {
            Phase::Failed(error) => Some(error),
            Phase::Draft | Phase::Running | Phase::Completed | Phase::Cancelled => None,
        }
    }
}
