//! The same request with the same Idempotency-Key, however it is written.

use lambda_http::Body;
use reelhook_app::idempotency::IdempotencyKey;
use reelhook_app::retention::Days;
use reelhook_domain::Timestamp;
use reelhook_http::access::Caller;
use reelhook_http::jobs::generate;
use reelhook_http::webhooks::endpoint_fields::DestinationRules;
use reelhook_http::webhooks::{endpoints, hooks, recover};
use sha2::{Digest, Sha256};

use crate::support::{form, gzip, order, part, request};

const KEY: (&str, &str) = ("idempotency-key", "once");
const NOW: Timestamp = Timestamp(1_704_110_400_000);

fn caller() -> Caller {
    Caller::known_as("ann").formerly(|| vec!["ann before".to_owned()])
}

/// The key of a request as its route reads it.
fn key_of(path: &str, body: &[u8]) -> IdempotencyKey {
    let headers = [("content-type", "application/json"), KEY];
    let request = request("POST", path, &headers, Body::Binary(body.to_vec()));
    let rules = DestinationRules { allow_http: true, destinations: Vec::new(), region: "us-east-1".to_owned() };
    let key = match path {
        "/api/generate" => generate::read(&request, caller()).unwrap().key,
        "/api/webhooks/trigger" => match hooks::Route::read(&request, caller(), true).unwrap() {
            hooks::Route::Trigger(_, key) => key,
            other => panic!("{other:?}"),
        },
        "/api/webhooks/recover" => match recover::Route::read(&request, &caller(), Days::MONTH, NOW).unwrap() {
            Some(recover::Route::Begin(command)) => command.key,
            other => panic!("{other:?}"),
        },
        "/api/generate-video-async" => order(&request).unwrap().key,
        _ => match endpoints::Route::read(&request, &caller(), &rules).unwrap() {
            Some(endpoints::Route::Register(command)) => command.key,
            Some(endpoints::Route::Rotate(_, rotation)) => rotation.key,
            Some(endpoints::Route::Test(_, key)) => key,
            other => panic!("{other:?}"),
        },
    };
    key.expect("a key")
}

#[test]
fn every_route_hashes_the_same_request_to_the_same_value() {
    for (path, one, same, other) in [
        (
            "/api/generate",
            r#"{"country": "FR", "platform": "netflix", "genre": "Comédie"}"#,
            r#"{"genre":"Com\u00e9die","platform":"netflix","country":"FR"}"#,
            r#"{"country": "FR", "platform": "netflix", "genre": "Comedie"}"#,
        ),
        (
            "/api/webhooks/trigger",
            r#"{"event": "job.completed", "data": {"a": 1, "b": [100]}}"#,
            r#"{"data": {"b": [1e2], "a": 1.0}, "event": "job.completed"}"#,
            r#"{"event": "job.completed", "data": {"a": 1, "b": [101]}}"#,
        ),
        (
            "/api/webhooks/recover",
            r#"{"from": "2024-01-01T00:00:00Z", "status": "stopped"}"#,
            r#"{ "status": "stopped", "from": "2024-01-01T00:00:00Z" }"#,
            r#"{"from": "2024-01-01T00:00:01Z", "status": "stopped"}"#,
        ),
        (
            "/api/webhooks/endpoints",
            r#"{"url": "https://a.example/", "rateLimit": {"max": 5, "windowMs": 2000}}"#,
            r#"{"rateLimit": {"windowMs": 2e3, "max": 5}, "url": "https:\/\/a.example\/"}"#,
            r#"{"url": "https://a.example/", "rateLimit": {"max": 6, "windowMs": 2000}}"#,
        ),
        (
            "/api/webhooks/endpoints/ep_1/secret/rotate",
            r#"{"graceSeconds": 60}"#,
            "\u{feff}{ \"graceSeconds\" : 60.0 }",
            r#"{"graceSeconds": 61}"#,
        ),
        (
            "/api/generate-video-async",
            r#"{"scenes": [{"type": "stats", "duration": 4}], "title": "é"}"#,
            r#"{"title": "\u00e9", "scenes": [{"duration": 4.0, "type": "stats"}]}"#,
            r#"{"scenes": [{"type": "stats", "duration": 5}], "title": "é"}"#,
        ),
    ] {
        let [one, same, other] = [one, same, other].map(|body| key_of(path, body.as_bytes()));
        assert!(same.is_same(&one.body_hash) && one.is_same(&same.body_hash), "{path}");
        assert!(!other.is_same(&one.body_hash), "{path}");
    }
    let nothing = key_of("/api/webhooks/endpoints/ep_1/secret/rotate", b"");
    assert!(nothing.is_same(&key_of("/api/webhooks/endpoints/ep_1/secret/rotate", b"{}").body_hash));
    assert!(!nothing.is_same(&key_of("/api/webhooks/endpoints/ep_2/secret/rotate", b"{}").body_hash), "another route");
    // The route of a test reads no body, so no body is invalid.
    assert_eq!(key_of("/api/webhooks/endpoints/ep_1/test", b"not JSON").key, "once");
}

/// A video shows all digits of a number, also those that JSON parsers round away.
#[test]
fn another_digit_in_a_video_is_another_request() {
    let stats = |value: &str| {
        let body = format!(r#"{{"scenes": [{{"type": "stats", "content": {{"stats": [{{"value": {value}}}]}}}}]}}"#);
        let config = part("Content-Disposition: form-data; name=\"config\"", &body);
        let form = order(&form(&[KEY], &[config])).unwrap().key.expect("a key");
        [key_of("/api/generate-video-async", body.as_bytes()), form]
    };
    for (one, other, same) in [
        ("12345678901234567890123", "12345678901234567890124", false),
        ("3.1415926535897932384626", "3.1415926535897932384627", false),
        ("18446744073709551616", "18446744073709551617", false),
        ("12345678901234567890123", "12345678901234567890123.0", true),
        ("4", "4.0", true),
        ("0.5", "5e-1", true),
    ] {
        for (one, other_key) in stats(one).iter().zip(stats(other)) {
            assert_eq!(other_key.is_same(&one.body_hash), same, "{other}");
        }
    }
}

#[test]
fn a_repeat_may_be_compressed() {
    let body = br#"{"country": "FR", "platform": "netflix", "genre": "Drama"}"#;
    let headers = [KEY, ("content-encoding", "gzip")];
    let packed = request("POST", "/api/generate", &headers, Body::Binary(gzip(body)));
    let packed = generate::read(&packed, caller()).unwrap().key.expect("a key");
    assert!(packed.is_same(&key_of("/api/generate", body).body_hash));
}

#[test]
fn records_of_version_0_1_are_still_known() {
    let body = br#"{"country": "FR", "platform": "netflix", "genre": "Drama"}"#;
    let kept = Sha256::new().chain_update("/api/generate").chain_update([0]).chain_update(body);
    let kept = hex::encode(kept.finalize());
    assert!(key_of("/api/generate", body).is_same(&kept), "its own repeat");
    let respaced = br#"{"country":"FR","platform":"netflix","genre":"Drama"}"#;
    assert!(!key_of("/api/generate", respaced).is_same(&kept));
}

#[test]
fn a_key_is_looked_up_under_its_caller_s_former_names_too() {
    for (path, body) in [
        ("/api/generate", r#"{"country": "FR", "platform": "netflix", "genre": "Drama"}"#),
        ("/api/webhooks/trigger", r#"{"event": "job.completed"}"#),
        ("/api/webhooks/recover", r#"{"from": "2024-01-01T00:00:00Z"}"#),
        ("/api/webhooks/endpoints", r#"{"url": "https://a.example/"}"#),
        ("/api/webhooks/endpoints/ep_1/secret/rotate", "{}"),
    ] {
        assert_eq!(key_of(path, body.as_bytes()).callers().collect::<Vec<_>>(), ["ann", "ann before"], "{path}");
    }
}

#[test]
fn a_form_is_the_same_with_another_boundary_and_another_order_of_fields() {
    const CONFIG: &str = "Content-Disposition: form-data; name=\"config\"";
    const HOOK: &str = "Content-Disposition: form-data; name=\"webhookUrl\"";
    let image = |name: &str, last: u8| {
        let head = format!("Content-Disposition: form-data; name=\"images\"; filename=\"{name}\"");
        part(&head, [b"\x89PNG".as_slice(), &[last]].concat())
    };
    let scenes = r#"{"scenes": [{"type": "hero-title", "duration": 4}], "title": "a"}"#;
    let config = part(CONFIG, scenes);
    let hook = part(HOOK, "https://client.example/hook");
    let (one, two) = (image("café.png", 1), image("b.png", 2));
    let key = |parts: &[Vec<u8>]| order(&form(&[KEY], parts)).unwrap().key.expect("a key");
    let first = key(&[config.clone(), hook.clone(), one.clone(), two.clone()]);
    let same = |parts: &[Vec<u8>]| key(parts).is_same(&first.body_hash);
    assert!(same(&[one.clone(), hook.clone(), two.clone(), config.clone()]), "fields in another order");
    let respaced = part(CONFIG, r#"{"title":"\u0061","scenes":[{"duration":4.0,"type":"hero-title"}]}"#);
    assert!(same(&[respaced, hook.clone(), one.clone(), two.clone()]), "its configuration, respaced");
    assert!(same(&[config.clone(), hook.clone(), image("cafe\u{301}.png", 1), two.clone()]), "a name, decomposed");
    assert!(!same(&[config.clone(), hook.clone(), two.clone(), one.clone()]), "scenes refer to images by number");
    assert!(!same(&[config.clone(), hook.clone(), image("café.png", 3), two.clone()]), "another image");
    assert!(!same(&[config.clone(), part(HOOK, "https://client.example/"), one.clone(), two.clone()]), "another hook");
    let headers = [("content-type", "multipart/form-data; boundary=other"), KEY];
    let body = String::from_utf8_lossy(&[config, hook].concat()).replace("--part\r\n", "--other\r\n") + "--other--\r\n";
    let elsewhere = request("POST", "/api/generate-video-async", &headers, Body::Binary(body.into_bytes()));
    let elsewhere = order(&elsewhere).unwrap().key.expect("a key");
    let here = key(&[part(CONFIG, scenes), part(HOOK, "https://client.example/hook")]);
    assert!(elsewhere.is_same(&here.body_hash), "another boundary");
}

#[test]
fn an_invalid_key_is_refused() {
    for key in ["", &"k".repeat(256)] {
        let body = Body::Text(r#"{"country": "FR", "platform": "netflix", "genre": "Drama"}"#.to_owned());
        let request = request("POST", "/api/generate", &[("idempotency-key", key)], body);
        assert_eq!(generate::read(&request, caller()).unwrap_err().parts().1, "bad_idempotency_key");
    }
}
