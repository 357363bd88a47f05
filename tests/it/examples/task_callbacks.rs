//! Callbacks of services about the tasks of a project, signed and with the token of the task. The mock services never
//! end these tasks, so that the callbacks do.

use serde_json::{Value, json};

use super::recorder::{Recorder, text};
use crate::scenes::backends::Backends;
use crate::scenes::project::{behave, choose, command, completed, fast, made, scene_ids, scenes, started, tasks};
use crate::stack::Stack;

/// Files that the mock services made of another project.
struct Files {
    /// That project: the services of frames and stitches know by its video that they work for it.
    project: String,
    video: Value,
    frame: Value,
}

impl Files {
    async fn make(stack: &Stack) -> Self {
        let project = started(stack, scenes(1)).await;
        completed(stack, &project).await;
        let video = tasks(stack, "videos", &project).await[0]["shown"]["result"]["video_url"].clone();
        let frame = tasks(stack, "frames", &project).await[0]["shown"]["image_url"].clone();
        Self { project, video, frame }
    }

    /// A report of a video.
    fn video(&self, task: &str, project: &str, scene: &str) -> Value {
        json!({
            "task_id": task, "status": "completed", "scene_id": scene, "project_id": project, "video_url": self.video,
            "duration": 5, "fps": 24, "width": 1280, "height": 720, "quality_score": 0.92,
            "timestamp": "2024-01-01T12:00:00.000Z",
        })
    }

    /// A report of a last frame.
    fn frame(&self, task: &str, project: &str, scene: &str) -> Value {
        json!({
            "task_id": task, "status": "completed", "scene_id": scene, "project_id": project,
            "last_frame_url": self.frame, "width": 1280, "height": 720, "format": "png",
            "timestamp": "2024-01-01T12:00:00.000Z",
        })
    }
}

/// Waits for the task that a mock service has of a project beside `before` others: its id and its token.
async fn task(stack: &Stack, service: &str, project: &str, before: usize) -> (String, String) {
    let task = stack
        .eventually(&format!("a task of {service} of {project}"), || async {
            tasks(stack, service, project).await.into_iter().nth(before)
        })
        .await;
    let url = text(&task["callback_url"]);
    let token = url.split_once("/w/").and_then(|(_, rest)| rest.split('/').next()).expect("a token");
    (text(&task["task_id"]), token.to_owned())
}

/// Reports each task of a project of two scenes.
pub async fn of_a_project(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    choose(stack, Backends::Services).await;
    let files = Files::make(stack).await;
    let (id, project) = made(stack, scenes(2)).await;
    let (ids, endless) = (scene_ids(&project), fast(json!({ "task": { "endless": true } })));
    behave(stack, "videos", &id, endless.clone()).await;
    for service in ["frames", "stitches"] {
        behave(stack, service, &files.project, endless.clone()).await;
    }
    for operation in ["getVideoWebhook", "getLastFrameWebhook", "getStitchWebhook"] {
        recorder.get(operation, &[], "").await;
    }
    command(stack, &id, "start").await;

    let (first, token) = task(stack, "videos", &id, 0).await;
    recorder.send("reportVideoWithToken", &[&token], &files.video(&first, &id, &ids[0])).await;
    let (first, _) = task(stack, "frames", &files.project, 1).await;
    let report = files.frame(&first, &id, &ids[0]);
    recorder.send_signed("reportLastFrame", "LAST_FRAME_WEBHOOK_SECRET", &report).await;
    let (second, _) = task(stack, "videos", &id, 1).await;
    recorder.send_signed("reportVideo", "VIDEO_WEBHOOK_SECRET", &files.video(&second, &id, &ids[1])).await;
    let (second, token) = task(stack, "frames", &files.project, 2).await;
    recorder.send("reportLastFrameWithToken", &[&token], &files.frame(&second, &id, &ids[1])).await;

    let (stitch, token) = task(stack, "stitches", &files.project, 0).await;
    let report = json!({
        "task_id": stitch, "status": "completed", "project_id": id, "final_video_url": files.video, "duration": 10,
        "total_scenes": 2, "format": "mp4", "resolution": "1280x720", "timestamp": "2024-01-01T12:00:00.000Z",
    });
    recorder.send_signed("reportStitch", "STITCH_WEBHOOK_SECRET", &report).await;
    recorder.send("reportStitchWithToken", &[&token], &report).await;
    completed(stack, &id).await;
}
