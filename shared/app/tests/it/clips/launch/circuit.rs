//! The worker's circuit: while it is open, jobs wait and nothing counts as their failure.

use reelhook_app::clips::worker::WORKER;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::OutboundError;
use reelhook_domain::ClipJobId;
use reelhook_domain::clips::run::WorkerState;
use reelhook_testkit::{Fault, NOON, Stack, response};

use super::{create, job, ports, state, submitted, work, work_on};

/// Six jobs, of which five got no answer from the worker.
async fn open() -> (Stack, Vec<ClipJobId>) {
    let stack = Stack::default();
    stack.http.script(|_| Err(OutboundError::TimedOut(20_000)));
    let ids: Vec<_> = (1..=6).map(|n| create(&stack, n)).collect();
    for id in &ids {
        work(&stack, id).await;
    }
    assert_eq!(submitted(&stack).len(), 5, "the circuit opens after five failures");
    (stack, ids)
}

#[tokio::test]
async fn nothing_is_sent_while_the_circuit_is_open() {
    let (stack, ids) = open().await;
    let versions = |stack: &Stack| ids.iter().map(|id| job(stack, id).version).collect::<Vec<_>>();
    let (before, unchanged) = (stack.http.requests().len(), versions(&stack));
    stack.world.advance_s(29);
    for id in &ids {
        work(&stack, id).await;
    }
    assert_eq!((stack.http.requests().len(), versions(&stack)), (before, unchanged));
}

#[tokio::test]
async fn one_probe_closes_the_circuit() {
    let (stack, ids) = open().await;
    stack.world.advance_s(30);
    stack.http.script(|_| Ok(response(202, r#"{"job_id": "g-6"}"#)));
    work(&stack, &ids[5]).await;
    assert!(matches!(state(&stack, &ids[5]), WorkerState::Submitted { .. }));
    assert_eq!(stack.scenes.projects.circuit_of(WORKER).until, None);
}

#[tokio::test]
async fn a_failed_probe_keeps_the_circuit_open_for_longer() {
    let (stack, ids) = open().await;
    stack.world.advance_s(30);
    let before = stack.http.requests().len();
    for id in &ids {
        work(&stack, id).await;
    }
    assert_eq!(stack.http.requests().len(), before + 1, "one look-up is the probe");
    let until = stack.scenes.projects.circuit_of(WORKER).until.unwrap();
    assert_eq!(until.since(stack.world.now()).as_secs(), 60);
}

#[tokio::test]
async fn a_probe_that_was_not_sent_is_released() {
    let stack = Stack::default();
    let mut circuit = stack.scenes.projects.circuit_of(WORKER);
    (circuit.version, circuit.failures, circuit.until) = (1, 5, Some(NOON));
    stack.scenes.projects.put_circuit(WORKER, circuit);
    let id = create(&stack, 1);
    stack.http.script(|_| Ok(response(202, r#"{"job_id": "g-1"}"#)));
    // The job is read, but can't be claimed.
    stack.clips.jobs.faults.inject("save", [Fault::Busy]);
    assert!(work_on(&ports(&stack), &id).await.is_err());
    assert!(submitted(&stack).is_empty());
    work(&stack, &id).await;
    assert_eq!(submitted(&stack).len(), 1);
}
