//! The rate limit of an endpoint: deliveries beyond it wait for a later window, in order, and are never dropped.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::webhooks::deliver::deliver;
use reelhook_domain::{Delivery, DeliveryStatus, Timestamp, WaitReason};
use reelhook_testkit::{NOON, ScriptedHttp, Stack, a_delivery, body_of, response};

use super::{ONE, add, hint};

const MINUTE_MS: i64 = 60_000;

/// When each job's webhook was sent.
type Sends = Arc<Mutex<Vec<(String, Timestamp)>>>;

/// A stack that records the time of each send.
fn watched(settings: &[(&str, &str)]) -> (Stack, Sends) {
    let mut stack = Stack::with(settings, 3);
    let sends = Sends::default();
    let (kept, world) = (Arc::clone(&sends), Arc::clone(&stack.world));
    stack.http = ScriptedHttp::new(move |request| {
        let job = body_of(request)["data"]["job_id"].as_str().unwrap().to_owned();
        kept.lock().unwrap().push((job, world.now()));
        Ok(response(200, ""))
    });
    (stack, sends)
}

/// Runs the dispatcher on these hints, ten at a time.
async fn deliver_all(stack: &Stack, deliveries: &[Delivery]) {
    let hints: Vec<_> = deliveries.iter().map(hint).collect();
    for batch in hints.chunks(10) {
        for result in deliver(&stack.deliver_ports(), batch).await {
            result.unwrap();
        }
    }
}

/// The number of sends in each minute since noon.
fn by_minute(sends: &Sends) -> Vec<usize> {
    let mut minutes = Vec::new();
    for (_, at) in sends.lock().unwrap().iter() {
        let minute = usize::try_from(at.millis_since(NOON) / MINUTE_MS).unwrap();
        minutes.resize(minutes.len().max(minute + 1), 0);
        minutes[minute] += 1;
    }
    minutes
}

#[tokio::test]
async fn of_250_deliveries_at_100_per_minute_none_is_dropped_and_their_order_is_kept() {
    let (stack, sends) = watched(&[ONE]);
    stack.world.advance_s(20);
    let deliveries: Vec<_> = (0..250).map(|n| add(&stack, n)).collect();
    deliver_all(&stack, &deliveries).await;
    let sent_now = sends.lock().unwrap().len();
    assert_eq!((sent_now, stack.deliveries.unfinished()), (100, 150));
    for _ in 0..300 {
        stack.world.advance_s(1);
        stack.dispatch().await;
    }
    assert_eq!(by_minute(&sends), [100, 100, 50]);
    assert!(stack.deliveries.all().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
    let order: Vec<String> = sends.lock().unwrap().iter().map(|(job, _)| job.clone()).collect();
    let expected: Vec<String> = deliveries.iter().map(|delivery| delivery.subject.to_string()).collect();
    assert_eq!(order, expected);
    assert!(stack.hints.waiting().is_empty());
    let attempts: u32 = stack.deliveries.all().iter().map(|delivery| delivery.attempts).sum();
    assert_eq!(attempts, 250, "waiting does not count as an attempt");
}

#[tokio::test]
async fn a_rate_limited_delivery_is_found_by_the_sweep_when_its_hint_is_lost() {
    let (stack, sends) = watched(&[ONE, ("WEBHOOK_RATE_LIMIT_MAX", "2")]);
    let deliveries: Vec<_> = (0..5).map(|n| add(&stack, n)).collect();
    deliver_all(&stack, &deliveries).await;
    stack.hints.purge();
    for _ in 0..10 {
        stack.world.advance_s(60);
        stack.sweep().await;
        stack.dispatch().await;
    }
    assert_eq!((sends.lock().unwrap().len(), stack.deliveries.unfinished()), (5, 0));
}

#[tokio::test]
async fn a_reservation_is_not_made_twice() {
    let (stack, _) = watched(&[ONE, ("WEBHOOK_RATE_LIMIT_MAX", "1")]);
    let deliveries: Vec<_> = (0..2).map(|n| add(&stack, n)).collect();
    deliver_all(&stack, &deliveries).await;
    let window = stack.deliveries.endpoint_state(&deliveries[0].endpoint_id).window;
    assert_eq!(stack.deliveries.get(deliveries[1].id).wait_reason, Some(WaitReason::RateLimit));
    stack.world.advance_s(60);
    stack.dispatch().await;
    assert_eq!(stack.deliveries.endpoint_state(&deliveries[0].endpoint_id).window, window);
    assert_eq!(stack.deliveries.unfinished(), 0);
}

#[tokio::test]
async fn a_retry_uses_the_rate_limit_like_any_other_send() {
    let (mut stack, _) = watched(&[ONE, ("WEBHOOK_RATE_LIMIT_MAX", "1")]);
    let delivery = add(&stack, 1);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    deliver_all(&stack, std::slice::from_ref(&delivery)).await;
    stack.world.advance_s(1);
    stack.dispatch().await;
    assert_eq!(stack.http.requests().len(), 1, "the retry falls into a full window");
    assert_eq!(stack.deliveries.only().next_attempt_at, NOON.after(Duration::from_secs(60)));
    stack.world.advance_s(59);
    stack.dispatch().await;
    assert_eq!((stack.http.requests().len(), stack.deliveries.unfinished()), (2, 0));
}

#[tokio::test]
async fn two_dispatchers_share_the_rate_limit() {
    let (stack, sends) = watched(&[ONE, ("WEBHOOK_RATE_LIMIT_MAX", "10")]);
    let deliveries: Vec<_> = (0..40).map(|n| add(&stack, n)).collect();
    let (one, other) = deliveries.split_at(20);
    tokio::join!(deliver_all(&stack, one), deliver_all(&stack, other));
    assert_eq!(by_minute(&sends), [10]);
    for _ in 0..200 {
        stack.world.advance_s(1);
        stack.dispatch().await;
    }
    assert_eq!(by_minute(&sends), [10, 10, 10, 10]);
}

#[tokio::test]
async fn each_endpoint_has_its_own_rate_limit() {
    let urls = ("WEBHOOK_URLS", "https://a.example/,https://b.example/");
    let (stack, sends) = watched(&[urls, ("WEBHOOK_RATE_LIMIT_MAX", "1")]);
    let mut deliveries = Vec::new();
    for endpoint in &stack.settings.endpoints {
        let (delivery, event) = a_delivery(1, endpoint, NOON);
        stack.deliveries.put_event(&event);
        stack.deliveries.put_delivery(&delivery);
        deliveries.push(delivery);
    }
    deliver_all(&stack, &deliveries).await;
    assert_eq!(by_minute(&sends), [2]);
}

#[tokio::test]
async fn a_reservation_beyond_the_maximum_queue_delay_is_kept_by_the_due_time_alone() {
    let (stack, _) = watched(&[ONE, ("WEBHOOK_RATE_LIMIT_MAX", "1"), ("WEBHOOK_RATE_LIMIT_WINDOW", "3600000")]);
    let deliveries: Vec<_> = (0..2).map(|n| add(&stack, n)).collect();
    deliver_all(&stack, &deliveries).await;
    assert!(stack.hints.waiting().is_empty());
    let waiting = stack.deliveries.get(deliveries[1].id);
    let reserved = NOON.after(Duration::from_secs(3600));
    assert_eq!((waiting.next_attempt_at, waiting.due_at), (reserved, Some(reserved.after(Duration::from_secs(60)))));
    stack.world.set(reserved.after(Duration::from_secs(60)));
    stack.sweep().await;
    stack.dispatch().await;
    assert_eq!(stack.deliveries.unfinished(), 0);
}

#[tokio::test]
async fn after_an_outage_of_the_dispatcher_the_limit_still_holds() {
    let (stack, sends) = watched(&[ONE]);
    let deliveries: Vec<_> = (0..250).map(|n| add(&stack, n)).collect();
    deliver_all(&stack, &deliveries).await;
    // The hints of the next two minutes are received ten minutes later.
    stack.world.advance_s(600);
    for _ in 0..300 {
        stack.dispatch().await;
        stack.world.advance_s(1);
    }
    let minutes = by_minute(&sends);
    assert_eq!((minutes.iter().sum::<usize>(), stack.deliveries.unfinished()), (250, 0));
    assert!(minutes.iter().all(|sent| *sent <= 100), "100 per minute and endpoint, sent were {minutes:?}");
}
