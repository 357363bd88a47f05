//! Who may start: the oldest that is ready, never more than may run at once, nothing while the queue is paused.

use std::sync::Arc;
use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::clear;
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_domain::{Event, JobId, Lane, Status};
use reelhook_testkit::{NOON, Stack, response};

use super::{requested_jobs, start};

#[tokio::test]
async fn the_oldest_starts_first() {
    let stack = Stack::with(&[], 2);
    let mut ids = Vec::new();
    // Their numbers are not in the order of their age.
    for n in [7, 3, 9, 1] {
        ids.push(stack.submit(n));
        stack.world.advance_s(1);
    }
    assert_eq!(start(&stack).await, 2);
    assert_eq!(requested_jobs(&stack), ids[..2]);
    stack.jobs.change_admission(|admission| admission.active.clear());
    start(&stack).await;
    assert_eq!(requested_jobs(&stack), ids);
}

#[tokio::test]
async fn a_job_with_a_later_retry_does_not_block_a_younger_one() {
    let stack = Stack::with(&[], 2);
    let old = stack.submit(1);
    stack.jobs.apply(&old, &Event::RunFailed { attempt: 1, error: "browser crashed".to_owned() }, NOON, &stack.policy);
    stack.world.advance_s(1);
    let young = stack.submit(2);
    start(&stack).await;
    assert_eq!(requested_jobs(&stack), [young]);
    stack.world.advance_s(44);
    start(&stack).await;
    assert_eq!(requested_jobs(&stack)[1..], [old]);
}

#[tokio::test]
async fn the_concurrency_limit_is_never_exceeded() {
    let stack = Stack::with(&[], 3);
    for n in 0..8 {
        stack.submit(n);
    }
    for _ in 0..5 {
        start(&stack).await;
    }
    assert_eq!(requested_jobs(&stack).len(), 3);
    assert_eq!(stack.jobs.counts().processing, 3);
    assert_eq!(stack.jobs.admission_item().running(NOON), 3);
}

#[tokio::test]
async fn many_launchers_start_each_job_once_within_the_limit() {
    let stack = Stack::with(&[], 4);
    for n in 0..9 {
        stack.submit(n);
    }
    let all = futures_util::future::join_all((0..6).map(|_| start(&stack))).await;
    assert_eq!(all.iter().sum::<usize>(), 4);
    let mut ids: Vec<JobId> = requested_jobs(&stack);
    assert_eq!(ids.len(), 4);
    ids.dedup();
    assert_eq!(ids.len(), 4, "no job twice");
}

#[tokio::test]
async fn an_ended_run_frees_a_slot_for_the_next() {
    let stack = Stack::with(&[], 1);
    let (first, second) = (stack.submit(1), stack.submit(2));
    stack.settle().await;
    assert_eq!(requested_jobs(&stack), std::slice::from_ref(&first));
    stack.jobs.apply(&first, &Event::Cancel, NOON, &stack.policy);
    stack.settle().await;
    assert_eq!(requested_jobs(&stack), [first, second]);
    assert_eq!(stack.jobs.admission_item().active.len(), 1);
}

#[tokio::test]
async fn a_slot_with_an_expired_lease_is_free() {
    let stack = Stack::with(&[], 1);
    let (first, second) = (stack.submit(1), stack.submit(2));
    start(&stack).await;
    let (slot, lease) = stack.jobs.admission_item().active.into_iter().next().unwrap();
    assert_eq!(slot, format!("{first}.1.1@{}", Lane::of_key("caller")));
    // The claim's lease, the longest run and five minutes.
    assert_eq!(lease, NOON.after(Duration::from_secs(60 + 30 * 60 + 300)));
    stack.world.set(lease);
    start(&stack).await;
    assert_eq!(requested_jobs(&stack), [first, second]);
}

#[tokio::test]
async fn a_paused_queue_starts_nothing_and_loses_nothing() {
    let stack = Stack::with(&[], 3);
    stack.jobs.change_admission(|admission| admission.paused = true);
    for n in 0..20 {
        stack.submit(n);
    }
    for _ in 0..60 {
        stack.settle().await;
        stack.world.advance_s(120);
        stack.sweep().await;
    }
    assert!(requested_jobs(&stack).is_empty());
    assert_eq!(stack.jobs.counts().pending, 20, "waiting never times out");
    stack.jobs.change_admission(|admission| admission.paused = false);
    for _ in 0..60 {
        stack.settle().await;
        for job in stack.jobs.all().into_iter().filter(|job| job.status == Status::Processing) {
            stack.jobs.apply(
                &job.id,
                &Event::Cancel,
                reelhook_app::clock::ClockAndRandom::now(&*stack.world),
                &stack.policy,
            );
        }
        stack.world.advance_s(60);
        stack.sweep().await;
    }
    assert_eq!(requested_jobs(&stack).len(), 20);
}

#[tokio::test]
async fn one_hint_starts_at_most_sixty_four_jobs() {
    let stack = Stack::with(&[], 200);
    for n in 0..100 {
        stack.submit(n);
    }
    assert_eq!(start(&stack).await, 64);
    assert_eq!(stack.jobs.faults.calls("claim"), 8, "1, 2, 4, 8, and then 16 in one transaction");
    assert_eq!(start(&stack).await, 36);
}

#[tokio::test]
async fn a_slow_worker_gets_no_request_for_which_too_little_time_is_left() {
    let mut stack = Stack::with(&[], 200);
    let world = Arc::clone(&stack.world);
    stack.http.script(move |_| {
        world.advance_s(14);
        Ok(response(200, r#"{"accepted": true}"#))
    });
    stack.scenes.last_start = NOON.after(Duration::from_secs(30));
    for n in 0..20 {
        stack.submit(n);
    }
    assert_eq!(start(&stack).await, 3, "one, and then two at once");
    assert_eq!(requested_jobs(&stack).len(), 3);
    let left_at = stack.jobs.admission_item().left_at;
    assert_eq!(left_at, Some(NOON.after(Duration::from_secs(42))), "the others wait for a slot that is freed");
}

#[tokio::test]
async fn a_busy_worker_gets_one_request_for_each_hint() {
    let stack = Stack::with(&[], 200);
    stack.http.script(|_| Ok(response(429, "{}")));
    for n in 0..20 {
        stack.submit(n);
    }
    assert_eq!((start(&stack).await, requested_jobs(&stack).len()), (0, 1));
}

#[tokio::test]
async fn a_launcher_that_finds_no_slot_or_starts_enough_leaves_a_note_for_who_frees_one() {
    let stack = Stack::with(&[], 66);
    for n in 0..80 {
        stack.submit(n);
    }
    let note = || stack.jobs.admission_item().left_at;
    assert_eq!((start(&stack).await, note()), (64, Some(NOON)), "more may wait behind sixty-four");
    stack.world.advance_s(61);
    let later = NOON.after(Duration::from_secs(61));
    assert_eq!((start(&stack).await, note()), (2, Some(later)), "no slot is left");
    let version = stack.jobs.admission_item().version;
    assert_eq!(start(&stack).await, 0);
    assert_eq!(stack.jobs.admission_item().version, version, "the note is fresh");
}

#[tokio::test]
async fn a_slot_that_is_freed_while_a_launcher_notes_that_none_is_free_is_found() {
    let stack = Stack::with(&[], 1);
    let (first, second) = (stack.submit(1), stack.submit(2));
    let slot = stack.jobs.get(&first).next_slot();
    stack.jobs.change_admission(|admission| {
        admission.active.insert(slot.clone(), NOON.after(Duration::from_secs(60)));
    });
    stack.jobs.before("save_admission", move |jobs| {
        jobs.change_admission(|admission| *admission = admission.free(&[&slot]).unwrap());
    });
    assert_eq!(start(&stack).await, 1);
    assert_eq!(requested_jobs(&stack), [first]);
    assert_eq!(stack.jobs.get(&second).status, Status::Pending);
}

#[tokio::test]
async fn claimed_jobs_do_not_block_those_behind_them() {
    // The index keeps claimed jobs where they were.
    let stack = Stack::with(&[], 50);
    let claimed: Vec<JobId> = (0..12).map(|n| stack.submit(n)).collect();
    for id in &claimed {
        assert!(stack.jobs.apply(id, &Event::Claim, NOON, &stack.policy));
    }
    stack.world.advance_s(1);
    let waiting = stack.submit(12);
    assert_eq!(start(&stack).await, 1);
    assert_eq!(requested_jobs(&stack), [waiting]);
}

#[tokio::test]
async fn more_claimed_jobs_than_one_look_reads_do_not_block_those_behind_them() {
    let stack = Stack::with(&[], 50);
    claim(&stack, 40);
    stack.world.advance_s(1);
    let waiting = stack.submit(40);
    assert_eq!(start(&stack).await, 1);
    assert_eq!(requested_jobs(&stack), [waiting]);
}

#[tokio::test]
async fn more_claimed_jobs_than_any_look_reads_leave_a_note_for_those_behind_them() {
    let stack = Stack::with(&[], 200);
    let claimed = claim(&stack, 130);
    stack.world.advance_s(1);
    let waiting = stack.submit(130);
    assert_eq!(start(&stack).await, 0);
    assert!(stack.jobs.slots().may_wait(stack.world.now()), "who frees a slot sends a hint");
    assert!(stack.jobs.faults.calls("ready") <= 4, "it does not look again and again");
    for id in &claimed[..10] {
        assert!(stack.jobs.apply(id, &Event::Cancel, stack.world.now(), &stack.policy));
    }
    assert_eq!((start(&stack).await, requested_jobs(&stack)), (1, vec![waiting]));
}

/// New jobs, claimed with a slot each, as launchers leave them until the worker accepts them.
fn claim(stack: &Stack, count: u32) -> Vec<JobId> {
    let claimed = |n| {
        let id = stack.submit(n);
        let slot = stack.jobs.get(&id).next_slot();
        stack.jobs.change_admission(|row| {
            row.active.insert(slot, NOON.after(Duration::from_secs(600)));
        });
        assert!(stack.jobs.apply(&id, &Event::Claim, NOON, &stack.policy));
        id
    };
    (0..count).map(claimed).collect()
}

#[tokio::test]
async fn a_job_that_can_t_start_does_not_take_the_turn_of_the_only_slot() {
    let stack = Stack::with(&[], 1);
    let (gone, good) = (stack.submit(1), stack.submit(2));
    stack.jobs.before("load", move |jobs| jobs.remove(&gone));
    assert_eq!(start(&stack).await, 1);
    assert_eq!(requested_jobs(&stack), [good]);
}

#[tokio::test]
async fn without_waiting_jobs_nothing_happens() {
    let stack = Stack::default();
    assert_eq!(start(&stack).await, 0);
    assert_eq!(stack.jobs.admission_item().version, 0);
}

#[tokio::test]
async fn a_conflicting_claim_is_decided_again() {
    let stack = Stack::with(&[], 1);
    let (first, second) = (stack.submit(1), stack.submit(2));
    let (mine, policy) = (first.clone(), stack.policy.clone());
    stack.jobs.before("claim", move |jobs| {
        jobs.apply(&mine, &Event::Cancel, NOON, &policy);
    });
    assert_eq!(start(&stack).await, 1);
    assert_eq!(requested_jobs(&stack), [second], "the first was cancelled between reading and claiming");
}

#[tokio::test]
async fn a_slot_is_never_leased_twice() {
    let stack = Stack::with(&[], 1);
    stack.submit(1);
    stack.jobs.before("claim", |jobs| {
        jobs.change_admission(|admission| {
            admission.active.insert("job_other.1.1".to_owned(), NOON.after(Duration::from_secs(600)));
        });
    });
    assert_eq!(start(&stack).await, 0);
    assert!(requested_jobs(&stack).is_empty());
    assert_eq!(stack.jobs.counts().pending, 1);
}

#[tokio::test]
async fn claims_stop_after_a_conflict_in_every_attempt() {
    let stack = Stack::with(&[], 3);
    let id = stack.submit(1);
    for _ in 0..50 {
        let id = id.clone();
        stack.jobs.before("claim", move |jobs| jobs.touch(&id));
    }
    assert_eq!(start(&stack).await, 0);
    assert!(stack.jobs.faults.calls("claim") <= 20);
    assert!(stack.jobs.get(&id).due_at.is_some(), "the sweep sends another hint");
}

#[tokio::test]
async fn a_stale_index_entry_is_skipped() {
    let stack = Stack::with(&[], 3);
    let (gone, cancelled, good) = (stack.submit(1), stack.submit(2), stack.submit(3));
    let policy = stack.policy.clone();
    stack.jobs.before("load", move |jobs| {
        jobs.remove(&gone);
        jobs.apply(&cancelled, &Event::Cancel, NOON, &policy);
    });
    assert_eq!(start(&stack).await, 1);
    assert_eq!(requested_jobs(&stack), [good]);
}

#[tokio::test]
async fn a_busy_store_redelivers_the_message() {
    for operation in ["admission", "ready", "load", "claim", "save"] {
        let stack = Stack::with(&[], 3);
        let id = stack.submit(1);
        stack.jobs.faults.busy(operation, 1);
        let error = reelhook_app::jobs::starts::start_some(&stack.start_ports(), &[]).await.unwrap_err();
        assert!(error.to_string().contains(operation), "{error}");
        // Claimed or not, in the end it runs.
        stack.world.advance_s(60);
        stack.sweep().await;
        stack.settle().await;
        assert_eq!(stack.jobs.get(&id).status, Status::Processing, "{operation}");
    }
}

#[tokio::test]
async fn hidden_jobs_do_not_block_the_jobs_behind_them() {
    let stack = Stack::with(&[], 3);
    let hidden: Vec<JobId> = (1..=40).map(|n| stack.submit(n)).collect();
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    stack.world.advance_s(1);
    let new = stack.submit(41);
    assert_eq!(start(&stack).await, 1);
    assert_eq!(stack.jobs.get(&new).status, Status::Processing);
    assert!(hidden.iter().all(|id| stack.jobs.get(id).status == Status::Cancelled), "each has its end and its event");
}

/// Another launcher changes the slots before each of the next twenty calls of an operation.
fn conflict(stack: &Stack, operation: &'static str) {
    for _ in 0..20 {
        stack.jobs.before(operation, |jobs| jobs.change_admission(|_| {}));
    }
}

#[tokio::test]
async fn a_launcher_that_gives_up_after_conflicts_notes_that_jobs_wait() {
    let stack = Stack::with(&[], 2);
    let first = stack.submit(1);
    assert_eq!(start(&stack).await, 1);
    stack.submit(2);
    stack.drop_stream();
    assert!(!stack.jobs.slots().may_wait(stack.world.now()));
    conflict(&stack, "claim");
    assert_eq!(start(&stack).await, 0);
    assert!(stack.jobs.slots().may_wait(stack.world.now()));
    assert!(stack.jobs.apply(&first, &Event::Cancel, stack.world.now(), &stack.policy));
    stack.follow_stream().await.unwrap();
    assert_eq!(stack.work.sent(), [Delayed::now(WorkMessage::start())], "the freed slot starts the job that was left");
}

#[tokio::test]
async fn a_hint_comes_again_if_not_even_a_note_that_jobs_wait_can_be_written() {
    let stack = Stack::with(&[], 2);
    let id = stack.submit(1);
    conflict(&stack, "claim");
    conflict(&stack, "save_admission");
    let error = reelhook_app::jobs::starts::start_some(&stack.start_ports(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("note that jobs wait"), "{error}");
    assert_eq!((start(&stack).await, stack.jobs.get(&id).status), (1, Status::Processing));
}
