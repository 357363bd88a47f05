//! Polls of tasks: they end a project without any callback, and what they cannot read changes nothing.

use reelhook_app::outbound::{Method, OutboundError};
use reelhook_app::projects::launch::cancel_task;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::project::ProjectStatus;
use reelhook_domain::projects::scene::SceneStatus;
use reelhook_domain::projects::task::{Stage, TaskState};
use reelhook_testkit::{Answer, Stack, body_of, response};
use serde_json::json;

use super::{add, project, reads, render_id, start, state, video, work};

/// A project whose only video was submitted as `task_1`, and the time of its next poll.
async fn submitted(status: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (Stack, ProjectId) {
    let stack = Stack::default();
    stack.http.script(move |request| match request.method {
        Method::Post => Ok(response(200, r#"{"task_id": "task_1"}"#)),
        Method::Get | Method::Delete => status(request.url.path()),
    });
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    (stack, id)
}

async fn poll(stack: &Stack, id: &ProjectId) {
    let TaskState::Submitted { next_at, .. } = state(stack, id, &video(1, 1)) else { panic!("not submitted") };
    stack.world.set(next_at);
    work(stack, id).await;
}

#[tokio::test]
async fn two_scenes_are_made_and_stitched_without_any_callback() {
    let stack = Stack::default();
    stack.http.script(|request| {
        let body = match request.method {
            Method::Post => json!({ "task_id": body_of(request)["metadata"]["submission"] }),
            Method::Get | Method::Delete => json!({
                "status": "completed",
                "result": { "media_url": "https://tasks.example/1.mp4" },
                "image_url": "https://frames.example/1.png",
                "video_result_url": "https://frames.example/1.mp4",
            }),
        };
        Ok(response(200, body.to_string()))
    });
    let id = add(&stack, 1, 2, false);
    for _ in 0..40 {
        start(&stack).await;
        work(&stack, &id).await;
        stack.scenes.projects.free_slots();
        stack.world.advance_s(5);
    }
    let project = project(&stack, &id);
    assert_eq!(project.status(), ProjectStatus::Completed, "{project:?}");
    let posts = super::posts(&stack);
    let paths: Vec<&str> = posts.iter().map(|request| request.url.path().trim_start_matches("/api/v1/")).collect();
    assert_eq!(paths, ["tasks/submit", "process", "tasks/submit", "process", "stitch"]);
}

#[tokio::test]
async fn a_task_that_is_unknown_by_its_id_is_searched_in_the_list() {
    let (stack, id) = submitted(|path| {
        let list = r#"[{"task_id": "task_1", "status": "completed", "video_url": "https://tasks.example/1.mp4"}]"#;
        Ok(if path.ends_with("/tasks") { response(200, list) } else { response(404, "{}") })
    })
    .await;
    poll(&stack, &id).await;
    assert_eq!(project(&stack, &id).scenes[0].status(), SceneStatus::Generated);
    assert_eq!(reads(&stack), ["/api/v1/tasks/task_1/status".to_owned(), format!("/api/v1/projects/{id}/tasks")]);
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_failure() {
    let nothing: [fn(&str) -> Answer; 6] = [
        |_| Err(OutboundError::TimedOut(20_000)),
        |_| Ok(response(404, "{}")),
        |_| Ok(response(401, "{}")),
        |_| Ok(response(200, r#"{"status": "completed"}"#)),
        |_| Ok(response(200, r#"{"status": "odd"}"#)),
        |_| Ok(response(200, r#"{"task_id": "task_2", "status": "failed", "error": "another task"}"#)),
    ];
    for status in nothing {
        let (stack, id) = submitted(status).await;
        for _ in 0..3 {
            poll(&stack, &id).await;
        }
        let TaskState::Submitted { polls, .. } = state(&stack, &id, &video(1, 1)) else { panic!("not submitted") };
        assert_eq!(polls, 3);
    }
}

/// A project whose only video was submitted as `task_1` to a service with a path of its own.
async fn submitted_at_own_path(status: u16, body: &'static str) -> (Stack, ProjectId) {
    let mut stack = Stack::default();
    stack.scenes.services.video.as_mut().unwrap().url.set_path("/generate/");
    stack.http.script(move |request| {
        Ok(match request.method {
            Method::Post => response(200, r#"{"task_id": "task_1"}"#),
            Method::Get | Method::Delete => response(status, body),
        })
    });
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    (stack, id)
}

#[tokio::test]
async fn a_service_with_a_path_of_its_own_is_polled_at_this_path() {
    let completed = r#"{"status": "completed", "video_url": "https://tasks.example/1.mp4"}"#;
    let (stack, id) = submitted_at_own_path(200, completed).await;
    poll(&stack, &id).await;
    assert_eq!(project(&stack, &id).scenes[0].status(), SceneStatus::Generated);
    assert_eq!(reads(&stack), ["/generate/task_1"]);
}

#[tokio::test]
async fn a_service_with_a_path_of_its_own_need_not_have_a_status_of_tasks() {
    for status in [404, 405, 410, 501] {
        let (stack, id) = submitted_at_own_path(status, "").await;
        for _ in 0..6 {
            poll(&stack, &id).await;
        }
        let TaskState::Submitted { polls, .. } = state(&stack, &id, &video(1, 1)) else { panic!("not submitted") };
        assert_eq!((polls, reads(&stack).len()), (6, 6), "{status}: no list is read");
        assert_eq!(stack.scenes.projects.circuit_of(Stage::Video).failures, 0, "{status} is no failure");
    }
}

#[tokio::test]
async fn a_poll_shows_progress() {
    let (stack, id) = submitted(|_| Ok(response(200, r#"{"status": "processing", "progress": 0.5}"#))).await;
    poll(&stack, &id).await;
    assert_eq!(project(&stack, &id).task(&video(1, 1)).map(|task| task.progress), Some(50));
}

#[tokio::test]
async fn a_cancellation_is_sent_again_until_the_service_confirms_it() {
    for (status, confirmed) in [(200, true), (204, true), (404, true), (409, true), (429, false), (500, false)] {
        let (stack, id) = submitted(move |_| Ok(response(status, ""))).await;
        let result = cancel_task(&stack.launch_ports(), &id, Stage::Video, &render_id("task_1")).await;
        assert_eq!(result.is_ok(), confirmed, "{status}");
        // Last frames and stitches cannot be cancelled.
        let requests = stack.http.requests().len();
        cancel_task(&stack.launch_ports(), &id, Stage::Frame, &render_id("task_1")).await.unwrap();
        assert_eq!(stack.http.requests().len(), requests);
    }
}
