//! Projects, scenes, takes and tasks in any state.

use std::time::Duration;

use reelhook_domain::pieces::Pieces;
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::{Phase, Project, ProjectSpec};
use reelhook_domain::projects::scene::{Scene, SceneSpec, SceneState, Take};
use reelhook_domain::projects::stitch::{Input, Node, NodeState, Stitch};
use reelhook_domain::projects::task::{Task, TaskState};
use reelhook_domain::{Origin, ProjectId, RenderId, SceneId, WebUrl};

use crate::world::NOON;

/// The project `proj_<name>` with these scenes, which is running.
///
/// # Panics
/// When the name can't be part of an id.
pub fn a_running_project(name: &str, scenes: Vec<Scene>) -> Project {
    let id = ProjectId::parse(&format!("proj_{name}")).unwrap();
    Project {
        id,
        version: 1,
        spec: ProjectSpec { name: name.to_owned(), ..ProjectSpec::default() },
        origin: Origin::default(),
        created_at: NOON,
        updated_at: NOON,
        started_at: Some(NOON),
        ended_at: None,
        deleted_at: None,
        phase: Phase::Running,
        scenes,
        removed_attempts: 0,
        stitch: None,
        generations: 0,
        video: None,
        pieces: Pieces::new(Vec::new(), NOON, &ProjectPolicy::default().pieces()),
        spent: 0,
        served_at: NOON,
        hinted_at: None,
        due_at: None,
        live_version: 0,
        emitted: Vec::new(),
        outbox: Vec::new(),
    }
}

/// The scene `scene_<name>` in its first attempt, which depends on the scene before it.
///
/// # Panics
/// When the name can't be part of an id.
pub fn a_scene(name: &str, state: SceneState) -> Scene {
    let attempt = match state {
        SceneState::Draft | SceneState::Ready => 0,
        SceneState::Generating(_)
        | SceneState::Generated(_)
        | SceneState::FrameFailed { .. }
        | SceneState::Verified
        | SceneState::Approved
        | SceneState::Rejected
        | SceneState::Revision => 1,
    };
    Scene {
        id: SceneId::parse(&format!("scene_{name}")).unwrap(),
        spec: SceneSpec { number: name.to_owned(), duration_ms: 5000, ..SceneSpec::default() },
        notes: String::new(),
        attempt,
        failures: 0,
        state,
        takes: Vec::new(),
        chosen: None,
        stale: false,
        given: None,
    }
}

/// The take of an attempt, with the last frame or without it.
pub fn a_take(attempt: u32, has_frame: bool) -> Take {
    let file =
        |name: &str| File::outside(WebUrl::parse(&format!("https://cdn.example/{attempt}/{name}")).expect("a URL"));
    Take {
        attempt,
        video: Video { file: file("video.mp4"), ..Video::default() },
        first_frame: None,
        last_frame: has_frame.then(|| file("last.png")),
        task_id: None,
        at: NOON,
    }
}

/// A task that a service has under this id.
///
/// # Panics
/// When the id is invalid.
pub fn a_task(id: &str) -> Task {
    let state = TaskState::Submitted {
        id: RenderId::parse(id).unwrap(),
        polls: 0,
        next_at: NOON.after(Duration::from_secs(3)),
        status_url: None,
    };
    Task { number: 1, claims: 1, deadline: Some(NOON.after(Duration::from_secs(300))), progress: 0, state }
}

/// The first generation of a stitch of these scenes, which a service has under this id.
pub fn a_stitch(scenes: &[Scene], id: &str) -> Stitch {
    let takes: Vec<(SceneId, u32)> = scenes.iter().map(|scene| (scene.id.clone(), scene.attempt)).collect();
    let inputs = (0_u16..).zip(&takes).map(|(index, _)| Input::Take(index)).collect();
    let nodes = vec![Node { inputs, state: NodeState::Running(a_task(id)) }];
    Stitch { generation: 1, takes, nodes }
}
