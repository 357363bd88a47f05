//! The errors API: one error for each cause and subject, resolved when the cause ends, dismissed, listed, counted and
//! live.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::backends::Backends;
use super::callers::Caller;
use super::listener::Listener;
use super::project::{
    behave, billed, command, completed, fast, made, open, scene_ids, scenes, text, unique, until_status,
};
use crate::live::blocks;
use crate::lost::replay_stream_of;
use crate::stack::Stack;

/// The routes of errors.
const ERRORS: &str = "/api/v1/errors";

/// The errors of a list.
async fn errors(stack: &Stack, query: &str) -> Vec<Value> {
    let (status, answer) = stack.get(&format!("{ERRORS}?limit=200{query}")).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}");
    let errors = answer["errors"].as_array().expect("a list").clone();
    assert_eq!(answer["count"], json!(errors.len()));
    errors
}

/// An error as it is now.
pub async fn error(stack: &Stack, id: &str) -> Value {
    let (status, answer) = stack.get(&format!("{ERRORS}/{id}")).await;
    assert_eq!(status, 200, "{answer}");
    answer["error"].clone()
}

/// The members of an error's context that name what it is about.
const IDS: [&str; 3] = ["project_id", "job_id", "external_job_id"];

/// The active errors with this cause about a project or its scenes, or about a clip job.
pub async fn errors_about(stack: &Stack, id: &str, cause: &str) -> Vec<Value> {
    let is_about = |one: &Value| IDS.iter().any(|name| one["context"][name] == id);
    errors(stack, "").await.into_iter().filter(|one| one["cause"] == cause && is_about(one)).collect()
}

/// Waits for the active error with this cause about a project or its scenes, or about a clip job.
pub async fn error_about(stack: &Stack, id: &str, cause: &str) -> Value {
    stack
        .eventually(&format!("{cause} of {id}"), || async { errors_about(stack, id, cause).await.into_iter().next() })
        .await
}

/// Makes the call that an error names as what may end it.
pub async fn retry(stack: &Stack, error: &Value) {
    let action = &error["action"];
    assert_eq!((&action["method"], &action["label"]), (&json!("POST"), &json!("Retry")), "{error:#}");
    let path = action["path"].as_str().expect("a path");
    let body = action.get("body").cloned().unwrap_or_else(|| json!({}));
    let (status, answer) = stack.post(path, &body).await;
    assert_eq!(status, 200, "{path} {body}: {answer}");
}

/// Dismisses errors.
async fn dismiss(stack: &Stack, body: Value) -> (u16, Value) {
    stack.post(&format!("{ERRORS}/dismiss"), &body).await
}

async fn stats(stack: &Stack) -> Value {
    let (status, answer) = stack.get(&format!("{ERRORS}/stats")).await;
    assert_eq!(status, 200, "{answer}");
    answer["stats"].clone()
}

/// A callback about a scene that nobody knows.
fn unknown(scene: &str) -> Value {
    json!({
        "task_id": "test_123", "status": "completed", "scene_id": scene, "project_id": "proj_unknown",
        "video_url": "https://example.com/test.mp4", "timestamp": "2025-10-04T10:30:00.000Z",
    })
}

/// The error about a scene that nobody knows, raised by so many callbacks at once.
async fn raised(stack: &Stack, callbacks: usize) -> Value {
    let (caller, scene) = (Caller::of(stack).await, format!("scene_unknown_{}", unique()));
    let body = unknown(&scene);
    for answer in join_all((0..callbacks).map(|_| caller.send_video(&body))).await {
        assert_eq!(answer, (200, json!({ "received": true, "warning": "Scene not found" })));
    }
    let all = errors(stack, "&type=webhook&severity=warning").await;
    let about: Vec<Value> = all.into_iter().filter(|one| one["context"]["scene_id"] == scene.as_str()).collect();
    let [error] = about.as_slice() else { panic!("one error: {about:#?}") };
    error.clone()
}

#[tokio::test]
async fn five_unknown_callbacks_are_one_error_with_five_occurrences_also_after_a_replay() {
    let stack = open(Backends::Services).await;
    let known = raised(&stack, 5).await;
    assert_eq!((&known["occurrences"], &known["cause"]), (&json!(5), &json!("unknown_scene")));
    // Errors that effects of projects raise count once too.
    let (id, project) = made(&stack, scenes(1)).await;
    behave(&stack, "videos", &id, fast(json!({ "task": { "fail_first": 3 } }))).await;
    command(&stack, &id, "start").await;
    until_status(&stack, &id, "failed").await;
    let failed = error_about(&stack, &id, "video_failed").await;
    let failed = stack
        .eventually("three failures are counted", || async {
            let now = error(&stack, &text(&failed["id"])).await;
            (now["occurrences"] == 3).then_some(now)
        })
        .await;
    assert_eq!(failed["context"]["scene_id"], scene_ids(&project)[0].as_str());
    stack.assert_queues_empty().await;

    replay_stream_of(&stack, "ProjectsTable").await;
    stack.assert_queues_empty().await;
    for before in [&known, &failed] {
        let now = error(&stack, &text(&before["id"])).await;
        assert_eq!(&now, before);
    }
    assert_eq!(billed(&stack, "videos", &id).await["billed"], 3, "a replay submits nothing");
}

#[tokio::test]
async fn an_error_is_resolved_when_its_cause_ends_and_open_again_when_it_returns() {
    let stack = open(Backends::Services).await;
    let listener = Listener::register(&stack, &["error.*"]).await;
    let (id, project) = made(&stack, scenes(1)).await;
    let scene = scene_ids(&project).remove(0);
    behave(&stack, "videos", &id, fast(json!({ "task": { "fail_first": 3, "error": "no memory" } }))).await;
    command(&stack, &id, "start").await;
    until_status(&stack, &id, "failed").await;
    let failed = error_about(&stack, &id, "video_failed").await;
    assert_eq!((&failed["type"], &failed["severity"]), (&json!("generation"), &json!("error")), "{failed:#}");
    assert_eq!(failed["action"]["path"], json!(format!("/api/v1/projects/{id}/retry")));
    assert_eq!(failed["action"]["body"], json!({ "sceneId": scene }));
    let number = text(&failed["id"]);
    listener.heard(&stack, &id, "error.raised").await;

    retry(&stack, &failed).await;
    completed(&stack, &id).await;
    let resolved = stack
        .eventually("the error is resolved", || async {
            let now = error(&stack, &number).await;
            now["resolvedAt"].is_string().then_some(now)
        })
        .await;
    assert_eq!((resolved.get("action"), &resolved["firstSeen"]), (None, &failed["firstSeen"]));
    assert!(errors(&stack, "").await.iter().all(|one| one["id"] != number.as_str()), "it is not active");
    assert!(errors(&stack, "&resolved=true").await.iter().any(|one| one["id"] == number.as_str()));
    let heard = listener.heard(&stack, &id, "error.resolved").await;
    assert_eq!(heard["error_id"], number.as_str());

    // The first four attempts are over: a fourth failure is the same error.
    behave(&stack, "videos", &id, fast(json!({ "task": { "fail_first": 100, "error": "no memory" } }))).await;
    let generate = format!("/api/v1/projects/{id}/scenes/{scene}/generate");
    let (status, answer) = stack.post(&generate, &json!({})).await;
    assert_eq!(status, 202, "{answer}");
    until_status(&stack, &id, "failed").await;
    let again = error_about(&stack, &id, "video_failed").await;
    assert_eq!((&again["id"], again.get("resolvedAt")), (&failed["id"], None), "{again:#}");
    assert!(again["occurrences"].as_u64() > resolved["occurrences"].as_u64(), "{again:#}");
    stack
        .eventually("one webhook for each time that it opened", || async {
            let all = listener.about(&stack, &id).await;
            let raised = all.iter().map(|one| &one["body"]).filter(|body| body["type"] == "error.raised");
            (raised.filter(|body| body["data"]["error_id"] == number.as_str()).count() == 2).then_some(())
        })
        .await;
    listener.remove(&stack).await;
    stack.assert_queues_empty().await;
}

#[tokio::test]
async fn a_completed_project_is_a_success_that_leaves_after_five_seconds() {
    let stack = open(Backends::Services).await;
    let (id, _) = made(&stack, scenes(1)).await;
    command(&stack, &id, "start").await;
    let entry = stack
        .eventually("the success", || async {
            let all = errors(&stack, "&type=success").await;
            all.into_iter().find(|one| one["context"]["project_id"] == id.as_str())
        })
        .await;
    assert_eq!((&entry["severity"], &entry["autoDismissMs"]), (&json!("info"), &json!(5000)), "{entry:#}");
    stack
        .eventually("the success has left", || async {
            let all = errors(&stack, "&type=success").await;
            all.iter().all(|one| one["id"] != entry["id"]).then_some(())
        })
        .await;
    let left = error(&stack, &text(&entry["id"])).await;
    assert_eq!((&left["dismissed"], &left["dismissedAt"]), (&json!(true), &entry["expiresAt"]), "{left:#}");
}

#[tokio::test]
async fn errors_are_dismissed_one_by_one_or_all_together() {
    let stack = open(Backends::Services).await;
    let (one, other) = (raised(&stack, 1).await, raised(&stack, 2).await);
    let before = stats(&stack).await;
    let (status, first) = dismiss(&stack, json!({ "errorId": one["id"] })).await;
    assert_eq!((status, &first["success"], &first["errorId"]), (200, &json!(true), &one["id"]), "{first}");
    let (status, again) = dismiss(&stack, json!({ "errorId": one["id"] })).await;
    assert_eq!((status, &again), (200, &first), "the first dismissal counts");
    let after = stats(&stack).await;
    let count = |stats: &Value, name: &str| stats[name].as_u64().expect("a number");
    assert_eq!(count(&after, "dismissed"), count(&before, "dismissed") + 1, "{after}");
    assert_eq!(count(&after, "total"), count(&after, "active") + count(&after, "dismissed"), "{after}");
    assert!(after["bySeverity"]["warning"].as_u64() > Some(0) && after["byType"]["webhook"].as_u64() > Some(0));

    // `all` takes precedence over `errorId`.
    let (status, answer) = dismiss(&stack, json!({ "all": true, "errorId": one["id"] })).await;
    let dismissed = answer["count"].as_u64().expect("a number");
    assert_eq!((status, &answer["message"]), (200, &json!(format!("Dismissed {dismissed} error(s)"))), "{answer}");
    assert!(dismissed >= 1, "{answer}");
    assert!(error(&stack, &text(&other["id"])).await["dismissedAt"].is_string());
    let left = errors(&stack, "").await;
    assert!(left.iter().all(|error| error["dismissible"] == false), "{left:#?}");

    for (body, expected) in [
        (json!({}), (400, "Missing errorId parameter")),
        (json!({ "errorId": "err_1704110400000_0000000" }), (404, "Error not found or not dismissible")),
    ] {
        let (status, answer) = dismiss(&stack, body).await;
        assert_eq!((status, answer["error"].as_str().unwrap_or_default()), expected, "{answer}");
        assert_eq!(answer["success"], false);
    }
    assert_eq!(errors(&stack, "&severity=loud").await, Vec::<Value>::new(), "an unknown word has no errors");
}

#[tokio::test]
async fn dead_letters_are_an_error_that_stays_until_they_are_gone() {
    let stack = open(Backends::Services).await;
    stack.aws.dead_letter(&json!({ "kind": "start.v1" })).await;
    let find =
        async || errors(&stack, "&severity=critical").await.into_iter().find(|one| one["cause"] == "dead_letters");
    let raised = stack.eventually("an error about dead letters", || async { find().await }).await;
    assert_eq!((&raised["type"], &raised["dismissible"]), (&json!("system"), &json!(false)), "{raised:#}");
    let (status, answer) = dismiss(&stack, json!({ "errorId": raised["id"] })).await;
    assert_eq!(status, 404, "{answer}");
    let moved = stack.operate(&["redrive"]).await;
    assert_eq!(moved["Work"], 1, "{moved}");
    stack
        .eventually("the error is resolved", || async {
            error(&stack, &text(&raised["id"])).await["resolvedAt"].is_string().then_some(())
        })
        .await;
    stack.assert_queues_empty().await;
}

/// A viewer of the stream of errors that reconnects with its last event id.
struct Viewer {
    last: Option<String>,
}

impl Viewer {
    /// The events of the next answer.
    async fn next(&mut self, stack: &Stack) -> Vec<Value> {
        let request = stack.request(Method::GET, &format!("{ERRORS}/stream"));
        let request = self.last.iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let found = blocks(&response.text().await.expect("text"));
        self.last = found.iter().rev().find_map(|block| block.id.clone()).or(self.last.take());
        found.into_iter().filter_map(|block| block.data).collect()
    }

    /// Waits for an event about an error that has this text.
    async fn until(&mut self, stack: &Stack, text: &str) -> Value {
        // Other errors may change too; each answer waits for a change.
        for _ in 0..10 {
            let mut events = self.next(stack).await.into_iter();
            if let Some(seen) = events.find(|event| event["error"].to_string().contains(text)) {
                return seen;
            }
        }
        panic!("no event about {text}");
    }
}

#[tokio::test]
async fn a_page_reports_an_error_and_a_viewer_sees_it() {
    let stack = open(Backends::Services).await;
    let mut viewer = Viewer { last: None };
    assert_eq!(viewer.next(&stack).await[0]["type"], "connected");
    let name = format!("Error{}", unique());
    // Digits would be an id: each call of this test has a page of its own.
    let page: String = unique().to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
    let report = json!({
        "error": { "message": "x is <b>undefined</b>", "stack": "at draw (app.js:1)", "name": name },
        "errorInfo": { "componentStack": "at Page" }, "url": format!("https://app.example/{page}?token=secret"),
        "userAgent": "Mozilla/5.0", "timestamp": "2025-10-04T10:30:00.000Z",
    });
    for (kind, occurrences) in [("error_raised", 1), ("error_updated", 2)] {
        let (status, answer) = stack.post(&format!("{ERRORS}/log"), &report).await;
        assert_eq!((status, answer), (200, json!({ "success": true })));
        let seen = viewer.until(&stack, &name).await;
        assert_eq!((&seen["type"], &seen["error"]["occurrences"]), (&json!(kind), &json!(occurrences)), "{seen:#}");
        assert_eq!(seen["error"]["cause"], "client_report");
        assert!(!seen.to_string().contains("token=secret"), "the query of the page is not kept: {seen:#}");
    }
}
