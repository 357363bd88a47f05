//! The cleanup of each minute: its parts fail independently of each other, and counters are reconciled each hour.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::clear;
use reelhook_app::outbox::cleanup::{CleanupReport, clean_up, clean_up_now};
use reelhook_app::outbox::sweep::{Due, Sweepable};
use reelhook_domain::{Event, Status};
use reelhook_testkit::{NOON, Stack};

async fn clean(stack: &Stack, reconciles: bool) -> CleanupReport {
    let jobs = Due { index: &stack.due, store: &*stack.jobs, policy: &stack.policy };
    clean_up(&stack.cleanup_ports(&[&jobs]), reconciles, None).await
}

#[tokio::test]
async fn counters_are_reconciled_in_the_first_minute_of_an_hour_or_on_request() {
    let stack = Stack::default();
    let mut counted = 0;
    for (second, reconciles, expected) in [
        (0, false, true),
        (59, false, true),
        (60, false, false),
        (61, true, true),
        (3599, false, false),
        (3600, false, true),
    ] {
        stack.world.set(NOON);
        stack.world.advance_s(second);
        assert_eq!(clean(&stack, reconciles).await.failed, 0);
        let calls = stack.fanout.faults.calls("count_jobs");
        assert_eq!(calls > counted, expected, "after {second} s");
        counted = calls;
    }
}

#[tokio::test]
async fn a_part_that_fails_does_not_keep_the_others_from_running() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy);
    stack.drop_stream();
    assert_eq!(clean(&stack, true).await.counters_mended, 0, "a difference must be found twice");
    stack.due.faults.busy("due_jobs", 1);
    stack.jobs.faults.busy("admission", 1);
    stack.recoveries.faults.busy("due_recoveries", 1);
    let report = clean(&stack, true).await;
    assert_eq!((report.failed, report.counters_mended), (3, 1));
    stack.fanout.faults.busy("count_jobs", 1);
    assert_eq!(clean(&stack, true).await.failed, 1);
    let report = clean(&stack, true).await;
    assert_eq!((report.failed, report.counters_mended), (0, 0));
}

#[tokio::test]
async fn a_person_learns_how_many_jobs_were_cleaned_up_or_that_a_part_failed() {
    let stack = Stack::default();
    let id = stack.submit(1);
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    stack.world.advance_s(1);
    let jobs = Due { index: &stack.due, store: &*stack.jobs, policy: &stack.policy };
    let kinds: [&dyn Sweepable; 1] = [&jobs];
    let ports = stack.cleanup_ports(&kinds);
    stack.due.faults.busy("due_jobs", 1);
    assert!(clean_up_now(&ports.sweep, &ports.removal).await.is_err());
    assert_eq!(stack.jobs.get(&id).status, Status::Cancelled, "hidden jobs are removed all the same");
    assert_eq!(clean_up_now(&ports.sweep, &ports.removal).await.unwrap(), 0);
    let other = stack.submit(2);
    stack.jobs.leave_claimed(&other, stack.world.now(), &stack.policy);
    stack.drop_stream();
    stack.world.advance_s(60);
    assert_eq!(clean_up_now(&ports.sweep, &ports.removal).await.unwrap(), 1);
    assert_eq!(stack.jobs.get(&other).version, 3);
}
