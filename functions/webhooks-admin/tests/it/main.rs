//! Calls about webhook endpoints, on tables in memory.

use lambda_http::aws_lambda_events::query_map::QueryMap;
use lambda_http::http::HeaderValue;
use lambda_http::{Body, Request, RequestExt};
use reelhook_app::webhooks::endpoints::registrations::Vault;
use reelhook_domain::{DeliveryId, EndpointId, OutboundEvent};
use reelhook_http::access::Caller;
use reelhook_http::problem::{Problem, RequestProblem};
use reelhook_http::request::ApiRequest;
use reelhook_http::webhooks::endpoint_fields::DestinationRules;
use reelhook_http::webhooks::endpoints::Route;
use reelhook_http::webhooks::problem::WebhookProblem;
use reelhook_testkit::{Fault, Stack};
use serde_json::{Value, json};
use webhooks_admin::endpoints::{EndpointHandler, answer};

const ENDPOINTS: &str = "/api/webhooks/endpoints";

fn handler(stack: &Stack) -> EndpointHandler<'_> {
    EndpointHandler {
        registrations: &*stack.deliveries,
        reader: &*stack.deliveries,
        events: &*stack.deliveries,
        records: &*stack.jobs,
        recover: stack.recover_ports(),
        settings: &stack.settings,
        vault: Some(&stack.vault),
    }
}

fn route(method: &str, target: &str, header: Option<(&'static str, &'static str)>, body: &Value) -> Route {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: QueryMap = query.parse().unwrap();
    let body = if body.is_null() { Body::Empty } else { Body::Text(body.to_string()) };
    let request = Request::new(body);
    let mut request = request.with_raw_http_path(path).with_query_string_parameters(query);
    *request.method_mut() = method.parse().unwrap();
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    if let Some((name, value)) = header {
        request.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let rules = DestinationRules { allow_http: true, destinations: Vec::new(), region: "us-east-1".to_owned() };
    Route::read(&ApiRequest::of(request), &Caller::known_as("ann"), &rules).unwrap().expect("a call about endpoints")
}

async fn send(handler: &EndpointHandler<'_>, route: Route) -> Result<Value, Problem> {
    Ok(serde_json::from_str(&answer(handler, route, None, "ann").await?.body).unwrap())
}

async fn call(stack: &Stack, method: &str, target: &str, body: Value) -> Result<Value, Problem> {
    send(&handler(stack), route(method, target, None, &body)).await
}

/// Registers an endpoint, and a second passes: its id.
async fn registered(stack: &Stack, host: &str) -> String {
    let body = json!({ "url": format!("https://{host}.example/"), "events": ["job.*"] });
    let answer = call(stack, "POST", ENDPOINTS, body).await.unwrap();
    stack.world.advance_s(1);
    answer["endpoint"]["id"].as_str().unwrap().to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    list["endpoints"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

fn of(id: &str) -> String {
    format!("{ENDPOINTS}/{id}")
}

#[tokio::test]
async fn the_list_begins_with_the_settings_and_goes_on_with_the_newest_registration() {
    let stack = Stack::default();
    let first = registered(&stack, "first").await;
    let second = registered(&stack, "second").await;
    let third = registered(&stack, "third").await;
    let part = call(&stack, "GET", &format!("{ENDPOINTS}?limit=2"), Value::Null).await.unwrap();
    assert_eq!(names(&part), ["webhook_1", third.as_str()]);
    call(&stack, "DELETE", &of(&third), Value::Null).await.unwrap();
    let cursor = part["nextCursor"].as_str().unwrap();
    let rest = call(&stack, "GET", &format!("{ENDPOINTS}?limit=2&cursor={cursor}"), Value::Null).await.unwrap();
    assert_eq!(names(&rest), [second.as_str(), first.as_str()], "a cursor outlives its endpoint");
    assert_eq!(rest.get("nextCursor"), None);
}

#[tokio::test]
async fn a_new_endpoint_gets_a_test_unless_it_is_disabled() {
    let stack = Stack::default();
    let body = json!({ "url": "https://a.example/", "events": ["job.*"] });
    let answer = call(&stack, "POST", ENDPOINTS, body).await.unwrap();
    let test = stack.deliveries.only();
    assert_eq!(DeliveryId::parse(answer["test"]["deliveryId"].as_str().unwrap()), Some(test.id));
    assert_eq!((test.event, json!(test.subject.as_str())), (OutboundEvent::Test, answer["endpoint"]["id"].clone()));

    let body = json!({ "url": "https://b.example/", "events": ["job.*"], "enabled": false });
    let answer = call(&stack, "POST", ENDPOINTS, body).await.unwrap();
    assert_eq!((&answer["test"], &answer["endpoint"]["enabled"]), (&Value::Null, &json!(false)));
    assert_eq!(stack.deliveries.all().len(), 1);
}

#[tokio::test]
async fn an_endpoint_is_registered_even_if_its_test_cannot_be_written() {
    let stack = Stack::default();
    stack.deliveries.faults.inject("put_event", [Fault::Busy]);
    let id = registered(&stack, "a").await;
    assert_eq!(stack.deliveries.all(), []);
    let shown = call(&stack, "GET", &of(&id), Value::Null).await.unwrap();
    assert_eq!(shown["endpoint"]["id"], json!(id));
}

#[tokio::test]
async fn a_key_makes_one_test_and_is_refused_with_another_body() {
    let stack = Stack::default();
    let test = async |endpoint: &str, body: Value| {
        let target = format!("{}/test", of(endpoint));
        let key = Some(("idempotency-key", "k"));
        send(&handler(&stack), route("POST", &target, key, &body)).await
    };
    let first = test("webhook_1", json!({})).await.unwrap();
    stack.world.advance_s(1);
    assert_eq!(test("webhook_1", Value::Null).await.unwrap(), first, "no body is the same as an empty object");
    assert_eq!(test("webhook_1", json!({ "a": 1 })).await, Err(Problem::Request(RequestProblem::KeyReused)));
    assert_eq!(stack.deliveries.all().len(), 1);

    let other = registered(&stack, "a").await;
    assert_eq!(
        test(&other, json!({})).await,
        Err(Problem::Request(RequestProblem::KeyReused)),
        "a key belongs to a route"
    );
    stack.world.advance_s(24 * 3600);
    assert!(test(&other, json!({})).await.is_ok(), "a record is kept for 24 hours");
}

#[tokio::test]
async fn endpoints_of_the_settings_can_only_be_enabled_and_disabled() {
    let stack = Stack::default();
    let one = of("webhook_1");
    let disabled = call(&stack, "PATCH", &one, json!({ "enabled": false })).await.unwrap();
    assert_eq!(disabled["endpoint"]["health"]["disabledReason"], "disabled by its operator");
    assert_eq!(
        call(&stack, "POST", &format!("{one}/test"), Value::Null).await,
        Err(Problem::Webhook(WebhookProblem::EndpointDisabled))
    );
    let enabled = call(&stack, "PATCH", &one, json!({ "enabled": true })).await.unwrap();
    assert_eq!(enabled["endpoint"]["enabled"], json!(true));

    let refused = Err(Problem::Webhook(WebhookProblem::EndpointConfigured));
    assert_eq!(call(&stack, "PATCH", &one, json!({ "description": "x" })).await, refused);
    assert_eq!(call(&stack, "DELETE", &one, Value::Null).await, refused);
    assert_eq!(call(&stack, "GET", &format!("{one}/secret"), Value::Null).await, refused);
    let versioned = route("PATCH", &one, Some(("if-match", "\"1\"")), &json!({ "enabled": true }));
    assert_eq!(
        send(&handler(&stack), versioned).await,
        Err(Problem::Webhook(WebhookProblem::VersionMismatch)),
        "they have no version"
    );
}

#[tokio::test]
async fn a_change_of_another_version_than_the_current_one_is_refused() {
    let stack = Stack::default();
    let one = of(&registered(&stack, "a").await);
    let body = json!({ "description": "mine" });
    let stale = route("PATCH", &one, Some(("if-match", "\"7\"")), &body);
    assert_eq!(send(&handler(&stack), stale).await, Err(Problem::Webhook(WebhookProblem::VersionMismatch)));
    let changed = send(&handler(&stack), route("PATCH", &one, Some(("if-match", "\"1\"")), &body)).await.unwrap();
    assert_eq!((&changed["endpoint"]["description"], &changed["endpoint"]["version"]), (&json!("mine"), &json!(2)));
}

#[tokio::test]
async fn a_new_endpoint_gets_the_standard_payload_unless_it_chooses_the_envelope() {
    let stack = Stack::default();
    let check = async |id: &str, format: &str, members: &[&str]| {
        let shown = call(&stack, "GET", &of(id), Value::Null).await.unwrap();
        assert_eq!(shown["endpoint"]["format"], format);
        let previews = call(&stack, "GET", &format!("{}/preview?event=job.failed", of(id)), Value::Null).await.unwrap();
        let preview = &previews["previews"][0];
        let body: Value = serde_json::from_str(preview["body"].as_str().unwrap()).unwrap();
        let names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, members);
        assert_eq!(preview["headers"].get("x-streamgank-event").is_some(), format == "streamgank", "{preview}");
    };
    let standard = ["type", "timestamp", "data"];
    let envelope = ["event", "data", "timestamp", "webhook_id", "source"];
    let id = registered(&stack, "a").await;
    check(&id, "standard", &standard).await;
    for (change, format, members) in [
        (json!({ "format": "streamgank" }), "streamgank", &envelope[..]),
        (json!({ "description": "Orders" }), "streamgank", &envelope[..]),
        (json!({ "format": null }), "standard", &standard[..]),
    ] {
        call(&stack, "PATCH", &of(&id), change).await.unwrap();
        check(&id, format, members).await;
    }
    check("webhook_1", "streamgank", &envelope).await;
    let refused = call(&stack, "PATCH", &of("webhook_1"), json!({ "format": "standard" })).await;
    assert_eq!(refused, Err(Problem::Webhook(WebhookProblem::EndpointConfigured)));
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_opened_hides_no_other() {
    let stack = Stack::default();
    registered(&stack, "a").await;
    let other = Vault::parse("another key").unwrap();
    for vault in [Some(&other), None] {
        let handler = EndpointHandler { vault, ..handler(&stack) };
        let list = send(&handler, route("GET", ENDPOINTS, None, &Value::Null)).await.unwrap();
        assert_eq!(names(&list), ["webhook_1"]);
    }
    let without_key = EndpointHandler { vault: None, ..handler(&stack) };
    let register = route("POST", ENDPOINTS, None, &json!({ "url": "https://b.example/", "events": ["*"] }));
    assert_eq!(send(&without_key, register).await, Err(Problem::Webhook(WebhookProblem::NoSecretsKey)));
}

#[tokio::test]
async fn an_endpoint_that_is_not_registered_is_not_found() {
    let stack = Stack::default();
    let removed = registered(&stack, "a").await;
    call(&stack, "DELETE", &of(&removed), Value::Null).await.unwrap();
    assert!(stack.deliveries.endpoint_state(&EndpointId::parse(&removed).unwrap()).removed_at.is_some());
    for id in [removed.as_str(), "ep_00112233445566778899aabbccddeeff", "webhook_2"] {
        for (method, path) in [("GET", of(id)), ("DELETE", of(id)), ("POST", format!("{}/secret/rotate", of(id)))] {
            assert_eq!(
                call(&stack, method, &path, Value::Null).await,
                Err(Problem::Webhook(WebhookProblem::EndpointNotFound)),
                "{method} {path}"
            );
        }
    }
}
