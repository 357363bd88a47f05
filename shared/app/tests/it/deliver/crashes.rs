//! Crashes, lost responses and two dispatchers at once: attempts are stored before the send, and only one sends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use reelhook_app::clock::{ClockAndRandom as _, Timer};
use reelhook_app::webhooks::deliver::{DeliverPorts, deliver};
use reelhook_app::webhooks::deliveries::{Replayed, details, replay, response_hash};
use reelhook_domain::{AttemptClaim, AttemptResult, Delivery, DeliveryStatus, Slot, Timestamp};
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
        let slots = deliveries.endpoint_state(&during.endpoint_id).concurrency.slots;
        let leases: Vec<_> = slots.iter().map(|slot| slot.until).collect();
        *kept.lock().unwrap() = vec![(attempts(&deliveries), leases, during.due_at, during.attempts)];
        Ok(response(200, ""))
    });
    send(&stack, &delivery).await.unwrap();
    // The lease lasts 5 s longer than one attempt. The sweep finds the delivery a minute after its first hint.
    let (lease, due) = (NOON.after(Duration::from_secs(15)), Some(NOON.after(Duration::from_secs(60))));
    assert_eq!(*seen.lock().unwrap(), [(vec![(1, None)], vec![lease], due, 0)], "the claim is in the endpoint's slots");
    assert_eq!(attempts(&stack.deliveries), [(1, Some(200))]);
}

#[tokio::test]
async fn after_a_crash_the_first_attempt_stays_unknown_and_the_next_has_number_2() {
    let (stack, delivery) = with_one(&[]);
    let ports = stack.deliver_ports();
    let hints = [hint(&delivery)];
    let mut crashed = Box::pin(deliver(&ports, &hints));
    // The process ends after the attempt was claimed and the request sent.
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    while stack.http.requests().is_empty() {
        assert!(crashed.as_mut().poll(&mut context).is_pending());
        // What it waits for wakes its parts when the runtime goes on.
        tokio::task::yield_now().await;
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
        // What it waits for wakes its parts when the runtime goes on.
        tokio::task::yield_now().await;
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
    for operation in ["load", "endpoint", "admit"] {
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
    stack.deliveries.faults.inject("admit", [Fault::LostAnswer]);
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
    stack.deliveries.faults.inject_for("save", deliveries[1].id, Fault::Busy);
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
        response_hash: None,
        response: r#"{"accepted": true, "worker_id": "worker-1"}"#.to_owned(),
        next_attempt_at: None,
        reason: "delivered".to_owned(),
    };
    assert_eq!(result, Some(expected));
    let hash = response_hash(result.as_ref().unwrap());
    assert_eq!(
        hash.as_deref(),
        Some("fc62e333ebc287cf77ed969c926f2ee0c791b6ba50f4f52a79c8c80f6db747ba"),
        "of its text"
    );
}

/// The delivery's next attempt, which another batch has claimed, in the state of its endpoint.
fn claim(stack: &Stack, delivery: &Delivery, until: Timestamp) {
    let slot = Slot {
        holder: 99,
        attempts: 1,
        until,
        busy_until: until,
        started_at: stack.world.now(),
        claims: vec![AttemptClaim::new(delivery.id, delivery.attempts + 1)],
    };
    stack.deliveries.change_endpoint(&delivery.endpoint_id, |state| {
        state.revision += 1;
        state.concurrency.slots.push(slot);
    });
}

#[tokio::test]
async fn a_delivery_that_is_claimed_is_shown_with_its_attempt_and_not_replayed() {
    let (stack, delivery) = with_one(&[]);
    claim(&stack, &delivery, NOON.after(Duration::from_secs(15)));
    let shown = details(&*stack.deliveries, &*stack.deliveries, delivery.id).await.unwrap().unwrap();
    assert_eq!((shown.delivery.attempts, shown.attempts.len()), (1, 1));
    assert!(shown.attempts[0].result.is_none());
    assert!(matches!(replay(&stack.replay_ports(), delivery.id).await.unwrap(), Replayed::InProgress(_)));
    stack.world.advance_s(15);
    assert!(matches!(replay(&stack.replay_ports(), delivery.id).await.unwrap(), Replayed::Due(_)), "it has crashed");
}

#[tokio::test]
async fn an_attempt_of_a_crashed_batch_is_shown_once_and_in_order() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    send(&stack, &delivery).await.unwrap();
    stack.world.advance_s(1);
    stack.deliveries.faults.inject("admit", [Fault::LostAnswer]);
    assert!(send(&stack, &delivery).await.is_err(), "the second attempt is claimed and not made");
    stack.world.advance_s(15);
    // The next batch gives both attempts rows, and is not admitted.
    stack.deliveries.faults.busy("admit", 1);
    assert!(send(&stack, &delivery).await.is_err());
    assert_eq!(attempts(&stack.deliveries), [(1, Some(500)), (2, None)]);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(attempts(&stack.deliveries), [(1, Some(500)), (2, None), (3, Some(200))]);
}

#[tokio::test]
async fn a_delivery_that_is_stopped_has_the_attempt_of_a_crashed_batch() {
    let (stack, delivery) = with_one(&[]);
    claim(&stack, &delivery, NOON);
    stack.deliveries.change_endpoint(&delivery.endpoint_id, |state| state.disabled_at = Some(NOON));
    send(&stack, &delivery).await.unwrap();
    let stopped = stack.deliveries.only();
    assert_eq!((stopped.status, stopped.attempts), (DeliveryStatus::Stopped, 1));
    assert_eq!(attempts(&stack.deliveries), [(1, None)]);
}

#[tokio::test]
async fn a_delivery_that_was_attempted_after_it_was_read_is_not_sent_again() {
    let (stack, delivery) = with_one(&[]);
    // Another dispatcher sends the delivery, and releases its slot, after this one has read it.
    let hint = [hint(&delivery)];
    let ports = stack.deliver_ports();
    let mut late = Box::pin(deliver(&ports, &hint));
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    while stack.deliveries.faults.calls("load") == 0 || stack.deliveries.faults.calls("endpoint") == 0 {
        assert!(late.as_mut().poll(&mut context).is_pending());
    }
    send(&stack, &delivery).await.unwrap();
    assert!(late.await.remove(0).is_ok());
    assert_eq!(stack.http.requests().len(), 1);
    assert_eq!(attempts(&stack.deliveries), [(1, Some(200))]);
}

#[tokio::test]
async fn a_request_during_an_attempt_does_not_send_what_was_accepted_again() {
    let (mut stack, delivery) = with_one(&[]);
    let (deliveries, before) = (Arc::clone(&stack.deliveries), delivery.clone());
    stack.http = ScriptedHttp::new(move |_| {
        // Read before the attempt was claimed, saved while it is in progress.
        deliveries.overwrite(&before.resend(NOON, Duration::from_secs(60)));
        Ok(response(200, ""))
    });
    send(&stack, &delivery).await.unwrap();
    let done = stack.deliveries.only();
    assert_eq!((done.status, done.attempts, done.due_at), (DeliveryStatus::Delivered, 1, None));
    assert_eq!(attempts(&stack.deliveries), [(1, Some(200))]);
}

#[tokio::test]
async fn a_request_during_an_attempt_that_fails_leads_to_the_next_one_without_a_sweep() {
    let (mut stack, delivery) = with_one(&[]);
    let (deliveries, before) = (Arc::clone(&stack.deliveries), delivery.clone());
    stack.http = ScriptedHttp::new(move |_| {
        if deliveries.only().version != before.version {
            return Ok(response(200, ""));
        }
        // The hint of this request finds the attempt in progress, and sends nothing.
        deliveries.overwrite(&before.resend(NOON, Duration::from_secs(60)));
        Ok(response(500, ""))
    });
    send(&stack, &delivery).await.unwrap();
    let waits = stack.deliveries.only();
    assert_eq!((waits.status, waits.attempts, waits.next_attempt_at), (DeliveryStatus::Pending, 1, NOON));
    assert_eq!(stack.hints.waiting().len(), 1);
    stack.dispatch().await;
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
    assert_eq!(attempts(&stack.deliveries), [(1, Some(500)), (2, Some(200))]);
}

#[tokio::test]
async fn a_usual_batch_makes_three_calls() {
    let stack = Stack::with(&[super::ONE, ("WEBHOOK_CONCURRENCY", "100")], 3);
    let calls = ["load", "endpoint", "load_all", "admit", "extend", "keep", "report"];
    let counts = || calls.map(|operation| stack.deliveries.faults.calls(operation));
    let batch = async |first: u32| {
        let hints: Vec<_> = (first..first + 10).map(|n| hint(&add(&stack, n))).collect();
        assert!(deliver(&stack.deliver_ports(), &hints).await.iter().all(Result::is_ok));
    };
    batch(0).await;
    assert_eq!(counts(), [1, 1, 0, 1, 0, 0, 1], "the state is read, and the first latency is news");
    batch(10).await;
    assert_eq!(counts(), [2, 2, 0, 2, 0, 0, 1], "nothing is news");
    batch(20).await;
    assert_eq!(counts(), [3, 2, 0, 3, 0, 0, 1], "the state comes with the deliveries");
    assert_eq!(stack.deliveries.endpoint_state(&stack.settings.endpoints[0].id).concurrency.slots.len(), 1);
    assert!(stack.deliveries.all().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
}

#[tokio::test]
async fn a_slot_whose_results_were_not_saved_is_not_replaced() {
    let (stack, delivery) = with_one(&[]);
    stack.deliveries.faults.busy("save", 1);
    assert!(send(&stack, &delivery).await.is_err());
    let other = add(&stack, 2);
    send(&stack, &other).await.unwrap();
    send(&stack, &delivery).await.unwrap();
    assert_eq!(stack.http.requests().len(), 2, "the claim still holds");
    stack.world.advance_s(15);
    send(&stack, &delivery).await.unwrap();
    let attempts = stack.deliveries.attempts(delivery.id);
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
}

/// A timer that has always elapsed.
struct Elapsed;

#[async_trait]
impl Timer for Elapsed {
    async fn after(&self, _: Duration) {}
}

#[tokio::test]
async fn a_slot_is_extended_before_it_stops_counting() {
    let stack = Stack::default();
    let deliveries: Vec<_> = (1..=2).map(|n| add(&stack, n)).collect();
    let hints: Vec<_> = deliveries.iter().map(hint).collect();
    let ports = DeliverPorts { timer: &Elapsed, ..stack.deliver_ports() };
    assert!(deliver(&ports, &hints).await.iter().all(Result::is_ok));
    let calls = ["extend", "report"].map(|operation| stack.deliveries.faults.calls(operation));
    assert_eq!(calls, [1, 1]);
    assert!(stack.deliveries.endpoint_state(&deliveries[0].endpoint_id).concurrency.slots.is_empty());
    assert!(stack.deliveries.all().iter().all(|delivery| delivery.status == DeliveryStatus::Delivered));
}
