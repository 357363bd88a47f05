//! What can happen to a project: commands of people, reports about tasks, results of our renderers, and time.

use std::time::Duration;

use crate::metadata::Metadata;
use crate::projects::media::{File, Video};
use crate::projects::scene::{SceneSpec, SceneStatus};
use crate::projects::task::TaskRef;
use crate::{RenderId, SceneId, WebUrl};

/// A scene that a client adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewScene {
    /// Its id.
    pub id: SceneId,
    /// What it shows.
    pub spec: SceneSpec,
    /// Notes of the client.
    pub notes: String,
    /// Whether it is a draft, which is not generated before it is ready.
    pub draft: bool,
}

/// A change of what the client said about a project; none leaves a value as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProjectPatch {
    /// Its name.
    pub name: Option<String>,
    /// The client's word for its kind; an inner none removes it.
    pub kind: Option<Option<String>>,
    /// The client's user; an inner none removes it.
    pub user: Option<Option<String>>,
    /// The budget in millionths of a dollar; an inner none removes it.
    pub budget: Option<Option<u64>>,
    /// The metadata after the change.
    pub metadata: Option<Metadata>,
    /// The ids of all scenes in their new order.
    pub order: Option<Vec<SceneId>>,
}

/// A change of a scene; none leaves a value as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScenePatch {
    /// The whole specification after the change.
    pub spec: Option<SceneSpec>,
    /// The notes.
    pub notes: Option<String>,
    /// The status that a person sets: draft, ready, approved, rejected or revision.
    pub status: Option<SceneStatus>,
    /// The attempt whose take counts.
    pub take: Option<u32>,
}

/// What a service or a callback says about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskReport {
    /// It is queued or under way, 0 to 100 percent.
    UnderWay(u8),
    /// It ended, and this is what it made.
    Completed(Box<TaskOutput>),
    /// It failed or was cancelled, with the reason.
    Failed(String),
    /// The service sent no usable answer, or does not know it (yet).
    Unknown,
    /// A callback said something that cannot be used: the task is polled at once.
    Unusable,
}

impl TaskReport {
    /// Whether the task has ended at its service.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Completed(_) | Self::Failed(_) => true,
            Self::UnderWay(_) | Self::Unknown | Self::Unusable => false,
        }
    }
}

/// What a task made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskOutput {
    /// A video, of a scene or of a stitch.
    Video(Box<Video>),
    /// A last frame.
    Frame(File),
}

/// The result of a piece of our renderers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PieceOutput {
    /// A card or a joined video.
    Video(Video),
    /// A last frame.
    Frame(File),
    /// Copies of files: those of a take or of the final video that are there now.
    Copied {
        /// The video.
        video: Option<File>,
        /// Its image.
        thumbnail: Option<File>,
        /// The last frame.
        frame: Option<File>,
    },
}

/// What happens to a project.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A person starts it, or continues it after a failure or a cancellation.
    Start,
    /// A person cancels it.
    Cancel,
    /// A person wants it stitched again.
    Stitch,
    /// A person deletes it.
    Delete,
    /// A person wants new attempts of these scenes (all that are ready, if there are none), and of those that depend on
    /// them if `cascade`.
    Generate {
        /// The scenes.
        scenes: Vec<SceneId>,
        /// Whether their dependants are generated again too.
        cascade: bool,
    },
    /// A person retries what failed or is unclear: the frame of this scene or its video, or the stitch if there is none.
    Retry {
        /// The scene.
        scene: Option<SceneId>,
    },
    /// A person changes the project.
    Edit(ProjectPatch),
    /// A person adds scenes.
    AddScenes(Vec<NewScene>),
    /// A person changes a scene.
    EditScene {
        /// The scene.
        scene: SceneId,
        /// The change.
        patch: Box<ScenePatch>,
    },
    /// A person removes a scene.
    RemoveScene(SceneId),
    /// The launcher claims a waiting task before it submits it.
    ClaimTask(TaskRef),
    /// A service accepted a submission.
    Submitted {
        /// The task.
        task: TaskRef,
        /// The service's id for it.
        id: RenderId,
        /// The URL of its status, if the service named one of its own.
        status_url: Option<WebUrl>,
    },
    /// A service refused a submission, so that it was not paid for.
    SubmissionRefused {
        /// The task.
        task: TaskRef,
        /// The reason.
        error: String,
        /// The time that the service asked to wait.
        wait: Option<Duration>,
        /// Whether the same submission is always refused.
        permanent: bool,
    },
    /// The answer to a submission was lost.
    SubmissionLost {
        /// The task.
        task: TaskRef,
    },
    /// A task whose answer was lost was looked up in the service's list.
    LookedUp {
        /// The task.
        task: TaskRef,
        /// Its id, if the list has it.
        found: Option<RenderId>,
        /// Whether the list was read: it is none if the service did not answer.
        answered: bool,
    },
    /// A callback or a poll reports on a task.
    Reported {
        /// The task.
        task: TaskRef,
        /// The service's id for it, as far as the report has one.
        id: Option<RenderId>,
        /// The report.
        report: TaskReport,
        /// Whether it answers a poll of ours.
        polled: bool,
        /// For a callback that came before its scene or task was known: what the error about it is about, which has no
        /// cause any more.
        early: Option<String>,
    },
    /// A renderer claims a piece.
    ClaimPiece,
    /// A renderer sends a heartbeat.
    PieceProgressed {
        /// The number of its claim.
        claim: u32,
        /// Units done.
        units: u32,
    },
    /// A piece is done.
    PieceDone {
        /// The number of its claim.
        claim: u32,
        /// Its result.
        output: Box<PieceOutput>,
    },
    /// A renderer failed.
    PieceFailed {
        /// The number of its claim.
        claim: u32,
        /// The reason.
        error: String,
        /// Whether another attempt would fail too.
        permanent: bool,
    },
    /// The due sweep found it due.
    Tick,
}
