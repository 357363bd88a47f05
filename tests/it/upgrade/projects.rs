//! Projects and errors of a recording: what had ended reads as before, what was under way ends, and an error's retry works.
//!
//! Recordings of versions before 0.3.0 have none of either; then there is nothing to check.

use serde_json::{Value, json};

use super::{Recording, assert_reads_as};
use crate::scenes::inbox::{error, retry};
use crate::scenes::project::{completed, project, scenes_of, tasks, text};
use crate::stack::{JsonText, Stack, read};

/// Lets the service that generates videos end each task as soon as its file is made.
pub(super) async fn quicken_the_service(stack: &Stack) {
    stack.control("videos", json!({ "task": { "ms": 0 } })).await;
}

/// Projects that had ended, their files, and errors.
pub(super) async fn what_had_ended_is_read_as_before(stack: &Stack, recording: &Recording) {
    for name in recording.names("project") {
        let before = recording.answer(name);
        if before["endedAt"].is_string() {
            assert_reads_as(&project(stack, recording.id(name)).await, before, name);
        }
    }
    for name in recording.names("error") {
        assert_reads_as(&error(stack, recording.id(name)).await, recording.answer(name), name);
    }
    if recording.has("project_completed") {
        let link = text(&recording.answer("project_completed")["finalVideoUrl"]);
        let video = stack.http.get(link).send().await.expect("an answer");
        assert_eq!((video.status().as_u16(), &video.headers()["content-type"]), (200, &"video/mp4".parse().unwrap()));
    }
}

/// The project that nothing had read, the one whose video was being generated, and the one that had failed.
pub(super) async fn everything_ends(stack: &Stack, recording: &Recording) {
    if !recording.has("project_generating") {
        return;
    }
    let unseen = recording.id("project_unseen");
    completed(stack, unseen).await;
    let made = tasks(stack, "videos", unseen).await.remove(0);
    service_goes_on(stack, recording, &made["shown"]["result"]["video_url"]).await;
    let generating = completed(stack, recording.id("project_generating")).await;
    let before = &scenes_of(recording.answer("project_generating"))[0];
    assert_reads_as(&scenes_of(&generating)[0]["takes"], &before["takes"], "project_generating.scenes[0].takes");
    let submitted = tasks(stack, "videos", recording.id("project_generating")).await;
    assert_eq!(submitted.len(), 1, "only the last scene was left: {submitted:#?}");
    failed_project_is_retried(stack, recording).await;
}

/// Reports as the service that generated a video before the upgrade, with the token of that task.
async fn service_goes_on(stack: &Stack, recording: &Recording, video: &Value) {
    let task = &recording.0["names"]["project_generating"];
    let url = task["callback_url"].as_str().expect("a URL");
    let body = json!({ "task_id": task["task_id"], "status": "completed", "result": { "video_url": video } });
    let answer = read(stack.http.post(url).json_text(&body).send().await.expect("an answer")).await;
    let expected =
        json!({ "received": true, "status": "completed", "scene_updated": true, "last_frame_triggered": true });
    assert_eq!(answer, (200, expected));
}

/// The action of an error that was raised before the upgrade ends its cause.
async fn failed_project_is_retried(stack: &Stack, recording: &Recording) {
    let id = recording.id("error_open");
    retry(stack, &error(stack, id).await).await;
    completed(stack, recording.id("project_failed")).await;
    stack
        .eventually("the error is resolved", || async {
            error(stack, id).await["resolvedAt"].is_string().then_some(())
        })
        .await;
}
