//! Tasks of a project: what an outside service or our renderers make for it, one state machine for all stages.
//!
//! A submission is paid for. It is claimed before it is sent, and one whose answer was lost is looked up and never sent
//! again blindly (ADR 43).

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use crate::{RenderId, SceneId, Timestamp, WebUrl};

/// What a task makes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Stage {
    /// The video of a scene.
    Video,
    /// The last frame of a scene's video.
    Frame,
    /// A video that is stitched from several.
    Stitch,
}

impl Stage {
    /// The name in tokens, logs and stored keys.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The subject of a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The video of this scene.
    Video(SceneId),
    /// The last frame of this scene's video.
    Frame(SceneId),
    /// The node of this index in the tree of stitches.
    Stitch(u16),
}

/// One submission of a task. A report about another one changes nothing.
///
/// Its text is `<stage>.<run>.<number>.<scene or node>`, such as `video.2.1.scene_a`: it is part of tokens, of the name
/// of a slot, and of the id that a service keeps for us.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskRef {
    /// What it makes.
    pub target: Target,
    /// The attempt of the scene, or the number of the generation of a stitch.
    pub run: u32,
    /// Counts the submissions of the target in this run from 1.
    pub number: u32,
}

impl TaskRef {
    /// What the task makes.
    pub fn stage(&self) -> Stage {
        match self.target {
            Target::Video(_) => Stage::Video,
            Target::Frame(_) => Stage::Frame,
            Target::Stitch(_) => Stage::Stitch,
        }
    }

    /// The scene; none for a stitch.
    pub fn scene(&self) -> Option<&SceneId> {
        match &self.target {
            Target::Video(scene) | Target::Frame(scene) => Some(scene),
            Target::Stitch(_) => None,
        }
    }

    /// Reads the text of a task.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let stage: Stage = parts.next()?.parse().ok()?;
        let run = parts.next()?.parse().ok()?;
        let number = parts.next()?.parse().ok()?;
        let of = parts.next()?;
        let target = match stage {
            Stage::Video => Target::Video(SceneId::parse(of).ok()?),
            Stage::Frame => Target::Frame(SceneId::parse(of).ok()?),
            Stage::Stitch => Target::Stitch(of.parse().ok()?),
        };
        Some(Self { target, run, number })
    }
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stage, run, number) = (self.stage().name(), self.run, self.number);
        match &self.target {
            Target::Video(scene) | Target::Frame(scene) => write!(f, "{stage}.{run}.{number}.{scene}"),
            Target::Stitch(node) => write!(f, "{stage}.{run}.{number}.{node}"),
        }
    }
}

/// A task: its present submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Counts the submissions from 1.
    pub number: u32,
    /// Claims of this submission so far: it is claimed again after a refusal, and if its service never had it.
    pub claims: u32,
    /// When this submission has failed at the latest; none until it was claimed.
    pub deadline: Option<Timestamp>,
    /// Its progress, 0 to 100.
    pub progress: u8,
    /// The submission's state.
    pub state: TaskState,
}

/// The state of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It waits until this time: for a slot, after a refusal, or for the circuit of its service.
    Waiting {
        /// Not to be claimed before.
        ready_at: Timestamp,
    },
    /// The launcher has claimed it and sends it.
    Submitting {
        /// After this its answer counts as lost.
        lease_until: Timestamp,
    },
    /// Its answer was lost: whether the service has it is unknown. A callback with its token ends this too.
    Unclear {
        /// Look-ups in the service's list so far that did not find it.
        lookups: u32,
        /// When it is looked up next; none where the service has no list.
        next_at: Option<Timestamp>,
    },
    /// The service has it under this id.
    Submitted {
        /// The service's id.
        id: RenderId,
        /// Polls so far.
        polls: u32,
        /// The next poll.
        next_at: Timestamp,
        /// The URL of its status, if the service named one.
        status_url: Option<WebUrl>,
    },
    /// Our own renderers work on it: it has a piece.
    Own,
}

impl Task {
    /// The first submission, which may be claimed from `ready_at` on.
    pub fn waiting(ready_at: Timestamp) -> Self {
        Self { number: 1, claims: 0, deadline: None, progress: 0, state: TaskState::Waiting { ready_at } }
    }

    /// A task of our own renderers.
    pub fn own() -> Self {
        Self { number: 1, claims: 0, deadline: None, progress: 0, state: TaskState::Own }
    }

    /// When it may be claimed, if it waits.
    pub fn ready_at(&self) -> Option<Timestamp> {
        match self.state {
            TaskState::Waiting { ready_at } => Some(ready_at),
            TaskState::Submitting { .. } | TaskState::Unclear { .. } | TaskState::Submitted { .. } | TaskState::Own => {
                None
            }
        }
    }

    /// Whether it may be claimed now: it waits, its wait is over, and it has not failed by its deadline.
    pub fn can_be_claimed(&self, now: Timestamp) -> bool {
        self.ready_at().is_some_and(|ready_at| ready_at <= now) && self.deadline.is_none_or(|deadline| deadline > now)
    }

    /// The service's id for it, once it is known.
    pub fn id(&self) -> Option<&RenderId> {
        match &self.state {
            TaskState::Submitted { id, .. } => Some(id),
            TaskState::Waiting { .. } | TaskState::Submitting { .. } | TaskState::Unclear { .. } | TaskState::Own => {
                None
            }
        }
    }

    /// The URL of its status that the service named.
    pub fn status_url(&self) -> Option<&WebUrl> {
        match &self.state {
            TaskState::Submitted { status_url, .. } => status_url.as_ref(),
            TaskState::Waiting { .. } | TaskState::Submitting { .. } | TaskState::Unclear { .. } | TaskState::Own => {
                None
            }
        }
    }
}

/// What the launcher does about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskWork {
    /// Claim it and submit it. A video needs a slot for this.
    Submit(TaskRef),
    /// Look it up in the service's list: its answer was lost.
    LookUp(TaskRef),
    /// Poll the service.
    Poll(TaskRef, RenderId),
}
