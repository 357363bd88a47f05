//! The numbers of the queue, and the switch that pauses it.

use std::time::Duration;

use reelhook_app::jobs::queue::{QueueStatus, status, toggle};
use reelhook_app::outbox::messages::{Delayed, WorkMessage};
use reelhook_app::views::streamgank::QueueCounts;
use reelhook_domain::{JobId, Status};
use reelhook_testkit::{NOON, Stack};

use super::put;

#[tokio::test]
async fn the_numbers_tell_how_the_queue_stands() {
    let stack = Stack::with(&[], 2);
    let ids: Vec<JobId> = (1..=3).map(|n| stack.submit(n)).collect();
    stack.settle().await;
    let rendering = put(&stack, 10, Status::Rendering, NOON).id;
    let ended = [Status::Completed, Status::Completed, Status::Failed, Status::Cancelled];
    for (n, status) in (11..).zip(ended) {
        put(&stack, n, status, NOON);
    }
    let mut expected = QueueStatus {
        counts: QueueCounts { pending: 1, processing: 2, rendering: 1, completed: 2, failed: 1, cancelled: 1 },
        active: vec![ids[0].clone(), ids[1].clone(), rendering],
        running: 2,
        paused: false,
    };
    assert_eq!(status(&*stack.jobs, NOON).await.unwrap(), expected);
    toggle(&*stack.jobs, &stack.work, &*stack.world, Some(false)).await.unwrap();
    expected.paused = true;
    assert_eq!(status(&*stack.jobs, NOON).await.unwrap(), expected);
    // Leases that ran out count no more, whatever the jobs say.
    expected.running = 0;
    let lease = NOON.after(Duration::from_secs(60 + 30 * 60 + 300));
    assert_eq!(status(&*stack.jobs, lease).await.unwrap(), expected);
}

#[tokio::test]
async fn a_toggle_inverts_or_sets_the_switch_and_returns_the_old_and_new_state() {
    let check = async |paused: bool, requested: Option<bool>, (was, is): (bool, bool)| {
        let stack = Stack::default();
        stack.jobs.change_admission(|admission| admission.paused = paused);
        let answer = toggle(&*stack.jobs, &stack.work, &*stack.world, requested).await.unwrap();
        assert_eq!(answer, (was, is), "{paused} {requested:?}");
        let after = stack.jobs.admission_item();
        assert_eq!((after.paused, after.version), (!is, if was == is { 1 } else { 2 }), "{paused} {requested:?}");
        let hints = if is { vec![Delayed::now(WorkMessage::start())] } else { vec![] };
        assert_eq!(stack.work.sent(), hints, "{paused} {requested:?}");
    };
    check(false, None, (true, false)).await;
    check(true, None, (false, true)).await;
    check(false, Some(false), (true, false)).await;
    check(true, Some(true), (false, true)).await;
    check(false, Some(true), (true, true)).await;
    check(true, Some(false), (false, false)).await;
}

#[tokio::test]
async fn a_toggle_is_decided_again_after_a_conflict() {
    // Concurrent starts claim slots; both changes are kept.
    let check = async |conflicts: usize, goes_through: bool| {
        let stack = Stack::default();
        for _ in 0..conflicts {
            stack.jobs.before("save_admission", |jobs| {
                jobs.change_admission(|admission| {
                    let slot = format!("job_other.{}.1", admission.version);
                    admission.active.insert(slot, NOON.after(Duration::from_secs(60)));
                });
            });
        }
        let answer = toggle(&*stack.jobs, &stack.work, &*stack.world, None).await;
        assert_eq!(answer.as_ref().ok(), goes_through.then_some(&(true, false)), "{conflicts}");
        assert!(answer.is_ok() || answer.is_err_and(|error| error.is_busy()), "{conflicts}");
        let after = stack.jobs.admission_item();
        assert_eq!((after.paused, after.active.len()), (goes_through, conflicts));
        assert_eq!(stack.jobs.faults.calls("save_admission"), 20, "{conflicts}");
    };
    check(19, true).await;
    check(20, false).await;
    // A concurrent toggle pauses the queue first.
    for (requested, expected) in [(None, (false, true)), (Some(false), (false, false))] {
        let stack = Stack::default();
        stack.jobs.before("save_admission", |jobs| jobs.change_admission(|admission| admission.paused = true));
        assert_eq!(
            toggle(&*stack.jobs, &stack.work, &*stack.world, requested).await.unwrap(),
            expected,
            "{requested:?}"
        );
        assert_eq!(stack.jobs.admission_item().paused, !expected.1, "{requested:?}");
    }
}

#[tokio::test]
async fn what_waited_starts_when_the_queue_opens_even_if_the_hint_gets_lost() {
    for lost in [false, true] {
        let stack = Stack::with(&[], 3);
        toggle(&*stack.jobs, &stack.work, &*stack.world, Some(false)).await.unwrap();
        let id = stack.submit(1);
        stack.settle().await;
        assert_eq!(stack.jobs.get(&id).status, Status::Pending);
        stack.work.faults.busy("send", usize::from(lost));
        assert_eq!(toggle(&*stack.jobs, &stack.work, &*stack.world, None).await.is_err(), lost);
        assert!(!stack.jobs.admission_item().paused, "it is open all the same");
        if lost {
            stack.sweep().await;
        }
        stack.settle().await;
        assert_eq!(stack.jobs.get(&id).status, Status::Processing, "{lost}");
    }
}
