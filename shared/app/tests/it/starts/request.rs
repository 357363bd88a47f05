//! The request to the worker: body, Idempotency-Key, signatures, and the token of its callbacks.

use std::collections::BTreeSet;
use std::time::Duration;

use reelhook_app::outbound::Method;
use reelhook_domain::Event;
use reelhook_signing::{RunClaims, standard, streamgank};
use reelhook_testkit::{NOON, Stack, body_of, header, headers, keys};
use serde_json::json;

use super::start;

#[tokio::test]
async fn the_request_follows_the_contract() {
    let stack = Stack::with(&[], 3);
    let id = stack.submit(1);
    start(&stack).await;
    let request = stack.http.only_request();
    assert_eq!((request.method, request.url.as_str()), (Method::Post, "https://worker.example/run"));
    assert_eq!(request.deadline, Duration::from_secs(15));
    let body = body_of(&request);
    let base = body["webhook_base_url"].as_str().unwrap().to_owned();
    let expected = json!({
        "job_id": id.as_str(),
        "attempt": 1,
        "parameters": stack.jobs.get(&id).request.input,
        "webhook_base_url": base,
        "callback_url": format!("{base}/api/webhooks/step-update"),
    });
    assert_eq!(body, expected);
    let names: BTreeSet<String> = headers(&request).into_keys().collect();
    let expected = [
        "content-type",
        "idempotency-key",
        "traceparent",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
        "x-streamgank-signature",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
    assert_eq!(header(&request, "idempotency-key"), format!("{id}.1"));
    assert_eq!(header(&request, "content-type"), "application/json");
    assert_eq!(Some(header(&request, "traceparent")), stack.jobs.get(&id).origin.traceparent);
}

#[tokio::test]
async fn the_token_in_the_base_url_names_the_job_and_its_run() {
    let stack = Stack::with(&[], 3);
    let id = stack.submit(1);
    start(&stack).await;
    let base = body_of(&stack.http.only_request())["webhook_base_url"].as_str().unwrap().to_owned();
    let token = base.strip_prefix("https://reelhook.example/w/").unwrap();
    let claims = RunClaims::verify(token, &stack.worker.tokens).unwrap().into_inner();
    assert_eq!((claims.job_id.as_str(), claims.attempt), (id.as_str(), 1));
    assert!(RunClaims::verify(token, &keys()).is_err(), "the webhook secret makes no tokens");
}

#[tokio::test]
async fn both_signatures_verify_like_those_of_a_delivery() {
    let stack = Stack::with(&[], 3);
    stack.submit(1);
    start(&stack).await;
    let request = stack.http.only_request();
    let [id, timestamp, tokens, hex] =
        ["webhook-id", "webhook-timestamp", "webhook-signature", "x-streamgank-signature"]
            .map(|name| header(&request, name));
    assert!(id.starts_with("msg_"));
    standard::verify(&id, &timestamp, &tokens, &request.body, &keys(), NOON.seconds()).unwrap();
    streamgank::verify_hex(&request.body, &hex, &keys()).unwrap();
}

#[tokio::test]
async fn without_a_secret_the_request_is_not_signed() {
    let mut stack = Stack::with(&[], 3);
    stack.worker.secret = None;
    stack.submit(1);
    start(&stack).await;
    let names: Vec<String> = headers(&stack.http.only_request()).into_keys().collect();
    assert_eq!(names, ["content-type", "idempotency-key", "traceparent", "user-agent"]);
}

#[tokio::test]
async fn another_run_has_another_key_and_another_token() {
    let stack = Stack::with(&[], 3);
    let id = stack.submit(1);
    stack.settle().await;
    let failed = Event::RunFailed { attempt: 1, error: "process killed".to_owned() };
    stack.jobs.apply(&id, &failed, NOON, &stack.policy);
    stack.settle().await;
    stack.world.advance_s(30);
    stack.settle().await;
    let requests = stack.http.requests();
    let sent: Vec<String> = requests.iter().map(|request| header(request, "idempotency-key")).collect();
    assert_eq!(sent, [format!("{id}.1"), format!("{id}.2")]);
    let bases: BTreeSet<String> =
        requests.iter().map(|request| body_of(request)["webhook_base_url"].to_string()).collect();
    assert_eq!(bases.len(), 2);
    assert_eq!(body_of(&requests[1])["attempt"], 2);
}
