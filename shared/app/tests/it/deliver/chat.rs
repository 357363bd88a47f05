//! Slack and Discord: their own messages without our signatures, their error codes, and their limits.

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::webhooks::deliver::deliver;
use reelhook_domain::DeliveryStatus::{self, Delivered, Exhausted, Pending, Stopped};
use reelhook_testkit::{Answer, ScriptedHttp, Stack, header, response, with_header};
use serde_json::Value;

use super::{add, hint, send};

const SLACK: &str = "https://hooks.slack.com/services/T0/B0/secret";
const DISCORD: &str = "https://discord.com/api/webhooks/1/secret";

fn stack(url: &str) -> Stack {
    Stack::with(&[("WEBHOOK_URLS", url), ("WEBHOOK_HEADERS", "Authorization:Bearer operator")], 3)
}

#[tokio::test]
async fn a_chat_gets_its_own_message_without_our_headers() {
    for (url, member) in [(SLACK, "blocks"), (DISCORD, "embeds")] {
        let mut stack = stack(url);
        let delivery = add(&stack, 1);
        stack.http = ScriptedHttp::always(200);
        send(&stack, &delivery).await.unwrap();
        let request = stack.http.only_request();
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "user-agent"], "neither signatures nor the operator's headers");
        assert_eq!(header(&request, "content-type"), "application/json");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert!(body[member].is_array(), "{body}");
        assert_eq!(stack.deliveries.only().status, Delivered);
    }
}

/// Checks the outcome of a response: the delivery's status, and whether the endpoint is disabled.
async fn check(url: &str, answer: Answer, expected: (DeliveryStatus, bool)) {
    let mut stack = stack(url);
    let delivery = add(&stack, 1);
    let shown = format!("{url} {answer:?}");
    stack.http = ScriptedHttp::each([answer]);
    send(&stack, &delivery).await.unwrap();
    let state = stack.deliveries.endpoint_state(&delivery.endpoint_id);
    assert_eq!((stack.deliveries.only().status, state.disabled_at.is_some()), expected, "{shown}");
    assert_eq!(state.failures, u64::from(expected.0 != Delivered), "{shown}");
}

#[tokio::test]
async fn each_service_s_errors_retry_stop_or_disable() {
    for (status, expected) in [(200, Delivered), (400, Exhausted), (403, Stopped), (404, Stopped), (410, Stopped)] {
        check(SLACK, Ok(response(status, "no_service")), (expected, expected == Stopped)).await;
    }
    for (status, expected) in [(204, Delivered), (400, Exhausted), (401, Stopped), (403, Exhausted), (404, Stopped)] {
        check(DISCORD, Ok(response(status, "{}")), (expected, expected == Stopped)).await;
    }
    for url in [SLACK, DISCORD] {
        for status in [429, 500, 503] {
            check(url, Ok(response(status, "")), (Pending, false)).await;
        }
    }
}

#[tokio::test]
async fn a_retry_after_pauses_every_delivery_of_the_endpoint() {
    let by_header = with_header(response(429, "rate_limited"), "retry-after", "30");
    let by_body = response(429, r#"{"message": "You are being rate limited.", "retry_after": 30.0, "global": false}"#);
    let spent = with_header(response(204, ""), "x-ratelimit-remaining", "0");
    let spent = with_header(spent, "x-ratelimit-reset-after", "29.9995");
    for (url, answer, first) in [(SLACK, by_header, Pending), (DISCORD, by_body, Pending), (DISCORD, spent, Delivered)]
    {
        let mut stack = stack(url);
        stack.http = ScriptedHttp::each([Ok(answer), Ok(response(200, ""))]);
        let one = add(&stack, 1);
        send(&stack, &one).await.unwrap();
        assert_eq!(stack.deliveries.get(one.id).status, first);
        let two = add(&stack, 2);
        send(&stack, &two).await.unwrap();
        assert_eq!(stack.http.requests().len(), 1, "nothing is sent before `retry-after` has passed");
        let waiting = stack.deliveries.get(two.id);
        let wait = waiting.next_attempt_at.millis_since(stack.world.now());
        assert!((29_900..=30_000).contains(&wait), "{wait}");
        assert_eq!((waiting.status, waiting.attempts), (Pending, 0), "waiting does not count as an attempt");
        stack.world.advance_s(30);
        for result in deliver(&stack.deliver_ports(), &[hint(&one), hint(&two)]).await {
            result.unwrap();
        }
        assert_eq!((stack.deliveries.get(one.id).status, stack.deliveries.get(two.id).status), (Delivered, Delivered));
    }
}

#[tokio::test]
async fn a_wait_is_limited_to_a_day() {
    let mut stack = stack(DISCORD);
    let answer = response(429, r#"{"retry_after": 1e18}"#);
    stack.http = ScriptedHttp::each([Ok(answer)]);
    let delivery = add(&stack, 1);
    send(&stack, &delivery).await.unwrap();
    let state = stack.deliveries.endpoint_state(&delivery.endpoint_id);
    assert_eq!(state.paused_until.unwrap().millis_since(stack.world.now()), 86_400_000);
}

#[tokio::test]
async fn failures_add_up_until_a_delivery_succeeds() {
    let mut stack = stack("https://receiver.example/hook");
    let failed = || Ok(response(500, ""));
    stack.http = ScriptedHttp::each([failed(), failed(), failed(), Ok(response(200, ""))]);
    let delivery = add(&stack, 1);
    for expected in [1, 2, 3, 0] {
        send(&stack, &delivery).await.unwrap();
        assert_eq!(stack.deliveries.endpoint_state(&delivery.endpoint_id).failures, expected);
        stack.world.advance_s(30);
    }
    // A failure that can't be counted does not hold up deliveries.
    stack.deliveries.faults.busy("report", 1);
    stack.http = ScriptedHttp::always(500);
    let other = add(&stack, 2);
    send(&stack, &other).await.unwrap();
    assert_eq!(stack.deliveries.get(other.id).attempts, 1);
}
