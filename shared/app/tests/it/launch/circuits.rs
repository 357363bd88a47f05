//! The circuits of services: while one is open, tasks wait and nothing counts as their failure.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::OutboundError;
use reelhook_domain::ProjectId;
use reelhook_domain::projects::task::{Stage, TaskState};
use reelhook_testkit::{NOON, Stack, response};

use super::{add, posts, project, start, state, video, work};

/// Six projects, of which five found the service silent.
async fn open() -> (Stack, Vec<ProjectId>) {
    let stack = Stack::default();
    stack.http.script(|_| Err(OutboundError::TimedOut(20_000)));
    let ids: Vec<_> = (1..=6).map(|n| add(&stack, n, 1, false)).collect();
    start(&stack).await;
    assert_eq!(posts(&stack).len(), 5, "the circuit opens after five failures");
    (stack, ids)
}

#[tokio::test]
async fn nothing_is_sent_while_the_circuit_is_open() {
    let (stack, ids) = open().await;
    let before = stack.http.requests().len();
    let versions = |stack: &Stack| ids.iter().map(|id| project(stack, id).version).collect::<Vec<_>>();
    let unchanged = versions(&stack);
    stack.world.advance_s(29);
    assert_eq!(start(&stack).await, 0);
    for id in &ids {
        work(&stack, id).await;
    }
    assert_eq!(stack.http.requests().len(), before);
    assert_eq!(versions(&stack), unchanged, "no task has changed");
}

#[tokio::test]
async fn one_probe_closes_the_circuit() {
    let (stack, ids) = open().await;
    stack.world.advance_s(30);
    stack.http.script(|_| Ok(response(200, r#"{"task_id": "task_1"}"#)));
    start(&stack).await;
    assert_eq!(posts(&stack).len(), 6);
    let submitted = ids
        .iter()
        .enumerate()
        .filter(|(index, id)| matches!(state(&stack, id, &video(*index as u32 + 1, 1)), TaskState::Submitted { .. }));
    assert_eq!(submitted.count(), 1);
    assert_eq!(stack.scenes.projects.circuit_of(Stage::Video).until, None);
}

#[tokio::test]
async fn a_failed_probe_keeps_the_circuit_open_for_longer() {
    let (stack, ids) = open().await;
    stack.world.advance_s(30);
    let probes = stack.http.requests().len();
    // Each of the five has a look-up that is due: one of them is the probe.
    for id in &ids {
        work(&stack, id).await;
    }
    assert_eq!(stack.http.requests().len(), probes + 1);
    let until = stack.scenes.projects.circuit_of(Stage::Video).until.unwrap();
    assert_eq!(until.since(stack.world.now()).as_secs(), 60);
}

#[tokio::test]
async fn a_probe_without_work_is_released() {
    let stack = Stack::default();
    let mut circuit = stack.scenes.projects.circuit_of(Stage::Video);
    (circuit.version, circuit.failures) = (1, 5);
    circuit.until = Some(NOON);
    stack.scenes.projects.put_circuit(Stage::Video, circuit);
    assert_eq!(start(&stack).await, 0);
    add(&stack, 1, 1, false);
    stack.http.script(|_| Ok(response(200, r#"{"task_id": "task_1"}"#)));
    assert_eq!(start(&stack).await, 1);
}
