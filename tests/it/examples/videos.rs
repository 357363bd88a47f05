//! Videos that are specified scene by scene.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_aws::start::SystemClock;
use reelhook_domain::Admission;
use serde_json::{Value, json};

use super::recorder::{Recorder, text};
use crate::videos::until;

fn film(more: Value) -> Value {
    let mut film = json!({
        "title": "Summer sale", "quality": "720p", "theme": "ocean", "metadata": { "campaign": "summer" },
        "scenes": [
            { "type": "hero-title", "duration": 1, "content": { "title": "Summer sale", "subtitle": "Until Sunday" } },
            { "type": "cta", "duration": 1, "content": { "title": "Half price", "buttonText": "Shop now" } },
        ],
    });
    for (name, value) in more.as_object().expect("an object") {
        film[name] = value.clone();
    }
    film
}

/// A video whose client is notified. No other endpoint gets events about videos yet.
pub async fn with_a_webhook(recorder: &mut Recorder<'_>) -> String {
    let stack = recorder.stack;
    recorder.get("getVideoQueue", &[], "").await;
    let url = recorder.url("-client");
    let made = recorder.send("makeVideo", &[], &film(json!({ "webhookUrl": url }))).await;
    let video = text(&made["jobId"]);
    until(stack, &video, "completed").await;
    recorder.get("getVideoStatus", &[&video], "").await;
    stack
        .eventually("both notifications are delivered", || async {
            let (_, all) = stack.get(&format!("/api/job/{video}/deliveries")).await;
            let ended = all["deliveries"].as_array()?.iter().filter(|one| one["finishedAt"].is_string()).count();
            (ended == 2).then_some(())
        })
        .await;
    recorder.get("listJobDeliveries", &[&video], "limit=1").await;
    video
}

/// Videos for which a request waits: one that gets its video, and one that gets no slot and fails later.
pub async fn waited_for(recorder: &mut Recorder<'_>, first: &str) {
    let stack = recorder.stack;
    let made = recorder.send("makeVideoAndWait", &[], &film(json!({}))).await;
    let video = text(&made["jobId"]);
    for event in ["video.started", "video.completed"] {
        recorder.webhook(event, &video).await;
    }
    let before = stack.aws.slots("waiters").await;
    let lease = SystemClock.now().after(Duration::from_secs(60));
    let active = (0..20).map(|n| (format!("waiter {n}"), lease)).collect();
    stack.aws.save_slots("waiters", &Admission { version: before.version + 1, active, ..before.clone() }).await;
    let mut broken = film(json!({}));
    broken["scenes"][0]["content"]["images"] = json!(["http://shop.invalid/shoe.png"]);
    let broken = text(&recorder.send("makeVideoAndWait", &[], &broken).await["jobId"]);
    stack.aws.save_slots("waiters", &Admission { version: before.version + 2, ..before }).await;
    recorder.webhook("video.failed", &broken).await;

    stack
        .eventually("the video in the list", || async {
            let (_, list) = stack.get("/api/videos?limit=1").await;
            (list["videos"][0]["jobId"] == video.as_str() && list["nextCursor"].is_string()).then_some(())
        })
        .await;
    recorder.get("listVideos", &[], "limit=1").await;
    recorder.post("deleteVideo", &[first]).await;
    recorder.send("uploadImage", &[], &json!({ "contentType": "image/png", "size": 48213 })).await;
    recorder.get("listMusicTracks", &[], "").await;
}
