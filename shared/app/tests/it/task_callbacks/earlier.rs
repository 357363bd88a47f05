//! Callbacks of earlier submissions whose ids were never known.

use reelhook_app::projects::callbacks::Received;
use reelhook_domain::projects::scene::SceneState;
use reelhook_domain::projects::task::{Stage, Task, TaskState};
use reelhook_testkit::{NOON, a_task};
use serde_json::json;

use super::{Fixture, VIDEO, completed_video, generating, with};

#[tokio::test]
async fn a_late_callback_of_a_submission_whose_id_was_never_known_leaves_the_next_attempt_alone() {
    // The answer to the first attempt was lost, it failed as unclear, and a person had the scene generated again.
    for state in [TaskState::Unclear { lookups: 0, next_at: None }, TaskState::Submitting { lease_until: NOON }] {
        let mut before = generating();
        before.scenes[0].attempt = 2;
        before.scenes[0].state = SceneState::Generating(Task { state, ..a_task("task_b") });
        let ids = json!({ "scene_id": "scene_a", "project_id": "proj_1" });
        let none = Received::Video { scene_updated: false, last_frame_triggered: false };
        for (more, expected) in [
            (json!({ "status": "failed", "error": "no GPU" }), Received::Failed("no GPU".to_owned())),
            (json!({ "status": "processing", "progress": 0.5 }), Received::UnderWay),
            (json!({ "status": "completed" }), none),
        ] {
            let fixture = Fixture::with(&before).await;
            let body = with(with(completed_video(), &ids), &more);
            assert_eq!(fixture.send(Stage::Video, None, &body).await, expected, "{body}");
            assert_eq!((fixture.project(), fixture.raised(), fixture.work.sent()), (before.clone(), vec![], vec![]));
        }
        let name = json!({ "metadata": { "submission": "proj_1.video.2.1.scene_a" } });
        for (token, body) in [
            (None, with(with(completed_video(), &ids), &name)),
            (None, with(with(completed_video(), &ids), &json!({ "task_id": null }))),
            (Some("video.2.1.scene_a"), completed_video()),
        ] {
            let fixture = Fixture::with(&before).await;
            assert_eq!(fixture.send(Stage::Video, token, &body).await, VIDEO, "{token:?} {body}");
        }
    }
}
