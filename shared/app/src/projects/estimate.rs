//! What generating a project takes: tasks, seconds of video, and their cost.

use reelhook_domain::SceneId;
use reelhook_domain::projects::graph;
use reelhook_domain::projects::policy::{Backend, ProjectPolicy};
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::scene::{Scene, SceneState};
use reelhook_domain::projects::stitch::Stitch;
use reelhook_domain::projects::task::TaskState;

/// What is to be generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All that is not generated yet.
    Rest,
    /// These scenes anew, and those that depend on them if `cascade`.
    Scenes {
        /// The scenes.
        scenes: Vec<SceneId>,
        /// Whether their dependants are generated again too.
        cascade: bool,
    },
}

/// What it takes, if no task fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Videos of scenes.
    pub videos: usize,
    /// Last frames.
    pub frames: usize,
    /// Stitches.
    pub stitches: usize,
    /// The length of the videos together, in milliseconds.
    pub video_ms: u64,
    /// The cost in millionths of a dollar.
    pub cost: u64,
}

/// What generating takes.
pub fn estimate(project: &Project, wanted: &Wanted, policy: &ProjectPolicy) -> Estimate {
    let mut estimate = Estimate::default();
    for (index, scene) in project.scenes.iter().enumerate() {
        let (video, frame) = if is_wanted(project, index, wanted) { (true, true) } else { missing(scene) };
        if video {
            estimate.videos += 1;
            estimate.video_ms = estimate.video_ms.saturating_add(scene.spec.duration_ms);
            estimate.cost = estimate.cost.saturating_add(policy.video_cost(&scene.spec));
        }
        estimate.frames += usize::from(frame);
    }
    estimate.stitches = stitches(project, policy);
    estimate
}

/// Whether a scene is to be generated anew.
fn is_wanted(project: &Project, index: usize, wanted: &Wanted) -> bool {
    let Wanted::Scenes { scenes, cascade } = wanted else { return false };
    let named = |index: usize| scenes.contains(&project.scenes[index].id);
    let depends = || {
        let before = |scene: &SceneId| project.scenes.iter().position(|one| one.id == *scene);
        scenes.iter().filter_map(before).any(|on| graph::dependants(&project.scenes, on).contains(&index))
    };
    named(index) || (*cascade && depends())
}

/// Whether the video and the last frame of a scene are still to be made and paid for.
fn missing(scene: &Scene) -> (bool, bool) {
    match &scene.state {
        SceneState::Ready | SceneState::Revision | SceneState::Rejected => (true, true),
        SceneState::Generating(task) => {
            let is_paid = task.deadline.is_some() || !matches!(task.state, TaskState::Waiting { .. });
            (!is_paid, true)
        }
        SceneState::Generated(_) | SceneState::FrameFailed { .. } => (false, true),
        // A draft is not generated.
        SceneState::Draft | SceneState::Verified | SceneState::Approved => (false, false),
    }
}

/// The stitches that join the videos of all scenes. The video of a single scene is the project's.
fn stitches(project: &Project, policy: &ProjectPolicy) -> usize {
    if project.scenes.len() < 2 {
        return 0;
    }
    let most = match policy.stitch.backend {
        Backend::Own => 0,
        Backend::Service { max_inputs, .. } => max_inputs,
    };
    let takes = project.scenes.iter().map(|scene| (scene.id.clone(), scene.attempt)).collect();
    Stitch::new(project.generations + 1, takes, most).nodes.len()
}

#[cfg(test)]
mod tests {
    use reelhook_domain::projects::policy::Prices;
    use reelhook_domain::{OutboundEvent, Timestamp};

    use super::*;
    use crate::projects::examples;

    #[test]
    fn what_is_there_is_not_made_again_unless_it_is_wanted() {
        let mut policy =
            ProjectPolicy { prices: Prices { default: 50_000, ..Prices::default() }, ..ProjectPolicy::default() };
        policy.video.backend = Backend::Service { has_list: true, max_inputs: 0 };
        let project = examples::project(OutboundEvent::SceneVerified, Timestamp(1_704_110_400_000));
        let rest = estimate(&project, &Wanted::Rest, &policy);
        let expected = Estimate { videos: 1, frames: 1, stitches: 1, video_ms: 5_000, cost: 250_000 };
        assert_eq!(rest, expected);
        let first = vec![project.scenes[0].id.clone()];
        let anew = |cascade| estimate(&project, &Wanted::Scenes { scenes: first.clone(), cascade }, &policy).videos;
        assert_eq!((anew(true), anew(false)), (2, 2), "the second scene is to be made in any case");
        let done = examples::project(OutboundEvent::ProjectCompleted, Timestamp(1_704_110_400_000));
        let first = vec![done.scenes[0].id.clone()];
        let anew = |cascade| estimate(&done, &Wanted::Scenes { scenes: first.clone(), cascade }, &policy).videos;
        assert_eq!((anew(true), anew(false)), (2, 1));
    }
}
