//! Endpoints, deliveries and replays.

use serde_json::{Value, json};

use crate::program::Place;
use crate::server::{Reply, Server};

const ENDPOINTS: &str = "/api/webhooks/endpoints";

fn endpoint() -> Value {
    json!({ "id": "ep_1", "url": "https://shop.example/hooks", "events": ["job.*"], "enabled": true,
        "health": { "status": "healthy", "score": 100 } })
}

#[test]
fn an_endpoint_is_registered_with_a_secret_from_a_file() {
    let answer = json!({ "success": true, "endpoint": endpoint(), "test": { "deliveryId": "d" } });
    let server = Server::scripted(vec![("POST /api/webhooks/endpoints", vec![Reply::json(201, &answer)])]);
    let place = Place::new();
    let secret = place.file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    let url = "https://shop.example/hooks";
    let ended = place.run(&server.url, &["endpoints", "add", url, "--event", "job.*", "--secret-file", secret]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.starts_with("ep_1  https://shop.example/hooks\n"), "{}", ended.out);
    assert!(!ended.out.contains("whsec_") && !ended.err.contains("whsec_"), "{ended:?}");
    let body = json!({ "events": ["job.*"], "url": url, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
    assert_eq!(server.only(&format!("POST {ENDPOINTS}")).json(), body);
}

#[test]
fn endpoints_are_listed_over_all_pages() {
    let page = |id: &str, cursor: Value| {
        let mut one = endpoint();
        one["id"] = json!(id);
        Reply::json(200, &json!({ "success": true, "count": 1, "endpoints": [one], "nextCursor": cursor }))
    };
    let server = Server::scripted(vec![
        ("GET /api/webhooks/endpoints", vec![page("ep_1", json!("c 1"))]),
        ("GET /api/webhooks/endpoints?cursor=c+1", vec![page("ep_2", Value::Null)]),
    ]);
    let ended = Place::new().run(&server.url, &["endpoints", "list"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].starts_with("ep_1  healthy  100") && lines[2].starts_with("ep_2  healthy"), "{lines:?}");
}

#[test]
fn a_change_names_only_what_changes() {
    let answer = json!({ "success": true, "endpoint": endpoint() });
    let server = Server::scripted(vec![("PATCH /api/webhooks/endpoints/ep_1", vec![Reply::json(200, &answer)])]);
    let place = Place::new();
    let ended = place
        .run(&server.url, &["endpoints", "update", "ep_1", "--enabled", "false", "--set", "{\"description\": null}"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let body = json!({ "description": null, "enabled": false });
    assert_eq!(server.only("PATCH /api/webhooks/endpoints/ep_1").json(), body);
    assert_eq!(place.run(&server.url, &["endpoints", "update", "ep_1"]).code, 2);
}

#[test]
fn a_rotation_prints_no_secret_and_secret_does() {
    let secrets = json!({ "success": true, "secrets": [{ "id": "sec_2", "secret": "whsec_BBBB", "expiresAt": null },
        { "id": "sec_1", "secret": "whsec_AAAA", "expiresAt": "2026-11-22T04:00:00.000Z" }] });
    let server = Server::scripted(vec![
        ("POST /api/webhooks/endpoints/ep_1/secret/rotate", vec![Reply::json(200, &secrets)]),
        ("GET /api/webhooks/endpoints/ep_1/secret", vec![Reply::json(200, &secrets)]),
    ]);
    let place = Place::new();
    let extras: [&[&str]; 2] = [&[], &["--json"]];
    for extra in extras {
        let ended =
            place.run(&server.url, &[&["endpoints", "rotate-secret", "ep_1", "--grace", "2h"][..], extra].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.out.contains("sec_2") && !ended.out.contains("whsec_"), "{}", ended.out);
    }
    let rotated = server.requests();
    assert_eq!(rotated[0].json(), json!({ "graceSeconds": 7200 }));
    let shown = place.run(&server.url, &["endpoints", "secret", "ep_1"]);
    assert_eq!((shown.code, shown.out.as_str()), (0, "whsec_BBBB\nwhsec_AAAA\n"));
}

#[test]
fn a_test_shows_its_first_attempt() {
    let delivery = |attempts: Value| Reply::json(200, &json!({ "delivery": { "id": "d-1" }, "attempts": attempts }));
    let attempt = |status: u16| json!([{ "number": 1, "startedAt": "2026-11-22T04:00:00.000Z", "outcome": "answered", "status": status, "durationMs": 41 }]);
    for (status, code) in [(204, 0), (500, 5)] {
        let server = Server::scripted(vec![
            ("POST /api/webhooks/endpoints/ep_1/test", vec![Reply::json(202, &json!({ "deliveryId": "d-1" }))]),
            ("GET /api/webhooks/deliveries/d-1", vec![delivery(json!([])), delivery(attempt(status))]),
        ]);
        let ended = Place::new().run(&server.url, &["endpoints", "test", "ep_1"]);
        let line = format!("attempt 1 at 2026-11-22T04:00:00.000Z: answered {status}, 41 ms\n");
        assert_eq!((ended.code, ended.out), (code, line));
    }
}

#[test]
fn deliveries_are_listed_up_to_the_limit() {
    let page = |ids: &[&str], cursor: Option<&str>| {
        let row = |id: &&str| {
            json!({ "id": id, "status": "exhausted", "attempts": 3, "event": "job.completed",
            "webhookId": "webhook_1", "lastResult": "status 500" })
        };
        let rows: Vec<Value> = ids.iter().map(row).collect();
        Reply::json(200, &json!({ "success": true, "deliveries": rows, "nextCursor": cursor }))
    };
    let first = "GET /api/webhooks/deliveries?status=exhausted&from=2026-11-22T04%3A00%3A00Z&limit=3";
    let second = "GET /api/webhooks/deliveries?status=exhausted&from=2026-11-22T04%3A00%3A00Z&limit=1&cursor=c1";
    let server = Server::scripted(vec![
        (first, vec![page(&["d1", "d2"], Some("c1"))]),
        (second, vec![page(&["d3"], Some("c2"))]),
    ]);
    let filter = ["deliveries", "list", "--status", "exhausted", "--from", "2026-11-22T04:00:00Z", "--limit", "3"];
    let ended = Place::new().run(&server.url, &[&filter[..], &["--json"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let ids: Vec<Value> =
        ended.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["d1", "d2", "d3"]);
    let shown = Place::new().run(&server.url, &filter);
    assert_eq!(shown.out.lines().count(), 4, "one head and three rows: {}", shown.out);
}

#[test]
fn one_delivery_or_a_range_is_sent_again() {
    let recovery = |status: &str, progress: u64| {
        let recovery = json!({ "id": "rec_1", "status": status, "dryRun": false, "progress": progress, "examined": 120,
            "matched": 14, "replayed": 12 });
        json!({ "success": true, "recovery": recovery })
    };
    let server = Server::scripted(vec![
        ("POST /api/webhooks/deliveries/d-1/retry", vec![Reply::json(200, &json!({ "success": true }))]),
        ("POST /api/webhooks/recover", vec![Reply::json(202, &recovery("running", 10))]),
        ("GET /api/webhooks/recover/rec_1", vec![Reply::json(200, &recovery("done", 100))]),
    ]);
    let place = Place::new();
    let one = place.run(&server.url, &["replay", "d-1"]);
    assert_eq!((one.code, one.out.as_str()), (0, "d-1 is sent again\n"), "{one:?}");
    let range = ["replay", "--from", "2026-11-22T04:00:00Z", "--endpoint", "webhook_1"];
    let all = place.run(&server.url, &range);
    assert_eq!((all.code, all.out.as_str()), (0, "rec_1 done: 120 examined, 14 matched, 12 sent again\n"), "{all:?}");
    let body = json!({ "from": "2026-11-22T04:00:00Z", "endpoint": "webhook_1" });
    assert_eq!(server.only("POST /api/webhooks/recover").json(), body);
    let cancelled = Server::scripted(vec![
        ("POST /api/webhooks/recover", vec![Reply::json(202, &recovery("running", 10))]),
        ("GET /api/webhooks/recover/rec_1", vec![Reply::json(200, &recovery("cancelled", 40))]),
    ]);
    let stopped = place.run(&cancelled.url, &["replay", "--from", "2h"]);
    assert_eq!(stopped.code, 5, "{stopped:?}");
    assert!(stopped.err.ends_with("error: the recovery rec_1 was cancelled\n"), "{}", stopped.err);
    for wrong in [&["replay"][..], &["replay", "d-1", "--from", "2h"], &["replay", "--endpoint", "webhook_1"]] {
        assert_eq!(place.run(&server.url, wrong).code, 2, "{wrong:?}");
    }
}
