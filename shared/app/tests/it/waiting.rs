//! Requests that wait for a job's end: their slots, their time limits, and failures of the store.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::waiting::{Slots, WaitOutcome, WaitPorts, wait_for_end};
use reelhook_domain::{Event, JobId, Status};
use reelhook_testkit::{MemorySlots, NOON, NeverElapses, Stack};

const LONGEST: Duration = Duration::from_secs(25);

async fn wait(stack: &Stack, slots: &MemorySlots, id: &JobId) -> WaitOutcome {
    let ports = WaitPorts { jobs: &*stack.jobs, slots, clock: &*stack.world, timer: &NeverElapses };
    wait_for_end(&ports, id, "request", LONGEST).await
}

/// Applies an event to a job right before the poll number `look`.
fn before_look(stack: &Stack, look: usize, id: &JobId, event: Event) {
    for _ in 1..look {
        stack.jobs.before("load", |_| {});
    }
    let (id, policy) = (id.clone(), stack.policy.clone());
    stack.jobs.before("load", move |jobs| assert!(jobs.apply(&id, &event, NOON, &policy)));
}

#[tokio::test]
async fn a_waiting_request_gets_the_ended_job_and_releases_its_slot() {
    for (look, seconds) in [(1, 0), (4, 1), (21, 10), (24, 16)] {
        let (stack, slots) = (Stack::default(), MemorySlots::new(1));
        let id = stack.submit(1);
        before_look(&stack, look, &id, Event::Cancel);
        let waited = wait(&stack, &slots, &id).await;
        assert!(matches!(&waited, WaitOutcome::Ended(job) if job.status == Status::Cancelled), "{look}: {waited:?}");
        assert_eq!(stack.world.now().millis_since(NOON) / 1000, seconds, "look {look}");
        assert!(slots.leases().is_empty());
    }
}

#[tokio::test]
async fn a_wait_ends_at_its_time_limit_and_releases_its_slot() {
    let (stack, slots) = (Stack::default(), MemorySlots::new(1));
    let id = stack.submit(1);
    assert_eq!(wait(&stack, &slots, &id).await, WaitOutcome::NotYet);
    assert_eq!(stack.world.now(), NOON.after(LONGEST));
    // A poll each half second for ten seconds, then each two seconds, and one at the end.
    assert_eq!(stack.jobs.faults.calls("load"), 20 + 8 + 1);
    assert!(slots.leases().is_empty());
}

#[tokio::test]
async fn without_a_free_slot_there_is_no_wait() {
    let stack = Stack::default();
    let id = stack.submit(1);
    for slots in [MemorySlots::new(0), MemorySlots::new(1), MemorySlots::new(3)] {
        while slots
            .acquire(&format!("{}", slots.leases().len()), NOON, NOON.after(Duration::from_millis(1)))
            .await
            .unwrap()
        {}
        let held = slots.leases();
        assert_eq!(wait(&stack, &slots, &id).await, WaitOutcome::NotYet);
        assert_eq!(slots.leases(), held, "the other slots stay leased");
    }
    assert_eq!((stack.world.now(), stack.jobs.faults.calls("load")), (NOON, 0), "there is no wait");
}

#[tokio::test]
async fn the_slot_of_a_request_that_died_is_free_after_its_time() {
    let (stack, slots) = (Stack::default(), MemorySlots::new(1));
    let id = stack.submit(1);
    before_look(&stack, 100, &id, Event::Cancel);
    tokio::select! {
        biased;
        waited = wait(&stack, &slots, &id) => panic!("{waited:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(slots.leases().into_values().collect::<Vec<_>>(), [NOON.after(LONGEST + Duration::from_secs(5))]);
    assert_eq!(wait(&stack, &slots, &id).await, WaitOutcome::NotYet, "the slot is leased");
    stack.world.set(NOON.after(LONGEST + Duration::from_secs(5)));
    assert!(stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy));
    assert!(matches!(wait(&stack, &slots, &id).await, WaitOutcome::Ended(_)));
}

#[tokio::test]
async fn a_busy_store_is_no_error_for_a_waiting_request() {
    let (stack, slots) = (Stack::default(), MemorySlots::new(1));
    let id = stack.submit(1);
    slots.faults.busy("enter", 1);
    assert_eq!(wait(&stack, &slots, &id).await, WaitOutcome::NotYet);
    assert_eq!(stack.jobs.faults.calls("load"), 0);
    stack.jobs.faults.busy("load", 3);
    assert!(stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy));
    assert!(matches!(wait(&stack, &slots, &id).await, WaitOutcome::Ended(_)), "the fourth poll finds the end");
    assert_eq!(stack.world.now().millis_since(NOON), 1_500);
}

#[tokio::test]
async fn a_job_that_is_deleted_during_a_wait_is_gone() {
    let (stack, slots) = (Stack::default(), MemorySlots::new(1));
    let (deleted, vanished) = (stack.submit(1), stack.submit(2));
    assert!(stack.jobs.apply(&deleted, &Event::Cancel, NOON, &stack.policy));
    before_look(&stack, 1, &deleted, Event::Delete);
    assert_eq!(wait(&stack, &slots, &deleted).await, WaitOutcome::Gone);
    let mine = vanished.clone();
    stack.jobs.before("load", |_| {});
    stack.jobs.before("load", move |jobs| jobs.remove(&mine));
    assert_eq!(wait(&stack, &slots, &vanished).await, WaitOutcome::Gone);
    assert!(slots.leases().is_empty());
}
