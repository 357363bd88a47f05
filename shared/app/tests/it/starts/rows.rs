//! Slots in several rows, with names or numbers: the limit is that of all together, also while they are arranged anew (ADR
//! 55 and 71).

use std::time::Duration;

use reelhook_app::jobs::admission::{AdmissionStore, arrange};
use reelhook_app::jobs::queue::toggle;
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::store::Saved;
use reelhook_domain::{Event, Job, JobId, Status};
use reelhook_testkit::{NOON, Stack};

use super::{requested_jobs, start};

#[tokio::test]
async fn many_launchers_keep_to_the_limit_of_all_rows() {
    for (rows, numbers) in [(1, true), (2, false), (4, true), (16, false), (64, true)] {
        let stack = Stack::with(&[], 10);
        stack.jobs.arrange_with(rows, numbers);
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
    for numbers in [false, true] {
        let stack = Stack::with(&[], 6);
        stack.jobs.arrange_with(4, numbers);
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
}

#[tokio::test]
async fn slots_stay_through_each_arrangement() {
    let stack = Stack::with(&[], 7);
    for n in 0..30 {
        stack.submit(n);
    }
    start(&stack).await;
    for (rows, numbers) in [(4, false), (1, true), (3, true), (64, true), (2, false)] {
        let slots = arrange(&*stack.jobs, &*stack.world, rows, numbers).await.unwrap();
        assert_eq!((slots.first().layout.rows, slots.first().layout.numbers), (rows, numbers));
        let saved = stack.jobs.faults.calls("save_admission");
        arrange(&*stack.jobs, &*stack.world, rows, numbers).await.unwrap();
        assert_eq!(stack.jobs.faults.calls("save_admission"), saved, "once");
        assert_eq!((start(&stack).await, stack.jobs.slots().running(NOON)), (0, 7));
        let first = stack.jobs.all().into_iter().find(|job| job.status == Status::Processing).unwrap().id;
        stack.jobs.apply(&first, &Event::Cancel, NOON, &stack.policy);
        stack.settle().await;
        assert_eq!(stack.jobs.slots().running(NOON), 7, "the next one has its slot");
    }
}

#[tokio::test]
async fn a_claim_that_crosses_an_arrangement_is_made_again() {
    for numbers in [false, true] {
        let stack = Stack::with(&[], 2);
        for n in 0..5 {
            stack.submit(n);
        }
        stack.jobs.before("claim", move |jobs| jobs.arrange_with(3, numbers));
        assert_eq!(start(&stack).await, 2);
        assert_eq!((stack.jobs.slots().rows(), stack.jobs.slots().running(NOON)), (3, 2));
    }
}

#[tokio::test]
async fn a_pause_stops_claims_of_every_row_at_once() {
    for numbers in [false, true] {
        let stack = Stack::with(&[], 8);
        stack.jobs.arrange_with(4, numbers);
        stack.submit(1);
        let (before, job) = (stack.jobs.slots(), stack.submit(2));
        toggle(&*stack.jobs, &stack.work, &*stack.world, Some(false)).await.unwrap();
        assert_eq!((start(&stack).await, requested_jobs(&stack).len()), (0, 0));
        // A launcher that has read the slots before the pause conflicts, whichever row it takes.
        for draw in 0..4 {
            let stale = before.take(&[format!("{job}.1.1")], NOON, NOON.after(Duration::from_secs(9)), 8, draw);
            let saved = stack.jobs.save_admission(&stale.unwrap().rows[0]).await.unwrap();
            assert_ne!(saved, Saved::Done);
        }
    }
}

#[tokio::test]
async fn a_change_whose_function_was_killed_halfway_is_completed_by_the_next_launcher() {
    let stack = Stack::with(&[], 8);
    stack.jobs.arrange_with(4, true);
    stack.submit(1);
    let slots = stack.jobs.slots();
    let first = slots.with_first(slots.first().pause(false));
    assert_eq!(stack.jobs.save_admission(&first).await.unwrap(), Saved::Done);
    assert_eq!(stack.jobs.slots().behind().len(), 3);
    assert_eq!(start(&stack).await, 1);
    assert!(stack.jobs.slots().behind().is_empty());
}

#[tokio::test]
async fn a_run_has_the_number_of_its_slot_and_gives_that_back() {
    let stack = Stack::with(&[], 5);
    stack.jobs.arrange_with(1, true);
    let id = stack.submit(1);
    start(&stack).await;
    assert_eq!(slot_of(&stack.jobs.get(&id)), format!("#0.{}", NOON.millis()));
    stack.jobs.apply(&id, &Event::Cancel, NOON, &stack.policy);
    stack.follow_stream().await.unwrap();
    assert_eq!(stack.jobs.admission_item().used(), 0);
    // A job whose slot has a name gives that back, too, whatever its row grants by then.
    stack.jobs.arrange_with(1, false);
    let named = stack.submit(2);
    start(&stack).await;
    stack.jobs.arrange_with(2, true);
    stack.jobs.apply(&named, &Event::Cancel, NOON, &stack.policy);
    stack.follow_stream().await.unwrap();
    assert_eq!(stack.jobs.slots().running(NOON), 0);
}

#[tokio::test]
async fn a_claim_whose_row_was_changed_takes_slots_of_the_rows_as_they_are_then() {
    let stack = Stack::with(&[], 30);
    stack.jobs.arrange_with(2, true);
    let ids: Vec<JobId> = (0..3).map(|n| stack.submit(n)).collect();
    start(&stack).await;
    stack.submit(3);
    let looks = stack.jobs.faults.calls("ready");
    let ended = stack.jobs.get(&ids[0]);
    // Both rows change: one gives a slot back, and the first is written for another reason.
    stack.jobs.before("claim", move |jobs| {
        jobs.free_slots(&[&slot_of(&ended)]);
        let rows = jobs.slots().into_rows();
        rows.iter().for_each(|row| jobs.touch_row(row.number));
    });
    assert_eq!(start(&stack).await, 1);
    assert_eq!(stack.jobs.faults.calls("ready") - looks, 2, "one look, and one that finds nothing more");
    assert_eq!(stack.jobs.slots().running(NOON), 3);
    // A pause in between is kept.
    stack.submit(4);
    stack.jobs.before("claim", |jobs| {
        let slots = jobs.slots();
        jobs.write_row(&slots.with_first(slots.first().pause(true)));
        jobs.slots().behind().iter().for_each(|row| jobs.write_row(row));
    });
    assert_eq!((start(&stack).await, stack.jobs.slots().running(NOON)), (0, 3));
}

#[tokio::test]
async fn claimed_jobs_that_no_row_remembers_do_not_block_those_behind_them() {
    let stack = Stack::with(&[], 400);
    stack.jobs.arrange_with(1, true);
    let claimed: Vec<JobId> = (0..40).map(|n| stack.submit(n)).collect();
    for id in &claimed {
        // As if their slots were not among the newest any more.
        assert!(stack.jobs.apply(id, &Event::Claim, NOON, &stack.policy));
    }
    stack.world.advance_s(1);
    let waiting = stack.submit(40);
    assert_eq!(start(&stack).await, 1);
    assert_eq!(requested_jobs(&stack), [waiting]);
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
    assert!(sent[hints..].contains(&Delayed::now(WorkMessage::start())), "{sent:?}");
}
