//! `watch`: live events that continue after a connection ends, polling without them, and what Ctrl-C leaves.

use serde_json::{Value, json};

use crate::program::{Place, Running};
use crate::server::{Reply, Server};

const STATE: &str = "GET /api/job/job_1";
const STREAM: &str = "GET /api/job/job_1/stream";

fn job(status: &str, progress: u64) -> Reply {
    let job = json!({ "id": "job_1", "status": status, "progress": progress, "currentStep": format!("At {progress}"),
        "error": (status == "failed").then_some("No movies"), "videoUrl": null });
    Reply::json(200, &json!({ "success": true, "job": job })).with("ETag", format!("\"job_1-{progress}\""))
}

fn event(id: &str, status: &str, progress: u64) -> String {
    let data = json!({ "type": "job_update", "job_id": "job_1", "status": status, "progress": progress,
        "currentStep": format!("At {progress}"), "error": null });
    format!("id: {id}\ndata: {data}\n\n")
}

fn states(out: &str) -> Vec<(String, u64)> {
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|state| (state["status"].as_str().unwrap().to_owned(), state["progress"].as_u64().unwrap())).collect()
}

#[test]
fn live_events_continue_after_the_last_one_that_came() {
    let first = format!("retry: 1\n\nid: 3\n\n{}", event("4.0", "processing", 20));
    let cut = first.len() - 5;
    let whole = Reply::events(&first);
    // The answer ends within an event: what came of it does not count.
    let half = Reply::events(&format!("{first}{}", event("5.0", "processing", 40))).cut(first.len() + 10);
    let last = Reply::events(&format!("{}{}", event("5.0", "processing", 40), event("6.0", "completed", 100)));
    let server = Server::scripted(vec![
        (STATE, vec![job("pending", 0), job("completed", 100)]),
        (STREAM, vec![whole.clone().cut(cut), half, whole.cut(0), last]),
    ]);
    let ended = Place::new().run(&server.url, &["watch", "job_1", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let expected = [("pending", 0), ("processing", 20), ("processing", 40), ("completed", 100)];
    assert_eq!(states(&ended.out), expected.map(|(status, progress)| (status.to_owned(), progress)));
    let positions: Vec<String> = server
        .requests()
        .iter()
        .filter(|request| request.line == STREAM)
        .map(|request| request.header("last-event-id").to_owned())
        .collect();
    assert_eq!(positions, ["", "3", "4.0", "4.0"]);
    let last: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["id"], &last["family"], &last["outcome"]), (&json!("job_1"), &json!("job"), &json!("succeeded")));
}

#[test]
fn without_a_stream_the_state_is_polled() {
    let full = Reply::json(503, &json!({ "error": "Too many streams", "code": "too_many_streams" }));
    let unchanged = Reply::bytes(304, b"");
    let server = Server::scripted(vec![
        (STATE, vec![job("processing", 20), job("processing", 30), unchanged, job("failed", 30)]),
        (STREAM, vec![full]),
    ]);
    let ended = Place::new().run(&server.url, &["watch", "job_1"]);
    assert_eq!((ended.code, ended.out.as_str()), (5, ""), "{ended:?}");
    assert!(ended.err.contains("the stream answered 503"), "{}", ended.err);
    assert!(ended.err.contains("reading the state every 2.0 s instead"), "{}", ended.err);
    assert!(ended.err.ends_with("error: job_1 is failed: No movies\n"), "{}", ended.err);
    let tags: Vec<String> = server
        .requests()
        .iter()
        .filter(|request| request.line == STATE)
        .map(|request| request.header("if-none-match").to_owned())
        .collect();
    assert_eq!(tags, ["", "", "\"job_1-30\"", "\"job_1-30\""]);
}

#[test]
fn a_uuid_may_be_a_video_or_a_clip_job() {
    let id = "550e8400-e29b-41d4-a716-446655440000";
    let clips = json!({ "id": id, "status": "succeeded", "progressPercent": 100, "output": { "clips": [] } });
    let server = Server::scripted(vec![(
        "GET /api/ai-clipping-agent/jobs/550e8400-e29b-41d4-a716-446655440000",
        vec![Reply::json(200, &clips)],
    )]);
    let ended = Place::new().run(&server.url, &["show", id, "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap()["family"], "clips");
    let unknown = Place::new().run(&server.url, &["show", "7f2b8c1e-7d54-4e0a-9b6f-0c1d2e3f4a5b"]);
    assert_eq!(unknown.code, 3, "{unknown:?}");
}

#[test]
fn live_events_are_passed_on() {
    let receiver = Server::scripted(vec![("POST /events", vec![Reply::bytes(204, b"")])]);
    let events = format!("id: 3\n\ndata: {{\"type\":\"connected\"}}\n\n{}", event("4.0", "completed", 100));
    let server = Server::scripted(vec![
        (STATE, vec![job("processing", 20), job("completed", 100)]),
        (STREAM, vec![Reply::events(&events)]),
    ]);
    let url = format!("{}/events", receiver.url);
    let ended = Place::new().run(&server.url, &["watch", "job_1", "--forward-to", &url]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let event = receiver.only("POST /events");
    assert_eq!((&event.json()["status"], event.header("authorization")), (&json!("completed"), ""));
}

#[test]
fn after_the_timeout_the_work_goes_on() {
    let server = Server::scripted(vec![(STATE, vec![job("processing", 20)])]);
    let ended = Place::new().run(&server.url, &["watch", "job_1", "--poll", "--timeout", "1s"]);
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(ended.err.ends_with("error: job_1 has not ended within 1.0 s; it goes on\n"), "{}", ended.err);
}

#[test]
fn ctrl_c_leaves_the_job_running_and_says_so() {
    let server = Server::scripted(vec![(STATE, vec![job("processing", 20)])]);
    let place = Place::new();
    let mut running = Running::start(place.command(&server.url, &["watch", "job_1", "--poll"]));
    running.until_said("20 %");
    let ended = running.interrupt();
    assert_eq!(ended.code, 130, "{ended:?}");
    let expected = "job_1 goes on. Follow it with `reelhook watch job_1`, cancel it with `reelhook cancel job_1`.\n";
    assert!(ended.err.ends_with(expected), "{}", ended.err);
    assert!(server.lines().iter().all(|line| line == STATE), "{:?}", server.lines());
}

#[test]
fn what_is_no_answer_of_the_api_ends_the_command() {
    let page = || Reply::bytes(200, b"<html>Sign in</html>");
    let server = Server::scripted(vec![
        (STATE, vec![page()]),
        ("DELETE /api/webhooks/endpoints/ep_1", vec![page()]),
        ("GET /api/job/job_2", vec![Reply::json(200, &json!({ "job": {} }))]),
    ]);
    for (arguments, sentence) in [
        (&["watch", "job_1"][..], "answered with something else than JSON"),
        (&["cancel", "job_1"][..], "answered with something else than JSON"),
        (&["endpoints", "remove", "ep_1"][..], "answered with something else than JSON"),
        (&["watch", "job_2"][..], "the answer about job_2 has no status"),
    ] {
        let ended = Place::new().run(&server.url, arguments);
        assert_eq!((ended.code, ended.out.as_str()), (4, ""), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(sentence), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn messages_that_nobody_reads_end_nothing() {
    let server = Server::scripted(vec![(STATE, vec![job("processing", 20), job("completed", 100)])]);
    let place = Place::new();
    let mut process = place.command(&server.url, &["watch", "job_1", "--poll"]).spawn().unwrap();
    drop(process.stderr.take());
    assert_eq!(process.wait().unwrap().code(), Some(0));
    assert_eq!(server.lines(), [STATE, STATE]);
}

#[test]
fn a_job_is_cancelled() {
    let server = Server::scripted(vec![
        (STATE, vec![job("processing", 20)]),
        ("POST /api/job/job_1/cancel", vec![Reply::json(200, &json!({ "success": true }))]),
    ]);
    let ended = Place::new().run(&server.url, &["cancel", "job_1"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "job_1 is cancelled\n"), "{ended:?}");
}
