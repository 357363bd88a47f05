//! The outcome of each response: delivered, retried, exhausted, or the endpoint disabled.

use std::time::Duration;

use reelhook_app::clock::ClockAndRandom;
use reelhook_app::outbound::OutboundError;
use reelhook_app::outbox::messages::{Delayed, DeliveryMessage};
use reelhook_domain::DeliveryStatus::{self, Delivered, Exhausted, Pending, Stopped};
use reelhook_testkit::{Answer, NOON, ScriptedHttp, Stack, a_delivery, response, webhook_settings, with_header};

use super::{add, hint, send, with_one};

/// Checks one attempt: the delivery's status, milliseconds until the next attempt, and the displayed reason.
async fn check(answer: Answer, expected: (DeliveryStatus, Option<i64>, &str)) {
    let (mut stack, delivery) = with_one(&[]);
    let shown = format!("{answer:?}");
    stack.http = ScriptedHttp::each([answer]);
    send(&stack, &delivery).await.unwrap();
    let now = stack.world.now();
    let next = stack.deliveries.only();
    let wait = (next.status == Pending).then_some(next.next_attempt_at.millis_since(now));
    assert_eq!((next.status, wait, next.last_result.as_deref()), (expected.0, expected.1, Some(expected.2)), "{shown}");
    assert_eq!((next.attempts, next.lease_until, next.wait_reason), (1, None, None), "{shown}");
    let grace_ms = 60_000;
    assert_eq!(next.due_at.map(|due| due.millis_since(now)), expected.1.map(|wait| wait + grace_ms), "{shown}");
    assert_eq!(next.finished_at, (next.status != Pending).then_some(now), "{shown}");
    // A pending delivery has a hint for the time of its next attempt, if a queue can delay it that long.
    let message = DeliveryMessage::of(delivery.id, delivery.event_id);
    let delay_s = wait.filter(|wait| *wait <= 900_000).map(|wait| (wait as u32).div_ceil(1000));
    let hints: Vec<_> = delay_s.into_iter().map(|delay_s| Delayed { message: message.clone(), delay_s }).collect();
    assert_eq!(stack.hints.sent(), hints, "{shown}");
    // The attempt's row has the same result.
    let attempts = stack.deliveries.attempts(next.id);
    let result = attempts[0].result.as_ref().unwrap();
    assert_eq!((result.reason.as_str(), attempts.len()), (expected.2, 1), "{shown}");
    assert_eq!(result.next_attempt_at, wait.map(|_| next.next_attempt_at), "{shown}");
}

fn answered(status: u16) -> Answer {
    Ok(response(status, ""))
}

fn with_retry_after(status: u16, retry_after: &str) -> Answer {
    Ok(with_header(response(status, ""), "Retry-After", retry_after))
}

#[tokio::test]
async fn each_response_has_the_outcome_of_the_contract() {
    for status in [200, 201, 202, 204, 299] {
        check(answered(status), (Delivered, None, "delivered")).await;
    }
    for status in [301, 302, 307, 400, 401, 404, 408, 422, 429, 500, 502, 503] {
        check(answered(status), (Pending, Some(1000), &format!("status {status}, trying again"))).await;
    }
    check(answered(410), (Stopped, None, "410: endpoint disabled")).await;
    check(Err(OutboundError::Refused), (Pending, Some(1000), "ECONNREFUSED, trying again")).await;
    check(Err(OutboundError::TimedOut(10_000)), (Pending, Some(1000), "ETIMEDOUT, trying again")).await;
    check(Err(OutboundError::Reset), (Pending, Some(1000), "ECONNRESET, trying again")).await;
    let forbidden = OutboundError::Forbidden { host: "127.0.0.1".to_owned() };
    check(Err(forbidden), (Pending, Some(1000), "ENOTFOUND, trying again")).await;
}

#[tokio::test]
async fn a_status_counts_even_if_its_body_is_truncated() {
    let cut = |status, why: OutboundError| {
        let mut response = response(status, "{\"half\": ");
        response.cut_short = Some(why);
        Ok(response)
    };
    for why in [OutboundError::Reset, OutboundError::TimedOut(10_000), OutboundError::Other("no chunk".to_owned())] {
        check(cut(200, why.clone()), (Delivered, None, "delivered")).await;
        check(cut(202, why.clone()), (Delivered, None, "delivered")).await;
        check(cut(503, why.clone()), (Pending, Some(1000), "status 503, trying again")).await;
        check(cut(410, why), (Stopped, None, "410: endpoint disabled")).await;
    }
}

#[tokio::test]
async fn retry_after_is_a_floor_and_never_shortens_a_wait() {
    check(with_retry_after(429, "120"), (Pending, Some(120_000), "status 429, trying again")).await;
    check(with_retry_after(429, "0"), (Pending, Some(1000), "status 429, trying again")).await;
    let five_past =
        ["Mon, 01 Jan 2024 12:05:00 GMT", "Monday, 01-Jan-24 12:05:00 GMT", "Mon Jan  1 12:05:00 2024", "300"];
    for wait in five_past {
        check(with_retry_after(503, wait), (Pending, Some(300_000), "status 503, trying again")).await;
        check(with_retry_after(429, wait), (Pending, Some(300_000), "status 429, trying again")).await;
    }
    check(with_retry_after(503, " 1.5 "), (Pending, Some(1500), "status 503, trying again")).await;
    check(with_retry_after(503, "Mon, 01 Jan 2024 11:00:00 GMT"), (Pending, Some(1000), "status 503, trying again"))
        .await;
    check(with_retry_after(500, "900"), (Pending, Some(900_000), "status 500, trying again")).await;
    check(with_retry_after(429, "901"), (Pending, Some(901_000), "status 429, trying again")).await;
    check(with_retry_after(429, "99999999999999999999"), (Pending, Some(86_400_000), "status 429, trying again")).await;
    check(with_retry_after(429, "soon"), (Pending, Some(1000), "status 429, trying again")).await;
    // `retry-after` has no effect on a success.
    check(with_retry_after(200, "120"), (Delivered, None, "delivered")).await;
}

#[tokio::test]
async fn waits_double_up_to_the_maximum_with_a_quarter_of_jitter_until_the_delivery_is_exhausted() {
    let (mut stack, delivery) = with_one(&[("WEBHOOK_MAX_RETRIES", "6")]);
    stack.http = ScriptedHttp::always(500);
    stack.world.set_fraction(0.5);
    let mut waits = Vec::new();
    for _ in 0..7 {
        send(&stack, &delivery).await.unwrap();
        let next = stack.deliveries.only();
        if next.status == Pending {
            waits.push(next.next_attempt_at.millis_since(stack.world.now()));
            stack.world.set(next.next_attempt_at);
        }
    }
    // 1, 2, 4, 8, 16 and 30 s, each with half of the maximum jitter of a quarter.
    assert_eq!(waits, [1125, 2250, 4500, 9000, 18_000, 33_750]);
    let end = stack.deliveries.only();
    assert_eq!((end.status, end.attempts, end.due_at), (Exhausted, 7, None));
    assert_eq!(end.last_result.as_deref(), Some("status 500 after 7 attempts"));
    let numbers: Vec<u32> = stack.deliveries.attempts(end.id).iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(stack.http.requests().len(), 7);
}

#[tokio::test]
async fn a_delivery_that_ended_is_not_sent_again() {
    for status in [200, 410] {
        let (mut stack, delivery) = with_one(&[("WEBHOOK_MAX_RETRIES", "0")]);
        stack.http = ScriptedHttp::always(status);
        send(&stack, &delivery).await.unwrap();
        stack.world.advance(Duration::from_secs(86_400));
        send(&stack, &delivery).await.unwrap();
        assert_eq!(stack.http.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn gone_disables_the_endpoint_and_stops_its_deliveries_visibly() {
    let (mut stack, first) = with_one(&[]);
    stack.http = ScriptedHttp::always(410);
    send(&stack, &first).await.unwrap();
    let endpoint = first.endpoint_id.clone();
    assert_eq!(stack.deliveries.endpoint_state(&endpoint).disabled_at, Some(NOON));
    assert_eq!(stack.deliveries.disabled_reason(&endpoint).as_deref(), Some("the receiver answered 410"));
    stack.world.advance_s(5);
    let second = add(&stack, 2);
    send(&stack, &second).await.unwrap();
    let stopped = stack.deliveries.get(second.id);
    assert_eq!((stopped.status, stopped.attempts, stopped.due_at), (Stopped, 0, None));
    assert_eq!(stopped.last_result.as_deref(), Some("endpoint is disabled"));
    assert_eq!(stack.http.requests().len(), 1, "nothing else was sent to the endpoint");
    let since = stack.deliveries.endpoint_state(&endpoint).disabled_at;
    assert_eq!(since, Some(NOON), "the time of disabling is kept");
}

#[tokio::test]
async fn another_order_of_urls_moves_neither_the_disabled_endpoint_nor_a_delivery() {
    let urls = "https://a.example/,https://b.example/";
    let mut stack = Stack::with(&[("WEBHOOK_URLS", urls)], 3);
    let (to_a, event) = a_delivery(1, &stack.settings.endpoints[0], NOON);
    let (to_b, _) = a_delivery(1, &stack.settings.endpoints[1], NOON);
    stack.deliveries.put_event(&event);
    stack.deliveries.put_delivery(&to_a);
    stack.deliveries.put_delivery(&to_b);
    stack.http = ScriptedHttp::always(410);
    send(&stack, &to_a).await.unwrap();
    stack.settings = webhook_settings(&[("WEBHOOK_URLS", "https://b.example/,https://a.example/")]);
    stack.http = ScriptedHttp::always(200);
    send(&stack, &to_b).await.unwrap();
    assert_eq!(stack.http.only_request().url.as_str(), "https://b.example/");
    assert_eq!(stack.deliveries.get(to_b.id).status, Delivered);
}

#[tokio::test]
async fn an_endpoint_that_is_no_longer_configured_stops_its_deliveries_visibly() {
    let (mut stack, delivery) = with_one(&[]);
    stack.settings = webhook_settings(&[("WEBHOOK_URLS", "https://another.example/")]);
    send(&stack, &delivery).await.unwrap();
    let waiting = stack.deliveries.only();
    assert_eq!((waiting.status, waiting.attempts), (Pending, 0), "the settings may be older than the delivery");
    assert!(waiting.due_at.is_some() && waiting.next_attempt_at > delivery.next_attempt_at);
    stack.world.advance_s(600);
    send(&stack, &delivery).await.unwrap();
    let stopped = stack.deliveries.only();
    assert_eq!((stopped.status, stopped.due_at, stopped.attempts), (Stopped, None, 0));
    assert_eq!(stopped.last_result.as_deref(), Some("endpoint is not configured any more"));
    assert!(stack.http.requests().is_empty());
}

#[tokio::test]
async fn one_failing_receiver_does_not_affect_another_s_deliveries() {
    let mut stack = Stack::with(&[("WEBHOOK_URLS", "https://bad.example/,https://good.example/")], 3);
    let mut hints = Vec::new();
    for endpoint in &stack.settings.endpoints {
        let (delivery, event) = a_delivery(1, endpoint, NOON);
        stack.deliveries.put_event(&event);
        stack.deliveries.put_delivery(&delivery);
        hints.push(hint(&delivery));
    }
    stack.http = ScriptedHttp::new(|request| match request.url.host_str() {
        Some("bad.example") => Err(OutboundError::TimedOut(10_000)),
        _ => Ok(response(200, "")),
    });
    let results = reelhook_app::webhooks::deliver::deliver(&stack.deliver_ports(), &hints).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let statuses: Vec<_> = hints.iter().map(|(id, _)| stack.deliveries.get(*id).status).collect();
    assert_eq!(statuses, [Pending, Delivered]);
}

#[tokio::test]
async fn deliveries_are_due_together_until_each_was_saved() {
    let mut stack = Stack::with(&[("WEBHOOK_URLS", "https://a.example/,https://b.example/")], 3);
    stack.http = ScriptedHttp::new(|request| match request.url.host_str() {
        Some("a.example") => Ok(response(500, "")),
        _ => Ok(response(200, "")),
    });
    for (n, lost) in [(1, false), (2, true)] {
        let endpoints = &stack.settings.endpoints;
        let event = a_delivery(n, &endpoints[0], NOON).1;
        let deliveries: Vec<_> = endpoints.iter().map(|endpoint| a_delivery(n, endpoint, NOON).0).collect();
        let ids: Vec<_> = deliveries.iter().map(|delivery| delivery.id).collect();
        stack.deliveries.put_event_of(&event, &ids);
        let due_by = stack.deliveries.put_due_of(&event, &ids);
        deliveries.iter().for_each(|delivery| stack.deliveries.put_named(delivery, due_by));
        if lost {
            stack.deliveries.faults.busy("save", 1);
        }
        let hints: Vec<_> = deliveries.iter().map(hint).collect();
        let results = reelhook_app::webhooks::deliver::deliver(&stack.deliver_ports(), &hints).await;
        assert_eq!(results.iter().any(Result::is_err), lost, "{results:?}");
        let left = if lost { vec![event.id] } else { Vec::new() };
        assert_eq!(stack.deliveries.due_together(), left, "one that waits has an entry of its own");
    }
}

#[tokio::test]
async fn the_attempt_s_row_has_the_response() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::new(|_| {
        let mut response = response(500, "é".repeat(2000));
        response.peer = Some("203.0.113.9:443".parse().unwrap());
        Ok(response)
    });
    send(&stack, &delivery).await.unwrap();
    let attempt = stack.deliveries.attempts(delivery.id).remove(0);
    let result = attempt.result.unwrap();
    assert_eq!((attempt.number, attempt.started_at, result.status, result.error), (1, NOON, 500, None));
    assert_eq!((result.first_byte_ms, result.duration_ms), (Some(12), 34));
    assert_eq!(result.peer.as_deref(), Some("203.0.113.9:443"));
    assert_eq!(result.response, "é".repeat(1024), "the start of the response is kept");
}

#[tokio::test]
async fn an_attempt_without_a_response_has_the_error_s_code_and_its_duration() {
    let (mut stack, delivery) = with_one(&[]);
    let world = std::sync::Arc::clone(&stack.world);
    stack.http = ScriptedHttp::new(move |_| {
        world.advance_s(10);
        Err(OutboundError::TimedOut(10_000))
    });
    send(&stack, &delivery).await.unwrap();
    let result = stack.deliveries.attempts(delivery.id).remove(0).result.unwrap();
    assert_eq!((result.status, result.error.as_deref(), result.duration_ms), (0, Some("ETIMEDOUT"), 10_000));
    assert_eq!(
        result.next_attempt_at,
        Some(NOON.after(Duration::from_secs(11))),
        "counted from the end of the attempt"
    );
}

#[tokio::test]
async fn a_receiver_or_the_operator_may_make_a_response_final() {
    let with_directive = |status, word: &str| Ok(with_header(response(status, ""), "webhook-delivery", word));
    check(with_directive(500, "abort-message"), (Exhausted, None, "status 500, which is final")).await;
    check(with_directive(429, "disable"), (Stopped, None, "429: endpoint disabled")).await;
    check(with_directive(200, "abort-message"), (Delivered, None, "delivered")).await;
    check(with_directive(500, "what?"), (Pending, Some(1000), "status 500, trying again")).await;
    let (mut stack, delivery) = with_one(&[("WEBHOOK_PERMANENT_STATUSES", "400,422")]);
    stack.http = ScriptedHttp::each([answered(404), answered(422)]);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(stack.deliveries.only().status, Pending);
    stack.world.advance_s(1);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(stack.deliveries.only().last_result.as_deref(), Some("status 422, which is final"));
}

#[tokio::test]
async fn a_delivery_without_its_event_ends_visibly() {
    let (stack, delivery) = with_one(&[]);
    stack.deliveries.forget();
    stack.deliveries.put_delivery(&delivery);
    send(&stack, &delivery).await.unwrap();
    let end = stack.deliveries.only();
    assert_eq!((end.status, end.due_at), (Stopped, None));
    assert_eq!(end.last_result.as_deref(), Some("its event is not kept any more"));
    assert!(stack.http.requests().is_empty());
}
