//! Polls of tasks: they end a project without any callback, and what they cannot read changes nothing.

use std::error::Error as _;

use reelhook_app::Url;
use reelhook_app::outbound::{Method, OutboundError};
use reelhook_app::projects::launch::cancel_task;
use reelhook_app::projects::services::Service;
use reelhook_app::projects::store::ProjectFiles;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::media::SentMetadata;
use reelhook_domain::projects::project::ProjectStatus;
use reelhook_domain::projects::scene::SceneStatus;
use reelhook_domain::projects::task::{Stage, TaskState};
use reelhook_testkit::{Answer, Stack, body_of, header, log_lines, response};
use serde_json::{Value, json};
use tracing::Level;

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

/// The data of scene 1's first take, wherever it is kept.
pub(super) async fn data_of_take(stack: &Stack, id: &ProjectId) -> Option<Value> {
    match project(stack, id).scenes[0].takes[0].video.metadata.clone()? {
        SentMetadata::Inline(members) => Some(Value::Object(members)),
        SentMetadata::Stored(key) => {
            let text = stack.scenes.projects.text(&key).await.unwrap().unwrap();
            Some(serde_json::from_str(&text).unwrap())
        }
    }
}

/// A completed task that was submitted for scene 1, with so many bytes of data.
fn completed_with(bytes: usize) -> Value {
    json!({
        "task_id": "task_1", "status": "completed", "video_url": "https://tasks.example/1.mp4",
        "metadata": { "scene_id": "scene_1_1", "note": "x".repeat(bytes) },
    })
}

#[tokio::test]
async fn data_that_comes_with_a_poll_is_kept_like_that_of_a_callback() {
    for is_listed in [false, true] {
        for bytes in [10, 1_024, 400_000] {
            let (stack, id) = submitted(move |path| {
                let task = completed_with(bytes);
                Ok(match (is_listed, path.ends_with("/tasks")) {
                    (false, _) => response(200, task.to_string()),
                    (true, false) => response(404, "{}"),
                    (true, true) => response(200, json!([task]).to_string()),
                })
            })
            .await;
            poll(&stack, &id).await;
            assert_eq!(data_of_take(&stack, &id).await, Some(json!({ "note": "x".repeat(bytes) })), "{bytes}");
            let stored = usize::from(bytes >= 1_024);
            assert_eq!(stack.scenes.projects.faults.calls("put_text"), stored, "{bytes}: small data is in the item");
        }
    }
}

#[tokio::test]
async fn a_video_whose_data_cannot_be_stored_is_polled_again() {
    let (stack, id) = submitted(|_| Ok(response(200, completed_with(20_000).to_string()))).await;
    stack.scenes.projects.faults.busy("put_text", 1);
    poll(&stack, &id).await;
    assert_eq!(project(&stack, &id).scenes[0].status(), SceneStatus::Generating);
    poll(&stack, &id).await;
    assert_eq!(project(&stack, &id).scenes[0].status(), SceneStatus::Generated);
    assert!(data_of_take(&stack, &id).await.is_some());
}

/// A project whose only video was submitted, with this `status_url` in the answer.
async fn submitted_naming(status_url: &str) -> (Stack, ProjectId) {
    let stack = Stack::default();
    let answer = json!({ "task_id": "task_1", "status_url": status_url }).to_string();
    stack.http.script(move |request| {
        Ok(match request.method {
            Method::Post => response(202, answer.clone()),
            Method::Get | Method::Delete => response(200, r#"{"status": "processing"}"#),
        })
    });
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    (stack, id)
}

/// The URL of the last poll.
fn polled(stack: &Stack) -> String {
    let request = stack.http.requests().pop().unwrap();
    assert_eq!((request.method, header(&request, "x-api-key").as_str()), (Method::Get, "the key of tasks"));
    request.url.to_string()
}

#[tokio::test]
async fn a_task_is_polled_at_the_status_url_that_its_service_names() {
    let usual = "https://tasks.example/api/v1/tasks/task_1/status";
    let long = format!("/{}", "x".repeat(2040));
    for (named, expected) in [
        ("https://tasks.example/state/1?key=a", "https://tasks.example/state/1?key=a"),
        ("https://tasks.example:443/state/1", "https://tasks.example/state/1"),
        ("/state/1", "https://tasks.example/state/1"),
        ("task_1", "https://tasks.example/api/v1/tasks/task_1"),
        (usual, usual),
        // Other origins do not get the key.
        ("http://tasks.example/state/1", usual),
        ("https://tasks.example:8443/state/1", usual),
        ("https://tasks.example.other.example/state/1", usual),
        ("https://tasks.example@other.example/state/1", usual),
        ("https://user@tasks.example/state/1", usual),
        ("//other.example/state/1", usual),
        ("\\\\other.example/state/1", usual),
        ("data:,x", usual),
        ("https://", usual),
        ("", usual),
        (long.as_str(), usual),
    ] {
        let (stack, id) = submitted_naming(named).await;
        for _ in 0..2 {
            poll(&stack, &id).await;
            assert_eq!(polled(&stack), expected, "{named}");
        }
    }
}

#[tokio::test]
async fn a_status_url_of_a_service_that_was_moved_is_not_used() {
    let (mut stack, id) = submitted_naming("/state/1").await;
    stack.scenes.services.video.as_mut().unwrap().url = Url::parse("https://new.example").unwrap();
    poll(&stack, &id).await;
    assert_eq!(polled(&stack), "https://new.example/api/v1/tasks/task_1/status");
}

#[test]
fn a_status_url_that_is_ignored_is_logged_by_its_origin_alone() {
    let service = Service { url: Url::parse("https://tasks.example").unwrap(), key: None };
    for (named, origin) in [
        ("https://other.example:8443/secret/1?signature=secret#secret", "https://other.example:8443"),
        ("https://secret:secret@tasks.example/secret", "https://tasks.example"),
    ] {
        let ignored = || assert!(service.status_url(&service.url, Stage::Video, &render_id("task_1"), named).is_none());
        let lines = log_lines(Level::WARN, |captured| captured, ignored);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(&format!(r#""origin":"{origin}""#)), "{}", lines[0]);
        assert!(!lines[0].contains("secret"), "{}", lines[0]);
    }
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
        // The log of the last attempt has the cause only.
        let cause = result.err().and_then(|error| Some(error.source()?.to_string()));
        assert_eq!(cause.is_some_and(|cause| cause.contains("video `task_1`")), !confirmed, "{status}");
        // Last frames and stitches cannot be cancelled.
        let requests = stack.http.requests().len();
        cancel_task(&stack.launch_ports(), &id, Stage::Frame, &render_id("task_1")).await.unwrap();
        assert_eq!(stack.http.requests().len(), requests);
    }
}
