//! Projects as clients see them: created, started and watched, with mock services that behave as a test wants.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use super::backends::Backends;
use crate::stack::{JsonText, Stack, read};

/// The routes of projects.
pub const PROJECTS: &str = "/api/v1/projects";
/// The mock services that make tasks.
const SERVICES: [&str; 3] = ["videos", "frames", "stitches"];
/// The deadline of every wait.
const TIMEOUT: Duration = Duration::from_secs(90);
/// The interval at which a project is read.
const POLL: Duration = Duration::from_millis(200);

/// The stack with these backends, with services that answer at once with prepared files, and with no project under way.
pub async fn open(backends: Backends) -> Stack {
    let stack = Stack::open().await;
    choose(&stack, backends).await;
    stack
}

/// Changes the backends of a stack whose other state, such as its endpoints, stays.
pub async fn choose(stack: &Stack, backends: Backends) {
    cancel_all(stack).await;
    let idle = || async { (!stack.aws.has_rows("ProjectsTable", "by-due").await).then_some(()) };
    stack.eventually("no project is under way", idle).await;
    backends.choose(stack).await;
    for service in SERVICES {
        stack.control(service, fast(json!({}))).await;
    }
    stack.control("notifications", json!({})).await;
}

/// Cancels the projects that another test left.
async fn cancel_all(stack: &Stack) {
    let (status, list) = stack.get(&format!("{PROJECTS}?limit=100")).await;
    assert_eq!(status, 200, "{list}");
    for project in list["projects"].as_array().expect("a list").iter().filter(|one| one["phase"] == "running") {
        // It may have ended since.
        stack.post(&format!("{PROJECTS}/{}/cancel", text(&project["id"])), &json!({})).await;
    }
}

/// Settings of a mock service for prepared files at once, with more members in their groups.
pub fn fast(more: Value) -> Value {
    with_groups(json!({ "task": { "ms": 0 }, "file": { "fast": true } }), more)
}

/// Settings of a mock service with more members in their groups.
pub fn with_groups(mut settings: Value, more: Value) -> Value {
    for (group, members) in more.as_object().expect("groups") {
        for (name, value) in members.as_object().expect("members") {
            settings[group][name] = value.clone();
        }
    }
    settings
}

/// Settings of one mock service for one project.
pub async fn behave(stack: &Stack, service: &str, project: &str, settings: Value) {
    stack.control(&format!("{service}?project={project}"), settings).await;
}

/// Settings of one mock service for one scene of a project.
pub async fn behave_about(stack: &Stack, service: &str, (project, scene): (&str, &str), settings: Value) {
    stack.control(&format!("{service}?project={project}&scene={scene}"), settings).await;
}

/// What a mock service has billed for a project.
pub async fn billed(stack: &Stack, service: &str, project: &str) -> Value {
    stack.studio(&format!("/control/{service}/billed?project={project}")).await
}

/// The tasks that a mock service has of a project, the oldest first.
pub async fn tasks(stack: &Stack, service: &str, project: &str) -> Vec<Value> {
    let all = stack.studio(&format!("/control/{service}/tasks?project={project}")).await;
    all["tasks"].as_array().expect("a list").clone()
}

/// The bodies of so many scenes of a second each, for a picture of [`super::media::WIDTH`] pixels.
pub fn scenes(count: usize) -> Vec<Value> {
    let scene = |number: usize| {
        let prompt = format!("Part {number} of a walk through the snow");
        json!({ "prompt": prompt, "duration": 1, "fps": 25, "resolution": "320x180" })
    };
    (1..=count).map(scene).collect()
}

/// A number that no other project of any run has.
pub fn unique() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_nanos()
}

/// A text member.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Calls a route with a JSON body.
pub async fn call(stack: &Stack, method: Method, path: &str, body: &Value) -> (u16, Value) {
    read(stack.request(method, path).json_text(body).send().await.expect("an answer")).await
}

/// Creates a project.
pub async fn create(stack: &Stack, body: &Value) -> Value {
    let (status, answer) = stack.post(PROJECTS, body).await;
    assert_eq!(status, 201, "{answer}");
    answer
}

/// A project of these scenes that is not started, and its id.
pub async fn made(stack: &Stack, scenes: Vec<Value>) -> (String, Value) {
    let project = create(stack, &json!({ "name": "A walk through the snow", "scenes": scenes })).await;
    (text(&project["id"]), project)
}

/// Sends a command to a project, which takes it.
pub async fn command(stack: &Stack, id: &str, command: &str) -> Value {
    let (status, answer) = stack.post(&format!("{PROJECTS}/{id}/{command}"), &json!({})).await;
    assert_eq!(status, 200, "{command} of {id}: {answer}");
    answer
}

/// A started project of these scenes.
pub async fn started(stack: &Stack, scenes: Vec<Value>) -> String {
    let (id, _) = made(stack, scenes).await;
    command(stack, &id, "start").await;
    id
}

/// A project as it is now.
pub async fn project(stack: &Stack, id: &str) -> Value {
    let (status, answer) = stack.get(&format!("{PROJECTS}/{id}")).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Waits until a project satisfies `condition`, and sweeps as the schedule would.
pub async fn until(stack: &Stack, id: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    let (deadline, mut poll) = (Instant::now() + TIMEOUT, tokio::time::interval(POLL));
    while Instant::now() < deadline {
        poll.tick().await;
        last = project(stack, id).await;
        if condition(&last) {
            return last;
        }
        stack.sweep().await;
    }
    panic!("{id} is not {what}: {last:#}");
}

/// Waits until a project has a status; it must not fail unless that is meant.
pub async fn until_status(stack: &Stack, id: &str, status: &str) -> Value {
    until(stack, id, status, |project| {
        assert!(status == "failed" || project["status"] != "failed", "{project:#}");
        project["status"] == status
    })
    .await
}

/// Waits until a project is completed and its files are copied, so that no link of a service is left.
pub async fn completed(stack: &Stack, id: &str) -> Value {
    until_status(stack, id, "completed").await;
    let is_ours = |url: &Value| url.as_str().is_some_and(|url| url.contains("/api/v1/files/"));
    let is_copied = |scene: &Value| is_ours(&scene["videoUrl"]) && is_ours(&scene["lastFrameUrl"]);
    until(stack, id, "copied", |project| {
        let mut scenes = scenes_of(project).iter();
        scenes.all(is_copied) && is_ours(&project["finalVideoUrl"])
    })
    .await
}

/// The scenes of a project.
pub fn scenes_of(project: &Value) -> &[Value] {
    project["scenes"].as_array().expect("a list")
}

/// The ids of the scenes of a project, in order.
pub fn scene_ids(project: &Value) -> Vec<String> {
    scenes_of(project).iter().map(|scene| text(&scene["id"])).collect()
}

/// Asserts that the service has generated one video for each scene of a project, and stitched so often.
pub async fn assert_billed_once(stack: &Stack, project: &Value, stitches: u64) {
    let id = text(&project["id"]);
    let videos = billed(stack, "videos", &id).await;
    let scenes = scene_ids(project);
    assert_eq!(videos["billed"], json!(scenes.len()), "{videos:#}");
    for scene in scenes {
        assert_eq!(videos["by_scene"][format!("{id}/{scene}")], json!(1), "{videos:#}");
    }
    let stitched = billed(stack, "stitches", &id).await;
    assert_eq!(stitched["billed"], json!(stitches), "{stitched:#}");
}
