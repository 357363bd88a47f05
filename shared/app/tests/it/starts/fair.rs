//! Fair shares in claims: many waiting jobs of one owner do not keep others from slots (ADR 54).

use reelhook_domain::{Event, FairShares, Job, JobId, Origin, OwnerId, Priority, Status};
use reelhook_testkit::{Stack, make_job};

use super::{requested_jobs, start};

/// Submits a job of an owner.
pub(super) fn submit(stack: &Stack, n: u32, owner: &str, priority: u8) -> JobId {
    let mut job: Job = make_job(n, reelhook_app::clock::ClockAndRandom::now(&*stack.world), &stack.policy);
    job.origin = Origin { owner: OwnerId::parse(owner), ..job.origin };
    job.request.priority = Priority::new(priority).unwrap();
    stack.jobs.put(&job);
    job.id
}

/// Ends these jobs, as their worker would.
async fn end(stack: &Stack, jobs: &[JobId]) {
    for id in jobs {
        let now = reelhook_app::clock::ClockAndRandom::now(&*stack.world);
        stack.jobs.apply(id, &Event::Cancel, now, &stack.policy);
    }
    stack.settle().await;
}

#[tokio::test]
async fn the_next_slots_go_to_owners_who_hold_none() {
    let stack = Stack::with(&[], 4);
    let many: Vec<JobId> = (0..100).map(|n| submit(&stack, n, "many", 5)).collect();
    assert_eq!(start(&stack).await, 4);
    stack.world.advance_s(10);
    let others: Vec<JobId> = (0..3).map(|n| submit(&stack, 200 + n, &format!("other-{n}"), 5)).collect();
    end(&stack, &many[..3]).await;
    let mut next = requested_jobs(&stack)[4..7].to_vec();
    next.sort();
    assert_eq!(next, others, "before 96 jobs that waited longer");
}

#[tokio::test]
async fn slots_are_shared_evenly_by_owners_who_all_wait() {
    let stack = Stack::with(&[], 12);
    for (owner, name) in (0..).zip(["ann", "bob", "cleo"]) {
        for n in 0..20 {
            submit(&stack, 100 * owner + n, name, 5);
        }
        stack.world.advance_s(60);
    }
    start(&stack).await;
    let held = stack.jobs.slots().held(reelhook_app::clock::ClockAndRandom::now(&*stack.world));
    assert_eq!(held.into_values().collect::<Vec<_>>(), [4, 4, 4]);
}

#[tokio::test]
async fn an_owner_holds_at_most_the_part_that_is_set() {
    let mut stack = Stack::with(&[], 10);
    stack.worker.shares = FairShares::parse("", 30).unwrap();
    for n in 0..20 {
        submit(&stack, n, "many", 5);
    }
    assert_eq!(start(&stack).await, 3);
    let other = submit(&stack, 50, "other", 5);
    assert_eq!((start(&stack).await, stack.jobs.get(&other).status), (1, Status::Processing));
}

#[tokio::test]
async fn an_owner_who_holds_the_part_gets_the_next_slot_without_a_sweep() {
    let mut stack = Stack::with(&[], 10);
    stack.worker.shares = FairShares::parse("", 30).unwrap();
    let many: Vec<JobId> = (0..8).map(|n| submit(&stack, n, "many", 5)).collect();
    stack.settle().await;
    assert_eq!(requested_jobs(&stack).len(), 3);
    // Seven slots are free, and yet one that is freed causes a hint.
    end(&stack, &many[..2]).await;
    assert_eq!(requested_jobs(&stack).len(), 5);
}

#[tokio::test]
async fn priority_orders_the_jobs_of_one_owner() {
    let stack = Stack::with(&[], 2);
    let first: Vec<JobId> = (0..3).map(|n| submit(&stack, n, "ann", 5)).collect();
    stack.world.advance_s(1);
    let urgent = submit(&stack, 10, "ann", 9);
    start(&stack).await;
    assert_eq!(requested_jobs(&stack), [urgent, first[0].clone()]);
}
