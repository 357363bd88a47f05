//! Look-ups of submissions whose answers were lost, in the list of the service.

use std::sync::Arc;

use reelhook_app::outbound::{Method, OutboundError};
use reelhook_app::projects::lookup::Lookup;
use reelhook_app::projects::store::Lookups;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::task::{Stage, TaskRef, TaskState};
use reelhook_testkit::{Answer, Stack, body_of, header, response};
use serde_json::json;

use super::{add, posts, reads, render_id, start, state, video, work};

/// A project whose only submission had no answer, and a service whose lists are these, by the path of the request.
async fn lost(list: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (Stack, ProjectId) {
    let stack = Stack::default();
    stack.http.script(move |request| match request.method {
        Method::Post => Err(OutboundError::TimedOut(20_000)),
        Method::Get | Method::Delete => list(request.url.path()),
    });
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    assert!(matches!(state(&stack, &id, &video(1, 1)), TaskState::Unclear { .. }));
    (stack, id)
}

/// Time passes until the next look-up, which is made.
async fn look_up(stack: &Stack, id: &ProjectId) {
    if let TaskState::Unclear { next_at: Some(next_at), .. } = state(stack, id, &video(1, 1)) {
        stack.world.set(next_at);
        work(stack, id).await;
    }
}

#[tokio::test]
async fn a_submission_that_the_service_has_is_found_by_its_name() {
    let (stack, id) = lost(|path| {
        let project = path.trim_start_matches("/api/v1/projects/").trim_end_matches("/tasks");
        let metadata = json!({ "submission": format!("{project}.video.1.1.scene_1_1") });
        let list = json!({ "tasks": [{ "task_id": "task_7", "status": "processing", "metadata": metadata }] });
        Ok(response(200, list.to_string()))
    })
    .await;
    look_up(&stack, &id).await;
    let TaskState::Submitted { id: task_id, .. } = state(&stack, &id, &video(1, 1)) else { panic!("not found") };
    assert_eq!(task_id, render_id("task_7"));
    assert_eq!(reads(&stack), [format!("/api/v1/projects/{id}/tasks")]);
    assert_eq!(posts(&stack).len(), 1, "it is paid for once");
}

#[tokio::test]
async fn a_submission_that_is_absent_three_times_is_sent_again_under_the_same_name() {
    let (stack, id) = lost(|_| Ok(response(200, r#"{"tasks": []}"#))).await;
    for lookups in 1..=3 {
        assert_eq!(posts(&stack).len(), 1, "after {lookups} look-ups");
        look_up(&stack, &id).await;
    }
    let TaskState::Waiting { ready_at } = state(&stack, &id, &video(1, 1)) else { panic!("not waiting") };
    stack.scenes.projects.free_slots();
    stack.world.set(ready_at);
    stack.world.advance_s(1);
    start(&stack).await;
    let posts = posts(&stack);
    assert_eq!(posts.len(), 2);
    assert_eq!(header(&posts[0], "idempotency-key"), header(&posts[1], "idempotency-key"));
    assert_eq!(body_of(&posts[0])["metadata"], body_of(&posts[1])["metadata"]);
}

#[tokio::test]
async fn a_list_that_does_not_answer_shows_no_absence() {
    let unread: [fn(&str) -> Answer; 5] = [
        |_| Err(OutboundError::Reset),
        |_| Ok(response(500, "{}")),
        |_| Ok(response(404, r#"{"tasks": []}"#)),
        |_| Ok(response(200, "{}")),
        |_| Ok(response(200, r#"{"tasks": [], "has_more": true}"#)),
    ];
    for list in unread {
        let (stack, id) = lost(list).await;
        for _ in 0..4 {
            look_up(&stack, &id).await;
            start(&stack).await;
        }
        assert!(matches!(state(&stack, &id, &video(1, 1)), TaskState::Unclear { .. }));
        assert_eq!(posts(&stack).len(), 1);
    }
}

#[tokio::test]
async fn a_task_whose_time_alone_rules_it_out_is_not_paid_twice() {
    // The service has the task, without our name, and its clock is hours behind.
    let list = r#"[{"task_id": "task_7", "scene_id": "scene_1_1", "created_at": "2000-01-01T00:00:00"}]"#;
    for is_known in [false, true] {
        let (stack, id) = lost(move |_| Ok(response(200, list))).await;
        if is_known {
            let (task, project) = (TaskRef::parse("video.1.9.scene_1_1").unwrap(), id.clone());
            let known = Lookup::Task { stage: Stage::Video, id: render_id("task_7"), project, task };
            stack.scenes.projects.remember(&[known]).await.unwrap();
        }
        for _ in 0..3 {
            look_up(&stack, &id).await;
        }
        let is_absent = matches!(state(&stack, &id, &video(1, 1)), TaskState::Waiting { .. });
        assert_eq!((is_absent, posts(&stack).len()), (is_known, 1), "only a known one is that of another submission");
    }
}

#[tokio::test]
async fn a_submission_that_is_found_after_a_cancellation_is_cancelled_at_its_service() {
    let (stack, id) = lost(|_| Ok(response(200, "{}"))).await;
    let (projects, policy, cancelled) = (Arc::clone(&stack.scenes.projects), stack.scenes.policy.clone(), id.clone());
    let TaskState::Unclear { next_at: Some(next_at), .. } = state(&stack, &id, &video(1, 1)) else { panic!("no list") };
    stack.http.script(move |request| {
        if request.method == Method::Get {
            assert!(projects.apply(&cancelled, &Event::Cancel, next_at, &policy));
        }
        let metadata = json!({ "submission": format!("{cancelled}.video.1.1.scene_1_1") });
        let list = json!({ "tasks": [{ "task_id": "task_7", "status": "processing", "metadata": metadata }] });
        Ok(response(200, list.to_string()))
    });
    stack.world.set(next_at);
    work(&stack, &id).await;
    let requests = stack.http.requests();
    let last = requests.last().unwrap();
    assert_eq!((last.method, last.url.path()), (Method::Delete, "/api/v1/tasks/task_7"));
}
