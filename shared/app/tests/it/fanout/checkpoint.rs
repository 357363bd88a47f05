//! The checkpoint of a batch: the first record that fails; the records before it are done.

use std::collections::BTreeSet;

use reelhook_app::outbox::fanout::Viewers;
use reelhook_domain::{Effect, Job, Live};
use reelhook_testkit::{Fault, NOON, Stack};

use super::{every_effect, hold_slots, record, slot, stack};

/// Three records with effects of every kind; the first one frees no slot.
fn three() -> Vec<Job> {
    let first = every_effect(1).into_iter().filter(|effect| !matches!(effect, Effect::FreeSlot { .. })).collect();
    vec![record(1, first), record(2, every_effect(2)), record(3, every_effect(3))]
}

/// Everything that the effects have written and sent, as text to compare.
fn results(stack: &Stack) -> String {
    let mut hints: Vec<String> = stack.hints.sent().iter().map(|hint| format!("{hint:?}")).collect();
    let mut work: Vec<String> = stack.work.sent().iter().map(|hint| format!("{hint:?}")).collect();
    for messages in [&mut hints, &mut work] {
        messages.sort();
        messages.dedup();
    }
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:?}\n{:?}\n{hints:#?}\n{work:#?}",
        stack.fanout.logs(),
        stack.deliveries.events(),
        stack.deliveries.all(),
        stack.fanout.totals(),
        stack.jobs.admission_item().active,
    )
}

fn prepared() -> Stack {
    let stack = stack();
    hold_slots(&stack, 1..=3);
    stack
}

/// The results of the first `count` records without any fault.
async fn after(count: usize) -> String {
    let stack = prepared();
    stack.fan_out(&three()[..count]).await.unwrap();
    results(&stack)
}

/// A stage's name, and a function that makes it fail for one record, at its first or its last call.
type Stage = (&'static str, fn(&Stack, usize, bool, Fault));

const STAGES: [Stage; 6] = [
    ("logs", |stack, index, _, fault| stack.fanout.faults.inject_for("put_logs", job_id(index), fault)),
    ("events", |stack, index, _, fault| stack.fanout.faults.inject_for("put_event", job_id(index), fault)),
    ("deliveries", |stack, index, last, fault| {
        let row = format!("{}.7.1/webhook_{}", job_id(index), if last { 2 } else { 1 });
        stack.fanout.faults.inject_for("put_delivery", row, fault);
    }),
    ("counts", |stack, index, _, fault| stack.fanout.faults.inject_for("count", job_id(index), fault)),
    ("work messages", |stack, index, last, fault| {
        // A record that frees a slot sends one more start than the first record.
        let (before, calls) = [(0, 4), (4, 5), (9, 5)][index];
        let passed = before + if last { calls - 1 } else { 0 };
        stack.work.faults.inject("send", [vec![Fault::Pass; passed], vec![fault]].concat());
    }),
    ("delivery hints", |stack, index, _, fault| {
        // One names all deliveries of a record's event.
        stack.hints.faults.inject("send", [vec![Fault::Pass; index], vec![fault]].concat());
    }),
];

fn job_id(index: usize) -> String {
    three()[index].id.to_string()
}

/// Checks that fanout stops at record `index`, with the records before it done, and that a retry from there completes.
async fn check(stack: &Stack, index: usize, what: &str) {
    let stopped = stack.fan_out(&three()).await.unwrap_err();
    assert_eq!(stopped.index, index, "{what}");
    for faults in [&stack.fanout.faults, &stack.work.faults, &stack.hints.faults, &stack.jobs.faults] {
        faults.clear();
    }
    // Nothing is missing before the checkpoint, so a retry from there completes the batch.
    stack.fan_out(&three()[index..]).await.unwrap();
    assert_eq!(results(stack), after(3).await, "{what}");
}

#[tokio::test]
async fn the_first_failing_record_is_the_checkpoint_and_those_before_it_are_done_at_each_stage() {
    for (name, break_it) in STAGES {
        for index in 0..3 {
            for (last, fault) in
                [(false, Fault::Busy), (true, Fault::Busy), (false, Fault::Refuse), (true, Fault::LostAnswer)]
            {
                let stack = prepared();
                break_it(&stack, index, last, fault);
                check(&stack, index, &format!("{name}, record {index}, last call: {last}, {fault:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn what_viewers_see_waits_for_rows_and_for_nothing_else() {
    let pushed_after = async |operation: &'static str| {
        let stack = prepared();
        stack.fanout.note(NOON).await.unwrap();
        let mut jobs = three();
        for job in &mut jobs {
            job.outbox.push(Effect::Live { events: vec![Live::Job], after: 6 });
        }
        stack.fanout.faults.inject_for(operation, job_id(1), Fault::Busy);
        assert_eq!(stack.fan_out(&jobs).await.unwrap_err().index, 1, "{operation}");
        stack.fanout.pushes().len()
    };
    assert_eq!(pushed_after("put_logs").await, 1);
    assert_eq!(pushed_after("put_event").await, 3);
}

#[tokio::test]
async fn a_slot_that_can_t_be_freed_stops_at_the_first_record_that_frees_one() {
    for operation in ["admission", "save_admission"] {
        let stack = prepared();
        stack.jobs.faults.busy(operation, 1);
        check(&stack, 1, operation).await;
    }
}

#[tokio::test]
async fn records_before_the_checkpoint_are_whole_even_when_a_late_stage_fails() {
    let stack = prepared();
    // The event is written, and the hint is not sent.
    stack.fanout.faults.inject_for("put_delivery", job_id(1), Fault::Busy);
    stack.fan_out(&three()).await.unwrap_err();
    let done = &three()[0];
    assert_eq!(stack.deliveries.of_job(&done.id).len(), 2);
    assert_eq!(stack.hints.sent().len(), 1, "only the first record's deliveries have a hint");
    assert_eq!(stack.fanout.totals().values().sum::<i64>(), 1, "only the first record is counted");
    let held: Vec<String> = stack.jobs.admission_item().active.into_keys().collect();
    assert_eq!(held, [slot(1), slot(2), slot(3)], "later records keep their slots for now");
}

#[tokio::test]
async fn deliveries_of_an_event_are_due_together_unless_the_event_is_old() {
    for (hours, expected) in [(0, 3), (25, 0)] {
        let stack = prepared();
        stack.world.advance_s(hours * 3600);
        stack.fan_out(&three()).await.unwrap();
        assert_eq!(stack.deliveries.all().len(), 6);
        assert_eq!(stack.deliveries.due_together().len(), expected, "{hours} h");
    }
}

#[tokio::test]
async fn failed_entries_inside_a_200_are_failures() {
    let stack = prepared();
    // Only the second record's hint failed; that of the third was sent.
    stack.hints.faults.inject("send", [Fault::Pass, Fault::Busy]);
    let stopped = stack.fan_out(&three()).await.unwrap_err();
    assert_eq!(stopped.index, 1);
    assert_eq!(stack.hints.sent().len(), 2);
    stack.fan_out(&three()[1..]).await.unwrap();
    let mut hinted: Vec<String> = stack.hints.sent().iter().map(|hint| format!("{hint:?}")).collect();
    hinted.sort();
    hinted.dedup();
    assert_eq!(hinted.len(), 3, "each event has a hint");
    let hints = stack.hints.sent();
    let named: BTreeSet<_> = hints.iter().flat_map(|hint| hint.message.deliveries()).collect();
    assert_eq!(named.len(), 6, "each delivery is named");
}

#[tokio::test]
async fn the_earliest_of_several_failures_is_the_checkpoint() {
    let stack = prepared();
    stack.fanout.faults.busy_after("put_event", 2);
    stack.hints.faults.busy_after("send", 0);
    assert_eq!(stack.fan_out(&three()).await.unwrap_err().index, 0);
}

#[tokio::test]
async fn a_failure_names_the_store_s_operation() {
    let stack = prepared();
    stack.fanout.faults.inject_for("put_event", job_id(1), Fault::Refuse);
    let stopped = stack.fan_out(&three()).await.unwrap_err();
    assert_eq!(stopped.to_string(), "effects of record 1 could not be applied");
    assert_eq!(stopped.source.to_string(), "store refused `put_event`");
}

#[tokio::test]
async fn slots_are_freed_although_others_change_the_admission_item_meanwhile() {
    let stack = prepared();
    for n in 10..15 {
        let at = reelhook_testkit::NOON;
        stack.jobs.before("save_admission", move |jobs| {
            jobs.change_admission(|admission| {
                admission.active.insert(slot(n), at);
            });
        });
    }
    stack.fan_out(&three()).await.unwrap();
    let held: Vec<String> = stack.jobs.admission_item().active.into_keys().collect();
    let expected: Vec<String> = [1, 10, 11, 12, 13, 14].map(slot).into();
    assert_eq!(held, expected, "slots of other jobs stay, ours are free");
}

#[tokio::test]
async fn freeing_slots_fails_after_a_conflict_in_every_attempt() {
    let stack = prepared();
    for _ in 0..40 {
        stack.jobs.before("save_admission", |jobs| jobs.change_admission(|_| {}));
    }
    let stopped = stack.fan_out(&three()).await.unwrap_err();
    assert_eq!(stopped.index, 1);
    assert!(stopped.source.is_busy());
}

#[tokio::test]
async fn a_slot_that_is_not_leased_is_skipped() {
    let stack = stack();
    stack.fan_out(&three()).await.unwrap();
    assert_eq!(stack.jobs.faults.calls("save_admission"), 0);
}
