//! The request of a delivery: its exact bytes, its headers, and that receivers can verify it.

use std::collections::BTreeMap;

use reelhook_domain::{DeliveryStatus, TraceParent};
use reelhook_signing::{SigningKeys, VerifyError, standard, streamgank};
use reelhook_testkit::{NOON, ScriptedHttp, Stack, a_delivery, header, headers, keys, response};

use super::{ONE, send, with_one};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn the_body_is_the_seed_s_envelope_as_javascript_writes_it() {
    let (stack, delivery) = with_one(&[]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    assert_eq!(
        std::str::from_utf8(&request.body).unwrap(),
        "{\"event\":\"job.completed\",\"data\":{\"1\":\"integer-like keys come first\",\
         \"job_id\":\"job_1704110400000_0001\",\"genre\":\"Série 🎬\",\"ratio\":1},\
         \"timestamp\":\"2024-01-01T12:00:00.000Z\",\"webhook_id\":\"webhook_1\",\"source\":\"streamgank\"}"
    );
    assert_eq!(request.url.as_str(), ONE.1);
    assert_eq!(request.method, reelhook_app::outbound::Method::Post);
    assert_eq!(request.deadline, stack.settings.policy.timeout);
    assert_eq!(request.response_limit, 16 * 1024);
}

#[tokio::test]
async fn the_headers_are_these_and_no_others() {
    let (stack, delivery) = with_one(&[]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    let body = &request.body;
    let id = delivery.id.webhook_id();
    let expected: BTreeMap<String, String> = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", "StreamGank-Webhook/1.0".to_owned()),
        ("x-streamgank-event", "job.completed".to_owned()),
        ("x-streamgank-delivery", delivery.id.to_string()),
        ("x-streamgank-signature", streamgank::signature(body, &keys())),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", "1704110400".to_owned()),
        ("webhook-sequence", "701".to_owned()),
        ("webhook-signature", standard::sign(&id, 1_704_110_400, body, &keys())),
        ("traceparent", TRACE.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert_eq!(headers(&request), expected);
}

#[tokio::test]
async fn both_signatures_verify_with_each_secret_that_is_valid() {
    let (stack, delivery) = with_one(&[]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    let newest = SigningKeys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let older = SigningKeys::parse("an older secret").unwrap();
    let (id, timestamp) = (header(&request, "webhook-id"), header(&request, "webhook-timestamp"));
    let tokens = header(&request, "webhook-signature");
    for keys in [&newest, &older] {
        standard::verify(&id, &timestamp, &tokens, &request.body, keys, NOON.seconds()).unwrap();
    }
    let hex = header(&request, "x-streamgank-signature");
    streamgank::verify_hex(&request.body, &hex, &newest).unwrap();
    let by_older = streamgank::verify_hex(&request.body, &hex, &older).map(drop);
    assert_eq!(by_older, Err(VerifyError::Mismatch), "only the newest secret signs the seed's header");
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let (stack, delivery) = with_one(&[("WEBHOOK_SECRET_KEY", "")]);
    send(&stack, &delivery).await.unwrap();
    let sent = headers(&stack.http.only_request());
    assert!(!sent.contains_key("x-streamgank-signature") && !sent.contains_key("webhook-signature"), "{sent:?}");
    assert_eq!(sent["webhook-id"], delivery.id.webhook_id());
}

#[tokio::test]
async fn retries_carry_the_same_id_and_body_and_a_new_timestamp_and_signature() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::each([500, 502, 200].map(|status| Ok(response(status, ""))));
    send(&stack, &delivery).await.unwrap();
    for seconds in [1, 2] {
        stack.world.advance_s(seconds);
        assert_eq!(stack.dispatch().await, 1, "the hint becomes visible at the end of the wait");
    }
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
    let requests = stack.http.requests();
    let seconds: Vec<String> = requests.iter().map(|request| header(request, "webhook-timestamp")).collect();
    assert_eq!(seconds, ["1704110400", "1704110401", "1704110403"]);
    for (request, second) in requests.iter().zip(&seconds) {
        assert_eq!(request.body, requests[0].body);
        for name in ["webhook-id", "x-streamgank-delivery", "x-streamgank-signature", "traceparent"] {
            assert_eq!(header(request, name), header(&requests[0], name), "{name}");
        }
        let tokens = header(request, "webhook-signature");
        let id = header(request, "webhook-id");
        standard::verify(&id, second, &tokens, &request.body, &keys(), second.parse().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn renaming_the_endpoint_does_not_change_the_body_of_waiting_deliveries() {
    let (mut stack, delivery) = with_one(&[]);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    send(&stack, &delivery).await.unwrap();
    // A URL is inserted at the front of the list, so the receiver becomes the second.
    let urls = format!("https://first.example/,{}", ONE.1);
    stack.settings = reelhook_testkit::webhook_settings(&[("WEBHOOK_URLS", &urls)]);
    stack.world.advance_s(1);
    stack.dispatch().await;
    let requests = stack.http.requests();
    assert_eq!((requests.len(), &requests[1].body), (2, &requests[0].body));
}

#[tokio::test]
async fn one_event_has_an_id_of_its_own_for_each_endpoint() {
    let stack = Stack::with(&[("WEBHOOK_URLS", "https://a.example/,https://b.example/")], 3);
    for endpoint in &stack.settings.endpoints {
        let (delivery, event) = a_delivery(1, endpoint, NOON);
        stack.deliveries.put_event(&event);
        stack.deliveries.put_delivery(&delivery);
    }
    for delivery in stack.deliveries.all() {
        send(&stack, &delivery).await.unwrap();
    }
    let ids: Vec<String> = stack.http.requests().iter().map(|request| header(request, "webhook-id")).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn an_operator_s_headers_are_sent_but_replace_no_signed_one() {
    let operator = "Authorization:Bearer a:b,X-Custom:1,User-Agent:Mine/2,WEBHOOK-ID:forged,webhook-timestamp:1,\
                    Webhook-Signature:forged,X-StreamGank-Signature:forged,X-StreamGank-Delivery:forged";
    let (stack, delivery) = with_one(&[("WEBHOOK_HEADERS", operator)]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    let sent = headers(&request);
    assert_eq!(sent["authorization"], "Bearer a:b");
    assert_eq!(sent["x-custom"], "1");
    assert_eq!(sent["user-agent"], "Mine/2", "a header that is not part of the protocol may be replaced");
    assert_eq!(sent["webhook-id"], delivery.id.webhook_id());
    assert_eq!(sent["webhook-timestamp"], "1704110400");
    assert_eq!(sent["x-streamgank-delivery"], delivery.id.to_string());
    assert_eq!(sent["x-streamgank-signature"], streamgank::signature(&request.body, &keys()));
    assert!(!request.headers.iter().any(|(_, value)| value.contains("forged")), "{:?}", request.headers);
}

#[tokio::test]
async fn without_a_secret_an_operator_still_can_t_forge_a_signature() {
    let forged = ("WEBHOOK_HEADERS", "X-StreamGank-Signature:forged,webhook-signature:forged");
    let (stack, delivery) = with_one(&[forged, ("WEBHOOK_SECRET_KEY", "")]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    assert!(!request.headers.iter().any(|(_, value)| value.contains("forged")), "{:?}", request.headers);
}

#[tokio::test]
async fn a_delivery_without_a_trace_gets_the_one_of_its_job() {
    let (stack, delivery) = with_one(&[]);
    let untraced = reelhook_domain::Delivery { traceparent: None, version: 2, ..delivery.clone() };
    let store: &dyn reelhook_app::webhooks::deliver::SaveDeliveries = &*stack.deliveries;
    store.save_all(&[&untraced]).await.remove(0).unwrap();
    send(&stack, &delivery).await.unwrap();
    let own = TraceParent::of(delivery.subject.as_str(), None);
    assert_eq!(header(&stack.http.only_request(), "traceparent"), own.to_string());
}
