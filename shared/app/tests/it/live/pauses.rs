//! The pause between two pushes: an invocation waits for what is left of it, and nothing waits for longer.

use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::clock::ClockAndRandom;
use reelhook_app::live::ports::LivePorts;
use reelhook_app::live::push::process;
use reelhook_app::outbox::messages::LiveMessage;
use reelhook_domain::Timestamp;
use reelhook_testkit::World;
use tokio::sync::Notify;

use super::{cursors, following, open, subscribe, work, work_on_queue};

#[tokio::test]
async fn at_most_one_push_a_second_is_sent_and_none_later_than_that() {
    let live = following().await;
    work(&live, &[live.happens("job_1", None, false)]).await;
    assert_eq!(cursors(&live, "a"), ["2.0"]);
    let pushed_at = live.world.now();
    live.world.advance(Duration::from_millis(600));
    let pushes: Vec<LiveMessage> = (0..4).map(|_| live.happens("job_1", None, false)).collect();
    work(&live, &pushes).await;
    // The invocation waits for the rest of the second, and sends all of them together.
    assert_eq!(live.world.waits(), [Duration::from_millis(400)]);
    assert_eq!(live.world.now(), pushed_at.after(Duration::from_secs(1)));
    assert_eq!(cursors(&live, "a"), ["2.0", "3.0", "4.0", "5.0", "6.0"]);
    // No hint was sent, beside the one of the subscription.
    let hints = live.hints.waiting().into_iter();
    assert_eq!(hints.filter(|hint| matches!(hint.message, LiveMessage::CatchUp { .. })).count(), 1);
}

/// A clock whose waits end when the test says so.
struct HeldClock<'a> {
    world: &'a World,
    go_on: Notify,
}

#[async_trait]
impl ClockAndRandom for HeldClock<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn random(&self) -> u128 {
        self.world.random()
    }

    async fn wait(&self, time: Duration) {
        self.go_on.notified().await;
        self.world.advance(time);
    }
}

#[tokio::test]
async fn while_an_invocation_waits_no_other_does_and_the_end_is_sent_at_once() {
    let live = following().await;
    work(&live, &[live.happens("job_1", None, false)]).await;
    let clock = HeldClock { world: &live.world, go_on: Notify::new() };
    let ports = LivePorts { clock: &clock, ..live.ports() };
    let push = live.happens("job_1", None, false);
    let meanwhile = async {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        work(&live, &[live.happens("job_1", None, false)]).await;
        assert!(live.world.waits().is_empty());
        assert_eq!(cursors(&live, "a"), ["2.0"]);
        work(&live, &[live.happens("job_1", None, true)]).await;
        assert_eq!(cursors(&live, "a"), ["2.0", "3.0", "4.0", "5.0"]);
        clock.go_on.notify_one();
    };
    let (results, ()) = tokio::join!(process(&ports, std::slice::from_ref(&push)), meanwhile);
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(cursors(&live, "a"), ["2.0", "3.0", "4.0", "5.0"]);
}

#[tokio::test]
async fn an_invocation_that_others_wait_for_leaves_a_pause_to_the_queue() {
    let live = following().await;
    work(&live, &[live.happens("job_1", None, false)]).await;
    assert_eq!(cursors(&live, "a"), ["2.0"]);
    for _ in 0..4 {
        // A full batch.
        let push = live.happens("job_1", None, false);
        work(&live, &[(); 10].map(|()| push.clone())).await;
    }
    assert!(live.world.waits().is_empty());
    assert_eq!(cursors(&live, "a"), ["2.0"]);
    // However many events wait, one hint is under way, beside the one of the subscription.
    let hints = live.hints.waiting().into_iter();
    assert_eq!(hints.filter(|hint| matches!(hint.message, LiveMessage::CatchUp { .. })).count(), 2);
    live.world.advance_s(1);
    work_on_queue(&live).await;
    assert_eq!(cursors(&live, "a"), ["2.0", "3.0", "4.0", "5.0", "6.0"]);
}

#[tokio::test]
async fn a_viewer_who_is_stuck_delays_none_whose_pause_ends() {
    let live = following().await;
    work(&live, &[live.happens("job_1", None, false)]).await;
    open(&live, "b", None).await;
    subscribe(&live, "b", "job_1", None).await;
    live.sockets.stick("b");
    let served = async {
        for _ in 0..10_000 {
            if cursors(&live, "a") == ["2.0", "3.0"] {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(cursors(&live, "a"), ["2.0", "3.0"]);
        assert!(cursors(&live, "b").is_empty());
        live.sockets.go_on("b");
    };
    let push = live.happens("job_1", None, false);
    tokio::join!(work(&live, std::slice::from_ref(&push)), served);
    assert_eq!(cursors(&live, "b"), ["3.0"]);
}
