//! Nobody without a key changes or reads anything.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{JsonText, Stack, read};

#[tokio::test]
async fn without_a_key_nothing_opens() {
    let stack = Stack::open().await;
    let described: Value =
        serde_json::from_str(include_str!("../../functions/pages/openapi/openapi.json")).expect("JSON");
    let mut checked = 0;
    for (path, operations) in described["paths"].as_object().expect("paths") {
        // Renders are called back without a key: such a call is only a hint. Callback tokens stand in the path.
        let open = path.starts_with("/w/") || path == "/api/webhooks/creatomate";
        for (method, _) in
            operations.as_object().expect("operations").iter().filter(|(_, it)| it["security"] != json!([]))
        {
            if open || method == "parameters" {
                continue;
            }
            refused(&stack, &method.to_uppercase().parse().expect("a method"), path).await;
            checked += 1;
        }
    }
    assert!(checked > 35, "{checked}");
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

#[tokio::test]
async fn each_way_to_show_a_key_works() {
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
async fn a_preflight_names_what_browsers_may_send() {
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
