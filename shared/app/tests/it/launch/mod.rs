//! The launcher of projects: requests, answers, look-ups, polls, slots, circuits, the time that is left, and callbacks that
//! came early.

mod answers;
mod circuits;
mod early;
mod last_start;
mod lookups;
mod polls;
mod requests;
mod rotation;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::{Method, OutboundRequest};
use reelhook_app::projects::launch::{start_scenes, tasks};
use reelhook_domain::projects::event::{Event, TaskOutput, TaskReport};
use reelhook_domain::projects::media::{File, Video};
use reelhook_domain::projects::project::Project;
use reelhook_domain::projects::task::{Target, TaskRef, TaskState};
use reelhook_domain::{ProjectId, RenderId, SceneId, WebUrl};
use reelhook_testkit::{Stack, a_project};

/// Stores project number `n` and starts it.
fn add(stack: &Stack, n: u32, scenes: usize, apart: bool) -> ProjectId {
    let project = a_project(n, scenes, apart, stack.world.now(), &stack.scenes.policy);
    stack.scenes.projects.put(&project);
    assert!(apply(stack, &project.id, &Event::Start), "it starts");
    project.id
}

fn apply(stack: &Stack, id: &ProjectId, event: &Event) -> bool {
    stack.scenes.projects.apply(id, event, stack.world.now(), &stack.scenes.policy)
}

fn project(stack: &Stack, id: &ProjectId) -> Project {
    stack.scenes.projects.get(id)
}

/// The worker function takes a hint to start scenes; the number of those that it submitted.
async fn start(stack: &Stack) -> usize {
    start_scenes(&stack.launch_ports(), &[]).await.unwrap()
}

/// The worker function takes a hint about the tasks of a project.
async fn work(stack: &Stack, id: &ProjectId) {
    tasks(&stack.launch_ports(), id).await.unwrap();
}

/// The video of a project's scene in its first attempt.
fn video(n: u32, scene: usize) -> TaskRef {
    TaskRef { target: Target::Video(scene_id(n, scene)), run: 1, number: 1 }
}

/// The last frame of a project's scene in its first attempt.
fn frame(n: u32, scene: usize) -> TaskRef {
    TaskRef { target: Target::Frame(scene_id(n, scene)), run: 1, number: 1 }
}

fn scene_id(n: u32, scene: usize) -> SceneId {
    SceneId::parse(&format!("scene_{n}_{scene}")).unwrap()
}

fn render_id(id: &str) -> RenderId {
    RenderId::parse(id).unwrap()
}

/// The state of a task that is under way.
fn state(stack: &Stack, id: &ProjectId, task: &TaskRef) -> TaskState {
    let project = project(stack, id);
    project.task(task).unwrap_or_else(|| panic!("`{task}` is not under way: {:?}", project.scenes)).state.clone()
}

/// The submissions so far.
fn posts(stack: &Stack) -> Vec<OutboundRequest> {
    stack.http.requests().into_iter().filter(|request| request.method == Method::Post).collect()
}

/// The reads so far, by path.
fn reads(stack: &Stack) -> Vec<String> {
    let requests = stack.http.requests().into_iter().filter(|request| request.method == Method::Get);
    requests.map(|request| request.url.path().to_owned()).collect()
}

/// A report that a video is there.
fn completed() -> TaskReport {
    let file = File::outside(WebUrl::parse("https://tasks.example/1.mp4").unwrap());
    TaskReport::Completed(Box::new(TaskOutput::Video(Box::new(Video { file, ..Video::default() }))))
}

/// A report that a last frame is there.
fn extracted() -> TaskReport {
    let file = File::outside(WebUrl::parse("https://frames.example/1.png").unwrap());
    TaskReport::Completed(Box::new(TaskOutput::Frame(file)))
}

/// A service reports the end of a task.
fn report(stack: &Stack, id: &ProjectId, task: &TaskRef, report: TaskReport) {
    let event = Event::Reported { task: task.clone(), id: None, report, polled: false, early: None };
    assert!(apply(stack, id, &event), "`{task}` has not ended yet");
}
