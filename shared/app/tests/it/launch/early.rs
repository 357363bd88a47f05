//! Callbacks that came before a project knew their task.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::OutboundError;
use reelhook_app::projects::launch::apply_early;
use reelhook_app::projects::store::{EarlyCallback, EarlyCallbacks};
use reelhook_domain::errors::cause::{Cause, Resolve};
use reelhook_domain::projects::scene::SceneStatus;
use reelhook_domain::projects::task::{Stage, TaskRef, TaskState};
use reelhook_domain::{Effect, ProjectId, ProjectStatus};
use reelhook_testkit::{Stack, response};
use serde_json::{Value, json};

use super::polls::data_of_take;
use super::{add, completed, extracted, frame, project, render_id, report, scene_id, start, state, video, work};

fn body() -> Value {
    json!({ "task_id": "task_1", "status": "completed", "video_url": "https://tasks.example/1.mp4" })
}

/// Keeps a callback that names a scene or a task.
async fn park(stack: &Stack, body: Value, scene: bool, task: bool) {
    let callback = EarlyCallback {
        stage: Stage::Video,
        scene: scene.then(|| scene_id(1, 1)),
        project: None,
        task: task.then(|| render_id("task_1")),
        body,
        at: stack.world.now(),
    };
    stack.scenes.projects.park(&callback, true).await.unwrap();
}

/// A project whose only video was submitted as `task_1`, or whose submission had no answer.
async fn submitted(is_lost: bool) -> (Stack, ProjectId) {
    let stack = Stack::default();
    stack.http.script(
        move |_| {
            if is_lost { Err(OutboundError::Reset) } else { Ok(response(200, r#"{"task_id": "task_1"}"#)) }
        },
    );
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    (stack, id)
}

async fn apply(stack: &Stack, id: &ProjectId) -> SceneStatus {
    apply_early(&stack.launch_ports(), id).await.unwrap();
    project(stack, id).scenes[0].status()
}

#[tokio::test]
async fn a_callback_is_applied_once_its_task_is_known() {
    let (stack, id) = submitted(false).await;
    park(&stack, body(), false, true).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generated);
    let version = project(&stack, &id).version;
    apply(&stack, &id).await;
    assert_eq!(project(&stack, &id).version, version, "again it changes nothing");
}

#[tokio::test]
async fn data_that_comes_with_an_early_callback_is_kept_with_its_take() {
    for bytes in [10, 12_000] {
        let (stack, id) = submitted(false).await;
        let note = json!({ "note": "x".repeat(bytes) });
        let mut with_note = body();
        with_note["metadata"] = note.clone();
        park(&stack, with_note, false, true).await;
        assert_eq!(apply(&stack, &id).await, SceneStatus::Generated);
        assert_eq!(data_of_take(&stack, &id).await, Some(note), "{bytes}");
    }
}

#[tokio::test]
async fn a_callback_about_the_scene_ends_a_task_whose_answer_was_lost() {
    let (stack, id) = submitted(true).await;
    assert!(matches!(state(&stack, &id, &video(1, 1)), TaskState::Unclear { .. }));
    park(&stack, body(), true, true).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generated);
    assert_eq!(project(&stack, &id).scenes[0].takes[0].task_id.as_deref(), Some("task_1"));
}

#[tokio::test]
async fn the_error_about_a_callback_is_resolved_once_the_callback_is_applied() {
    for (scene, about) in [(true, "scene_1_1"), (false, "task_1")] {
        let (stack, id) = submitted(false).await;
        park(&stack, body(), scene, true).await;
        apply(&stack, &id).await;
        let resolve = Resolve { cause: Cause::UnknownScene, about: about.to_owned() };
        let outbox = project(&stack, &id).outbox;
        assert!(outbox.contains(&Effect::ResolveError(resolve)), "{about}: {outbox:?}");
    }
}

#[tokio::test]
async fn a_callback_about_the_project_ends_its_stitch_whose_answer_was_lost() {
    let stack = Stack::default();
    stack.http.script(|request| match request.url.path() {
        "/api/v1/stitch" => Err(OutboundError::Reset),
        _ => Ok(response(200, r#"{"task_id": "task_1"}"#)),
    });
    let id = add(&stack, 1, 2, true);
    start(&stack).await;
    for scene in 1..=2 {
        report(&stack, &id, &video(1, scene), completed());
    }
    work(&stack, &id).await;
    for scene in 1..=2 {
        report(&stack, &id, &frame(1, scene), extracted());
    }
    work(&stack, &id).await;
    let stitch = TaskRef::parse("stitch.1.1.0").unwrap();
    assert!(matches!(state(&stack, &id, &stitch), TaskState::Unclear { .. }));
    for (named, expected) in [("proj_other", ProjectStatus::Stitching), (id.as_str(), ProjectStatus::Completed)] {
        let callback = EarlyCallback {
            stage: Stage::Stitch,
            scene: None,
            project: ProjectId::parse(named).ok(),
            task: None,
            body: json!({ "status": "completed", "final_video_url": "https://frames.example/final.mp4" }),
            at: stack.world.now(),
        };
        stack.scenes.projects.park(&callback, true).await.unwrap();
        apply_early(&stack.launch_ports(), &id).await.unwrap();
        assert_eq!(project(&stack, &id).status(), expected, "{named}");
    }
}

#[tokio::test]
async fn a_callback_about_something_else_changes_nothing() {
    // Its id is that of another task.
    let (stack, id) = submitted(false).await;
    let other = json!({ "task_id": "task_2", "status": "failed" });
    park(&stack, other, true, false).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generating);
    // It names another submission.
    let (stack, id) = submitted(true).await;
    let mut named = body();
    named["metadata"] = json!({ "submission": format!("{id}.video.1.9.scene_1_1") });
    park(&stack, named, true, true).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generating);
    // Its ids disagree.
    let (stack, id) = submitted(false).await;
    let mut disagreeing = body();
    disagreeing["scene_id"] = json!("scene_1_1");
    disagreeing["metadata"] = json!({ "scene_id": "scene_1_2" });
    park(&stack, disagreeing, true, true).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generating);
}

#[tokio::test]
async fn a_callback_from_before_the_submission_is_about_an_older_one() {
    let stack = Stack::default();
    stack.http.script(|_| Err(OutboundError::Reset));
    let id = add(&stack, 1, 1, false);
    park(&stack, body(), true, true).await;
    stack.world.advance_s(1);
    start(&stack).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generating);
}

#[tokio::test]
async fn a_callback_with_an_id_that_an_earlier_attempt_may_have_is_not_applied_to_the_next_one() {
    let (stack, id) = submitted(true).await;
    let mut again = project(&stack, &id);
    again.scenes[0].attempt = 2;
    stack.scenes.projects.put(&again);
    park(&stack, body(), true, true).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generating);
    let mut named = body();
    named["metadata"] = json!({ "submission": format!("{id}.video.2.1.scene_1_1") });
    park(&stack, named, true, true).await;
    assert_eq!(apply(&stack, &id).await, SceneStatus::Generated);
}

#[tokio::test]
async fn without_tasks_at_services_nothing_is_read() {
    let stack = Stack::default();
    let id = add(&stack, 1, 3, false);
    apply(&stack, &id).await;
    assert_eq!(stack.scenes.projects.faults.calls("parked"), 0);
}
