//! What projects write beside rows of logs and webhooks: freed slots of scenes, look-ups and steps of errors.

use reelhook_app::errors::steps::{ErrorChange, ErrorStep};
use reelhook_app::jobs::admission::AdmissionStore;
use reelhook_app::outbox::fanout::{Plan, apply_plans};
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::projects::lookup::{Lookup, SceneOwner};
use reelhook_app::projects::store::Lookups;
use reelhook_domain::errors::cause::{Cause, Raise, Resolve};
use reelhook_domain::projects::task::{Stage, TaskRef};
use reelhook_domain::{Admission, EventId, ProjectId, RenderId, SceneId, SlotRow};
use reelhook_testkit::{Fault, NOON, Stack};

fn project() -> ProjectId {
    ProjectId::parse("proj_1").unwrap()
}

fn task() -> TaskRef {
    TaskRef::parse("video.1.1.scene_a").unwrap()
}

fn slot() -> String {
    format!("{}.{}", project(), task())
}

/// Everything that fanout writes for the end of a task, and one hint.
fn ended() -> Plan {
    let (scene, id) = (SceneId::parse("scene_a").unwrap(), RenderId::parse("task_1").unwrap());
    let about = "proj_1/scene_a".to_owned();
    let raise = Raise {
        cause: Cause::VideoFailed,
        about: about.clone(),
        message: "It failed".to_owned(),
        context: Default::default(),
    };
    let resolve = Resolve { cause: Cause::VideoFailed, about };
    let step = |index: usize, change: ErrorChange| {
        let id = EventId::parse(&format!("proj_1.2.{index}")).unwrap();
        ErrorStep { id, at: NOON, change }
    };
    Plan {
        scene_slots: vec![slot()],
        lookups: vec![
            Lookup::Scene { scene, project: project() },
            Lookup::Task { stage: Stage::Video, id, project: project(), task: task() },
        ],
        errors: vec![step(0, ErrorChange::Raise(raise)), step(1, ErrorChange::Resolve(resolve))],
        work: vec![Delayed::now(WorkMessage::start_scenes())],
        ..Plan::default()
    }
}

/// A stack in which the task and another one hold slots.
async fn stack() -> Stack {
    let stack = Stack::default();
    let active = [(slot(), NOON), ("other".to_owned(), NOON)].into();
    let row = Admission { version: 1, active, ..Admission::default() };
    stack.scenes.projects.save_admission(&SlotRow { number: 0, row }).await.unwrap();
    stack
}

async fn assert_applied(stack: &Stack) {
    let projects = &stack.scenes.projects;
    assert_eq!(projects.admission_item().active.keys().collect::<Vec<_>>(), ["other"]);
    let owner = projects.of_scene(&SceneId::parse("scene_a").unwrap()).await.unwrap();
    assert_eq!(owner, Some(SceneOwner::One(project())));
    let found = projects.of_task(Stage::Video, &RenderId::parse("task_1").unwrap()).await.unwrap();
    assert_eq!(found, Some((project(), task())));
    assert_eq!(stack.errors.all(), ended().errors);
}

#[tokio::test]
async fn a_repeated_plan_changes_nothing() {
    let stack = stack().await;
    for _ in 0..2 {
        apply_plans(&stack.fanout_ports(), &[ended()]).await.unwrap();
        assert_applied(&stack).await;
    }
    assert!(stack.jobs.admission_item().active.is_empty(), "jobs have slots of their own");
}

#[tokio::test]
async fn no_hint_is_sent_before_each_row_is_written() {
    for operation in ["admission", "save_admission", "remember", "apply"] {
        let stack = stack().await;
        match operation {
            "apply" => stack.errors.faults.inject(operation, [Fault::Busy]),
            _ => stack.scenes.projects.faults.inject(operation, [Fault::Busy]),
        }
        let failure = apply_plans(&stack.fanout_ports(), &[Plan::default(), ended()]).await.unwrap_err();
        assert_eq!(failure.index, 1, "{operation}");
        assert!(stack.work.sent().is_empty(), "{operation}");
        apply_plans(&stack.fanout_ports(), &[ended()]).await.unwrap();
        assert_applied(&stack).await;
        assert_eq!(stack.work.sent().len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn no_error_is_resolved_before_it_was_raised() {
    let stack = stack().await;
    let mut plans = [ended(), ended()];
    let resolve = plans[0].errors.pop().unwrap();
    plans[1].errors = vec![resolve];
    stack.errors.faults.inject("apply", [Fault::Busy]);
    assert_eq!(apply_plans(&stack.fanout_ports(), &plans).await.unwrap_err().index, 0);
    assert!(stack.errors.all().is_empty(), "the second plan waits for the first");
    apply_plans(&stack.fanout_ports(), &plans).await.unwrap();
    assert_applied(&stack).await;
}
