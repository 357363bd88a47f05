//! Slots in several rows: the limit is that of all together, also while they are arranged anew (ADR 55).

use reelhook_app::jobs::admission::{AdmissionStore, arrange};
use reelhook_app::jobs::queue::toggle;
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_domain::{Event, Job, JobId, Status};
use reelhook_testkit::{NOON, Stack};

use super::{requested_jobs, start};

#[tokio::test]
async fn many_launchers_keep_to_the_limit_of_all_rows() {
    for rows in [2, 4, 16] {
        let stack = Stack::with(&[], 10);
        stack.jobs.arrange(rows);
        for n in 0..50 {
            stack.submit(n);
        }
        for _ in 0..4 {
            futures_util::future::join_all((0..6).map(|_| start(&stack))).await;
        }
        assert_eq!((stack.jobs.slots().rows(), stack.jobs.slots().running(NOON)), (rows, 10));
        let mut ids: Vec<JobId> = requested_jobs(&stack);
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), stack.jobs.counts().processing), (10, 10), "no job twice");
    }
}

#[tokio::test]
async fn ended_runs_free_slots_in_whichever_row_they_are() {
    let stack = Stack::with(&[], 6);
    stack.jobs.arrange(4);
    let all: Vec<JobId> = (0..20).map(|n| stack.submit(n)).collect();
    for _ in 0..20 {
        stack.settle().await;
        assert!(stack.jobs.slots().running(NOON) <= 6);
        for id in &all {
            if stack.jobs.get(id).status == Status::Processing {
                stack.jobs.apply(id, &Event::Cancel, NOON, &stack.policy);
            }
        }
    }
    assert_eq!((requested_jobs(&stack).len(), stack.jobs.slots().running(NOON)), (20, 0));
}

#[tokio::test]
async fn slots_stay_through_each_arrangement() {
    let stack = Stack::with(&[], 7);
    for n in 0..30 {
        stack.submit(n);
    }
    start(&stack).await;
    for rows in [4, 1, 3] {
        let slots = stack.jobs.admission_rows(rows).await.unwrap();
        assert!(arrange(&*stack.jobs, &slots, rows).await.unwrap());
        let arranged = stack.jobs.admission_rows(rows).await.unwrap();
        assert!(!arrange(&*stack.jobs, &arranged, rows).await.unwrap(), "once");
        assert_eq!((start(&stack).await, stack.jobs.slots().running(NOON)), (0, 7));
        let first = stack.jobs.all().into_iter().find(|job| job.status == Status::Processing).unwrap().id;
        stack.jobs.apply(&first, &Event::Cancel, NOON, &stack.policy);
        stack.settle().await;
        assert_eq!(stack.jobs.slots().running(NOON), 7, "the next one has its slot");
    }
}

#[tokio::test]
async fn a_claim_that_crosses_an_arrangement_is_made_again() {
    let stack = Stack::with(&[], 2);
    for n in 0..5 {
        stack.submit(n);
    }
    stack.jobs.before("claim", |jobs| jobs.arrange(3));
    assert_eq!(start(&stack).await, 2);
    assert_eq!((stack.jobs.slots().rows(), stack.jobs.slots().running(NOON)), (3, 2));
}

#[tokio::test]
async fn a_pause_stops_claims_of_every_row_at_once() {
    let stack = Stack::with(&[], 8);
    stack.jobs.arrange(4);
    stack.submit(1);
    let (before, row) = (stack.jobs.slots(), stack.submit(2));
    toggle(&*stack.jobs, &stack.work, &*stack.world, Some(false)).await.unwrap();
    assert_eq!((start(&stack).await, requested_jobs(&stack).len()), (0, 0));
    // A launcher that has read the slots before the pause conflicts, whichever row it takes.
    for draw in 0..4 {
        let stale = before.take(&[format!("{row}.1.1")], NOON, NOON.after(std::time::Duration::from_secs(9)), 8, draw);
        let saved = stack.jobs.save_admission(&stale.unwrap()).await.unwrap();
        assert_ne!(saved, reelhook_app::store::Saved::Done);
    }
}

/// A stack whose two rows have a slot each, both taken, where a third job waits; and the run with the second row's slot.
async fn full_rows() -> (Stack, Job) {
    let stack = Stack::with(&[], 2);
    stack.jobs.arrange(2);
    for n in 0..3 {
        stack.submit(n);
    }
    assert_eq!(start(&stack).await, 2);
    let first = stack.jobs.admission_item().active;
    let runs = stack.jobs.all().into_iter().filter(|job| job.status == Status::Processing);
    let second: Vec<Job> = runs.filter(|run| !first.contains_key(&slot_of(run))).collect();
    let [run] = &second[..] else { panic!("each row has the slot of one run") };
    (stack, run.clone())
}

/// The slot of a run.
fn slot_of(run: &Job) -> String {
    run.run.start.claim.as_ref().expect("it has a slot").slot.clone()
}

#[tokio::test]
async fn a_slot_of_another_row_that_is_freed_while_a_launcher_notes_that_none_is_free_is_found() {
    let (stack, run) = full_rows().await;
    // The note of the first look is old.
    stack.world.advance_s(61);
    stack.jobs.before("save_admission", move |jobs| jobs.free_slots(&[&slot_of(&run)]));
    assert_eq!(start(&stack).await, 1);
}

#[tokio::test]
async fn a_slot_that_is_freed_while_rows_with_a_note_are_read_is_found() {
    let (stack, run) = full_rows().await;
    stack.jobs.before("admission", |_| {});
    stack.jobs.before("admission", move |jobs| jobs.free_slots(&[&slot_of(&run)]));
    assert_eq!(start(&stack).await, 1);
}

#[tokio::test]
async fn a_slot_of_another_row_causes_a_hint_if_a_launcher_notes_meanwhile_that_none_is_free() {
    let (stack, run) = full_rows().await;
    stack.follow_stream().await.unwrap();
    stack.jobs.change_admission(|row| row.left_at = None);
    let hints = stack.work.sent().len();
    assert!(stack.jobs.apply(&run.id, &Event::Cancel, NOON, &stack.policy));
    stack.jobs.before("save_admission", |jobs| jobs.change_admission(|row| row.left_at = Some(NOON)));
    stack.follow_stream().await.unwrap();
    let sent = stack.work.sent();
    assert!(sent[hints..].contains(&Delayed::now(WorkMessage::Start)), "{sent:?}");
}
