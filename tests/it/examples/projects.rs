//! Projects of scenes: one that our own renderers make, one that fails, and one that is cancelled and deleted.

use serde_json::{Value, json};

use super::recorder::{Recorder, text};
use crate::scenes::backends::Backends;
use crate::scenes::project::{behave, choose, command, completed, fast, made, scene_ids, scenes, until, until_status};

/// Everything that is done with a project of our own renderers, whose files are never outside.
pub async fn of_our_own_renderers(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    choose(stack, Backends::Own).await;
    let body = json!({
        "name": "My first movie", "user": "42", "type": "trailer", "budget": 2.5, "metadata": { "order": "A-1042" },
        "scenes": [
            { "name": "Snow", "prompt": "A fox runs through the snow", "duration": 1, "resolution": "320x180" },
            { "name": "River", "prompt": "It stops at a river", "duration": 12, "model": "veo-3" },
        ],
    });
    let project = recorder.send("createProject", &[], &body).await;
    let (id, ids) = (text(&project["id"]), scene_ids(&project));
    let river = json!({ "duration": 1, "model": null, "resolution": "320x180" });
    recorder.send("changeScene", &[&id, &ids[1]], &river).await;
    let home = json!({ "name": "Home", "prompt": "It comes home", "duration": 1, "resolution": "320x180" });
    let added = recorder.send("addScenes", &[&id], &home).await;
    recorder.get("listScenes", &[&id], "").await;
    recorder.get("listScenesOfOriginal", &[&id], "").await;
    recorder.send("changeProject", &[&id], &json!({ "name": "My second movie", "user": null })).await;
    recorder.post("removeScene", &[&id, &text(&added["scene"]["id"])]).await;
    recorder.post("startProject", &[&id]).await;
    completed(stack, &id).await;
    recorder.get("getProject", &[&id], "").await;
    recorder.get("streamProject", &[&id], "").await;
    for event in ["project.started", "scene.generated", "scene.verified", "project.completed"] {
        recorder.webhook(event, &id).await;
    }
    recorder.post("stitchProject", &[&id]).await;
    completed(stack, &id).await;
    recorder.send("generateScene", &[&id, &ids[1]], &json!({ "cascade": false })).await;
    completed(stack, &id).await;
    // By now the id of a scene alone finds it.
    let prompt = json!({ "prompt": "It stops at a frozen river" });
    recorder.send("changeSceneOfOriginal", &[&ids[1]], &prompt).await;
    recorder.send("generateSceneOfOriginal", &[&id, &ids[0]], &json!({ "cascade": true })).await;
    completed(stack, &id).await;
}

/// A project whose video fails three times, and which is completed in the end.
pub async fn that_fails_and_is_retried(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    choose(stack, Backends::Services).await;
    let (id, project) = made(stack, scenes(1)).await;
    let scene = scene_ids(&project).remove(0);
    let failing = json!({ "task": { "fail_first": 3, "error": "the model ran out of memory" } });
    behave(stack, "videos", &id, fast(failing)).await;
    recorder.send("generateVideos", &[&id], &json!({ "cascade": true })).await;
    until_status(stack, &id, "failed").await;
    for event in ["scene.rejected", "project.failed", "error.raised"] {
        recorder.webhook(event, &id).await;
    }
    super::inbox::of_a_failed_video(recorder, &id).await;
    recorder.send("retryProject", &[&id], &json!({ "sceneId": scene })).await;
    completed(stack, &id).await;
    recorder.webhook("error.resolved", &id).await;
}

/// A project that is cancelled while a service works on it, and deleted.
pub async fn that_is_cancelled(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    choose(stack, Backends::Services).await;
    stack.control("videos", fast(json!({ "task": { "endless": true } }))).await;
    let (id, project) = made(stack, scenes(2)).await;
    let ids = scene_ids(&project);
    recorder.send("estimateProject", &[&id], &json!({ "sceneId": ids[0], "cascade": false })).await;
    command(stack, &id, "start").await;
    until(stack, &id, "generating", |project: &Value| project["scenes"][0]["taskId"].is_string()).await;
    recorder.post("cancelProject", &[&id]).await;
    recorder.webhook("project.cancelled", &id).await;
    stack
        .eventually("the project in the list", || async {
            let (_, list) = stack.get("/api/v1/projects?limit=1").await;
            let first = &list["projects"][0];
            (first["id"] == id.as_str() && first["status"] == "cancelled").then_some(())
        })
        .await;
    recorder.get("listProjects", &[], "limit=1").await;
    recorder.post("removeSceneOfOriginal", &[&ids[1]]).await;
    recorder.post("deleteProject", &[&id]).await;
}
