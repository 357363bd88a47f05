//! The outcome of a callback: what is true of its scene or project afterwards, whether it changed something or not.

use reelhook_domain::SceneId;
use reelhook_domain::projects::graph::dependency;
use reelhook_domain::projects::project::{Project, ProjectStatus};
use reelhook_domain::projects::scene::{Scene, SceneState, Take};
use reelhook_domain::projects::stitch::NodeState;
use reelhook_domain::projects::task::{Stage, Target, TaskRef};
use strum::IntoStaticStr;

/// The outcome of a callback.
#[derive(Debug, Clone, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Received {
    /// A video of a scene is completed.
    Video {
        /// Whether the scene has the video.
        scene_updated: bool,
        /// Whether its last frame is being extracted, or was.
        last_frame_triggered: bool,
    },
    /// A last frame is completed.
    Frame {
        /// Whether the scene has the frame.
        scene_updated: bool,
        /// Whether a scene that depends on this one is being generated, or was.
        next_scene_triggered: bool,
    },
    /// A stitched video is completed.
    Stitch {
        /// Whether the project has the video.
        project_updated: bool,
        /// Whether a service is notified that the project is completed.
        user_notified: bool,
        /// The project's video at the service that made it, once the project is completed.
        final_video_url: Option<String>,
    },
    /// The task failed, for this reason.
    Failed(String),
    /// The task is queued or under way.
    UnderWay,
    /// The callback reports no end that can be used: it has no URL, or its status is not that of an end.
    UnknownStatus,
    /// The scene does not exist; for a stitch, the project.
    NotFound(Stage),
    /// The ids of the callback disagree, so that it changed nothing.
    IdsDisagree,
}

impl Received {
    /// The name for logs.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// What is true after the end of a task of a scene, or of a stitch; none for a task that is not known.
    pub(super) fn completed(
        project: &Project,
        stage: Stage,
        scene: Option<&SceneId>,
        task: Option<&TaskRef>,
        notifies: bool,
    ) -> Self {
        let index = project.scenes.iter().position(|known| Some(&known.id) == scene);
        let scene = index.map(|index| &project.scenes[index]);
        let take = scene.and_then(|scene| take_of(scene, task));
        match stage {
            Stage::Video => Self::Video {
                scene_updated: take.is_some(),
                last_frame_triggered: scene.zip(take).is_some_and(|(scene, take)| is_extracted(scene, take)),
            },
            Stage::Frame => {
                let scene_updated = take.is_some_and(|take| take.last_frame.is_some());
                let next_scene_triggered = scene_updated && index.is_some_and(|index| has_next(project, index));
                Self::Frame { scene_updated, next_scene_triggered }
            }
            Stage::Stitch => {
                let completed = project.status() == ProjectStatus::Completed;
                let file = project.video.as_ref().filter(|_| completed).map(|made| &made.video.file);
                let source = file.and_then(|file| file.source.as_ref());
                Self::Stitch {
                    project_updated: is_stitched(project, task),
                    user_notified: completed && notifies,
                    final_video_url: source.map(|url| url.as_written().to_owned()),
                }
            }
        }
    }
}

/// The take of a task, or of the present attempt.
fn take_of<'a>(scene: &'a Scene, task: Option<&TaskRef>) -> Option<&'a Take> {
    let attempt = task.map_or(scene.attempt, |task| task.run);
    scene.takes.iter().find(|take| take.attempt == attempt)
}

/// Whether the last frame of a take is being extracted, or was.
fn is_extracted(scene: &Scene, take: &Take) -> bool {
    let present = take.attempt == scene.attempt;
    take.last_frame.is_some() || (present && is_generated(&scene.state))
}

/// Whether a scene that depends on the one at `index` is being generated, or was.
fn has_next(project: &Project, index: usize) -> bool {
    let mut dependants = (0..project.scenes.len()).filter(|at| dependency(&project.scenes, *at) == Some(index));
    dependants.any(|at| {
        let state = &project.scenes[at].state;
        matches!(state, SceneState::Generating(_)) || is_generated(state)
    })
}

/// Whether a scene has the video of its present attempt.
fn is_generated(state: &SceneState) -> bool {
    match state {
        SceneState::Generated(_) | SceneState::FrameFailed { .. } | SceneState::Verified | SceneState::Approved => true,
        SceneState::Draft
        | SceneState::Ready
        | SceneState::Generating(_)
        | SceneState::Rejected
        | SceneState::Revision => false,
    }
}

/// Whether the project has what a stitch made.
fn is_stitched(project: &Project, task: Option<&TaskRef>) -> bool {
    let run = task.map_or(project.generations, |task| task.run);
    if run != project.generations {
        return false;
    }
    match (&project.stitch, task.map(|task| &task.target)) {
        (None, _) => project.video.is_some(),
        (Some(stitch), Some(Target::Stitch(node))) => {
            let node = stitch.nodes.get(usize::from(*node));
            node.is_some_and(|node| matches!(node.state, NodeState::Done(_)))
        }
        (Some(_), Some(Target::Video(_) | Target::Frame(_)) | None) => false,
    }
}
