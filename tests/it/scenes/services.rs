//! Services whose callbacks are late, doubled, out of order, unsigned, wrong or missing, which refuse, fail, and lose
//! answers: each project ends as it should, and nothing is paid for twice.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::backends::Backends;
use super::callers::Caller;
use super::inbox::{error_about, retry};
use super::project::{
    assert_billed_once, behave, behave_about, billed, command, completed, fast, made, open, scene_ids, scenes, tasks,
    until, until_status,
};
use crate::stack::Stack;

/// Callbacks that misbehave, each in its own way. All services of a project behave alike.
fn misbehaviours() -> Vec<(&'static str, Value)> {
    vec![
        ("late", json!({ "delay_ms": 1500 })),
        ("doubled", json!({ "copies": 2 })),
        ("out of order", json!({ "disorder_ms": 900, "progress": true })),
        ("before the answer to the submission", json!({ "early": true })),
        ("unsigned", json!({ "signature": "none" })),
        ("with a prefixed signature", json!({ "signature": "prefixed" })),
        ("with a signature of another secret", json!({ "signature": "wrong" })),
        ("by signature alone", json!({ "signature": "valid", "no_token": true, "form": "flat" })),
        ("with other names of members", json!({ "form": "media" })),
        ("about unknown scenes", json!({ "wrong": ["unknown_scene"] })),
        ("without a URL, of unknown statuses, and no JSON", json!({ "wrong": ["no_url", "status", "garbage"] })),
        ("about other scenes and tasks", json!({ "wrong": ["other_ids", "other_task"] })),
        ("never sent", json!({ "silent": true })),
    ]
}

/// Starts a project of so many scenes whose services have these settings.
async fn begin(stack: &Stack, count: usize, settings: Value) -> String {
    let (id, _) = made(stack, scenes(count)).await;
    for service in ["videos", "frames", "stitches"] {
        behave(stack, service, &id, settings.clone()).await;
    }
    command(stack, &id, "start").await;
    id
}

#[tokio::test]
async fn whatever_callbacks_do_each_project_ends_and_each_video_is_made_once() {
    let stack = open(Backends::Services).await;
    let mut begun = Vec::new();
    for (callbacks, settings) in misbehaviours() {
        begun.push((callbacks, begin(&stack, 3, fast(json!({ "callback": settings }))).await));
    }
    for (callbacks, id) in &begun {
        println!("callbacks {callbacks}: {id}");
        let project = completed(&stack, id).await;
        assert_billed_once(&stack, &project, 1).await;
        let frames = billed(&stack, "frames", id).await;
        assert_eq!(frames["billed"], 3, "{callbacks}: {frames:#}");
    }
    assert!(stack.aws.slots("scene-admission").await.active.is_empty(), "every slot is free");
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn tasks_are_polled_at_the_status_urls_that_their_services_name() {
    let stack = open(Backends::Services).await;
    let settings =
        json!({ "submit": { "status_url": true }, "status": { "no_list": true }, "callback": { "silent": true } });
    let id = begin(&stack, 2, fast(settings)).await;
    let project = completed(&stack, &id).await;
    assert_billed_once(&stack, &project, 1).await;
    stack.assert_queues_empty().await;
}

/// Starts a project of two scenes whose services send callbacks like this.
async fn begin_in_seeds_forms(stack: &Stack, callback: Value) -> String {
    let (id, project) = made(stack, scenes(2)).await;
    let settings = fast(json!({ "callback": callback }));
    for service in ["frames", "stitches"] {
        behave(stack, service, &id, settings.clone()).await;
    }
    for scene in scene_ids(&project) {
        // The seed's request of a video names no project.
        stack.control(&format!("videos?scene={scene}"), settings.clone()).await;
    }
    command(stack, &id, "start").await;
    id
}

#[tokio::test]
async fn the_forms_of_seed_003_are_spoken_with_services_that_have_paths_of_their_own() {
    let stack = open(Backends::Seed).await;
    let signed = begin_in_seeds_forms(&stack, json!({ "signature": "valid" })).await;
    let doubled = begin_in_seeds_forms(&stack, json!({ "signature": "prefixed", "copies": 3 })).await;
    let silent = begin_in_seeds_forms(&stack, json!({ "silent": true })).await;
    for id in [&signed, &doubled, &silent] {
        let project = completed(&stack, id).await;
        let stitched = billed(&stack, "stitches", id).await;
        assert_eq!(stitched["billed"], 1, "{stitched:#}");
        for scene in scene_ids(&project) {
            let videos = stack.studio(&format!("/control/videos/billed?scene={scene}")).await;
            assert_eq!(videos["billed"], 1, "{videos:#}");
        }
    }
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn one_callback_of_a_frame_twenty_times_at_once_starts_one_next_scene() {
    let stack = open(Backends::Services).await;
    let (id, project) = made(&stack, scenes(2)).await;
    let scene = scene_ids(&project).remove(0);
    // Neither a poll nor a callback of its own ends the first frame.
    let settings = fast(json!({ "status": { "forget": true }, "callback": { "silent": true } }));
    behave_about(&stack, "frames", (&id, &scene), settings).await;
    command(&stack, &id, "start").await;
    let task = stack
        .eventually("the first frame is extracted", || async {
            let all = tasks(&stack, "frames", &id).await;
            all.into_iter().find(|task| task["shown"]["status"] == "completed")
        })
        .await;
    let generated = |project: &Value| project["scenes"][0]["taskId"] == task["task_id"];
    until(&stack, &id, "waiting for its first frame", generated).await;

    let caller = Caller::of(&stack).await;
    let url = task["callback_url"].as_str().expect("a URL");
    let body = json!({
        "task_id": task["task_id"], "status": "completed", "image_url": task["shown"]["image_url"], "metadata": null,
    });
    let expected =
        json!({ "received": true, "status": "completed", "scene_updated": true, "next_scene_triggered": true });
    for answer in join_all((0..20).map(|_| caller.send(url, None, &body))).await {
        assert_eq!(answer, (200, expected.clone()));
    }
    let project = completed(&stack, &id).await;
    assert_billed_once(&stack, &project, 1).await;
    // The same once more, when all is over.
    assert_eq!(caller.send(url, None, &body).await, (200, expected));
    assert_billed_once(&stack, &project, 1).await;
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_frame_that_fails_three_times_costs_one_video_and_its_retry_too() {
    let stack = open(Backends::Services).await;
    let (id, project) = made(&stack, scenes(2)).await;
    let scene = scene_ids(&project).remove(0);
    let failing = fast(json!({ "task": { "fail_first": 3, "error": "the video has no keyframe" } }));
    behave_about(&stack, "frames", (&id, &scene), failing).await;
    command(&stack, &id, "start").await;
    let failed = until_status(&stack, &id, "failed").await;
    let (status, reason) = (&failed["scenes"][0]["status"], failed["error"].as_str().unwrap_or_default());
    assert_eq!((status, &failed["scenes"][1]["status"]), (&json!("generated"), &json!("ready")));
    assert!(reason.ends_with("its last frame could not be extracted"), "{reason}");
    assert_eq!(billed(&stack, "videos", &id).await["billed"], 1);
    assert_eq!(billed(&stack, "frames", &id).await["billed"], 3);

    let error = error_about(&stack, &id, "frame_failed").await;
    assert_eq!((&error["type"], &error["severity"]), (&json!("processing"), &json!("error")));
    assert_eq!(error["context"]["error"], "the video has no keyframe");
    retry(&stack, &error).await;
    let project = completed(&stack, &id).await;
    assert_billed_once(&stack, &project, 1).await;
    assert_eq!(billed(&stack, "frames", &id).await["billed"], 5);
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_video_that_fails_is_tried_twice_more_and_then_the_project_fails() {
    let stack = open(Backends::Services).await;
    let failing = |times: u8| fast(json!({ "task": { "fail_first": times, "error": "the model ran out of memory" } }));
    let recovers = begin_with(&stack, failing(2)).await;
    let fails = begin_with(&stack, failing(3)).await;
    let project = completed(&stack, &recovers).await;
    assert_eq!((&project["scenes"][0]["attempt"], &project["scenes"][0]["status"]), (&json!(3), &json!("verified")));
    assert_eq!(billed(&stack, "videos", &recovers).await["billed"], 3);
    let project = until_status(&stack, &fails, "failed").await;
    let scene = &project["scenes"][0];
    let expected = (&json!("rejected"), &json!("Video generation failed: the model ran out of memory"));
    assert_eq!((&scene["status"], &scene["notes"]), expected);
    assert_eq!(billed(&stack, "videos", &fails).await["billed"], 3);
    stack.assert_queues_empty().await;
}

/// Starts a project of one scene whose tasks service has these settings.
async fn begin_with(stack: &Stack, settings: Value) -> String {
    let (id, _) = made(stack, scenes(1)).await;
    behave(stack, "videos", &id, settings).await;
    command(stack, &id, "start").await;
    id
}

#[tokio::test]
async fn a_refused_submission_waits_as_the_service_asks_and_is_not_paid_for() {
    let stack = open(Backends::Services).await;
    let refusing = |status: u16, place: &str| {
        fast(json!({ "submit": { "status": status, "times": 2, "retry_after": 1, "retry_in": place } }))
    };
    for settings in [refusing(429, "body"), refusing(503, "header")] {
        let id = begin_with(&stack, settings).await;
        let project = completed(&stack, &id).await;
        let videos = billed(&stack, "videos", &id).await;
        assert_eq!((&videos["billed"], &videos["refused"]), (&json!(1), &json!(2)), "{videos:#}");
        assert_eq!((&project["scenes"][0]["attempt"], &project["cost"]), (&json!(1), &json!(0.05)));
    }
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_frame_whose_answer_was_lost_is_unclear_and_only_a_person_submits_it_again() {
    let stack = open(Backends::Services).await;
    let (id, _) = made(&stack, scenes(1)).await;
    let losing = fast(json!({ "submit": { "lose_percent": 100, "times": 1 }, "callback": { "silent": true } }));
    behave(&stack, "frames", &id, losing).await;
    command(&stack, &id, "start").await;
    // The service has no list, so this is known when the time of the frame is over.
    let failed = until_status(&stack, &id, "failed").await;
    assert_eq!(failed["scenes"][0]["status"], "generated");
    assert_eq!(billed(&stack, "frames", &id).await["billed"], 1);
    let error = error_about(&stack, &id, "submission_unclear").await;
    retry(&stack, &error).await;
    let project = completed(&stack, &id).await;
    assert_billed_once(&stack, &project, 0).await;
    assert_eq!(billed(&stack, "frames", &id).await["billed"], 2);
    stack.assert_queues_empty().await;
}
