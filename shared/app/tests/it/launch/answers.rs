//! The answers to submissions: accepted, refused, or lost.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::outbound::{Method, OutboundError};
use reelhook_domain::Timestamp;
use reelhook_domain::projects::event::Event;
use reelhook_domain::projects::policy::Backend;
use reelhook_domain::projects::task::{Stage, TaskState};
use reelhook_testkit::{Answer, NOON, Stack, header, response, with_header};

use super::{
    add, apply, completed, extracted, frame, posts, project, render_id, report, scene_id, start, state, video, work,
};

#[tokio::test]
async fn an_accepted_submission_has_a_slot_until_its_end() {
    let stack = Stack::default();
    stack.http.script(|_| Ok(response(202, r#"{"task_id": "task_1", "status": "queued"}"#)));
    let id = add(&stack, 1, 1, false);
    assert_eq!(start(&stack).await, 1);
    let TaskState::Submitted { id: task_id, .. } = state(&stack, &id, &video(1, 1)) else { panic!("not submitted") };
    assert_eq!(task_id, render_id("task_1"));
    let slots = stack.scenes.projects.admission_item().active;
    assert_eq!(slots.keys().cloned().collect::<Vec<_>>(), [format!("{id}.video.1.1.scene_1_1.1")]);
    // The lease of the submission, the deadline of a video and five minutes.
    assert_eq!(slots.into_values().next(), Some(NOON.after(Duration::from_secs(60 + 30 * 60 + 300))));
    assert_eq!(start(&stack).await, 0, "nothing else waits");
    assert_eq!(stack.scenes.projects.faults.calls("save_circuit"), 0, "a healthy service costs no write");
}

#[tokio::test]
async fn what_may_have_arrived_is_never_sent_again_blindly() {
    let lost: [fn() -> Answer; 6] = [
        || Err(OutboundError::TimedOut(20_000)),
        || Err(OutboundError::Reset),
        || Err(OutboundError::Other("broken".to_owned())),
        || Ok(response(500, r#"{"error": "oops"}"#)),
        || Ok(response(502, "<html>")),
        || Ok(response(200, r#"{"ok": true}"#)),
    ];
    for answer in lost {
        let mut stack = Stack::default();
        // The service has no list.
        stack.scenes.services.video.as_mut().unwrap().url.set_path("/generate");
        stack.scenes.policy.video.backend = Backend::Service { has_list: false, max_inputs: 0 };
        stack.http.script(move |_| answer());
        let id = add(&stack, 1, 1, false);
        start(&stack).await;
        assert!(matches!(state(&stack, &id, &video(1, 1)), TaskState::Unclear { .. }));
        for _ in 0..200 {
            stack.world.advance_s(60);
            apply(&stack, &id, &Event::Tick);
            stack.scenes.projects.free_slots();
            start(&stack).await;
            work(&stack, &id).await;
        }
        assert_eq!(posts(&stack).len(), 1, "one submission, whatever happens");
    }
}

#[tokio::test]
async fn a_service_that_is_busy_is_left_alone_for_as_long_as_it_asks() {
    for (status, body, value) in [(429, r#"{"retry_after": 90}"#, None), (503, "{}", Some("90"))] {
        let stack = Stack::default();
        stack.http.script(move |_| {
            let response = response(status, body);
            Ok(match value {
                Some(value) => with_header(response, "Retry-After", value),
                None => response,
            })
        });
        let id = add(&stack, 1, 1, false);
        start(&stack).await;
        let TaskState::Waiting { ready_at } = state(&stack, &id, &video(1, 1)) else { panic!("not waiting") };
        assert!(ready_at >= NOON.after(Duration::from_secs(90)), "{ready_at}");
        stack.scenes.projects.free_slots();
        assert!(stack.scenes.projects.admission_item().active.is_empty(), "a refused video needs no slot");
        stack.world.advance_s(60);
        start(&stack).await;
        assert_eq!(posts(&stack).len(), 1);
        stack.world.set(ready_at);
        start(&stack).await;
        assert_eq!(posts(&stack).len(), 2);
    }
}

#[tokio::test]
async fn a_busy_service_gets_no_further_submissions_from_the_same_hint() {
    let stack = Stack::default();
    stack.http.script(|_| Ok(response(429, r#"{"retry_after": 9}"#)));
    for n in 1..=12 {
        add(&stack, n, 1, false);
    }
    start(&stack).await;
    assert_eq!(posts(&stack).len(), 5, "as many as are sent at once");
}

#[tokio::test]
async fn a_submission_that_was_never_sent_is_tried_again() {
    let stack = Stack::default();
    stack.http.script(|_| Err(OutboundError::Refused));
    let id = add(&stack, 1, 1, false);
    start(&stack).await;
    let TaskState::Waiting { ready_at } = state(&stack, &id, &video(1, 1)) else { panic!("not waiting") };
    assert_eq!(stack.scenes.projects.circuit_of(Stage::Video).failures, 1);
    stack.http.script(|_| Ok(response(200, r#"{"task_id": "task_1"}"#)));
    stack.world.set(ready_at.max(Timestamp(NOON.millis() + 1)));
    stack.scenes.projects.free_slots();
    start(&stack).await;
    assert!(matches!(state(&stack, &id, &video(1, 1)), TaskState::Submitted { .. }));
    let keys: Vec<String> = posts(&stack).iter().map(|request| header(request, "idempotency-key")).collect();
    assert_eq!(keys[0], keys[1], "it is the same submission");
    // The end of the first claim is processed again.
    stack.scenes.projects.free_slots();
    let slots: Vec<String> = stack.scenes.projects.admission_item().active.into_keys().collect();
    assert_eq!(slots, [format!("{id}.video.1.1.scene_1_1.2")], "the second claim keeps its slot");
}

#[tokio::test]
async fn a_task_of_a_project_that_was_cancelled_meanwhile_is_cancelled_at_its_service() {
    let stack = Stack::default();
    let id = add(&stack, 1, 1, false);
    let (projects, policy, cancelled) = (Arc::clone(&stack.scenes.projects), stack.scenes.policy.clone(), id.clone());
    stack.http.script(move |request| {
        if request.method == Method::Post {
            assert!(projects.apply(&cancelled, &Event::Cancel, NOON, &policy));
        }
        Ok(response(200, r#"{"task_id": "task_1"}"#))
    });
    start(&stack).await;
    let requests = stack.http.requests();
    let last = requests.last().unwrap();
    assert_eq!((last.method, last.url.path()), (Method::Delete, "/api/v1/tasks/task_1"));
    assert_eq!(header(last, "x-api-key"), "the key of tasks");
    assert!(project(&stack, &id).status().is_final());
}

/// The tasks that were cancelled at their service, by path.
fn cancelled(stack: &Stack) -> Vec<String> {
    let requests = stack.http.requests().into_iter().filter(|request| request.method == Method::Delete);
    requests.map(|request| request.url.path().to_owned()).collect()
}

#[tokio::test]
async fn a_task_of_a_scene_that_was_given_up_meanwhile_is_cancelled_at_its_service() {
    let stack = Stack::default();
    let id = add(&stack, 1, 2, false);
    stack.http.script(|_| Ok(response(200, r#"{"task_id": "task_1"}"#)));
    start(&stack).await;
    report(&stack, &id, &video(1, 1), completed());
    work(&stack, &id).await;
    report(&stack, &id, &frame(1, 1), extracted());
    stack.scenes.projects.free_slots();
    let (projects, policy, regenerated) = (Arc::clone(&stack.scenes.projects), stack.scenes.policy.clone(), id.clone());
    stack.http.script(move |request| {
        if request.method == Method::Post {
            let again = Event::Generate { scenes: vec![scene_id(1, 1)], cascade: true };
            assert!(projects.apply(&regenerated, &again, NOON, &policy));
        }
        Ok(response(200, r#"{"task_id": "task_2"}"#))
    });
    start(&stack).await;
    assert_eq!(cancelled(&stack), ["/api/v1/tasks/task_2"]);
    assert!(!project(&stack, &id).status().is_final());
}

#[tokio::test]
async fn a_task_whose_result_came_before_its_answer_is_kept_at_its_service() {
    let stack = Stack::default();
    let id = add(&stack, 1, 1, false);
    let (projects, policy, made) = (Arc::clone(&stack.scenes.projects), stack.scenes.policy.clone(), id.clone());
    stack.http.script(move |request| {
        if request.method == Method::Post {
            let report =
                Event::Reported { task: video(1, 1), id: None, report: completed(), polled: false, early: None };
            assert!(projects.apply(&made, &report, NOON, &policy));
            assert!(projects.apply(&made, &Event::Cancel, NOON, &policy));
        }
        Ok(response(200, r#"{"task_id": "task_1"}"#))
    });
    start(&stack).await;
    assert_eq!(cancelled(&stack), Vec::<String>::new());
}
