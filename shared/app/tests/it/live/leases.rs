//! A push ends before its lease and its invocation do, and goes on by a hint: nothing is sent twice or never.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::live::ports::{Lease, Leased, Leases, Released, last_start};
use reelhook_app::live::push::process;
use reelhook_app::outbox::messages::LiveMessage;
use reelhook_app::store::StoreError;
use reelhook_domain::Subject;
use reelhook_testkit::{MemoryLive, NOON};

use super::{cursors, following, open, subscribe, work, work_on_queue};

/// The events of a job happen, so many; returns what fanout sends then.
fn happen(live: &MemoryLive, events: usize) -> Vec<LiveMessage> {
    (0..events).map(|_| live.happens("job_1", None, false)).collect()
}

/// The positions from the second event of the job to this one.
fn positions(last: usize) -> Vec<String> {
    (2..=last).map(|version| format!("{version}.0")).collect()
}

#[tokio::test]
async fn a_push_stops_before_its_lease_ends_and_goes_on_by_a_hint() {
    let live = following().await;
    live.world.advance_s(2);
    work_on_queue(&live).await;
    live.sockets.slow_down("a", Duration::from_secs(1));
    let pushes = happen(&live, 20);
    for sent in [8, 16, 20] {
        work(&live, &pushes[..1]).await;
        assert_eq!(cursors(&live, "a"), positions(sent + 1));
        live.world.advance_s(1);
    }
    work_on_queue(&live).await;
    assert_eq!(cursors(&live, "a"), positions(21));
    // Without another push hints go on.
    let pushes = happen(&live, 20);
    work(&live, &pushes[..1]).await;
    for _ in 0..2 {
        live.world.advance_s(1);
        work_on_queue(&live).await;
    }
    assert_eq!(cursors(&live, "a"), positions(41));
}

#[tokio::test]
async fn an_invocation_without_time_begins_nothing() {
    let live = following().await;
    let messages = [live.happens("job_1", None, false), LiveMessage::Beat { connection: "a".to_owned() }];
    live.stop_at(live.world.now());
    let results = process(&live.ports(), &messages).await;
    assert!(results.iter().all(|result| result.as_ref().is_err_and(|error| error.is_busy())), "{results:?}");
    assert_eq!(live.sockets.sent_to("a").len(), 1);
    live.stop_at(last_start(None));
    work(&live, &messages).await;
    assert_eq!(cursors(&live, "a"), positions(2));
}

#[tokio::test]
async fn a_push_to_many_stops_before_its_invocation_ends() {
    let live = following().await;
    open(&live, "b", None).await;
    subscribe(&live, "b", "job_1", None).await;
    live.world.advance_s(2);
    work_on_queue(&live).await;
    for id in ["a", "b"] {
        live.sockets.slow_down(id, Duration::from_secs(1));
    }
    let pushes = happen(&live, 10);
    live.stop_at(live.world.now().after(Duration::from_secs(5)));
    work(&live, &pushes).await;
    // One message of each may be under way at that time.
    assert!(cursors(&live, "a").len() + cursors(&live, "b").len() <= 6);
    live.stop_at(last_start(None));
    for _ in 0..10 {
        live.world.advance_s(1);
        work_on_queue(&live).await;
    }
    for id in ["a", "b"] {
        assert_eq!(cursors(&live, id), positions(11), "{id}");
    }
}

#[test]
fn what_is_begun_in_an_invocation_has_time_to_end() {
    let left = Duration::from_millis(u64::try_from(NOON.millis_since(last_start(Some(NOON)))).unwrap());
    assert_eq!(left, Duration::from_secs(10));
}

#[tokio::test]
async fn a_lease_is_given_back_after_an_error() {
    let live = following().await;
    let push = live.happens("job_1", None, false);
    live.faults.busy("live_since", 1);
    let failed: Result<(), StoreError> = process(&live.ports(), std::slice::from_ref(&push)).await.remove(0);
    assert!(failed.is_err());
    work(&live, &[push]).await;
    assert_eq!(cursors(&live, "a"), positions(2));
}

#[tokio::test]
async fn a_lease_that_is_requested_twice_by_its_holder_is_the_holder_s() {
    let live = following().await;
    let (job, now) = (Subject::parse("job_1").unwrap(), live.world.now());
    let lease = Lease { holder: "me".to_owned(), until: now.after(Duration::from_secs(20)) };
    for _ in 0..2 {
        // As when the SDK repeats a request whose answer was lost.
        assert!(matches!(live.connections.lease("a", &job, &lease, now).await.unwrap(), Leased::Yes(_)));
    }
    let other = Lease { holder: "other".to_owned(), ..lease };
    assert_eq!(live.connections.lease("a", &job, &other, now).await.unwrap(), Leased::Held);
}

#[tokio::test]
async fn a_viewer_who_has_missed_nothing_is_left_alone() {
    let live = following().await;
    let (job, now) = (Subject::parse("job_1").unwrap(), live.world.now());
    let lease = Lease { holder: "other".to_owned(), until: now.after(Duration::from_secs(20)) };
    assert!(matches!(live.connections.lease("a", &job, &lease, now).await.unwrap(), Leased::Yes(_)));
    let hints = live.hints.sent().len();
    live.world.advance_s(2);
    work_on_queue(&live).await;
    let subscription = live.connections.subscription("a", &job).await.unwrap().unwrap();
    // The holder has no reason to read again, and nothing is left to do when its lease has ended.
    assert_eq!(live.connections.release(&subscription, &lease).await.unwrap(), Released::Done);
    assert_eq!(live.hints.sent().len(), hints);
}

#[tokio::test]
async fn what_happens_while_a_crashed_function_has_the_lease_is_sent_when_it_has_ended() {
    let live = following().await;
    let (job, now) = (Subject::parse("job_1").unwrap(), live.world.now());
    let lease = Lease { holder: "crashed".to_owned(), until: now.after(Duration::from_secs(20)) };
    assert!(matches!(live.connections.lease("a", &job, &lease, now).await.unwrap(), Leased::Yes(_)));
    work(&live, &happen(&live, 1)).await;
    live.world.advance_s(2);
    // The hint of the subscription.
    work_on_queue(&live).await;
    assert!(cursors(&live, "a").is_empty());
    live.world.advance_s(21);
    work_on_queue(&live).await;
    assert_eq!(cursors(&live, "a"), positions(2));
}
