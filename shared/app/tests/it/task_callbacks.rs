//! Callbacks of services about tasks: which task each means, what it changes, and what is true afterwards.

mod refused;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use reelhook_app::change::ChangeError;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::errors::steps::ErrorChange;
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::projects::callbacks::{CallbackPorts, Inbound, Received, Submission, receive};
use reelhook_app::projects::lookup::Lookup;
use reelhook_app::projects::store::{EarlyCallbacks, Lookups, ProjectFiles};
use reelhook_domain::errors::cause::{Cause, Raise};
use reelhook_domain::projects::media::SentMetadata;
use reelhook_domain::projects::policy::ProjectPolicy;
use reelhook_domain::projects::project::{Phase, Project, ProjectStatus};
use reelhook_domain::projects::scene::{SceneState, SceneStatus};
use reelhook_domain::projects::task::{Stage, Task, TaskRef, TaskState, TaskWork};
use reelhook_domain::{ProjectId, RenderId, SceneId};
use reelhook_testkit::{
    MemoryProjects, MemoryQueue, MemorySteps, NOON, World, a_running_project, a_scene, a_stitch, a_take, a_task,
    project_policy,
};
use serde_json::{Value, json};

mod earlier;

struct Fixture {
    world: World,
    projects: MemoryProjects,
    errors: MemorySteps,
    work: MemoryQueue<WorkMessage>,
    policy: ProjectPolicy,
}

impl Fixture {
    async fn with(project: &Project) -> Self {
        let (world, projects) = (World::default(), MemoryProjects::default());
        let work = MemoryQueue::new(Arc::default());
        let fixture = Self { world, projects, errors: MemorySteps::default(), work, policy: project_policy() };
        fixture.put(project).await;
        fixture
    }

    /// Stores a project, which is found by the ids of its scenes.
    async fn put(&self, project: &Project) {
        self.projects.put(project);
        let project_id = &project.id;
        let scenes =
            project.scenes.iter().map(|scene| Lookup::Scene { scene: scene.id.clone(), project: project_id.clone() });
        self.projects.remember(&scenes.collect::<Vec<_>>()).await.unwrap();
    }

    /// Sends a callback in a call of its own.
    async fn send(&self, stage: Stage, token: Option<&str>, body: &Value) -> Received {
        let request_id = format!("{:032x}", self.world.random());
        self.call(&request_id, stage, token, body).await.unwrap()
    }

    /// Processes the call with this id.
    async fn call(
        &self,
        request_id: &str,
        stage: Stage,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Received, ChangeError> {
        let ports = CallbackPorts {
            projects: &self.projects,
            lookups: &self.projects,
            early: &self.projects,
            files: &self.projects,
            errors: &self.errors,
            work: &self.work,
            clock: &self.world,
            policy: &self.policy,
            notifies: true,
        };
        let token = token.map(|task| Submission { project: project_id("1"), task: TaskRef::parse(task).unwrap() });
        let inbound = Inbound { stage, token, body: body.clone(), request_id: request_id.to_owned() };
        receive(&ports, &inbound).await
    }

    fn project(&self) -> Project {
        self.projects.get(&project_id("1"))
    }

    fn statuses(&self) -> Vec<SceneStatus> {
        self.project().scenes.iter().map(|scene| scene.status()).collect()
    }

    /// What was raised so far.
    fn raised(&self) -> Vec<Raise> {
        let raise = |change: ErrorChange| match change {
            ErrorChange::Raise(raise) => raise,
            ErrorChange::Resolve(resolve) => panic!("resolved: {resolve:?}"),
        };
        self.errors.all().into_iter().map(|step| raise(step.change)).collect()
    }
}

fn project_id(name: &str) -> ProjectId {
    ProjectId::parse(&format!("proj_{name}")).unwrap()
}

/// Scene a is generated, b waits for it.
fn generating() -> Project {
    let first = a_scene("a", SceneState::Generating(a_task("task_a")));
    a_running_project("1", vec![first, a_scene("b", SceneState::Ready)])
}

/// The last frame of scene a is extracted, b waits for it.
fn extracting() -> Project {
    let mut first = a_scene("a", SceneState::Generated(a_task("frame_a")));
    first.takes = vec![a_take(1, false)];
    a_running_project("1", vec![first, a_scene("b", SceneState::Ready)])
}

/// Both scenes are stitched.
fn stitching() -> Project {
    let scenes = ["a", "b"].map(|name| {
        let mut scene = a_scene(name, SceneState::Verified);
        scene.takes = vec![a_take(1, true)];
        scene
    });
    let stitch = a_stitch(&scenes, "stitch_1");
    Project { stitch: Some(stitch), generations: 1, ..a_running_project("1", scenes.into()) }
}

fn completed_video() -> Value {
    json!({ "task_id": "task_a", "status": "completed", "video_url": "https://cdn.example/a.mp4" })
}

fn completed_frame() -> Value {
    json!({ "task_id": "frame_a", "status": "completed", "image_url": "https://cdn.example/a.png", "metadata": null })
}

fn completed_stitch() -> Value {
    json!({ "task_id": "stitch_1", "status": "completed", "final_video_url": "https://cdn.example/final.mp4" })
}

/// A body with more members.
fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

const VIDEO: Received = Received::Video { scene_updated: true, last_frame_triggered: true };
const FRAME: Received = Received::Frame { scene_updated: true, next_scene_triggered: true };

#[tokio::test]
async fn a_completed_video_is_found_by_its_token_by_ids_and_by_the_id_of_its_task() {
    let ids = json!({ "scene_id": "scene_a", "project_id": "proj_1" });
    for (token, body) in [
        (Some("video.1.1.scene_a"), completed_video()),
        (Some("video.1.1.scene_a"), with(completed_video(), &ids)),
        (None, with(completed_video(), &ids)),
        (None, with(completed_video(), &json!({ "scene_id": "scene_a" }))),
        (None, with(completed_video(), &json!({ "metadata": ids }))),
        (None, with(completed_video(), &json!({ "task_id": null, "scene_id": "scene_a" }))),
        (None, completed_video()),
    ] {
        let fixture = Fixture::with(&generating()).await;
        let task = TaskRef::parse("video.1.1.scene_a").unwrap();
        let id = RenderId::parse("task_a").unwrap();
        let lookup = Lookup::Task { stage: Stage::Video, id, project: project_id("1"), task };
        fixture.projects.remember(&[lookup]).await.unwrap();
        assert_eq!(fixture.send(Stage::Video, token, &body).await, VIDEO, "{token:?} {body}");
        assert_eq!(fixture.statuses(), [SceneStatus::Generated, SceneStatus::Ready], "{body}");
        assert!(fixture.raised().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn data_that_comes_with_a_video_is_kept_with_its_take() {
    let sent = async |metadata: Value| {
        let fixture = Fixture::with(&generating()).await;
        let body = with(completed_video(), &json!({ "metadata": metadata }));
        assert_eq!(fixture.send(Stage::Video, Some("video.1.1.scene_a"), &body).await, VIDEO);
        let metadata = fixture.project().scenes[0].takes[0].video.metadata.clone();
        // A repetition with other data changes nothing.
        let body = with(completed_video(), &json!({ "metadata": { "other": "y".repeat(5_000) } }));
        fixture.send(Stage::Video, Some("video.1.1.scene_a"), &body).await;
        assert_eq!(fixture.project().scenes[0].takes[0].video.metadata, metadata);
        (metadata, fixture)
    };
    let ids = json!({ "scene_id": "scene_a", "project_id": "proj_1", "submission": "proj_1.video.1.1.scene_a" });
    for nothing in [Value::Null, json!([1]), json!({}), ids.clone()] {
        assert_eq!(sent(nothing).await.0, None, "ids are ours");
    }
    let small = json!({ "seed": 7, "tags": ["a"] });
    let (metadata, fixture) = sent(with(ids, &small)).await;
    assert_eq!(metadata, Some(SentMetadata::Inline(small.as_object().unwrap().clone())));
    assert_eq!(fixture.projects.faults.calls("put_text"), 0);
    for bytes in [1_024, 20_000, 900_000] {
        let large = json!({ "note": "x".repeat(bytes) });
        let (metadata, fixture) = sent(large.clone()).await;
        let key = "projects/proj_1/scenes/scene_a/1/metadata.json".to_owned();
        let stored = fixture.projects.text(&key).await.unwrap().unwrap();
        assert_eq!(metadata, Some(SentMetadata::Stored(key)));
        assert_eq!(serde_json::from_str::<Value>(&stored).unwrap(), large);
        assert_eq!(fixture.projects.faults.calls("put_text"), 1, "it is stored once");
    }
}

#[tokio::test]
async fn data_for_which_a_project_has_no_room_is_stored() {
    let mut project = generating();
    let of_take = |attempt| {
        let mut take = a_take(attempt, true);
        let note = json!({ "note": "x".repeat(1_000) });
        take.video.metadata = note.as_object().cloned().map(SentMetadata::Inline);
        take
    };
    project.scenes[1].takes = (1..=32).map(of_take).collect();
    let fixture = Fixture::with(&project).await;
    let body = with(completed_video(), &json!({ "metadata": { "note": "x".repeat(1_000) } }));
    fixture.send(Stage::Video, Some("video.1.1.scene_a"), &body).await;
    let metadata = fixture.project().scenes[0].takes[0].video.metadata.clone();
    assert!(matches!(metadata, Some(SentMetadata::Stored(_))), "{metadata:?}");
}

#[tokio::test]
async fn a_completed_frame_starts_the_next_scene() {
    for token in [Some("frame.1.1.scene_a"), None] {
        let fixture = Fixture::with(&extracting()).await;
        let body = match token {
            Some(_) => completed_frame(),
            None => with(completed_frame(), &json!({ "scene_id": "scene_a", "project_id": "proj_1" })),
        };
        assert_eq!(fixture.send(Stage::Frame, token, &body).await, FRAME);
        assert_eq!(fixture.statuses(), [SceneStatus::Verified, SceneStatus::Generating]);
    }
}

#[tokio::test]
async fn a_completed_stitch_completes_the_project() {
    for token in [Some("stitch.1.1.0"), None] {
        let fixture = Fixture::with(&stitching()).await;
        let body = with(completed_stitch(), &json!({ "project_id": "proj_1" }));
        let expected = Received::Stitch {
            project_updated: true,
            user_notified: true,
            final_video_url: Some("https://cdn.example/final.mp4".to_owned()),
        };
        assert_eq!(fixture.send(Stage::Stitch, token, &body).await, expected);
        assert_eq!(fixture.project().status(), ProjectStatus::Completed);
        // A repetition changes nothing and is answered alike.
        let before = fixture.project();
        assert_eq!(fixture.send(Stage::Stitch, token, &body).await, expected);
        assert_eq!(fixture.project(), before);
    }
}

#[tokio::test]
async fn a_failure_is_answered_with_its_reason() {
    let fixture = Fixture::with(&generating()).await;
    let body = json!({ "task_id": "task_a", "status": "failed", "error": "no GPU", "scene_id": "scene_a" });
    assert_eq!(fixture.send(Stage::Video, None, &body).await, Received::Failed("no GPU".to_owned()));
    let notes = fixture.project().scenes[0].notes.clone();
    assert!(notes.contains("no GPU"), "{notes}");
}

#[tokio::test]
async fn five_callbacks_about_an_unknown_scene_are_one_error_and_are_kept() {
    let fixture = Fixture::with(&generating()).await;
    let metadata = json!({ "note": "x".repeat(20_000) });
    let body = with(completed_video(), &json!({ "task_id": "other", "scene_id": "scene_x", "project_id": "proj_x" }));
    for _ in 0..5 {
        let body = with(body.clone(), &json!({ "metadata": metadata }));
        assert_eq!(fixture.send(Stage::Video, None, &body).await, Received::NotFound(Stage::Video));
    }
    let raised = fixture.raised();
    let groups: BTreeSet<_> = raised.iter().map(|raise| (raise.cause, raise.about.as_str())).collect();
    assert_eq!((raised.len(), groups), (5, BTreeSet::from([(Cause::UnknownScene, "proj_x/scene_x")])));
    let early = fixture.projects.parked(None, &[SceneId::parse("scene_x").unwrap()], &[], NOON).await.unwrap();
    let [kept] = &early[..] else { panic!("{early:?}") };
    assert_eq!(kept.scene, SceneId::parse("scene_x").ok());
    assert_eq!(
        (kept.project.as_ref(), kept.task.as_ref()),
        (Some(&project_id("x")), RenderId::parse("other").ok().as_ref())
    );
    assert_eq!((kept.at, &kept.body), (NOON, &body), "large metadata is not kept");
}

#[tokio::test]
async fn a_callback_of_a_stitch_is_kept_under_the_project_that_does_not_exist_yet() {
    let fixture = Fixture::with(&generating()).await;
    let body = with(completed_stitch(), &json!({ "project_id": "proj_9", "task_id": null }));
    assert_eq!(fixture.send(Stage::Stitch, None, &body).await, Received::NotFound(Stage::Stitch));
    let early = fixture.projects.parked(Some(&project_id("9")), &[], &[], NOON).await.unwrap();
    let [kept] = &early[..] else { panic!("{early:?}") };
    assert_eq!((kept.project.as_ref(), kept.task.as_ref(), &kept.body), (Some(&project_id("9")), None, &body));
}

#[tokio::test]
async fn nothing_that_is_unknown_is_found() {
    let check = async |stage: Stage, token: Option<&str>, body: Value, about: &str| {
        let fixture = Fixture::with(&a_running_project("other", vec![a_scene("other", SceneState::Ready)])).await;
        assert_eq!(fixture.send(stage, token, &body).await, Received::NotFound(stage), "{body}");
        let raised = fixture.raised();
        let [raise] = &raised[..] else { panic!("{body}: {raised:?}") };
        assert_eq!((raise.cause, raise.about.as_str()), (Cause::UnknownScene, about));
    };
    check(Stage::Video, Some("video.1.1.scene_a"), completed_video(), "proj_1/scene_a").await;
    check(Stage::Frame, None, with(completed_frame(), &json!({ "scene_id": "scene_a" })), "scene_a").await;
    check(Stage::Stitch, Some("stitch.1.1.0"), completed_stitch(), "proj_1").await;
    check(Stage::Stitch, None, with(completed_stitch(), &json!({ "project_id": "proj_2" })), "proj_2").await;
    check(Stage::Video, None, completed_video(), "task_a").await;
    check(Stage::Video, None, json!({}), "callback").await;
    let scene = json!({ "project_id": "proj_other", "scene_id": "scene_a" });
    check(Stage::Video, None, with(completed_video(), &scene), "proj_other/scene_a").await;
}

#[tokio::test]
async fn ids_that_disagree_change_nothing() {
    let check = async |token: Option<&str>, more: Value| {
        let before = generating();
        let fixture = Fixture::with(&before).await;
        fixture.put(&a_running_project("2", vec![a_scene("z", SceneState::Generating(a_task("task_z")))])).await;
        let task = TaskRef::parse("video.1.1.scene_z").unwrap();
        let id = RenderId::parse("task_z").unwrap();
        let lookup = Lookup::Task { stage: Stage::Video, id, project: project_id("2"), task };
        fixture.projects.remember(&[lookup]).await.unwrap();
        let body = with(completed_video(), &more);
        assert_eq!(fixture.send(Stage::Video, token, &body).await, Received::IdsDisagree, "{body}");
        assert_eq!(fixture.project(), before, "{body}");
        let raised = fixture.raised();
        let [raise] = &raised[..] else { panic!("{body}: {raised:?}") };
        assert_eq!((raise.cause, fixture.projects.faults.calls("park")), (Cause::IdsDisagree, 0));
        assert!(raise.about == "proj_1/scene_a" || token.is_none(), "{raise:?}");
    };
    let token = Some("video.1.1.scene_a");
    check(token, json!({ "scene_id": "scene_b" })).await;
    check(token, json!({ "project_id": "proj_2" })).await;
    check(token, json!({ "metadata": { "scene_id": "scene_b" } })).await;
    check(token, json!({ "task_id": "task_z" })).await;
    check(token, json!({ "task_id": "foreign" })).await;
    check(None, json!({ "scene_id": "scene_a", "metadata": { "scene_id": "scene_b" } })).await;
    check(None, json!({ "scene_id": "scene_a", "task_id": "task_z" })).await;
    check(None, json!({ "scene_id": "scene_a", "project_id": "proj_2" })).await;
    check(None, json!({ "project_id": "proj_1", "scene_id": "scene_z" })).await;
    check(None, json!({ "project_id": "proj_unknown", "scene_id": "scene_a" })).await;
}

#[tokio::test]
async fn a_callback_without_an_end_makes_the_task_be_polled_at_once() {
    for body in [
        json!({ "task_id": "task_a", "status": "completed" }),
        json!({ "task_id": "task_a", "status": "completed", "video_url": "javascript:alert(1)" }),
        json!({ "task_id": "task_a", "status": "half done" }),
        json!({ "task_id": "task_a" }),
    ] {
        let fixture = Fixture::with(&generating()).await;
        let received = fixture.send(Stage::Video, Some("video.1.1.scene_a"), &body).await;
        assert_eq!(received, Received::UnknownStatus, "{body}");
        let work = fixture.project().work(NOON, &fixture.policy);
        assert!(matches!(work[..], [TaskWork::Poll(..)]), "{body}: {work:?}");
    }
}

#[tokio::test]
async fn a_callback_about_a_task_under_way_applies_its_progress() {
    let fixture = Fixture::with(&generating()).await;
    for (body, progress) in [
        (json!({ "task_id": "task_a", "status": "queued" }), 0),
        (json!({ "task_id": "task_a", "status": "processing", "progress": 0.42 }), 42),
        (json!({ "task_id": "task_a", "status": "pending" }), 42),
    ] {
        let received = fixture.send(Stage::Video, Some("video.1.1.scene_a"), &body).await;
        let task = fixture.project().scenes[0].task(Stage::Video).cloned();
        assert_eq!((received, task.map(|task| task.progress)), (Received::UnderWay, Some(progress)), "{body}");
    }
    assert!(fixture.raised().is_empty());
}

#[tokio::test]
async fn one_of_twenty_callbacks_at_once_changes_something() {
    let fixture = Fixture::with(&extracting()).await;
    let body = completed_frame();
    let calls = (0..20).map(|_| fixture.send(Stage::Frame, Some("frame.1.1.scene_a"), &body));
    assert!(join_all(calls).await.iter().all(|received| *received == FRAME));
    let project = fixture.project();
    assert_eq!((project.version, project.scenes[1].attempt), (2, 1));
    assert_eq!(fixture.statuses(), [SceneStatus::Verified, SceneStatus::Generating]);
}

#[tokio::test]
async fn an_older_attempt_and_another_task_change_nothing() {
    let mut before = generating();
    before.scenes[0].attempt = 2;
    let none = Received::Video { scene_updated: false, last_frame_triggered: false };
    let ids = json!({ "scene_id": "scene_a", "project_id": "proj_1" });
    for (token, more, expected) in [
        (Some("video.1.1.scene_a"), json!({ "task_id": "older" }), &none),
        (Some("video.2.2.scene_a"), json!({ "task_id": null }), &none),
        (None, with(ids.clone(), &json!({ "task_id": "older" })), &none),
        (
            None,
            with(ids, &json!({ "task_id": "older", "metadata": { "submission": "proj_1.video.1.1.scene_a" } })),
            &none,
        ),
    ] {
        let fixture = Fixture::with(&before).await;
        let body = with(completed_video(), &more);
        assert_eq!(fixture.send(Stage::Video, token, &body).await, *expected, "{token:?} {body}");
        assert_eq!((fixture.project(), fixture.raised()), (before.clone(), Vec::new()), "{token:?} {body}");
    }
}

#[tokio::test]
async fn a_task_that_was_not_submitted_ends_only_by_its_token() {
    let mut before = generating();
    let lost = TaskState::Unclear { lookups: 0, next_at: None };
    before.scenes[0].state = SceneState::Generating(Task { state: lost, ..a_task("task_a") });
    let ids = json!({ "scene_id": "scene_a" });
    let fixture = Fixture::with(&before).await;
    assert_eq!(fixture.send(Stage::Video, None, &with(completed_video(), &ids)).await, VIDEO, "its answer was lost");
    before.scenes[0].state = SceneState::Generating(Task::waiting(NOON));
    let fixture = Fixture::with(&before).await;
    let none = Received::Video { scene_updated: false, last_frame_triggered: false };
    assert_eq!(fixture.send(Stage::Video, None, &with(completed_video(), &ids)).await, none);
    assert_eq!(fixture.project(), before);
}

#[tokio::test]
async fn what_was_deleted_raises_no_error() {
    let deleted = Project { deleted_at: Some(NOON), ..generating() };
    let removed = a_running_project("1", vec![a_scene("b", SceneState::Ready)]);
    for project in [deleted, removed] {
        let fixture = Fixture::with(&project).await;
        let received = fixture.send(Stage::Video, Some("video.1.1.scene_a"), &completed_video()).await;
        assert_eq!(received, Received::NotFound(Stage::Video));
        assert_eq!((fixture.raised(), fixture.projects.faults.calls("park")), (Vec::new(), 0));
        assert_eq!(fixture.project(), project);
    }
}

#[tokio::test]
async fn what_a_service_makes_for_nobody_is_cancelled() {
    let under_way = |id: &str| json!({ "task_id": id, "status": "processing", "progress": 0.5 });
    let sent = async |project: &Project, body: &Value| {
        let fixture = Fixture::with(project).await;
        fixture.send(Stage::Video, Some("video.1.1.scene_a"), body).await;
        assert_eq!(fixture.project(), *project, "{body}");
        fixture.work.sent()
    };
    let project_id = project_id("1");
    let id = RenderId::parse("task_a").unwrap();
    let cancelled = [Delayed::now(WorkMessage::CancelTask { project_id, stage: Stage::Video, id })];

    let mut given_up = generating();
    given_up.scenes[0].state = SceneState::Ready;
    let stopped = Project { phase: Phase::Cancelled, ended_at: Some(NOON), ..given_up.clone() };
    let deleted = Project { deleted_at: Some(NOON), ..stopped.clone() };
    let removed = a_running_project("1", vec![a_scene("b", SceneState::Ready)]);
    let mut renewed = generating();
    renewed.scenes[0].attempt = 2;
    renewed.scenes[0].state = SceneState::Generating(a_task("task_b"));
    for project in [&given_up, &stopped, &deleted, &removed, &renewed] {
        assert_eq!(sent(project, &under_way("task_a")).await, cancelled, "{:?}", project.scenes);
        assert_eq!(sent(project, &completed_video()).await, [], "it has ended there");
    }

    let mut made = given_up;
    made.scenes[0].takes = vec![a_take(1, false)];
    assert_eq!(sent(&made, &under_way("task_a")).await, [], "the files of its take are still needed");
}

#[tokio::test]
async fn an_id_of_scenes_of_several_projects_names_none_of_them() {
    let before = generating();
    let fixture = Fixture::with(&before).await;
    fixture.put(&a_running_project("2", vec![a_scene("a", SceneState::Generating(a_task("task_z")))])).await;
    let alone = with(completed_video(), &json!({ "task_id": null, "scene_id": "scene_a" }));
    assert_eq!(fixture.send(Stage::Video, None, &alone).await, Received::IdsDisagree);
    assert_eq!(fixture.project(), before);
    let whole = with(alone, &json!({ "project_id": "proj_1" }));
    assert_eq!(fixture.send(Stage::Video, None, &whole).await, VIDEO, "its project says which scene is meant");
}

#[tokio::test]
async fn a_task_of_another_project_is_never_cancelled() {
    let deleted = Project { deleted_at: Some(NOON), ..generating() };
    let fixture = Fixture::with(&deleted).await;
    let (id, task) = (RenderId::parse("task_z").unwrap(), TaskRef::parse("video.1.1.scene_z").unwrap());
    let lookup = Lookup::Task { stage: Stage::Video, id, project: project_id("2"), task };
    fixture.projects.remember(&[lookup]).await.unwrap();
    let body = json!({ "task_id": "task_z", "status": "processing" });
    fixture.send(Stage::Video, Some("video.1.1.scene_a"), &body).await;
    assert_eq!(fixture.work.sent(), []);
}
