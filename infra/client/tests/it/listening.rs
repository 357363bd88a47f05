//! `listen --register`: an endpoint that exists as long as its receiver.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::program::{Place, Running};
use crate::server::{Reply, Server};

fn api() -> Server {
    let answer = json!({ "success": true, "endpoint": { "id": "ep_1" }, "test": { "deliveryId": "d" } });
    Server::scripted(vec![
        ("POST /api/webhooks/endpoints", vec![Reply::json(201, &answer)]),
        ("DELETE /api/webhooks/endpoints/ep_1", vec![Reply::json(200, &json!({ "success": true, "id": "ep_1" }))]),
    ])
}

fn start(place: &Place, server: &Server, more: &[&str]) -> Running {
    let command: Command = place.command(&server.url, &[&["listen", "--port", "0", "--register"][..], more].concat());
    Running::start(command)
}

#[test]
fn the_endpoint_is_deleted_at_the_end() {
    let (server, place) = (api(), Place::new());
    let mut running = start(&place, &server, &["--event", "job.*"]);
    let listening = running.until_said("Listening on ");
    let url = listening.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    running.until_said("Verifying signatures with 1 secrets");
    running.until_said("Registered the endpoint ep_1");
    let request = server.only("POST /api/webhooks/endpoints").json();
    assert_eq!((&request["url"], &request["events"]), (&json!(url), &json!(["job.*"])));
    let secret = request["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{}", secret.len());
    let ended = running.interrupt();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.ends_with("Received 0 webhooks, 0 of them verified.\n"), "{}", ended.err);
    assert!(!ended.err.contains(secret) && !ended.out.contains(secret));
    server.only("DELETE /api/webhooks/endpoints/ep_1");
}

#[test]
fn an_endpoint_is_deleted_though_its_answer_has_not_come() {
    const CREATE: &str = "POST /api/webhooks/endpoints";
    let server = Server::start(|request, before| match (request.line.as_str(), before) {
        (CREATE, 0) => loop {
            thread::park();
        },
        (CREATE, _) => Reply::json(201, &json!({ "success": true, "endpoint": { "id": "ep_1" } })),
        (_, _) => Reply::json(200, &json!({ "success": true, "id": "ep_1" })),
    });
    let place = Place::new();
    let running = start(&place, &server, &[]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.lines().is_empty() {
        assert!(Instant::now() < deadline, "nothing was registered");
        thread::yield_now();
    }
    let ended = running.interrupt();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(server.lines(), [CREATE, CREATE, "DELETE /api/webhooks/endpoints/ep_1"]);
    let keys: Vec<String> = server.requests().iter().map(|one| one.header("idempotency-key").to_owned()).collect();
    assert!(!keys[0].is_empty() && keys[0] == keys[1], "{keys:?}");
}

#[test]
fn a_receiver_may_have_another_address_outside() {
    let (server, place) = (api(), Place::new());
    let mut running = start(&place, &server, &["--public-url", "https://abcd.tunnel.example/hooks"]);
    running.until_said("Registered the endpoint ep_1");
    assert_eq!(server.only("POST /api/webhooks/endpoints").json()["url"], "https://abcd.tunnel.example/hooks");
    running.interrupt();
}

#[test]
fn an_endpoint_that_is_refused_ends_the_receiver() {
    let refusal = json!({ "message": "`url` must be https", "code": "bad_field" });
    let server = Server::scripted(vec![("POST /api/webhooks/endpoints", vec![Reply::json(400, &refusal)])]);
    let place = Place::new();
    let ended = place.run(&server.url, &["listen", "--port", "0", "--register"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.err.ends_with("error: `url` must be https (bad_field)\n"), "{}", ended.err);
    assert_eq!(server.lines().len(), 1);
}
