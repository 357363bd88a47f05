//! The payload of Standard Webhooks: its exact body and headers, and that the official library verifies it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName};
use reelhook_app::webhooks::endpoints::{Arn, Destination, Endpoint, Form, Format, Payload};
use reelhook_app::webhooks::previews::preview;
use reelhook_domain::{Delivery, DeliveryStatus, OutboundEvent, Timestamp};
use reelhook_signing::standard;
use reelhook_testkit::{NOON, ScriptedHttp, Stack, body_of, header, headers, keys, response, webhook_settings};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::{ONE, add, send};

/// The form of an endpoint that gets the payload of Standard Webhooks.
fn form() -> Form {
    Form { format: Format::Standard, ..Form::default() }
}

/// Changes the first endpoint.
fn change(stack: &mut Stack, edit: impl FnOnce(&mut Endpoint)) {
    edit(Arc::make_mut(&mut stack.settings.endpoints[0]));
}

/// A stack whose endpoint gets this form, with one delivery that is due.
fn with_form(of: Form, settings: &[(&str, &str)]) -> (Stack, Delivery) {
    let mut stack = Stack::with(&[&[ONE], settings].concat(), 3);
    change(&mut stack, |endpoint| endpoint.form = of);
    let delivery = add(&stack, 1);
    (stack, delivery)
}

#[tokio::test]
async fn the_body_has_type_timestamp_and_data_in_this_order() {
    let (stack, delivery) = with_form(form(), &[]);
    send(&stack, &delivery).await.unwrap();
    assert_eq!(
        std::str::from_utf8(&stack.http.only_request().body).unwrap(),
        "{\"type\":\"job.completed\",\"timestamp\":\"2024-01-01T12:00:00.000Z\",\
         \"data\":{\"1\":\"integer-like keys come first\",\"job_id\":\"job_1704110400000_0001\",\
         \"genre\":\"Série 🎬\",\"ratio\":1}}"
    );
}

#[tokio::test]
async fn the_headers_are_those_of_the_standard_and_no_others() {
    let (stack, delivery) = with_form(form(), &[]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    let id = delivery.id.webhook_id();
    let expected: BTreeMap<String, String> = [
        ("content-type", "application/json".to_owned()),
        ("user-agent", format!("Reelhook/{}", env!("CARGO_PKG_VERSION"))),
        ("webhook-id", id.clone()),
        ("webhook-timestamp", "1704110400".to_owned()),
        ("webhook-sequence", "701".to_owned()),
        ("webhook-signature", standard::sign(&id, 1_704_110_400, &request.body, &keys())),
        ("traceparent", delivery.traceparent.clone().unwrap()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert_eq!(headers(&request), expected);
}

#[tokio::test]
async fn the_official_library_verifies_it_with_each_secret_that_is_valid() {
    let mut stack = Stack::with(&[ONE], 3);
    change(&mut stack, |endpoint| endpoint.form = form());
    // The library compares the timestamp with the present.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    stack.world.set(Timestamp(now.as_millis() as i64));
    let delivery = add(&stack, 1);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    let mut received = HeaderMap::new();
    for (name, value) in &request.headers {
        received.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    let newest = Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let older = Webhook::from_bytes(b"an older secret".to_vec()).unwrap();
    for receiver in [&newest, &older] {
        receiver.verify(&request.body, &received).unwrap();
    }
    assert!(newest.verify(&request.body[1..], &received).is_err());
}

#[tokio::test]
async fn thin_and_ascii_bodies_and_own_headers_are_as_in_the_envelope() {
    let thin = Form { payload: Payload::Thin, ..form() };
    let (stack, delivery) = with_form(thin, &[("WEBHOOK_HEADERS", "X-Team:billing,Webhook-Id:forged")]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    let job = "job_1704110400000_0001";
    assert_eq!(body_of(&request)["data"], json!({ "job_id": job, "href": format!("/api/job/{job}") }));
    assert_eq!(header(&request, "x-team"), "billing");
    assert_eq!(header(&request, "webhook-id"), delivery.id.webhook_id());

    let (stack, delivery) = with_form(Form { ascii: true, ..form() }, &[]);
    send(&stack, &delivery).await.unwrap();
    let request = stack.http.only_request();
    assert!(request.body.is_ascii());
    assert_eq!(body_of(&request)["data"]["genre"], "Série 🎬");
}

#[tokio::test]
async fn queues_and_buses_get_the_same_payload() {
    let queue = Arn::parse("arn:aws:sqs:us-east-1:123456789012:webhooks", "sqs").unwrap();
    let bus = Arn::parse("arn:aws:events:us-east-1:123456789012:event-bus/videos", "events").unwrap();
    let members = |body: &str| -> Vec<String> {
        let body: Value = serde_json::from_str(body).unwrap();
        body.as_object().unwrap().keys().cloned().collect()
    };
    for destination in [Destination::Queue(queue), Destination::Bus(bus)] {
        let (mut stack, delivery) = with_form(form(), &[]);
        change(&mut stack, |endpoint| endpoint.destination = destination.clone());
        send(&stack, &delivery).await.unwrap();
        let webhook = stack.http.cloud_requests().remove(0);
        let names: Vec<&str> = webhook.attributes.iter().map(|(name, _)| name.as_str()).collect();
        match destination {
            Destination::Bus(_) => {
                assert_eq!(members(&webhook.body), ["type", "timestamp", "data", "id"], "events have no headers");
                assert!(names.is_empty(), "{names:?}");
            }
            Destination::Queue(_) | Destination::Web(_) => {
                assert_eq!(members(&webhook.body), ["type", "timestamp", "data"]);
                assert_eq!(
                    names,
                    ["webhook-id", "webhook-timestamp", "webhook-sequence", "traceparent", "webhook-signature"]
                );
            }
        }
    }
}

#[test]
fn chat_services_get_their_own_messages_in_either_format() {
    for url in ["https://hooks.slack.com/services/T0/B0/secret", "https://discord.com/api/webhooks/1/secret"] {
        let settings = webhook_settings(&[("WEBHOOK_URLS", url)]);
        let envelope = &settings.endpoints[0];
        let standard = Endpoint { form: form(), ..Endpoint::clone(envelope) };
        let shown = |endpoint: &Endpoint| preview(endpoint, OutboundEvent::Completed, NOON);
        assert_eq!(shown(&standard), shown(envelope), "{url}");
    }
}

#[tokio::test]
async fn a_change_of_the_format_applies_to_the_next_attempt_of_the_same_delivery() {
    let (mut stack, delivery) = with_form(Form::default(), &[]);
    stack.http = ScriptedHttp::each([500, 200].map(|status| Ok(response(status, ""))));
    send(&stack, &delivery).await.unwrap();
    change(&mut stack, |endpoint| endpoint.form = form());
    stack.world.advance_s(1);
    stack.dispatch().await;
    assert_eq!(stack.deliveries.only().status, DeliveryStatus::Delivered);
    let requests = stack.http.requests();
    let [first, second] = &requests[..] else { panic!("two attempts") };
    assert_eq!(header(first, "webhook-id"), header(second, "webhook-id"));
    let (first, second) = (body_of(first), body_of(second));
    assert_eq!((&first["event"], &first["data"]), (&second["type"], &second["data"]));
    assert_eq!(second.get("event"), None);
}

#[test]
fn every_event_has_the_same_data_in_both_formats() {
    let settings = webhook_settings(&[ONE]);
    let envelope = &settings.endpoints[0];
    let standard = Endpoint { form: form(), ..Endpoint::clone(envelope) };
    for &event in OutboundEvent::ALL {
        let body =
            |endpoint: &Endpoint| -> Value { serde_json::from_str(&preview(endpoint, event, NOON).body).unwrap() };
        let (old, new) = (body(envelope), body(&standard));
        let mut data = old["data"].clone();
        if event == OutboundEvent::Test {
            // The sentence of a test names the product instead of the envelope's source.
            data["message"] = json!("This is a test webhook from Reelhook");
        }
        assert_eq!(new, json!({ "type": event.name(), "timestamp": old["timestamp"], "data": data }), "{event:?}");
        let shown = preview(&standard, event, NOON);
        assert!(shown.headers.iter().all(|(name, _)| !name.starts_with("x-streamgank")), "{:?}", shown.headers);
    }
}
