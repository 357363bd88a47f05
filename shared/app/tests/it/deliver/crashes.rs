//! Crashes, lost responses and two dispatchers at once: attempts are stored before the send, and only one sends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reelhook_app::webhooks::deliver::deliver;
use reelhook_domain::{AttemptResult, DeliveryStatus};
use reelhook_testkit::{Fault, MemoryDeliveries, NOON, ScriptedHttp, Stack, header, response};

use super::{add, hint, send, with_one};

/// The stored attempts of the delivery: number and status of each, no status where the result is unknown.
fn attempts(deliveries: &MemoryDeliveries) -> Vec<(u32, Option<u16>)> {
    let attempts = deliveries.attempts(deliveries.only().id);
    attempts.into_iter().map(|attempt| (attempt.number, attempt.result.map(|result| result.status))).collect()
}

#[tokio::test]
async fn the_attempt_is_written_before_the_send_and_completed_after_it() {
    let (mut stack, delivery) = with_one(&[]);
    let (deliveries, seen) = (Arc::clone(&stack.deliveries), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&seen);
    stack.http = ScriptedHttp::new(move |_| {
        let during = deliveries.only();
        *kept.lock().unwrap() = vec![(attempts(&deliveries), during.lease_until, during.due_at, during.attempts)];
        Ok(response(200, ""))
    });
    send(&stack, &delivery).await.unwrap();
    // The lease lasts 5 s longer than one attempt. The sweep finds the delivery a minute after its first hint.
    let (lease, due) = (Some(NOON.after(Duration::from_secs(15))), Some(NOON.after(Duration::from_secs(60))));
    assert_eq!(*seen.lock().unwrap(), [(vec![(1, None)], lease, due, 1)]);
    assert_eq!(attempts(&stack.deliveries), [(1, Some(200))]);
}

#[tokio::test]
async fn after_a_crash_the_first_attempt_stays_unknown_and_the_next_has_number_2() {
    let (stack, delivery) = with_one(&[]);
    let ports = stack.deliver_ports();
    let hints = [hint(&delivery)];
    let mut crashed = Box::pin(deliver(&ports, &hints));
    // The process ends after the attempt's row was written and the request sent.
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    while stack.http.requests().is_empty() {
        assert!(crashed.as_mut().poll(&mut context).is_pending());
    }
    drop(crashed);
    assert_eq!(attempts(&stack.deliveries), [(1, None)]);

    stack.world.advance_s(59);
    assert_eq!(stack.sweep().await.deliveries_hinted, 0, "its first hint may still arrive");
    stack.world.advance_s(1);
    assert_eq!(stack.sweep().await.deliveries_hinted, 1);
    assert_eq!(stack.dispatch().await, 1);
    assert_eq!(attempts(&stack.deliveries), [(1, None), (2, Some(200))]);
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
    let ids: Vec<String> = stack.http.requests().iter().map(|request| header(request, "webhook-id")).collect();
    assert_eq!(ids[0], ids[1], "the receiver recognizes the repeat by its id");
}

#[tokio::test]
async fn an_unknown_attempt_counts_as_an_attempt() {
    let (mut stack, delivery) = with_one(&[("WEBHOOK_MAX_RETRIES", "1")]);
    stack.http = ScriptedHttp::always(500);
    stack.deliveries.faults.busy("save", 1);
    assert!(send(&stack, &delivery).await.is_err());
    stack.world.advance_s(15);
    send(&stack, &delivery).await.unwrap();
    let end = stack.deliveries.only();
    assert_eq!((end.status, end.attempts), (DeliveryStatus::Exhausted, 2));
}

#[tokio::test]
async fn the_lease_keeps_a_second_dispatcher_out() {
    let (stack, delivery) = with_one(&[]);
    let (one, other) = tokio::join!(send(&stack, &delivery), send(&stack, &delivery));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(stack.http.requests().len(), 1);
    assert_eq!(attempts(&stack.deliveries), [(1, Some(200))]);
}

#[tokio::test]
async fn a_hint_during_an_attempt_is_acknowledged_and_sends_nothing() {
    let (stack, delivery) = with_one(&[]);
    stack.deliveries.faults.busy("save", 1);
    assert!(send(&stack, &delivery).await.is_err());
    stack.world.advance_s(14);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(stack.http.requests().len(), 1);
}

#[tokio::test]
async fn an_attempt_that_outlives_its_lease_writes_only_its_own_row() {
    let (stack, delivery) = with_one(&[]);
    let ports = stack.deliver_ports();
    let hints = [hint(&delivery)];
    let mut slow = Box::pin(deliver(&ports, &hints));
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    while stack.http.requests().is_empty() {
        assert!(slow.as_mut().poll(&mut context).is_pending());
    }
    stack.world.advance_s(15);
    stack.http.script(|_| Ok(response(503, "")));
    send(&stack, &delivery).await.unwrap();
    let by_the_second = stack.deliveries.only();
    assert!(slow.await.remove(0).is_ok());
    assert_eq!(stack.deliveries.only(), by_the_second, "the result of the second attempt is kept");
    assert_eq!(attempts(&stack.deliveries), [(1, Some(200)), (2, Some(503))]);
}

#[tokio::test]
async fn a_busy_store_before_the_send_sends_nothing_and_redelivers_the_message() {
    for operation in ["load", "endpoint", "admit", "begin"] {
        let (stack, delivery) = with_one(&[]);
        stack.deliveries.faults.busy(operation, 1);
        let error = send(&stack, &delivery).await.unwrap_err();
        assert!(error.is_busy(), "{operation}: {error}");
        assert!(stack.http.requests().is_empty(), "{operation}");
        send(&stack, &delivery).await.unwrap();
        assert_eq!(attempts(&stack.deliveries), [(1, Some(200))], "{operation}");
    }
}

#[tokio::test]
async fn a_busy_store_after_the_send_sends_again_under_the_same_id() {
    let (stack, delivery) = with_one(&[]);
    stack.deliveries.faults.busy("save", 1);
    assert!(send(&stack, &delivery).await.unwrap_err().is_busy());
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Pending);
    stack.world.advance_s(60);
    assert_eq!(stack.sweep().await.deliveries_hinted, 1);
    stack.dispatch().await;
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
    let ids: Vec<String> = stack.http.requests().iter().map(|request| header(request, "webhook-id")).collect();
    assert_eq!(ids, [delivery.id.webhook_id(), delivery.id.webhook_id()]);
    assert_eq!(attempts(&stack.deliveries), [(1, None), (2, Some(200))], "the result of the first is unknown");
}

#[tokio::test]
async fn a_410_whose_disabling_fails_is_retried() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::always(410);
    stack.deliveries.faults.busy("disable", 1);
    assert!(send(&stack, &delivery).await.unwrap_err().is_busy());
    stack.world.advance_s(15);
    send(&stack, &delivery).await.unwrap();
    assert!(stack.deliveries.endpoint_state(&delivery.endpoint_id).disabled_at.is_some());
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Stopped);
}

#[tokio::test]
async fn a_claim_whose_response_was_lost_ends_with_its_lease() {
    let (stack, delivery) = with_one(&[]);
    stack.deliveries.faults.inject("begin", [Fault::LostAnswer]);
    assert!(send(&stack, &delivery).await.is_err());
    send(&stack, &delivery).await.unwrap();
    assert!(stack.http.requests().is_empty(), "it is unknown whether it was sent, so the lease has to end first");
    stack.world.advance_s(15);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(attempts(&stack.deliveries), [(1, None), (2, Some(200))]);
}

#[tokio::test]
async fn an_attempt_starts_after_the_previous_one_is_stored() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    send(&stack, &delivery).await.unwrap();
    stack.world.advance_s(1);
    stack.deliveries.faults.busy("keep", 1);
    assert!(send(&stack, &delivery).await.unwrap_err().is_busy());
    assert_eq!(stack.http.requests().len(), 1);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(attempts(&stack.deliveries), [(1, Some(500)), (2, Some(200))]);
}

#[tokio::test]
async fn a_stored_end_whose_response_was_lost_is_not_sent_again() {
    let (stack, delivery) = with_one(&[]);
    stack.deliveries.faults.inject("save", [Fault::LostAnswer]);
    assert!(send(&stack, &delivery).await.is_err());
    stack.world.advance_s(15);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(attempts(&stack.deliveries), [(1, Some(200))]);
}

#[tokio::test]
async fn each_message_of_a_batch_has_its_own_result() {
    let stack = Stack::default();
    let deliveries: Vec<_> = (1..=3).map(|n| add(&stack, n)).collect();
    let hints: Vec<_> = deliveries.iter().map(hint).collect();
    stack.deliveries.faults.inject_for("begin", deliveries[1].id, Fault::Busy);
    let results = deliver(&stack.deliver_ports(), &hints).await;
    let answers: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(answers, [true, false, true]);
    let statuses: Vec<_> = deliveries.iter().map(|delivery| stack.deliveries.get(delivery.id).status).collect();
    assert_eq!(statuses, [DeliveryStatus::Delivered, DeliveryStatus::Pending, DeliveryStatus::Delivered]);
}

#[tokio::test]
async fn a_batch_that_can_t_be_loaded_is_redelivered_as_a_whole() {
    let stack = Stack::default();
    let hints: Vec<_> = (1..=3).map(|n| hint(&add(&stack, n))).collect();
    stack.deliveries.faults.inject("load", [Fault::Refuse]);
    let results = deliver(&stack.deliver_ports(), &hints).await;
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(|result| result.as_ref().is_err_and(|error| !error.is_busy())), "{results:?}");
}

#[tokio::test]
async fn a_duplicate_delivery_in_a_batch_is_sent_once() {
    let (stack, delivery) = with_one(&[]);
    let results = deliver(&stack.deliver_ports(), &[hint(&delivery), hint(&delivery)]).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(stack.http.requests().len(), 1);
}

#[tokio::test]
async fn a_hint_for_an_unknown_delivery_is_acknowledged() {
    let (stack, delivery) = with_one(&[]);
    stack.deliveries.forget();
    send(&stack, &delivery).await.unwrap();
    assert!(stack.http.requests().is_empty());
}

#[tokio::test]
async fn an_early_hint_sends_nothing_and_leaves_the_delivery_due() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::always(500);
    send(&stack, &delivery).await.unwrap();
    let waiting = stack.deliveries.only();
    send(&stack, &delivery).await.unwrap();
    assert_eq!(stack.deliveries.only(), waiting);
    assert_eq!(stack.http.requests().len(), 1);
}

#[tokio::test]
async fn a_delayed_hint_that_can_t_be_sent_is_replaced_by_the_sweep() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    stack.hints.faults.busy("send", 1);
    send(&stack, &delivery).await.unwrap();
    assert!(stack.hints.waiting().is_empty());
    stack.world.advance_s(61);
    assert_eq!(stack.sweep().await.deliveries_hinted, 1);
    stack.dispatch().await;
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn results_are_stored_unchanged_for_people() {
    let (stack, delivery) = with_one(&[]);
    send(&stack, &delivery).await.unwrap();
    let result = stack.deliveries.attempts(delivery.id).remove(0).result;
    let expected = AttemptResult {
        status: 200,
        error: None,
        first_byte_ms: Some(12),
        duration_ms: 34,
        peer: None,
        response_hash: Some("fc62e333ebc287cf77ed969c926f2ee0c791b6ba50f4f52a79c8c80f6db747ba".to_owned()),
        response: r#"{"accepted": true, "worker_id": "worker-1"}"#.to_owned(),
        next_attempt_at: None,
        reason: "delivered".to_owned(),
    };
    assert_eq!(result, Some(expected));
}
