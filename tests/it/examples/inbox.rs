//! The errors API: an error about a video, one of a page, and the numbers of all.

use serde_json::json;

use super::recorder::{Recorder, text};
use crate::scenes::inbox::error_about;

/// The error about a video that failed three times, while it is active.
pub async fn of_a_failed_video(recorder: &mut Recorder<'_>, project: &str) {
    let stack = recorder.stack;
    let error = text(&error_about(stack, project, "video_failed").await["id"]);
    stack
        .eventually("three failures are counted", || async {
            let (_, answer) = stack.get(&format!("/api/v1/errors/{error}")).await;
            (answer["error"]["occurrences"] == 3).then_some(())
        })
        .await;
    recorder.get("getError", &[&error], "").await;
    recorder.get("listErrors", &[], "type=generation&severity=error").await;
    recorder.keep_first("listErrors", "errors");
}

/// What is done with an error of a page, and the numbers of all errors.
pub async fn of_a_page(recorder: &mut Recorder<'_>) {
    let stack = recorder.stack;
    let report = json!({
        "error": { "name": "TypeError", "message": "scene is undefined", "stack": "at draw (projects.js:12)" },
        "errorInfo": null, "url": "https://app.example/projects", "userAgent": "Mozilla/5.0",
        "timestamp": "2024-01-01T12:00:00.000Z",
    });
    recorder.send("logError", &[], &report).await;
    recorder.get("getErrorStats", &[], "").await;
    recorder.get("streamErrors", &[], "").await;
    let error = stack
        .eventually("the report is an error", || async {
            let (_, list) = stack.get("/api/v1/errors?type=system&severity=error&limit=200").await;
            let mut errors = list["errors"].as_array()?.iter();
            errors.find(|error| error["cause"] == "client_report").map(|error| text(&error["id"]))
        })
        .await;
    recorder.send("dismissErrors", &[], &json!({ "errorId": error })).await;
}
