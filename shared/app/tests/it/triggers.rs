//! Manual webhooks: requests and results of tests, and triggered events that create each delivery once.

use std::time::Duration;

use reelhook_app::Url;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::outbound::OutboundError;
use reelhook_app::store::StoreError;
use reelhook_app::webhooks::endpoints::Format;
use reelhook_app::webhooks::notify::Notified;
use reelhook_app::webhooks::triggers::*;
use reelhook_app::webhooks::validate::validate;
use reelhook_domain::{EndpointId, EventId};
use reelhook_signing::{standard, streamgank};
use reelhook_testkit::{Answer, Fault, MemoryTriggers, NOON, ScriptedHttp, Stack, World, keys, response, with_header};
use serde_json::{Value, json};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

async fn tested(answer: Answer, target: &str) -> (Tested, reelhook_app::outbound::OutboundRequest) {
    let http = ScriptedHttp::each([answer]);
    let tested = test(&http, &World::default(), Some(&keys()), &url(target)).await;
    (tested, http.only_request())
}

#[tokio::test]
async fn a_test_is_signed_like_a_delivery_and_marked_as_a_test() {
    let (tested, request) = tested(Ok(response(200, "")), "https://receiver.example/hook").await;
    assert_eq!((tested.success, tested.status, tested.error), (true, 200, None));
    assert_eq!(tested.message, "Webhook endpoint is reachable");
    assert_eq!(tested.url, "https://receiver.example/hook");
    let header = |name: &str| request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!((header("x-streamgank-test"), header("x-streamgank-event")), (Some("true"), Some("webhook.test")));
    assert_eq!(header("x-streamgank-delivery"), None, "a test is not a delivery");
    assert_eq!(header("x-streamgank-signature"), Some(streamgank::signature(&request.body, &keys()).as_str()));
    let id = header("webhook-id").unwrap();
    let signed = standard::sign(id, NOON.seconds(), &request.body, &keys());
    assert_eq!(header("webhook-signature"), Some(signed.as_str()));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&body["event"], &body["test"]), (&json!("webhook.test"), &json!(true)));
    assert!(body["data"]["message"].is_string() && body["timestamp"] == NOON.to_string());
    assert_eq!(request.deadline, Duration::from_secs(5));
}

#[test]
fn the_message_of_a_test_names_the_sender_of_its_format() {
    let endpoint = EndpointId::parse("ep_1").unwrap();
    for (format, sender) in [(Format::Standard, "Reelhook"), (Format::StreamGank, "StreamGank")] {
        let message = format!("This is a test webhook from {sender}");
        assert_eq!(test_event(&endpoint, format, NOON, 1).data, json!({ "message": message, "endpoint_id": "ep_1" }));
    }
}

#[tokio::test]
async fn a_failed_test_has_the_error_code_of_a_delivery() {
    let check = async |answer: Answer, expected: (u16, &str, Option<&str>)| {
        let (tested, _) = tested(answer, "https://receiver.example/hook").await;
        assert!(!tested.success);
        assert_eq!((tested.status, tested.message.as_str(), tested.error), expected);
    };
    let host = || "receiver.example".to_owned();
    check(Ok(response(404, "")), (404, "HTTP 404 response", None)).await;
    check(Ok(response(302, "")), (302, "HTTP 302 response", None)).await;
    let unknown = (0, "getaddrinfo ENOTFOUND receiver.example", Some("ENOTFOUND"));
    check(Err(OutboundError::NotFound { host: host() }), unknown).await;
    check(Err(OutboundError::Forbidden { host: host() }), unknown).await;
    let refused = (0, "connect ECONNREFUSED receiver.example:443", Some("ECONNREFUSED"));
    check(Err(OutboundError::Refused), refused).await;
    check(Err(OutboundError::TimedOut(5000)), (0, "timeout of 5000ms exceeded", Some("ETIMEDOUT"))).await;
}

#[tokio::test]
async fn a_test_of_a_chat_has_the_chat_s_format_and_hides_its_secret() {
    for (target, shown) in [
        ("https://hooks.slack.com/services/T0/B0/secret", "https://hooks.slack.com/***"),
        ("https://discord.com/api/webhooks/1/secret", "https://discord.com/***"),
    ] {
        let (tested, request) = tested(Ok(response(204, "")), target).await;
        assert_eq!((tested.success, tested.url.as_str()), (true, shown));
        assert!(request.headers.iter().all(|(name, _)| !name.contains("signature") && !name.starts_with("x-")));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert!(body["blocks"].is_array() || body["embeds"].is_array(), "{body}");
    }
}

fn two_endpoints() -> Stack {
    Stack::with(&[("WEBHOOK_URLS", "https://a.example/x,https://b.example/y"), ("WEBHOOK_EVENTS", "job.completed")], 3)
}

async fn send_trigger(
    stack: &Stack,
    tables: &MemoryTriggers,
    event: &str,
    data: Option<Value>,
    key: Option<(&str, &str)>,
) -> Result<Triggered, StoreError> {
    let subscriptions = stack.subscriptions().await;
    let ports = TriggerPorts {
        store: tables,
        hints: &stack.hints,
        clock: &*stack.world,
        subscriptions: &subscriptions,
        grace: stack.policy.hint_grace,
    };
    let requested = Trigger { event: event.to_owned(), data, caller: "ann".to_owned(), traceparent: None };
    let key = key.map(|(key, hash)| IdempotencyKey::new("ann", key, hash));
    let answer = |id: &EventId, results: Notified| {
        let failed = results.total - results.accepted;
        json!({ "eventId": id.as_str(), "timestamp": NOON.to_string(), "total": results.total, "failed": failed })
            .to_string()
    };
    trigger(&ports, requested, key, answer).await
}

fn answer(triggered: &Triggered) -> Value {
    let Triggered::Answer(text) = triggered else { panic!("{triggered:?}") };
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_triggered_event_is_sent_to_every_subscriber() {
    let (stack, tables) = (two_endpoints(), MemoryTriggers::default());
    let done =
        send_trigger(&stack, &tables, "job.completed", Some(json!({ "job_id": "test_job_123" })), None).await.unwrap();
    assert_eq!((&answer(&done)["total"], &answer(&done)["failed"]), (&json!(2), &json!(0)));
    let all = tables.deliveries.all();
    assert_eq!((all.len(), stack.hints.sent().len()), (2, 1));
    assert!(all.iter().all(|delivery| delivery.subject.as_str() == "test_job_123" && delivery.due_at.is_some()));
    assert_eq!(tables.deliveries.events()[0].data, json!({ "job_id": "test_job_123" }));
    for unwanted in ["job.failed", "anything"] {
        let done = send_trigger(&stack, &tables, unwanted, None, None).await.unwrap();
        assert_eq!(answer(&done)["total"], 0, "{unwanted}");
    }
    let done = send_trigger(&stack, &tables, "job.completed", None, None).await.unwrap();
    assert_eq!(answer(&done)["total"], 2);
    let event = tables.deliveries.events().into_iter().find(|event| event.data["manual"] == true).unwrap();
    assert_eq!(event.data["message"], "Manual webhook test trigger");
    assert!(event.subject.as_str().starts_with("trigger_"));
}

#[tokio::test]
async fn a_repeated_key_has_the_same_response_and_creates_nothing() {
    let (stack, tables) = (two_endpoints(), MemoryTriggers::default());
    let first = send_trigger(&stack, &tables, "job.completed", None, Some(("k", "body"))).await.unwrap();
    stack.world.advance_s(60);
    let second = send_trigger(&stack, &tables, "job.completed", None, Some(("k", "body"))).await.unwrap();
    assert_eq!(first, second);
    assert_eq!((tables.deliveries.all().len(), tables.deliveries.events().len()), (2, 1));
    let other = send_trigger(&stack, &tables, "job.completed", None, Some(("k", "other body"))).await.unwrap();
    assert_eq!(other, Triggered::KeyReused);
}

#[tokio::test]
async fn a_repetition_completes_an_unfinished_trigger() {
    for operation in ["put_event", "put_delivery", "remember"] {
        for fault in [Fault::Busy, Fault::LostAnswer] {
            let (stack, tables) = (two_endpoints(), MemoryTriggers::default());
            tables.faults.inject(operation, [fault]);
            send_trigger(&stack, &tables, "job.completed", None, Some(("k", "body"))).await.unwrap_err();
            let done = send_trigger(&stack, &tables, "job.completed", None, Some(("k", "body"))).await.unwrap();
            assert_eq!(answer(&done)["total"], 2);
            assert_eq!(
                (tables.deliveries.all().len(), tables.deliveries.events().len()),
                (2, 1),
                "{operation} {fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_failed_write_without_a_key_is_an_error() {
    let (stack, tables) = (two_endpoints(), MemoryTriggers::default());
    tables.faults.busy("put_delivery", 1);
    let done = send_trigger(&stack, &tables, "job.completed", None, None).await.unwrap();
    assert_eq!((&answer(&done)["total"], &answer(&done)["failed"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn a_url_check_reports_each_step() {
    let check = async |answers: Vec<Answer>, text: &str, expected: (bool, &str)| {
        let http = ScriptedHttp::each(answers);
        let found = validate(&http, text).await;
        assert_eq!((found.valid, found.reason.as_str()), expected, "{text}");
        (found, http.requests().len())
    };
    let to = |place: &str| Ok(with_header(response(301, ""), "location", place));
    let reached = (true, "The URL is valid and can be reached");
    check(vec![Ok(response(200, ""))], "https://a.example/x", reached).await;
    let (found, requests) = check(vec![to("/y"), Ok(response(200, ""))], "https://a.example/x", reached).await;
    assert_eq!((found.url.as_deref(), found.redirects, requests), (Some("https://a.example/y"), 1, 2));
    let (_, requests) =
        check(vec![to("/again")], "https://a.example/x", (false, "The URL redirects more than 4 times")).await;
    assert_eq!(requests, 5);
    let status = (false, "The URL answered with HTTP status 404");
    check(vec![Ok(response(404, ""))], "https://a.example/x", status).await;
    let status = (false, "The URL answered with HTTP status 301");
    check(vec![to("file:///etc/passwd")], "https://a.example/x", status).await;
    let down = (false, "The URL redirects from https to http");
    let (found, requests) = check(vec![to("http://a.example/x")], "https://a.example/x", down).await;
    assert_eq!((found.status, requests), (Some(301), 1));
    check(vec![to("https://a.example/x"), Ok(response(204, ""))], "http://a.example/x", reached).await;
    let gone = vec![to("https://b.example/secret"), Err(OutboundError::Refused)];
    check(gone, "https://a.example/x", (false, "The URL can't be reached: connect ECONNREFUSED b.example:443")).await;
    let (_, requests) = check(vec![], "not a url", (false, "This is not an http or https URL")).await;
    assert_eq!(requests, 0);
    check(vec![], "ftp://a.example/x", (false, "This is not an http or https URL")).await;
    let inside = Err(OutboundError::Forbidden { host: "a.example".to_owned() });
    let unknown = (false, "The URL can't be reached: getaddrinfo ENOTFOUND a.example");
    check(vec![inside], "https://a.example/x", unknown).await;
}
