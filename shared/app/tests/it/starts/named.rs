//! Jobs that hints name, while the index of waiting jobs lags behind what is stored (ADR 3).

use reelhook_app::jobs::starts::start_some;
use reelhook_app::jobs::work::work_on_all;
use reelhook_app::outbox::messages::WorkMessage;
use reelhook_domain::{Event, JobId, Status};
use reelhook_testkit::{NOON, Stack};

use super::fair::submit;
use super::{requested_jobs, start};

/// The worker function takes a hint that names these jobs; the number of runs that began.
async fn start_named(stack: &Stack, jobs: &[JobId]) -> usize {
    start_some(&stack.start_ports(), jobs).await.unwrap()
}

/// How often a job was loaded.
fn loads(stack: &Stack) -> usize {
    stack.jobs.faults.calls("load")
}

#[tokio::test]
async fn a_job_that_the_index_does_not_have_yet_is_started_by_its_hint() {
    for (rows, numbers) in [(1, false), (1, true), (3, true)] {
        let stack = Stack::with(&[], 3);
        stack.jobs.arrange_with(rows, numbers);
        stack.jobs.let_index_lag(true);
        let id = stack.submit(1);
        assert_eq!(start(&stack).await, 0, "a hint that names no job finds none");
        stack.settle().await;
        assert_eq!(requested_jobs(&stack), [id]);
        assert_eq!((stack.jobs.counts().processing, stack.jobs.slots().running(NOON)), (1, 1));
    }
}

#[tokio::test]
async fn a_named_job_that_needs_no_start_any_more_is_not_started() {
    let stack = Stack::with(&[], 9);
    stack.jobs.let_index_lag(true);
    let ids: Vec<JobId> = (0..6).map(|n| stack.submit(n)).collect();
    let [cancelled, removed, deferred, claimed, unremembered, waiting] = &ids[..] else { panic!("six jobs") };
    let failed = Event::RunFailed { attempt: 1, error: "browser crashed".to_owned() };
    stack.jobs.remove(removed);
    for (id, event) in [(cancelled, &Event::Cancel), (deferred, &failed), (unremembered, &Event::Claim)] {
        assert!(stack.jobs.apply(id, event, NOON, &stack.policy), "{event:?}");
    }
    stack.jobs.leave_claimed(claimed, NOON, &stack.policy);
    assert_eq!(start_named(&stack, &ids).await, 1);
    assert_eq!(requested_jobs(&stack), std::slice::from_ref(waiting));
    assert_eq!(loads(&stack), 6, "each that holds no slot once, and the one that starts again for its claim");
}

#[tokio::test]
async fn a_named_job_that_the_index_has_or_that_holds_a_slot_is_not_read_for_its_name() {
    let stack = Stack::with(&[], 3);
    let id = stack.submit(1);
    assert_eq!((start_named(&stack, std::slice::from_ref(&id)).await, loads(&stack)), (1, 1), "the claim loads it");
    // The same hint again, and the job has left the index.
    assert_eq!((start_named(&stack, &[id]).await, loads(&stack)), (0, 1));
}

/// Whether a named job, which the index does not have yet, gets the only free slot before one that the index has and that
/// was submitted earlier. Each has an owner and a priority; ann holds the other slot.
async fn comes_first(named: (&str, u8), indexed: (&str, u8)) -> bool {
    let stack = Stack::with(&[], 2);
    submit(&stack, 0, "ann", 5);
    assert_eq!(start(&stack).await, 1);
    let indexed = submit(&stack, 1, indexed.0, indexed.1);
    stack.jobs.let_index_lag(true);
    stack.world.advance_s(1);
    let named = submit(&stack, 2, named.0, named.1);
    assert_eq!(start_named(&stack, std::slice::from_ref(&named)).await, 1);
    let last = requested_jobs(&stack).pop();
    assert!(last.as_ref().is_some_and(|id| [&named, &indexed].contains(&id)), "{last:?}");
    last == Some(named)
}

#[tokio::test]
async fn a_named_job_takes_its_turn_among_those_that_the_index_has() {
    for (named, indexed, is_first, why) in [
        (("ann", 5), ("ann", 5), false, "the older one of an owner"),
        (("ann", 9), ("ann", 5), true, "the higher priority of an owner"),
        (("bob", 5), ("ann", 5), true, "the owner who holds fewer slots"),
        (("ann", 9), ("bob", 5), false, "the owner who holds fewer slots, whatever the priority"),
        (("cleo", 9), ("bob", 5), false, "the older one of two owners who hold equally many"),
    ] {
        assert_eq!(comes_first(named, indexed).await, is_first, "{named:?} {indexed:?}: {why} is first");
    }
}

#[tokio::test]
async fn a_named_job_passes_none_of_its_owner_that_a_look_does_not_read() {
    let stack = Stack::with(&[], 1);
    let ids: Vec<JobId> = (0..40).map(|n| stack.submit(n)).collect();
    stack.jobs.let_index_lag(true);
    stack.world.advance_s(1);
    let named = stack.submit(40);
    assert_eq!(start_named(&stack, &[named]).await, 1);
    assert_eq!((requested_jobs(&stack), loads(&stack)), (ids[..1].to_vec(), 1), "it is not read either");
}

#[tokio::test]
async fn entries_of_jobs_that_no_longer_wait_hide_neither_named_jobs_nor_others() {
    let stack = Stack::with(&[], 50);
    let ended: Vec<JobId> = (0..40).map(|n| stack.submit(n)).collect();
    stack.world.advance_s(1);
    let behind = stack.submit(40);
    stack.jobs.let_index_lag(true);
    for id in &ended {
        assert!(stack.jobs.apply(id, &Event::Cancel, NOON, &stack.policy));
    }
    stack.world.advance_s(1);
    let named = stack.submit(41);
    assert_eq!(start_named(&stack, std::slice::from_ref(&named)).await, 2);
    assert_eq!(requested_jobs(&stack), [behind, named]);
}

#[tokio::test]
async fn hints_of_a_batch_start_all_jobs_that_they_name_at_once() {
    let stack = Stack::with(&[], 9);
    stack.jobs.let_index_lag(true);
    let ids: Vec<JobId> = (0..3).map(|n| stack.submit(n)).collect();
    let mut hints: Vec<WorkMessage> = ids.iter().map(|id| WorkMessage::Start { jobs: vec![id.clone()] }).collect();
    hints.insert(1, WorkMessage::start());
    let results = work_on_all(&stack.work_ports(), &hints).await;
    assert_eq!((results.len(), results.iter().all(Result::is_ok)), (4, true));
    assert!(ids.iter().all(|id| stack.jobs.get(id).status == Status::Processing));
    assert_eq!(stack.jobs.faults.calls("ready"), 3, "one job, then two, and then a look that finds no other");
}

#[tokio::test]
async fn a_hint_comes_again_if_a_job_that_it_names_can_t_be_read() {
    let stack = Stack::with(&[], 3);
    stack.jobs.let_index_lag(true);
    let id = stack.submit(1);
    stack.jobs.faults.busy("load", 1);
    assert!(start_some(&stack.start_ports(), std::slice::from_ref(&id)).await.is_err());
    assert_eq!(start_named(&stack, &[id]).await, 1);
}
