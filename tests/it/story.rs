//! The stories of a job and of a project in which everything goes wrong, and of a webhook: nothing that happened is missing.

use reelhook_domain::{Delivery, OutboundEvent};
use reqwest::Method;
use serde_json::{Value, json};

use crate::aws::kill;
use crate::cost::log_path;
use crate::scenes::backends::Backends;
use crate::scenes::inbox::{error_about, retry};
use crate::scenes::project::{
    behave_about, command, completed, fast, made, open, scene_ids, scenes, tasks, text, until_status,
};
use crate::stack::{JsonText as _, Stack, read};
use crate::videos::{film, until};

/// The trace of the client's request.
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The trace's id.
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// A receiver of this test alone.
const DEAD: &str = "dead";
/// What a job logs about a renderer that was killed.
const LOST: (&str, &str, &str) = ("log", "warning", "lost");
/// Scenes that can be made, before one that can't: more than renderers work at once.
const SCENES: usize = 5;

/// Orders a video whose last scene can't be made, for a receiver that does not respond.
async fn order(stack: &Stack) -> String {
    let mut wanted = film(SCENES + 1, 3.0);
    wanted["scenes"][SCENES]["content"]["images"] = json!(["http://no.such.invalid/a.png"]);
    wanted["webhookUrl"] = json!(format!("{}/hooks/{DEAD}", stack.studio));
    let request = stack.request(Method::POST, "/api/generate-video-async").header("traceparent", TRACE);
    let (status, answer) = read(request.json_text(&wanted).send().await.expect("an answer")).await;
    assert_eq!(status, 202, "{answer}");
    answer["jobId"].as_str().expect("an id").to_owned()
}

/// Whether a renderer has claimed a piece of a job and has not reported it.
async fn is_claimed(stack: &Stack, id: &str) -> bool {
    let job = stack.stored(id).await;
    let pieces = job.run.engine.pieces().and_then(|run| run.pieces.as_ref());
    pieces.is_some_and(|pieces| pieces.list.iter().any(|piece| piece.claim.is_some()))
}

/// Kills the renderers while one of them works on a piece of a job, and lets others work when the job has noticed.
async fn kill_renderer(stack: &Stack, id: &str) {
    stack
        .eventually("a renderer that is killed at its piece", || async {
            stack.aws.set_mappings("render", true).await;
            if !is_claimed(stack, id).await {
                return None;
            }
            stack.aws.set_mappings("render", false).await;
            let killed = stack.aws.processes("render").into_iter().filter(|pid| kill(*pid)).count();
            // A piece may have been reported in between: what is claimed now has lost its renderer.
            (killed > 0 && is_claimed(stack, id).await).then_some(())
        })
        .await;
    let noticed = || async { tells(&story(stack, &["--", id]).await, LOST).then_some(()) };
    stack.eventually("the lost lease", noticed).await;
    stack.aws.set_mappings("render", true).await;
}

/// The delivery of `video.failed` to the client, once it satisfies `condition`.
async fn delivery(stack: &Stack, id: &str, what: &str, condition: impl Fn(&Delivery) -> bool) -> Delivery {
    stack
        .eventually(what, || async {
            let deliveries = stack.aws.deliveries_of(&[id.to_owned()]).await.into_iter();
            let mut own = deliveries.filter(|one| one.event == OutboundEvent::VideoFailed);
            own.find(|one| one.endpoint_name == "webhookUrl").filter(|one| condition(one))
        })
        .await
}

/// What `cargo xtask story` tells.
async fn story(stack: &Stack, about: &[&str]) -> Value {
    let log = log_path();
    let mut arguments = vec!["story", "--function-log", log.to_str().expect("UTF-8")];
    arguments.extend(about);
    stack.operate(&arguments).await
}

/// Whether something was told: where it comes from, its level, and a part of its text.
fn tells(told: &Value, (source, level, part): (&str, &str, &str)) -> bool {
    let entries = told["entries"].as_array().expect("entries");
    entries.iter().any(|entry| {
        let text = entry["text"].as_str().expect("a text");
        entry["source"] == source && entry["level"] == level && text.contains(part)
    })
}

#[tokio::test]
async fn a_failed_render_a_dead_receiver_and_a_killed_renderer_are_all_in_the_story() {
    let stack = Stack::open().await;
    stack.control(&format!("hooks/{DEAD}"), json!({ "close": true })).await;
    let id = order(&stack).await;
    kill_renderer(&stack, &id).await;
    until(&stack, &id, "failed").await;
    delivery(&stack, &id, "an attempt at the dead receiver", |one| {
        one.last.as_ref().is_some_and(|attempt| attempt.result.is_some())
    })
    .await;
    // The emulator writes what a run logged when the run ends.
    let written = [
        ("Render", "warning", "a piece failed"),
        ("Dispatcher", "warning", "Webhook delivery failed (attempt 1/4): webhookUrl"),
    ];
    let told = stack
        .eventually("the lines of renderer and dispatcher", || async {
            let told = story(&stack, &["--", &id]).await;
            written.into_iter().all(|line| tells(&told, line)).then_some(told)
        })
        .await;
    println!("{told:#}");
    for expected in [
        ("job", "info", "Created by caller"),
        ("log", "info", "Job added to the queue"),
        ("Videos", "info", "accepted a video"),
        ("Worker", "info", "started a job on our own renderers"),
        ("live", "info", "processing"),
        ("version", "info", "neither logged nor shown"),
        ("Render", "info", "claimed a piece"),
        ("Render", "error", "The run ended with error"),
        LOST,
        ("Render", "info", "reported a piece"),
        ("log", "error", "no.such.invalid"),
        ("live", "error", "failed"),
        ("webhook", "info", "video.failed for"),
        ("Fanout", "info", "Sending webhook notifications for event: video.failed"),
        ("delivery", "warning", "video.failed to webhookUrl"),
    ] {
        assert!(tells(&told, expected), "{expected:?} is missing");
    }
    assert_eq!(told["missing"], json!([]));
    assert_eq!((&told["of"]["status"], &told["of"]["trace_id"]), (&json!("failed"), &json!(TRACE_ID)));
    assert!(told["of"]["error"].as_str().is_some_and(|error| error.contains("no.such.invalid")), "{}", told["of"]);
    let entries = told["entries"].as_array().expect("entries").iter();
    let traces: Vec<&str> = entries.filter_map(|entry| entry["fields"]["trace_id"].as_str()).collect();
    assert!(traces.len() > 5 && traces.iter().all(|trace| *trace == TRACE_ID), "{traces:?}");
    let now = told["now"].as_array().expect("a list");
    assert!(now.iter().any(|one| one["text"].as_str().is_some_and(|text| text.contains("attempt 2 at"))), "{now:?}");

    // The receiver is repaired, and the webhook is sent again.
    stack.control(&format!("hooks/{DEAD}"), json!({})).await;
    let waiting = delivery(&stack, &id, "the delivery", |_| true).await.id.to_string();
    let (status, answer) = stack.post(&format!("/api/webhooks/deliveries/{waiting}/retry"), &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    delivery(&stack, &id, "an accepted webhook", |one| one.finished_at.is_some()).await;
    let told = story(&stack, &["--delivery", "--", &waiting]).await;
    assert_eq!((&told["of"]["status"], &told["of"]["subject"]), (&json!("delivered"), &json!(id)));
    assert_eq!(told["of"]["trace_id"], TRACE_ID);
    for expected in [
        ("webhook", "info", "video.failed for"),
        ("delivery", "warning", "attempt 1 got no response"),
        ("delivery", "success", "attempt 2 answered 200"),
    ] {
        assert!(tells(&told, expected), "{expected:?} is missing: {told:#}");
    }
    let arrived = stack
        .eventually("the webhook is verified", || async {
            let arrived = stack.webhooks(DEAD, &id).await;
            arrived.into_iter().find(|one| one["body"]["status"] == "failed" && one["answered"] == 200)
        })
        .await;
    assert_eq!(arrived["headers"]["traceparent"], TRACE);
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_job_without_a_trace_gets_one_that_its_worker_and_its_receivers_share() {
    let stack = Stack::open().await;
    let job = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    stack.until_status(&job, "completed").await;
    let webhook = stack.webhook("main", &job, "job.extraction_completed").await;
    let trace = webhook["headers"]["traceparent"].as_str().expect("a trace").to_owned();
    assert!(trace.starts_with("00-") && trace.ends_with("-00") && trace.len() == TRACE.len(), "{trace}");
    let told = story(&stack, &["--", &job]).await;
    assert_eq!(told["of"]["trace_id"], trace[3..35]);
    let seen = stack.studio(&format!("/worker/jobs?job_id={job}")).await;
    assert_eq!(seen["posts"][0]["traceparent"], trace, "{seen:#}");
    let other = stack.submit_with(json!({ "pauseAfterExtraction": true, "template": "studio:step_ms=5" })).await;
    assert_ne!(story(&stack, &["--", &other]).await["of"]["trace_id"], trace[3..35]);
    stack.until_status(&other, "completed").await;
}

#[tokio::test]
async fn a_project_whose_task_failed_at_a_service_has_its_tasks_its_error_and_its_end_in_the_story() {
    let stack = open(Backends::Services).await;
    let (id, project) = made(&stack, scenes(2)).await;
    let [first, second]: [String; 2] = scene_ids(&project).try_into().expect("two scenes");
    let failing = fast(json!({ "task": { "fail_first": 3, "error": "the model ran out of memory" } }));
    behave_about(&stack, "videos", (&id, &second), failing).await;
    command(&stack, &id, "start").await;
    until_status(&stack, &id, "failed").await;
    let submitted = tasks(&stack, "videos", &id).await;
    let submitted: Vec<String> = submitted.iter().map(|task| text(&task["task_id"])).collect();
    assert_eq!(submitted.len(), 4, "one video, and three attempts at the other: {submitted:?}");
    let error = stack
        .eventually("the third failure is in the inbox", || async {
            let error = error_about(&stack, &id, "video_failed").await;
            (error["occurrences"] == 3).then_some(error)
        })
        .await;
    let take = format!("Scene {first}, attempt 1: the video is there, made by task {}", submitted[0]);
    let shown = format!("Scene {second}: rejected, attempt 3");
    let raised = "failed: the model ran out of memory, raised 3 times";
    let expected = [
        ("project", "info", "Created by caller"),
        ("ProjectApi", "info", "accepted a project"),
        ("Worker", "info", "submitted a task"),
        ("task", "success", take.as_str()),
        ("live", "info", shown.as_str()),
        ("live", "error", "failed"),
        ("error", "error", "was raised for the first time"),
        ("error", "error", raised),
        ("webhook", "info", "project.failed"),
    ];
    // The emulator writes what a run logged when the run ends.
    let told = stack
        .eventually("the lines about each task", || async {
            let told = story(&stack, &["--", &id]).await;
            let is_told = |task: &String| submissions(&told).any(|entry| of(entry, "task_id") == task);
            let is_whole = submitted.iter().all(is_told) && told["missing"] == json!([]);
            is_whole.then_some(told)
        })
        .await;
    println!("{told:#}");
    for expected in expected {
        assert!(tells(&told, expected), "{expected:?} is missing");
    }
    assert_eq!(told["missing"], json!([]));
    assert_eq!((&told["of"]["kind"], &told["of"]["status"]), (&json!("project"), &json!("failed")));
    let trace = told["of"]["trace_id"].as_str().expect("a trace");
    assert!(submissions(&told).all(|entry| of(entry, "trace_id") == trace), "{trace}");
    let entries = told["entries"].as_array().expect("entries").iter();
    let mut raises = entries.filter(|entry| entry["source"] == "error" && entry["details"].is_object());
    let details = &raises.next().expect("the newest raise")["details"];
    assert_eq!((&details["scene_id"], &details["task_id"]), (&json!(second), &json!(submitted[3])));

    // The service is well again, and a person retries the scene.
    retry(&stack, &error).await;
    completed(&stack, &id).await;
    let over = [
        ("error", "success", "was resolved: its cause has ended"),
        ("task", "success", "The scenes are joined: the video of the project is there"),
    ];
    stack
        .eventually("the end of the error and of the project", || async {
            let told = story(&stack, &["--", &id]).await;
            over.into_iter().all(|one| tells(&told, one)).then_some(())
        })
        .await;
    stack.assert_queues_empty().await;
}

/// The functions' lines about tasks that services accepted.
fn submissions(told: &Value) -> impl Iterator<Item = &Value> {
    let entries = told["entries"].as_array().expect("entries").iter();
    entries.filter(|entry| entry["text"] == "submitted a task")
}

/// A field of a function's line.
fn of<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry["fields"][name].as_str().unwrap_or_default()
}
