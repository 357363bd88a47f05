//! Examples of projects for previews of webhooks.

use std::time::Duration;

use reelhook_domain::pieces::Pieces;
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::{FinalVideo, Phase, Project, ProjectSpec};
use reelhook_domain::projects::scene::{LongText, Scene, SceneSpec, SceneState, Take};
use reelhook_domain::projects::task::Task;
use reelhook_domain::{Metadata, Origin, OutboundEvent, ProjectId, SceneId, Timestamp};

use crate::projects::links;

/// The random part of the example's id.
const RANDOM: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
/// The length of each scene, in milliseconds.
const SCENE_MS: u64 = 5_000;

/// A project that was created at this time and went on until the event.
pub(crate) fn project(event: OutboundEvent, at: Timestamp) -> Project {
    let minute = |minutes: u64| at.after(Duration::from_secs(60 * minutes));
    let id = ProjectId::timed(at, RANDOM);
    let (phase, states, ended) = match event {
        OutboundEvent::ProjectCompleted => (Phase::Completed, [Some(true), Some(true)], Some(minute(6))),
        OutboundEvent::ProjectFailed => {
            let reason = "Scene 2 failed: the prompt was refused".to_owned();
            (Phase::Failed(reason), [Some(true), Some(false)], Some(minute(6)))
        }
        OutboundEvent::ProjectCancelled => (Phase::Cancelled, [Some(true), None], Some(minute(2))),
        OutboundEvent::SceneRejected => (Phase::Running, [Some(false), None], None),
        OutboundEvent::SceneGenerated | OutboundEvent::SceneVerified => (Phase::Running, [Some(true), None], None),
        _ => (Phase::Running, [None, None], None),
    };
    let mut scenes: Vec<Scene> = (1..)
        .zip(states)
        .map(|(number, ended_well)| scene(&id, number, ended_well, minute(u64::from(number))))
        .collect();
    if event == OutboundEvent::SceneGenerated {
        scenes[0].state = SceneState::Generated(Task::own());
        scenes[0].takes.iter_mut().for_each(|take| take.last_frame = None);
    }
    let video = (phase == Phase::Completed).then(|| FinalVideo {
        video: video(&id, "final/1", 2 * SCENE_MS),
        takes: scenes.iter().map(|scene| (scene.id.clone(), scene.attempt)).collect(),
        at: minute(6),
    });
    Project {
        id,
        version: 7,
        spec: ProjectSpec {
            name: "My First Movie".to_owned(),
            kind: None,
            user: None,
            budget: None,
            metadata: Metadata::default(),
        },
        origin: Origin::default(),
        created_at: at,
        updated_at: ended.unwrap_or(minute(1)),
        started_at: Some(at),
        ended_at: ended,
        deleted_at: None,
        phase,
        scenes,
        removed_attempts: 0,
        stitch: None,
        generations: 1,
        video,
        pieces: Pieces::new(Vec::new(), at, &ProjectPolicy::default().pieces()),
        spent: 0,
        served_at: at,
        hinted_at: None,
        due_at: None,
        live_version: 7,
        emitted: Vec::new(),
        outbox: Vec::new(),
    }
}

/// A scene whose video was made, or failed; none for one that waits.
fn scene(project: &ProjectId, number: u32, ended_well: Option<bool>, at: Timestamp) -> Scene {
    let random = RANDOM + u128::from(number);
    let id = SceneId::random(random);
    let folder = format!("scenes/{id}/1");
    let take = Take {
        attempt: 1,
        video: video(project, &folder, SCENE_MS),
        first_frame: None,
        last_frame: Some(File::stored(links::key(project, &format!("{folder}/last.png")))),
        task_id: None,
        at,
    };
    Scene {
        id,
        spec: SceneSpec {
            number: number.to_string(),
            prompt: LongText::Inline("A fox runs through the snow".to_owned()),
            duration_ms: SCENE_MS,
            ..SceneSpec::default()
        },
        notes: match ended_well {
            Some(false) => "Video generation failed: the prompt was refused".to_owned(),
            Some(true) | None => String::new(),
        },
        attempt: u32::from(ended_well.is_some()),
        failures: u32::from(ended_well == Some(false)),
        state: match ended_well {
            Some(true) => SceneState::Verified,
            Some(false) => SceneState::Rejected,
            None => SceneState::Ready,
        },
        takes: if ended_well == Some(true) { vec![take] } else { Vec::new() },
        chosen: None,
        stale: false,
        given: None,
    }
}

fn video(project: &ProjectId, folder: &str, duration_ms: u64) -> Video {
    let file = |name: &str| File::stored(links::key(project, &format!("{folder}/{name}")));
    Video {
        file: file("video.mp4"),
        thumbnail: Some(file("thumbnail.jpg")),
        duration_ms: Some(duration_ms),
        ..Video::default()
    }
}
