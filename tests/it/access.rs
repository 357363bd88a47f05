//! Callers without a key can't read or change anything.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::login::browser;
use crate::stack::{API_FUNCTIONS, JsonText, Stack, read};

/// What needs no key: the health, the description and the public keys of the service, the forms that sign in and out,
/// and callbacks, whose senders have tokens or secrets of their own. To GET, a callback says only that it is there; a
/// render callback without a token is only a hint.
const OPEN: [&str; 25] = [
    "GET /.well-known/webhook-keys.json",
    "GET /api/health",
    "GET /api/webhooks/ai-clipping",
    "GET /api/webhooks/clipping",
    "GET /api/webhooks/last-frame-complete",
    "GET /api/webhooks/stitch-complete",
    "GET /api/webhooks/video-complete",
    "GET /health",
    "GET /login",
    "GET /openapi.json",
    "POST /api/webhooks/ai-clipping",
    "POST /api/webhooks/clipping",
    "POST /api/webhooks/creatomate",
    "POST /api/webhooks/last-frame-complete",
    "POST /api/webhooks/stitch-complete",
    "POST /api/webhooks/video-complete",
    "POST /login",
    "POST /logout",
    "POST /w/{token}/api/webhooks/ai-clipping",
    "POST /w/{token}/api/webhooks/clipping",
    "POST /w/{token}/api/webhooks/creatomate",
    "POST /w/{token}/api/webhooks/last-frame-complete",
    "POST /w/{token}/api/webhooks/step-update",
    "POST /w/{token}/api/webhooks/stitch-complete",
    "POST /w/{token}/api/webhooks/video-complete",
];

#[tokio::test]
async fn without_a_key_every_route_refuses() {
    let stack = Stack::open().await;
    let described: Value =
        serde_json::from_str(include_str!("../../functions/pages/openapi/openapi.json")).expect("JSON");
    let (mut checked, mut open) = (0, BTreeSet::new());
    for (path, operations) in described["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            if method == "parameters" {
                continue;
            }
            let method = method.to_uppercase();
            let route = format!("{method} {path}");
            if OPEN.contains(&route.as_str()) {
                assert_eq!(operation["security"], json!([]), "{route}");
                open.insert(route);
                continue;
            }
            if operation["tags"] == json!(["pages"]) {
                sent_to_sign_in(&stack, path).await;
            } else {
                refused(&stack, &method.parse().expect("a method"), path).await;
            }
            checked += 1;
        }
    }
    assert_eq!(open.len(), OPEN.len(), "each open route is described: {open:?}");
    assert!(checked > 125, "{checked}");
}

async fn refused(stack: &Stack, method: &Method, path: &str) {
    let path = path.replace("{id}", "job_1_a").replace("{country}", "US").replace("{creatomateId}", "render-1");
    let request = stack.http.request(method.clone(), format!("{}{path}", stack.api)).json_text(&json!({}));
    let response = request.send().await.expect("an answer");
    assert!(response.headers().contains_key("www-authenticate"), "{method} {path}");
    let (status, answer) = read(response).await;
    assert_eq!((status, &answer["code"]), (401, &json!("unauthorized")), "{method} {path}");
    assert!(answer["request_id"].is_string());
}

async fn sent_to_sign_in(stack: &Stack, path: &str) {
    let url = format!("{}{}", stack.api, path.replace("{id}", "job_1_a"));
    let response = browser().get(url).send().await.expect("an answer");
    let location = response.headers()["location"].to_str().expect("ASCII").to_owned();
    assert!(response.status() == 303 && location.starts_with("/login"), "{path}: {} {location}", response.status());
    assert_eq!(response.text().await.expect("text"), "", "{path} shows nothing");
}

#[tokio::test]
async fn a_key_is_accepted_in_every_documented_way() {
    let stack = Stack::open().await;
    let url = format!("{}/api/job/job_1_unknown", stack.api);
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("anyone:{}", stack.key));
    for (name, value) in [
        ("x-api-key", stack.key.clone()),
        ("authorization", format!("Bearer {}", stack.key)),
        ("authorization", format!("Basic {basic}")),
    ] {
        let (status, answer) = read(stack.http.get(&url).header(name, &value).send().await.expect("an answer")).await;
        assert_eq!((status, &answer["message"]), (404, &json!("Job not found")), "{name}");
    }
}

#[tokio::test]
async fn a_repeated_idempotency_key_makes_one_job() {
    let stack = Stack::open().await;
    let key = format!("key-{}", std::process::id());
    let send = async |body: serde_json::Value| {
        let request = stack.request(Method::POST, "/api/generate").header("idempotency-key", &key).json_text(&body);
        read(request.send().await.expect("an answer")).await
    };
    let body = json!({ "country": "US", "platform": "netflix", "genre": "Drama", "template": "studio:step_ms=5" });
    let (one, two, three, four) =
        tokio::join!(send(body.clone()), send(body.clone()), send(body.clone()), send(body.clone()));
    for (status, answer) in [&one, &two, &three, &four] {
        assert_eq!(*status, 200, "{answer}");
        assert_eq!(answer, &one.1, "the first answer, each time");
    }
    let (status, answer) = send(json!({ "country": "FR", "platform": "netflix", "genre": "Drama" })).await;
    assert_eq!((status, &answer["code"]), (422, &json!("idempotency_key_reused")));
    stack.until_status(one.1["jobId"].as_str().expect("jobId"), "completed").await;
}

#[tokio::test]
async fn a_preflight_lists_the_allowed_methods_and_headers() {
    let stack = Stack::open().await;
    let request = stack
        .http
        .request(Method::OPTIONS, format!("{}/api/generate", stack.api))
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,idempotency-key");
    let response = request.send().await.expect("an answer");
    let allowed = response.headers()["access-control-allow-headers"].to_str().expect("ASCII").to_lowercase();
    for name in ["authorization", "x-api-key", "idempotency-key", "last-event-id"] {
        assert!(allowed.contains(name), "{allowed}");
    }
}

/// AWS may route preflights to an API's `$default` route; the emulator answers them itself.
#[tokio::test]
async fn a_preflight_that_reaches_a_function_is_answered_before_any_check() {
    let stack = Stack::open().await;
    let event: Value = serde_json::from_str(include_str!("../../events/pages/preflight.json")).expect("JSON");
    for function in API_FUNCTIONS {
        let (answer, error) = stack.aws.invoke(function, &event).await;
        assert_eq!(error, None, "{function}: {answer}");
        let body = answer["body"].as_str().unwrap_or_default();
        // The contract of scenes names the status of its webhooks.
        let status = if function == "scene-webhooks" { 200 } else { 204 };
        assert_eq!((&answer["statusCode"], body), (&json!(status), ""), "{function}: {answer}");
        assert_eq!(answer["headers"]["access-control-allow-origin"], "*", "{function}: {answer}");
        assert_eq!(answer["headers"].get("access-control-allow-credentials"), None, "{function}: {answer}");
    }
}

#[tokio::test]
async fn automatic_browser_credentials_do_not_authorize_another_sites_form() {
    let stack = Stack::open().await;
    let send = async |method: Method, headers: &[(&str, &str)], body: &'static str| {
        let request = stack.http.request(method, format!("{}/api/job/job_1_unknown/cancel", stack.api));
        let request = request.basic_auth("anyone", Some(&stack.key)).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (_, answer) = read(request.send().await.expect("an answer")).await;
        answer["code"].as_str().unwrap_or_default().to_owned()
    };
    let form = ("content-type", "application/x-www-form-urlencoded");
    let same_host = stack.api.replace("http://", "https://");
    for foreign in ["https://evil.example", "null", same_host.as_str(), "chrome-extension://127.0.0.1"] {
        assert_eq!(send(Method::POST, &[form, ("origin", foreign)], "x=1").await, "foreign_page", "{foreign}");
    }
    assert_eq!(send(Method::POST, &[form], "x=1").await, "foreign_page");
    assert_eq!(send(Method::POST, &[form, ("origin", &stack.api)], "x=1").await, "job_not_found");
    // A method that browsers preflight needs no other proof, even behind a proxy with another host name.
    assert_eq!(send(Method::DELETE, &[], "").await, "method_not_allowed");
    assert_eq!(send(Method::DELETE, &[("origin", "https://gateway.example")], "").await, "method_not_allowed");
    let proxied = [("origin", "https://gateway.example"), ("sec-fetch-site", "same-origin")];
    assert_eq!(send(Method::POST, &proxied, "").await, "job_not_found");
}
