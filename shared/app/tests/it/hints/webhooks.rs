//! Webhooks: deliveries, their retries, and each limit that defers them.

use reelhook_app::clock::ClockAndRandom;
use reelhook_domain::{DeliveryStatus, Event, WaitReason};
use reelhook_testkit::{ScriptedHttp, Stack, response};

use super::{Hint, next_message};

const ONE: (&str, &str) = ("WEBHOOK_URLS", "https://receiver.example/hook");

/// A stack with these settings whose endpoint is about to be notified of so many jobs, each of which was cancelled.
fn with_events(settings: &[(&str, &str)], count: u32) -> Stack {
    let stack = Stack::with(&[&[ONE], settings].concat(), 3);
    for n in 0..count {
        let id = stack.submit(n);
        assert!(stack.jobs.apply(&id, &Event::Cancel, stack.world.now(), &stack.policy));
    }
    stack
}

/// Why deliveries wait.
fn wait_reasons(stack: &Stack) -> Vec<WaitReason> {
    stack.deliveries.all().iter().filter_map(|delivery| delivery.wait_reason).collect()
}

/// Checks that all webhooks arrived, in so many requests.
fn check_end(hint: Hint, stack: &Stack, events: usize, requests: usize) {
    let statuses: Vec<DeliveryStatus> = stack.deliveries.all().iter().map(|delivery| delivery.status).collect();
    assert_eq!(statuses, vec![DeliveryStatus::Delivered; events]);
    assert_eq!(stack.http.requests().len(), requests);
    hint.check_end(stack);
}

async fn new_delivery(hint: Hint) {
    let stack = with_events(&[], 1);
    hint.carry_on(&stack).await;
    check_end(hint, &stack, 1, 1);
}

#[tokio::test]
async fn a_webhook_is_delivered() {
    new_delivery(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_webhook_waits_for_the_sweep() {
    new_delivery(Hint::IsLost).await;
}

async fn failed_attempt(hint: Hint) {
    let mut stack = with_events(&[], 1);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    stack.settle().await;
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Pending);
    hint.carry_on(&stack).await;
    check_end(hint, &stack, 1, 2);
}

#[tokio::test]
async fn a_webhook_is_retried_after_its_wait() {
    failed_attempt(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_retry_of_a_webhook_waits_for_the_sweep() {
    failed_attempt(Hint::IsLost).await;
}

async fn rate_limit(hint: Hint) {
    let stack = with_events(&[("WEBHOOK_RATE_LIMIT_MAX", "1")], 2);
    stack.settle().await;
    assert_eq!(wait_reasons(&stack), [WaitReason::RateLimit]);
    hint.carry_on(&stack).await;
    check_end(hint, &stack, 2, 2);
}

#[tokio::test]
async fn a_webhook_beyond_the_rate_limit_is_delivered_in_the_next_window() {
    rate_limit(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_webhook_beyond_the_rate_limit_waits_for_the_sweep() {
    rate_limit(Hint::IsLost).await;
}

async fn concurrency_limit(hint: Hint) {
    let stack = with_events(&[("WEBHOOK_CONCURRENCY", "1")], 2);
    stack.settle().await;
    assert_eq!(wait_reasons(&stack), [WaitReason::Concurrency]);
    hint.carry_on(&stack).await;
    check_end(hint, &stack, 2, 2);
}

#[tokio::test]
async fn a_webhook_beyond_the_concurrency_limit_is_delivered_after_the_others() {
    concurrency_limit(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_webhook_beyond_the_concurrency_limit_waits_for_the_sweep() {
    concurrency_limit(Hint::IsLost).await;
}

async fn open_circuit(hint: Hint) {
    let mut stack = with_events(&[("WEBHOOK_CIRCUIT_FAILURES", "1")], 1);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    stack.settle().await;
    stack.world.set(next_message(&stack).expect("the hint of the retry"));
    stack.settle().await;
    assert_eq!((wait_reasons(&stack), stack.http.requests().len()), (vec![WaitReason::Circuit], 1));
    hint.carry_on(&stack).await;
    check_end(hint, &stack, 1, 2);
}

#[tokio::test]
async fn a_webhook_at_an_open_circuit_is_delivered_as_its_probe() {
    open_circuit(Hint::Arrives).await;
}

#[tokio::test]
async fn without_its_hint_a_webhook_at_an_open_circuit_waits_for_the_sweep() {
    open_circuit(Hint::IsLost).await;
}
