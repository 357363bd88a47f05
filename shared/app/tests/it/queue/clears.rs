//! Clears: they hide jobs at once, and sweeps remove them later.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::queue::{clear, clear_failed, toggle};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{Event, Status};
use reelhook_testkit::{Fault, NOON, Stack};

use super::{at, check_list, check_removed, cleared, counts, failure, put, remove, runs, sorted, two_of_each, walk};

#[tokio::test]
async fn a_clear_cancels_what_waits_removes_what_ended_and_keeps_what_runs() {
    let (stack, jobs) = cleared().await;
    assert_eq!(remove(&stack).await.unwrap(), 8);
    check_removed(&stack, &jobs);
    let left = QueueCounts { processing: 2, rendering: 2, cancelled: 2, ..QueueCounts::default() };
    assert_eq!((counts(&stack).await, stack.jobs.counts()), (left, left));
    assert!(!stack.jobs.admission_item().cleared.is_empty(), "there may be more");
    assert_eq!(remove(&stack).await.unwrap(), 0);
    let done = stack.jobs.admission_item();
    assert!(done.cleared.is_empty(), "nothing is hidden any more");
    assert_eq!(remove(&stack).await.unwrap(), 0);
    assert_eq!(stack.jobs.admission_item(), done, "and nothing is written any more");
    let shown = jobs.iter().filter(|job| runs(job) || job.status == Status::Pending);
    check_list(&stack, None, &sorted(shown), true).await;
}

#[tokio::test]
async fn one_sweep_removes_a_bounded_number_and_the_rest_stays_hidden() {
    for status in [Status::Pending, Status::Completed, Status::Failed, Status::Cancelled] {
        let stack = Stack::default();
        for n in 0..250 {
            put(&stack, n, status, NOON);
        }
        stack.world.advance_s(1);
        clear(&*stack.jobs, &*stack.world).await.unwrap();
        stack.world.advance_s(1);
        let mut removed = Vec::new();
        for _ in 0..3 {
            removed.push(remove(&stack).await.unwrap());
            assert_eq!(counts(&stack).await.of(status), 0, "{status:?}");
            assert!(walk(&stack, Some(status), 200).await.concat().is_empty(), "{status:?}");
        }
        assert_eq!(removed, [200, 50, 0], "{status:?}");
        assert!(stack.jobs.admission_item().cleared.is_empty(), "{status:?}");
    }
}

#[tokio::test]
async fn removals_that_overlap_change_each_job_once() {
    let (stack, jobs) = cleared().await;
    let (one, two, three) = tokio::join!(remove(&stack), remove(&stack), remove(&stack));
    assert_eq!(one.unwrap() + two.unwrap() + three.unwrap(), 8);
    remove(&stack).await.unwrap();
    check_removed(&stack, &jobs);
    assert!(stack.jobs.admission_item().cleared.is_empty());
}

#[tokio::test]
async fn a_clear_during_a_removal_is_not_forgotten() {
    let stack = Stack::default();
    put(&stack, 1, Status::Failed, NOON);
    stack.world.set(at(1000));
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    stack.world.set(at(2000));
    assert_eq!(remove(&stack).await.unwrap(), 1);
    let late = put(&stack, 2, Status::Failed, at(2000));
    stack.jobs.before("save_admission", |jobs| {
        jobs.change_admission(|admission| admission.cleared = admission.clear(at(3000), |_| 1).cleared);
    });
    stack.world.set(at(4000));
    assert_eq!(remove(&stack).await.unwrap(), 0, "the first clear's jobs are gone");
    assert_eq!(stack.jobs.admission_item().cleared.all, Some(at(3000)));
    assert_eq!(counts(&stack).await.failed, 0);
    assert_eq!(remove(&stack).await.unwrap(), 1);
    assert!(stack.jobs.get(&late.id).deleted_at.is_some());
    assert_eq!(remove(&stack).await.unwrap(), 0);
    assert!(stack.jobs.admission_item().cleared.is_empty());
}

#[tokio::test]
async fn clearing_what_failed_counts_it_and_touches_nothing_else() {
    let stack = Stack::default();
    let jobs = two_of_each(&stack);
    stack.world.advance_s(1);
    let clear_failed = async || clear_failed(&*stack.jobs, &*stack.world).await.unwrap();
    assert_eq!(clear_failed().await, 2);
    assert_eq!(clear_failed().await, 0, "they are hidden already");
    check_list(&stack, Some(Status::Failed), &[], false).await;
    let others = sorted(jobs.iter().filter(|job| job.status != Status::Failed));
    check_list(&stack, None, &others, false).await;
    assert_eq!(counts(&stack).await, QueueCounts { failed: 0, ..stack.jobs.counts() });
    // One that fails after the clear stays.
    stack.world.advance_s(1);
    let running = jobs.iter().find(|job| job.status == Status::Processing).unwrap();
    assert!(stack.jobs.apply(&running.id, &failure(), stack.world.now(), &stack.policy));
    assert_eq!(counts(&stack).await.failed, 1);
    assert_eq!(remove(&stack).await.unwrap(), 2);
    assert_eq!(remove(&stack).await.unwrap(), 0);
    assert!(stack.jobs.admission_item().cleared.is_empty());
    check_list(&stack, Some(Status::Failed), std::slice::from_ref(&running.id), true).await;
    for before in jobs.iter().filter(|job| job.id != running.id) {
        let job = stack.jobs.get(&before.id);
        let failed = before.status == Status::Failed;
        assert_eq!((job == *before, job.deleted_at.is_some()), (!failed, failed), "{:?}", before.status);
    }
    assert_eq!(clear_failed().await, 1);
}

#[tokio::test]
async fn a_store_that_is_busy_in_the_middle_leaves_a_removal_that_the_next_one_ends() {
    let check = async |operation: &'static str, passed: usize, fault: Fault| {
        let (stack, jobs) = cleared().await;
        stack.jobs.faults.inject(operation, std::iter::repeat_n(Fault::Pass, passed).chain([fault]));
        let error = remove(&stack).await.unwrap_err();
        assert!(error.to_string().contains(operation), "{error}");
        let (now, shown) = (Some(stack.world.now()), walk(&stack, None, 200).await.concat());
        assert!(
            shown.iter().all(|job| runs(job) || job.run.times.cancelled_at == now),
            "{operation}: the rest stays hidden"
        );
        for _ in 0..3 {
            remove(&stack).await.unwrap();
        }
        check_removed(&stack, &jobs);
        assert!(stack.jobs.admission_item().cleared.is_empty(), "{operation}");
        assert_eq!(counts(&stack).await, stack.jobs.counts(), "{operation}");
    };
    for (operation, passed) in [("admission", 1), ("newest", 7), ("load_all", 2), ("save", 5)] {
        check(operation, 0, Fault::Busy).await;
        check(operation, passed, Fault::Busy).await;
    }
    check("save_admission", 0, Fault::Busy).await;
    check("save_admission", 0, Fault::LostAnswer).await;
    check("save", 3, Fault::LostAnswer).await;
}

#[tokio::test]
async fn a_busy_store_switches_and_clears_nothing_and_the_next_call_does() {
    for operation in ["queue_counts", "admission", "save_admission"] {
        let stack = Stack::default();
        two_of_each(&stack);
        stack.jobs.faults.busy(operation, 2);
        assert!(clear(&*stack.jobs, &*stack.world).await.unwrap_err().is_busy(), "{operation}");
        assert!(clear_failed(&*stack.jobs, &*stack.world).await.unwrap_err().is_busy(), "{operation}");
        if operation != "queue_counts" {
            stack.jobs.faults.busy(operation, 1);
            assert!(toggle(&*stack.jobs, &stack.work, &*stack.world, None).await.unwrap_err().is_busy(), "{operation}");
        }
        assert_eq!(stack.jobs.admission_item().version, 0, "{operation}");
        assert!(stack.work.sent().is_empty(), "{operation}");
        assert_eq!(clear_failed(&*stack.jobs, &*stack.world).await.unwrap(), 2);
        clear(&*stack.jobs, &*stack.world).await.unwrap();
        assert_eq!(toggle(&*stack.jobs, &stack.work, &*stack.world, None).await.unwrap(), (true, false));
        assert_eq!(counts(&stack).await, QueueCounts { processing: 2, rendering: 2, ..QueueCounts::default() });
    }
}

#[tokio::test]
async fn a_run_that_is_tried_again_after_a_clear_goes_on() {
    let (stack, jobs) = cleared().await;
    let running = jobs.iter().find(|job| job.status == Status::Processing).unwrap();
    let crash = Event::RunFailed { attempt: 1, error: "browser crashed".to_owned() };
    assert!(stack.jobs.apply(&running.id, &crash, stack.world.now(), &stack.policy));
    check_list(&stack, Some(Status::Pending), std::slice::from_ref(&running.id), false).await;
    remove(&stack).await.unwrap();
    let job = stack.jobs.get(&running.id);
    assert_eq!((job.status, job.run.attempt), (Status::Pending, 2), "it ran when the queue was cleared");
}

#[tokio::test]
async fn what_is_hidden_behind_many_that_are_not_is_removed_too() {
    let stack = Stack::default();
    let old = put(&stack, 0, Status::Cancelled, at(-1000));
    for n in 1..=200 {
        put(&stack, n, Status::Pending, NOON);
    }
    stack.world.advance_s(1);
    clear(&*stack.jobs, &*stack.world).await.unwrap();
    stack.world.advance_s(1);
    // What waited is cancelled and listed as such, before the one that was cancelled long ago.
    for _ in 0..5 {
        remove(&stack).await.unwrap();
    }
    assert!(stack.jobs.get(&old.id).deleted_at.is_some(), "no clear forgets what it hides");
    assert_eq!(counts(&stack).await, QueueCounts { cancelled: 200, ..QueueCounts::default() });
}
