//! Counters against jobs: mended only when the same difference shows twice in a row.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::jobs::reconcile::reconcile;
use reelhook_domain::{Event, Status};
use reelhook_testkit::Stack;

const TODAY: &str = "2024-01-01";

/// A stack with three cancelled jobs of today, counted right.
async fn three_cancelled() -> Stack {
    let stack = Stack::default();
    for n in 0..3 {
        let id = stack.submit(n);
        stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy);
    }
    stack.follow_stream().await.unwrap();
    assert_eq!(stack.fanout.counted(Status::Cancelled, TODAY), 3);
    stack
}

async fn mended(stack: &Stack) -> usize {
    reconcile(&stack.fanout, stack.world.now()).await.unwrap()
}

#[tokio::test]
async fn correct_counters_stay_unchanged() {
    let stack = three_cancelled().await;
    assert_eq!((mended(&stack).await, mended(&stack).await), (0, 0));
    assert_eq!(stack.fanout.faults.calls("suspect"), 0);
}

#[tokio::test]
async fn the_same_difference_twice_is_corrected() {
    for wrong in [0, 2, 4, -1] {
        let stack = three_cancelled().await;
        stack.fanout.set_counter(Status::Cancelled, TODAY, wrong);
        assert_eq!(mended(&stack).await, 0, "{wrong}: once may be a change on its way");
        assert_eq!(stack.fanout.counted(Status::Cancelled, TODAY), wrong);
        assert_eq!(mended(&stack).await, 1);
        assert_eq!(stack.fanout.counted(Status::Cancelled, TODAY), 3);
        assert_eq!(mended(&stack).await, 0);
    }
}

#[tokio::test]
async fn a_counter_that_changed_in_between_is_compared_again() {
    let stack = three_cancelled().await;
    stack.fanout.set_counter(Status::Cancelled, TODAY, 1);
    assert_eq!(mended(&stack).await, 0);
    stack.fanout.set_counter(Status::Cancelled, TODAY, 2);
    assert_eq!(mended(&stack).await, 0, "another difference than before");
    assert_eq!(mended(&stack).await, 1);
}

#[tokio::test]
async fn a_change_that_is_still_in_the_stream_is_not_corrected() {
    let stack = three_cancelled().await;
    let id = stack.submit(7);
    stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy);
    assert_eq!(mended(&stack).await, 0);
    stack.follow_stream().await.unwrap();
    assert_eq!(mended(&stack).await, 0);
    assert_eq!(stack.fanout.counted(Status::Cancelled, TODAY), 4);
}

#[tokio::test]
async fn a_resolved_difference_is_removed() {
    let stack = three_cancelled().await;
    // One on its way: 4 jobs, 3 counted. Then it arrives.
    let id = stack.submit(7);
    stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy);
    assert_eq!(mended(&stack).await, 0);
    stack.follow_stream().await.unwrap();
    assert_eq!(mended(&stack).await, 0);
    // One is deleted, and another is on its way: again 4 jobs, 3 counted, and again nothing is wrong.
    stack.jobs.apply(&id, &Event::Delete, stack.world.now(), &stack.policy);
    stack.follow_stream().await.unwrap();
    assert_eq!(mended(&stack).await, 0);
    let next = stack.submit(8);
    stack.jobs.apply(&next, &Event::Cancel, stack.world.now(), &stack.policy);
    assert_eq!(mended(&stack).await, 0, "the same difference, but not twice in a row");
    stack.follow_stream().await.unwrap();
    assert_eq!(stack.fanout.counted(Status::Cancelled, TODAY), 4);
}

#[tokio::test]
async fn yesterday_is_reconciled_too_and_earlier_days_are_not() {
    let stack = three_cancelled().await;
    stack.fanout.set_counter(Status::Cancelled, TODAY, 9);
    stack.world.advance_s(24 * 3600);
    assert_eq!((mended(&stack).await, mended(&stack).await), (0, 1));
    stack.fanout.set_counter(Status::Cancelled, TODAY, 9);
    stack.world.advance_s(24 * 3600);
    assert_eq!((mended(&stack).await, mended(&stack).await), (0, 0));
}

#[tokio::test]
async fn each_status_is_corrected_independently() {
    let stack = three_cancelled().await;
    stack.fanout.set_counter(Status::Completed, TODAY, 5);
    stack.fanout.set_counter(Status::Failed, TODAY, 5);
    stack.fanout.set_counter(Status::Cancelled, TODAY, 5);
    assert_eq!((mended(&stack).await, mended(&stack).await), (0, 3));
    let totals: Vec<i64> =
        [Status::Completed, Status::Failed, Status::Cancelled].map(|status| stack.fanout.counted(status, TODAY)).into();
    assert_eq!(totals, [0, 0, 3]);
}

#[tokio::test]
async fn a_busy_store_is_an_error() {
    for operation in ["count_jobs", "counter", "suspect", "mend"] {
        let stack = three_cancelled().await;
        stack.fanout.set_counter(Status::Completed, TODAY, 5);
        if operation == "mend" {
            mended(&stack).await;
        }
        stack.fanout.faults.busy(operation, 1);
        assert!(reconcile(&stack.fanout, stack.world.now()).await.is_err(), "{operation}");
    }
}
